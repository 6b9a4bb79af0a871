import type { Worker } from 'node:cluster'
import type { LogLevel } from '../../../server/telemetry/log-control.ts'
import { type Answers, Channel } from './channel.ts'
import type { Role, ToMember, ToPrimary } from './messages.ts'
import type { SeriesImage } from './series-image.ts'

/** Beyond this a member that reads nothing (stopped, busy) is told 'reset' instead of all that it missed. */
const maxUnsent = 1000

/** A worker, or the housekeeper, as the primary sees it while it runs. */
export class Member {
  readonly number: number
  readonly channel: Channel<ToMember, ToPrimary>
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
  readonly #worker: Worker
  /** It has been told how the node stands. */
  seated = false
  /** It may be asked whether it takes the root key. */
  joined = false
  storageOpen = false
  /** Where it listens, once it serves. */
  addresses: readonly string[] | undefined
  tap: LogLevel | undefined
  images: readonly SeriesImage[] = []
  #behind = false

  constructor(options: {
    readonly number: number
    readonly worker: Worker
    readonly answers: (member: Member) => Answers<ToPrimary>
    readonly failed: (name: string, error: unknown) => void
  }) {
    const { number, worker, answers, failed } = options
    this.number = number
    this.#worker = worker
    this.channel = new Channel<ToMember, ToPrimary>({
      port: {
        // A process that is gone takes nothing: its end is told apart.
        send: (message, sent) => {
          worker.process.send(message as Parameters<typeof worker.process.send>[0], sent)
        },
        onMessage: (listener) => void worker.on('message', listener),
      },
      answers: answers(this),
      failed,
    })
    worker.on('error', () => undefined)
    this.ended = new Promise((resolve) => {
      worker.process.once('exit', (code, signal) => {
        this.channel.end(new Error(`the ${this.role} ended`))
        resolve({ code, signal })
      })
    })
  }

  get role(): Role {
    return this.number === 0 ? 'housekeeper' : 'worker'
  }

  get pid(): number | undefined {
    return this.#worker.process.pid
  }

  kill(signal: NodeJS.Signals): void {
    this.#worker.process.kill(signal)
  }

  /** Changes of others. They only wake: one that can't keep up is told that it has missed some. */
  tellChanged(change: ToMember['changed'][0]): void {
    if (!this.seated) return
    if (this.channel.unsent > maxUnsent) {
      this.#behind = true
      return
    }
    this.channel.tell('changed', this.#behind ? 'reset' : change)
    this.#behind = false
  }

  /** What may be lost when nobody reads it. */
  tellLine(line: ToMember['line'][0]): void {
    if (this.seated && this.channel.unsent <= maxUnsent) this.channel.tell('line', line)
  }
}
