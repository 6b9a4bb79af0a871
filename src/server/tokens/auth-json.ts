import type { JsonObject } from '../../lib/json/value.ts'
import { unitedPolicies } from './token-policies.ts'
import type { TokenRow } from './token-row.ts'

/** The envelope's `auth` for a token that was made or renewed; `identityPolicies`: what its entity adds. */
export function authJson(
  token: string,
  row: TokenRow,
  ttlMs: number,
  identityPolicies: readonly string[] = [],
): JsonObject {
  return {
    client_token: token,
    accessor: row.accessor,
    policies: unitedPolicies(row.policies, identityPolicies),
    ...(row.policies.length > 0 ? { token_policies: row.policies } : {}),
    ...(identityPolicies.length > 0 ? { identity_policies: identityPolicies } : {}),
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
