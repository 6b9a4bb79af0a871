import type { Clock } from '../lib/clock.ts'
import { formatGoDuration } from '../lib/duration.ts'
import { describe } from './failure.ts'
import type { AgentLog } from './log.ts'

export interface OutageState {
  /** Wall clock, ms. */
  readonly since: number
  readonly reason: string
}

/** Knows whether the server answers. Says so in the log once when it stops and once when it does again. */
export class Outage {
  readonly #clock: Clock
  readonly #log: AgentLog
  readonly #onRecovery = new Set<() => void>()
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

  failed(error: unknown) {
    if (this.#state || !this.#armed) return
    const since = this.#clock.now()
    this.#state = { since, reason: describe(error) }
    this.#log.warn(`stale since ${rfc3339(since)}: the server does not answer, files keep their last values`, {
      error: this.#state.reason,
    })
  }

  answered() {
    const state = this.#state
    if (!state) return
    this.#state = undefined
    const lasted = Math.max(0, Math.round((this.#clock.now() - state.since) / 1000)) * 1000
    this.#log.info(`no longer stale: the server answers again`, {
      stale_since: rfc3339(state.since),
      lasted: formatGoDuration(lasted),
    })
    for (const fn of [...this.#onRecovery]) fn()
  }

  /** Calls back at each recovery until the returned function is called. */
  onRecovery(fn: () => void): () => void {
    this.#onRecovery.add(fn)
    return () => this.#onRecovery.delete(fn)
  }
}

/** "2026-01-02T03:04:05Z" */
export const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z')
