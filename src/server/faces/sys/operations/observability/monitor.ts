/** sys/monitor: the log of this process as it is written, until the client goes or its token dies. */
import type { Clock } from '../../../../../lib/clock.ts'
import { hclogLine } from '../../../../../lib/hclog-line.ts'
import { type Call, operation, Refusal, type Route } from '../../../../contracts/request.ts'
import { type LogControl, type LogLevel, parseLogLevel } from '../../../../telemetry/log-control.ts'
import type { CallerAcl, PresentedTokens } from '../../../../tokens/presented-tokens.ts'

export interface MonitorOptions {
  readonly logs: LogControl
  readonly clock: Clock
  readonly presented: PresentedTokens
  /** What a token that was shown from this address may do now; undefined when it is not alive any more. */
  readonly currentAcl: (token: string, remote: Call['remote']) => Promise<CallerAcl | undefined>
}

const recheckMs = 1000
/** A client that is slower than its lines misses some, and is told how many. */
const maxWaiting = 512

export function monitorRoutes(options: MonitorOptions): Route[] {
  const read = operation({
    input: {
      log_level: { kind: 'string', description: 'trace, debug, info, warn or error', default: 'info' },
      log_format: { kind: 'string', description: 'standard or json', default: 'standard' },
    },
    namespaces: 'root',
    deadline: 'none',
    handle: async (call) => {
      const presented = options.presented.get(call)
      if (!presented) throw new Refusal(403, 'permission denied')
      const level = parseLogLevel(call.input.log_level || 'info')
      if (!level) throw new Refusal(400, 'unknown log level')
      const format = call.input.log_format.toLowerCase()
      if (format !== 'standard' && format !== 'json') throw new Refusal(400, 'unknown log format')
      const stream = new LogStream(options, {
        level,
        format,
        token: presented.token,
        remote: call.remote,
        signal: call.signal,
      })
      return { kind: 'raw', contentType: 'text/plain; charset=utf-8', body: stream.lines() }
    },
  })
  return [{ path: 'monitor', summary: 'Streams the log of this process.', on: { read } }]
}

interface Wanted {
  readonly level: LogLevel
  readonly format: 'standard' | 'json'
  readonly token: string
  readonly remote: Call['remote']
  readonly signal: AbortSignal
}

class LogStream {
  readonly #options: MonitorOptions
  readonly #wanted: Wanted
  #waiting: string[] = []
  #missed = 0
  #ended = false
  #wake = () => {}

  constructor(options: MonitorOptions, wanted: Wanted) {
    this.#options = options
    this.#wanted = wanted
  }

  async *lines(): AsyncGenerator<Uint8Array> {
    const { signal, level, format } = this.#wanted
    const end = this.#options.logs.tap(level, (line) => this.#put(`${hclogLine(line, format)}\n`))
    const onGone = () => this.#end()
    signal.addEventListener('abort', onGone, { once: true })
    if (signal.aborted) this.#end()
    this.#recheckLater()
    try {
      // Sends the headers: the client knows that it is listened to.
      yield Buffer.alloc(0)
      while (!this.#ended) {
        if (this.#waiting.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve))
        const text = this.#take()
        if (text !== '') yield Buffer.from(text)
      }
    } finally {
      this.#ended = true
      signal.removeEventListener('abort', onGone)
      end()
    }
  }

  #put(text: string): void {
    if (this.#waiting.length >= maxWaiting) this.#missed += 1
    else this.#waiting.push(text)
    this.#wake()
  }

  #take(): string {
    const missed = this.#missed > 0 ? `Monitor dropped ${this.#missed} logs during monitor request\n` : ''
    const text = this.#waiting.join('') + missed
    this.#waiting = []
    this.#missed = 0
    return text
  }

  #end(): void {
    this.#ended = true
    this.#wake()
  }

  #recheckLater(): void {
    this.#options.clock.after(recheckMs, () => {
      if (this.#ended) return
      this.#options.currentAcl(this.#wanted.token, this.#wanted.remote).then(
        (acl) => (acl?.check({ path: 'sys/monitor', operation: 'read' }).allowed ? this.#recheckLater() : this.#end()),
        () => this.#end(),
      )
    })
  }
}
