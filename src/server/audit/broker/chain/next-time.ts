import type { Clock } from '../../../../lib/clock.ts'

/** Work that is due some time: it can be asked for sooner, and is never put off. */
export class NextTime {
  readonly #clock: Clock
  readonly #work: () => void
  /** Monotonic. */
  #due = Number.POSITIVE_INFINITY
  #cancel = () => {}
  #over = false

  constructor(clock: Clock, work: () => void) {
    this.#clock = clock
    this.#work = work
  }

  within(ms: number): void {
    const due = this.#clock.monotonic() + ms
    if (this.#over || due >= this.#due) return
    this.#cancel()
    this.#due = due
    this.#cancel = this.#clock.after(ms, () => {
      this.#due = Number.POSITIVE_INFINITY
      this.#work()
    })
  }

  /** Nothing is due any more. */
  end(): void {
    this.#over = true
    this.#cancel()
  }
}
