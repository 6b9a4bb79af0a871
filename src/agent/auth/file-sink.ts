import type { Clock } from '../../lib/clock.ts'
import type { RandomBytes } from '../../lib/random.ts'
import type { FileSinkConfig } from '../config/agent-config.ts'
import { AgentFailure } from '../failure.ts'
import type { AgentLog } from '../log.ts'
import { checkWritable, replaceFile } from '../render/atomic-file.ts'

/** A file that always holds the current token, for whoever else in the pod talks to the server. */
export class FileSink {
  readonly #config: FileSinkConfig
  readonly #clock: Clock
  readonly #random: RandomBytes
  readonly #log: AgentLog
  #wanted = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(o: { config: FileSinkConfig; clock: Clock; random: RandomBytes; log: AgentLog }) {
    this.#config = o.config
    this.#clock = o.clock
    this.#random = o.random
    this.#log = o.log
  }

  /** A sink that can't be written must be known before anything else happens. */
  async prepare(): Promise<void> {
    const { path, mode } = this.#config
    this.#log.info('creating file sink')
    try {
      await checkWritable(path, this.#random)
    } catch (cause) {
      throw new AgentFailure(`the token cannot be written to ${path}: ${reason(cause)}`, { cause })
    }
    this.#log.info('file sink configured', { path, mode: modeText(mode) })
  }

  /** Tries again every one to three seconds until it is written or a newer token came. */
  async write(token: string, signal: AbortSignal): Promise<void> {
    this.#wanted += 1
    const turn = this.#wanted
    const { path, mode } = this.#config
    while (turn === this.#wanted) {
      try {
        // One after another: an older token whose write takes longer must not take the newer one's place.
        await this.#inTurn(() => replaceFile(path, Buffer.from(token, 'utf8'), { mode, random: this.#random }))
        this.#log.info('token written', { path })
        return
      } catch (error) {
        this.#log.error('error writing the token', { path, error: reason(error) })
        await this.#clock.sleep(1000 + (2000 * (this.#random(1)[0] ?? 0)) / 256, signal)
      }
    }
  }

  #inTurn(write: () => Promise<void>): Promise<void> {
    const done = this.#writing.then(write)
    this.#writing = done.catch(() => undefined)
    return done
  }
}

const reason = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error'

/** "-rw-r-----" */
const modeText = (mode: number): string =>
  `-${[6, 3, 0]
    .map((shift) => ['r', 'w', 'x'].map((c, i) => ((mode >> shift) & (4 >> i) ? c : '-')).join(''))
    .join('')}`
