/** What a renewal gives: from now, never beyond what the issue allowed, and only while nobody is ending the lease. */
import type { IssuedLease, LeaseHandler } from '../contracts/leases.ts'
import { Refusal } from '../contracts/request.ts'
import { cappedTtl } from './capped-ttl.ts'
import { type LeaseRow, lastMoment } from './lease-row.ts'

export interface Renewal {
  readonly lease: IssuedLease
  readonly warnings: readonly string[]
}

export interface RenewalPlan {
  readonly wantedMs: number
  readonly allowedMs: number
}

/** Refuses (400) in Vault's words. `incrementMs` 0: as first issued. */
export function planRenewal(
  row: LeaseRow | undefined,
  handler: LeaseHandler | undefined,
  incrementMs: number,
  now: number,
): RenewalPlan {
  if (!row || row.status === 'pending') throw new Refusal(400, 'lease not found')
  if (row.status === 'irrevocable') {
    throw new Refusal(400, 'lease is expired and has failed previous revocation attempts')
  }
  if (row.expiresAt <= now) throw new Refusal(400, 'lease expired')
  if (row.held) throw new Refusal(400, 'lease not found')
  if (!row.renewable || !handler?.renew) throw new Refusal(400, 'lease is not renewable')
  const wantedMs = incrementMs > 0 ? incrementMs : row.ttlMs
  const end = lastMoment(row)
  if (end === undefined) return { wantedMs, allowedMs: wantedMs }
  if (end <= now) throw new Refusal(400, 'past the max TTL, cannot renew')
  return { wantedMs, allowedMs: Math.min(wantedMs, end - now) }
}

/** Vault names the limit of the lease, not what is left of it. */
export function renewalWarnings(row: LeaseRow, { wantedMs, allowedMs }: RenewalPlan): string[] {
  if (allowedMs >= wantedMs) return []
  const end = lastMoment(row) ?? 0
  return [cappedTtl(wantedMs, row.notAfter === end ? allowedMs : row.maxTtlMs)]
}
