import type { Clock } from '../lib/clock.ts'
import { formatGoDuration } from '../lib/duration.ts'
import { describe } from './failure.ts'
import type { AgentLog } from './log.ts'

export interface OutageState {
  /** Wall clock, ms. */
  readonly since: number
  readonly reason: string
}

/**
 * Knows whether the server answers, by who asks it (the login, each secret): while one of them gets no answer there is
 * an outage, however often others do. Says so in the log once when it begins and once when it ends.
 */
export class Outage {
  readonly #clock: Clock
  readonly #log: AgentLog
  /** Who got no answer the last time, with what to call when somebody else gets one. */
  readonly #waiting = new Map<object, () => void>()
  #state: OutageState | undefined
  #armed = false

  constructor(o: { clock: Clock; log: AgentLog }) {
    this.#clock = o.clock
    this.#log = o.log
  }

  get current(): OutageState | undefined {
    return this.#state
  }

  /** There is something now that can become stale. */
  arm() {
    this.#armed = true
  }

  /** `retry` is called when another gets an answer: the server may be back before the next try of `who` is due. */
  failed(who: object, error: unknown, retry: () => void = () => {}) {
    if (!this.#armed) return
    this.#waiting.set(who, retry)
    if (this.#state) return
    const since = this.#clock.now()
    this.#state = { since, reason: describe(error) }
    this.#log.warn(`stale since ${rfc3339(since)}: the server does not answer, files keep their last values`, {
      error: this.#state.reason,
    })
  }

  /** Any answer, a refusal too. */
  answered(who: object) {
    this.#waiting.delete(who)
    for (const retry of [...this.#waiting.values()]) retry()
    this.#end()
  }

  /** `who` asks no more. */
  forget(who: object) {
    this.#waiting.delete(who)
    this.#end()
  }

  #end() {
    const state = this.#state
    if (!state || this.#waiting.size > 0) return
    this.#state = undefined
    const lasted = Math.max(0, Math.round((this.#clock.now() - state.since) / 1000)) * 1000
    this.#log.info(`no longer stale: the server answers again`, {
      stale_since: rfc3339(state.since),
      lasted: formatGoDuration(lasted),
    })
  }
}

/** "2026-01-02T03:04:05Z" */
export const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z')
