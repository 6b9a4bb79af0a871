import type { Clock } from '../../../../lib/clock.ts'
import type { Logger } from '../../../../lib/log.ts'

export interface AutoUnsealOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly attempt: () => Promise<void>
}

const longestWaitMs = 60_000

/** Unseals without people; the seal may be away for a while, so it is tried again, ever more seldom. */
export class AutoUnseal {
  readonly #options: AutoUnsealOptions
  #stop: AbortController | undefined

  constructor(options: AutoUnsealOptions) {
    this.#options = options
  }

  /** Resolves after the first attempt, whatever came of it. */
  async start(): Promise<void> {
    if (this.#stop) return
    const stop = new AbortController()
    this.#stop = stop
    if (await this.#attempt(1)) return
    this.#again(stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) this.#options.log.error('unsealing stopped', { error: String(error) })
    })
  }

  stop(): void {
    this.#stop?.abort(new Error('sealing'))
    this.#stop = undefined
  }

  async #again(signal: AbortSignal): Promise<void> {
    for (let failures = 1; ; failures += 1) {
      await this.#options.clock.sleep(Math.min(longestWaitMs, 500 * 2 ** failures), signal)
      if (await this.#attempt(failures + 1)) return
    }
  }

  async #attempt(number: number): Promise<boolean> {
    try {
      await this.#options.attempt()
      return true
    } catch (error) {
      this.#options.log.warn('not unsealed yet, will be tried again', { attempt: number, error: String(error) })
      return false
    }
  }
}
