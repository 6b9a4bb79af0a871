import { boundedCache } from '../../lib/bounded-cache.ts'
/** Counts requests by quota and client address, in this process only, as Vault does on each node. */
import type { RateLimit } from './quota-row.ts'

interface Client {
  /** The intervals are counted from the client's first request. */
  readonly since: number
  interval: number
  left: number
  blockedUntil: number
}

export interface Taken {
  readonly allowed: boolean
  readonly limit: number
  readonly left: number
  readonly resetMs: number
  /** Refused because it went over the limit earlier. */
  readonly blocked: boolean
}

/** Counts for this process, or for all of a node. */
export interface Limiter {
  take(quota: RateLimit, address: string, now: number): Taken | Promise<Taken>
  forget(): void
}

const maxClients = 50_000

export class RateLimiter implements Limiter {
  /** Those that have not been seen for longest go first: their next request starts a new interval. */
  readonly #clients = boundedCache<string, Client>(maxClients)

  /** `now`: monotonic. */
  take(quota: RateLimit, address: string, now: number): Taken {
    const limit = Math.max(1, Math.round(quota.rate))
    const client = this.#client(quota, address, now, limit)
    if (client.blockedUntil > now) {
      return { allowed: false, limit, left: 0, resetMs: client.blockedUntil - now, blocked: true }
    }
    const interval = Math.floor((now - client.since) / quota.intervalMs)
    if (interval > client.interval) {
      client.interval = interval
      client.left = limit
    }
    const resetMs = client.since + (interval + 1) * quota.intervalMs - now
    if (client.left > 0) {
      client.left -= 1
      return { allowed: true, limit, left: client.left, resetMs, blocked: false }
    }
    client.blockedUntil = quota.blockMs > 0 ? now + quota.blockMs : 0
    return { allowed: false, limit, left: 0, resetMs: quota.blockMs > 0 ? quota.blockMs : resetMs, blocked: false }
  }

  forget(): void {
    this.#clients.clear()
  }

  #client(quota: RateLimit, address: string, now: number, limit: number): Client {
    // A quota that was changed counts anew.
    const key = `${quota.name}\0${quota.rate}\0${quota.intervalMs}\0${quota.blockMs}\0${address}`
    const known = this.#clients.get(key)
    if (known) return known
    const made = { since: now, interval: 0, left: limit, blockedUntil: 0 }
    this.#clients.set(key, made)
    return made
  }
}
