import type { Clock } from '../../lib/clock.ts'

/** How many of the latest observations quantiles are taken from. */
const kept = 512
/** Older observations count no more. */
export const windowMs = 600_000
const intervalMs = 10_000

export interface Aggregate {
  readonly count: number
  readonly sum: number
  readonly min: number
  readonly max: number
  readonly mean: number
  readonly stddev: number
}

/** What was observed, most of it durations in milliseconds. One observation is a few additions: nothing is allocated. */
export class Summary {
  readonly #clock: Clock
  readonly #values = new Float64Array(kept)
  readonly #times = new Float64Array(kept)
  #next = 0
  #current = new Interval(0)
  #before: Interval | undefined
  /** Since the start. */
  count = 0
  sum = 0

  constructor(options: { clock: Clock }) {
    this.#clock = options.clock
    this.#times.fill(Number.NEGATIVE_INFINITY)
  }

  /** `now`: the monotonic time, from whoever has just read it to know the value. */
  observe(value: number, now = this.#clock.monotonic()): void {
    this.count += 1
    this.sum += value
    this.#values[this.#next] = value
    this.#times[this.#next] = now
    this.#next = (this.#next + 1) % kept
    if (now - this.#current.startedAt >= intervalMs) this.#turn(now)
    this.#current.add(value)
  }

  /** What quantiles are taken from now, in no order. */
  window(): Float64Array {
    const oldest = this.#clock.monotonic() - windowMs
    return this.#values.filter((_, i) => (this.#times[i] ?? Number.NEGATIVE_INFINITY) >= oldest)
  }

  /** Nearest-rank; NaN for each when the window is empty. */
  quantiles(wanted: readonly number[]): number[] {
    const sorted = this.window().sort()
    return wanted.map((q) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN)
  }

  /** The last whole interval of 10 s, or what there is of the first one. Undefined when it saw nothing. */
  interval(): (Aggregate & { readonly seconds: number }) | undefined {
    const now = this.#clock.monotonic()
    if (now - this.#current.startedAt >= intervalMs) this.#turn(now)
    const shown = this.#before ?? this.#current
    if (shown.count === 0) return undefined
    return { ...shown.aggregate(), seconds: intervalMs / 1000 }
  }

  #turn(now: number): void {
    const passed = Math.floor((now - this.#current.startedAt) / intervalMs)
    this.#before = passed === 1 ? this.#current : new Interval(0)
    this.#current = new Interval(this.#current.startedAt + passed * intervalMs)
  }
}

class Interval {
  readonly startedAt: number
  count = 0
  #sum = 0
  #squares = 0
  #min = Number.POSITIVE_INFINITY
  #max = Number.NEGATIVE_INFINITY

  constructor(startedAt: number) {
    this.startedAt = startedAt
  }

  add(value: number): void {
    this.count += 1
    this.#sum += value
    this.#squares += value * value
    if (value < this.#min) this.#min = value
    if (value > this.#max) this.#max = value
  }

  aggregate(): Aggregate {
    const { count } = this
    const variance = count < 2 ? 0 : (this.#squares - (this.#sum * this.#sum) / count) / (count - 1)
    return {
      count,
      sum: this.#sum,
      min: this.#min,
      max: this.#max,
      mean: this.#sum / count,
      stddev: Math.sqrt(Math.max(0, variance)),
    }
  }
}
