import type { Clock } from '../../lib/clock.ts'

/** How many requests are under way, and when there are none. */
export class InFlight {
  readonly #clock: Clock
  #count = 0
  #waiting: (() => void)[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#count += 1
    try {
      return await work()
    } finally {
      this.#count -= 1
      if (this.#count === 0) for (const resolve of this.#waiting.splice(0)) resolve()
    }
  }

  /** Resolves when nothing is under way, or after `withinMs`. */
  idle(withinMs: number): Promise<void> {
    if (this.#count === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = this.#clock.after(withinMs, resolve)
      this.#waiting.push(() => {
        cancel()
        resolve()
      })
    })
  }
}
