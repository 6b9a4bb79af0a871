import type { RandomBytes } from '../../lib/random.ts'
import { ApiError } from '../client.ts'
import type { Timings } from '../transport/timings.ts'
import { Backoff, spread } from './backoff.ts'

/** How one connection of a watch went. */
export interface StreamEnd {
  /** Undefined: the server ended it in good order. */
  readonly failure: unknown
  readonly endedAt: number
  readonly livedMs: number
  /** It brought us further: the end of a list, or a change after it. */
  readonly advanced: boolean
}

/** Lists after 410 that are further apart than this have nothing to do with each other. */
const calmMs = 60_000
const longestRetryAfterMs = 60_000

/** When a watch asks again: soon when all is well, ever later while it is not, and never in step with the others. */
export class Pace {
  readonly #options: { timings: Timings; random: RandomBytes }
  readonly #retries: Backoff
  readonly #lists: Backoff
  #expiredAt = Number.NEGATIVE_INFINITY

  constructor(options: { timings: Timings; random: RandomBytes }) {
    this.#options = options
    const { firstRetryMs: firstMs, longestRetryMs: maxMs } = options.timings
    this.#retries = new Backoff({ firstMs, maxMs, random: options.random })
    this.#lists = new Backoff({ firstMs, maxMs, random: options.random })
  }

  /** The delay before the next connection, in milliseconds. */
  after(end: StreamEnd): number {
    const { timings, random } = this.#options
    if (end.advanced) this.#retries.reset()
    if (end.failure instanceof ApiError && end.failure.status === 410) return this.#afterExpiry(end.endedAt)
    if (end.failure === undefined && end.livedMs >= timings.shortStreamMs) return 0
    const delayMs = this.#retries.next()
    const asked = end.failure instanceof ApiError ? (end.failure.retryAfterMs ?? 0) : 0
    return Math.max(delayMs, spread(Math.min(asked, longestRetryAfterMs), random))
  }

  /** The whole set is needed again, at once; but a server that says so again and again gets no list after the other. */
  #afterExpiry(now: number): number {
    const calm = now - this.#expiredAt >= calmMs
    this.#expiredAt = now
    if (!calm) return this.#lists.next()
    this.#lists.reset()
    return 0
  }
}
