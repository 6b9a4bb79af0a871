import { formatGoTime } from '../../../lib/go-time.ts'
import type { JsonObject } from '../../../lib/json/value.ts'
import type { TokenRow } from '../../tokens/token-row.ts'

/** A token as lookups show it; `token` is '' when it was asked for by its accessor. */
export function lookupJson(row: TokenRow, token: string, now: number, usesLeft: number | undefined): JsonObject {
  return {
    accessor: row.accessor,
    ...(row.boundCidrs.length > 0 ? { bound_cidrs: row.boundCidrs } : {}),
    creation_time: Math.floor(row.createdAt / 1000),
    creation_ttl: Math.floor(row.creationTtlMs / 1000),
    display_name: row.displayName,
    entity_id: row.entityId,
    expire_time: row.expiresAt > 0 ? formatGoTime(row.expiresAt) : null,
    explicit_max_ttl: Math.floor(row.explicitMaxTtlMs / 1000),
    id: token,
    issue_time: formatGoTime(row.createdAt),
    ...(row.renewedAt > 0
      ? { last_renewal: formatGoTime(row.renewedAt), last_renewal_time: Math.floor(row.renewedAt / 1000) }
      : {}),
    meta: row.meta && Object.keys(row.meta).length > 0 ? row.meta : null,
    num_uses: usesLeft ?? row.numUses,
    orphan: row.ancestors.length === 0,
    path: row.path,
    ...(row.periodMs > 0 ? { period: Math.floor(row.periodMs / 1000) } : {}),
    policies: row.policies,
    renewable: row.renewable,
    ttl: row.expiresAt > 0 ? Math.max(0, Math.floor((row.expiresAt - now) / 1000)) : 0,
    type: row.type,
  }
}
