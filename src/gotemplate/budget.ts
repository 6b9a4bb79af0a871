import type { Clock } from '../lib/clock.ts'

export interface Limits {
  /** Nodes evaluated, loop turns included. */
  readonly steps?: number
  /** Bytes written, and characters of any one string made on the way. */
  readonly outputBytes?: number
  readonly ms?: number
  readonly clock?: Pick<Clock, 'monotonic'>
}

/** What one execution may use; `spend` throws when it is used up. */
export class Budget {
  readonly #maxSteps: number
  readonly #maxOutput: number
  readonly #deadline: number
  readonly #clock: Pick<Clock, 'monotonic'> | undefined
  #steps = 0
  #written = 0

  constructor(limits: Limits) {
    this.#maxSteps = limits.steps ?? 2_000_000
    this.#maxOutput = limits.outputBytes ?? 16 * 1024 * 1024
    this.#clock = limits.clock
    this.#deadline = (limits.clock?.monotonic() ?? 0) + (limits.ms ?? 5000)
  }

  step() {
    this.#steps += 1
    if (this.#steps > this.#maxSteps) throw new Error(`template takes more than ${this.#maxSteps} steps`)
    if (this.#clock && this.#steps % 256 === 0 && this.#clock.monotonic() > this.#deadline) {
      throw new Error('template takes too long')
    }
  }

  write(characters: number) {
    this.#written += characters
    this.made(this.#written)
  }

  /** A string of that many characters exists. */
  made(characters: number) {
    if (characters > this.#maxOutput) throw new Error(`template makes more than ${this.#maxOutput} bytes`)
  }
}
