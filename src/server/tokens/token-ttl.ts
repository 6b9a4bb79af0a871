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

/** Refuses (400) a renewal past the maximum. Warnings say what was asked for and what was left. */
export function tokenTtl(request: TtlRequest): { ttlMs: number; warnings: string[] } {
  const { periodMs, explicitMaxTtlMs } = request
  const warnings: string[] = []
  const max = smallest(request.maxTtlMs, request.roleMaxTtlMs, explicitMaxTtlMs)
  const periodic = periodMs > 0
  let ttlMs = periodic ? periodMs : request.wantedMs || request.roleTtlMs || request.defaultTtlMs
  if (periodic && periodMs > max) {
    ttlMs = max
    warnings.push(
      `period of "${formatGoDuration(periodMs)}" exceeded the effective max_ttl of "${formatGoDuration(max)}"; period value is capped accordingly`,
    )
  }
  // A period escapes every maximum but the explicit one.
  const limit = periodic ? explicitMaxTtlMs : max
  if (limit > 0) {
    // Vault counts in whole seconds.
    const left = limit - (wholeSeconds(request.now) - wholeSeconds(request.issuedAt))
    if (left <= 0) throw new Refusal(400, 'past the max TTL, cannot renew')
    if (ttlMs > left) {
      warnings.push(cappedTtl(ttlMs, left))
      ttlMs = left
    }
  }
  return { ttlMs, warnings }
}

const smallest = (...values: number[]) => Math.min(...values.filter((value) => value > 0))
const wholeSeconds = (ms: number) => Math.floor(ms / 1000) * 1000
