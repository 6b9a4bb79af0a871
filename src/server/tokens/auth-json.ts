import type { JsonObject } from '../../lib/json/value.ts'
import type { TokenRow } from './token-row.ts'

/** The envelope's `auth` for a token that was made or renewed. */
export function authJson(token: string, row: TokenRow, ttlMs: number): JsonObject {
  return {
    client_token: token,
    accessor: row.accessor,
    policies: row.policies,
    token_policies: row.policies,
    metadata: row.meta && Object.keys(row.meta).length > 0 ? row.meta : null,
    lease_duration: Math.floor(ttlMs / 1000),
    renewable: row.renewable,
    entity_id: row.entityId,
    token_type: row.type,
    orphan: row.ancestors.length === 0,
    mfa_requirement: null,
    num_uses: row.numUses,
  }
}
