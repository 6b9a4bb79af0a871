/** How long a token lives: Vault's rules for creation and renewal. */
import { formatGoDuration } from '../../lib/duration.ts'
import { Refusal } from '../contracts/request.ts'
import { cappedTtl } from '../leases/capped-ttl.ts'

export interface TtlRequest {
  /** Asked for now: ttl at creation, increment at renewal. 0: not said. */
  readonly wantedMs: number
  /** The role's or the creation's own ttl. 0: not said. */
  readonly roleTtlMs: number
  readonly roleMaxTtlMs: number
  readonly explicitMaxTtlMs: number
  readonly periodMs: number
  /** The mount's effective limits, never 0. */
  readonly defaultTtlMs: number
  readonly maxTtlMs: number
  readonly issuedAt: number
  readonly now: number
}

/** Refuses (400) a renewal past the maximum. */
export function tokenTtl(request: TtlRequest): { ttlMs: number; warnings: string[] } {
  const warnings: string[] = []
  const max = smallest(request.maxTtlMs, request.roleMaxTtlMs, request.explicitMaxTtlMs)
  const age = request.now - request.issuedAt
  let ttlMs: number
  let limit: number
  if (request.periodMs > 0) {
    ttlMs = request.periodMs
    if (ttlMs > request.maxTtlMs) {
      ttlMs = request.maxTtlMs
      warnings.push(
        `period of "${formatGoDuration(request.periodMs)}" exceeded the effective max_ttl of "${formatGoDuration(ttlMs)}"; period value is capped accordingly`,
      )
    }
    limit = request.explicitMaxTtlMs
  } else {
    ttlMs = request.wantedMs || request.roleTtlMs || request.defaultTtlMs
    limit = max
  }
  if (limit > 0) {
    const left = limit - age
    if (left <= 0) throw new Refusal(400, 'past the max TTL, cannot renew')
    if (ttlMs > left) {
      // A default that does not fit is cut without a word, as nobody asked for it.
      if (request.wantedMs > 0 || request.roleTtlMs > 0 || request.periodMs > 0) warnings.push(cappedTtl(ttlMs, limit))
      ttlMs = left
    }
  }
  return { ttlMs, warnings }
}

const smallest = (...values: number[]) => Math.min(...values.filter((value) => value > 0))
