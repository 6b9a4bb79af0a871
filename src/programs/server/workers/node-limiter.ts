import type { RateLimit } from '../../../server/quotas/quota-row.ts'
import type { Limiter, Taken } from '../../../server/quotas/rate-limiter.ts'
import type { RateAsk } from './messages.ts'

interface Asking extends RateAsk {
  resolve(taken: Taken): void
  reject(error: Error): void
}

/**
 * Rate limits that the node's primary counts: exact, whichever workers a client's connections are on. What is asked in one turn of
 * the event loop goes in one message, so the cost for each request falls as there are more; requests that no quota is about ask nothing.
 */
export class NodeLimiter implements Limiter {
  readonly #ask: (asks: readonly RateAsk[]) => Promise<readonly Taken[]>
  #waiting: Asking[] = []

  constructor(options: { ask: (asks: readonly RateAsk[]) => Promise<readonly Taken[]> }) {
    this.#ask = options.ask
  }

  take(quota: RateLimit, address: string): Promise<Taken> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ quota, address, resolve, reject })
      if (this.#waiting.length === 1) setImmediate(() => void this.#send())
    })
  }

  /** The primary forgets when the node seals. */
  forget(): void {}

  async #send(): Promise<void> {
    const asking = this.#waiting
    this.#waiting = []
    try {
      const taken = await this.#ask(asking.map(({ quota, address }) => ({ quota, address })))
      for (const [i, { resolve, reject }] of asking.entries()) {
        const one = taken[i]
        if (one) resolve(one)
        else reject(new Error('the primary did not count'))
      }
    } catch (cause) {
      for (const { reject } of asking) reject(new Error('the primary did not count', { cause }))
    }
  }
}
