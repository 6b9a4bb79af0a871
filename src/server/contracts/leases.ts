import type { Json } from '../../lib/json/value.ts'
import type { Reply } from './request.ts'
import type { Schema } from './secret-storage.ts'

export interface Ttl {
  /** 0 = the mount's default. */
  readonly ttlMs: number
  readonly maxTtlMs: number
  readonly renewable: boolean
}
export interface IssuedLease {
  readonly id: string
  readonly ttlMs: number
  readonly renewable: boolean
}

/**
 * A lease is stored pending (due in 5 min) before the effect and activated after it; what dies in between is revoked by
 * the sweep. So `state` must already say how to undo the effect.
 */
export interface Leases {
  issue<S extends Json>(
    handler: string,
    state: S,
    ttl: Ttl,
    effect: (signal: AbortSignal) => Promise<Json>,
  ): Promise<Reply>
}

/** Undoes and prolongs what a lease stands for. At least once, by one holder at a time: `revoke` is idempotent. */
// biome-ignore lint/suspicious/noExplicitAny: the default of a contract kept in mixed lists
export interface LeaseHandler<S = any> {
  readonly state: Schema<S>
  revoke(state: S, signal: AbortSignal): Promise<void>
  renew?(state: S, incrementMs: number, signal: AbortSignal): Promise<{ ttlMs: number; state?: S }>
}
