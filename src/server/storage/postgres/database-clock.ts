import type { Clock } from '../../../lib/clock.ts'

const staleMs = 2000

/** The time of the database, carried on by the local monotonic clock between two looks at it. Until the first look, local time. */
export class DatabaseClock implements Clock {
  readonly #clock: Clock
  #anchor: { readonly time: number; readonly at: number } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `time` was the database's at some moment between two readings of `monotonic`. */
  observe(time: number, sent: number, received: number): void {
    this.#anchor = { time, at: (sent + received) / 2 }
  }

  now(): number {
    if (!this.#anchor) return this.#clock.now()
    return Math.round(this.#anchor.time + this.#clock.monotonic() - this.#anchor.at)
  }

  /** False when it has not looked for so long that a step of the database's clock may be unknown here. */
  get fresh(): boolean {
    return this.#anchor !== undefined && this.#clock.monotonic() - this.#anchor.at < staleMs
  }

  /** How far this machine's wall clock is ahead of the database's. */
  get aheadMs(): number {
    return this.#clock.now() - this.now()
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal)
  }

  after(ms: number, fn: () => void): () => void {
    return this.#clock.after(ms, fn)
  }
}
