import { formatGoTime } from '../../../lib/go-time.ts'
import { stringifyJson } from '../../../lib/json/stringify.ts'
import { type JsonObject, KeptJson, RawJson } from '../../../lib/json/value.ts'
import { type NamespaceInfo, rootNamespace } from '../../contracts/epochs.ts'
import type { TokenRow } from '../../tokens/token-row.ts'

export interface LookedUp {
  readonly row: TokenRow
  /** '' when it was asked for by its accessor. */
  readonly token: string
  readonly namespace: NamespaceInfo | undefined
  readonly identityPolicies: readonly string[]
}

/** A token as lookups show it. `kept`: what `keptLookup` made of it. `usesLeft`: of one whose uses are counted. */
export function lookupJson(kept: RawJson, row: TokenRow, now: number, usesLeft: number | undefined): KeptJson {
  const ttl = row.expiresAt > 0 ? Math.max(0, Math.floor((row.expiresAt - now) / 1000)) : 0
  return new KeptJson(kept, `"num_uses":${usesLeft ?? row.numUses},"ttl":${ttl}`)
}

/** What stays the same as long as the token's row does. */
export function keptLookup(found: LookedUp): RawJson {
  return new RawJson(stringifyJson(keptMembers(found)))
}

function keptMembers({ row, token, namespace, identityPolicies }: LookedUp): JsonObject {
  // A batch token's times are whole seconds.
  const time = (ms: number) => formatGoTime(row.type === 'batch' ? Math.floor(ms / 1000) * 1000 : ms)
  return {
    accessor: row.accessor,
    ...(row.boundCidrs.length > 0 ? { bound_cidrs: row.boundCidrs } : {}),
    creation_time: Math.floor(row.createdAt / 1000),
    creation_ttl: Math.floor(row.creationTtlMs / 1000),
    display_name: row.displayName,
    entity_id: row.entityId,
    expire_time: row.expiresAt > 0 ? time(row.expiresAt) : null,
    explicit_max_ttl: Math.floor(row.explicitMaxTtlMs / 1000),
    ...(identityPolicies.length > 0 ? { external_namespace_policies: {}, identity_policies: identityPolicies } : {}),
    id: token,
    issue_time: time(row.createdAt),
    ...(row.renewedAt > 0
      ? { last_renewal: formatGoTime(row.renewedAt), last_renewal_time: Math.floor(row.renewedAt / 1000) }
      : {}),
    meta: row.meta && Object.keys(row.meta).length > 0 ? row.meta : null,
    ...(namespace && namespace.id !== rootNamespace.id ? { namespace_path: namespace.path } : {}),
    orphan: row.ancestors.length === 0,
    path: row.path,
    ...(row.periodMs > 0 ? { period: Math.floor(row.periodMs / 1000) } : {}),
    policies: row.policies,
    renewable: row.renewable,
    ...(row.role === undefined ? {} : { role: row.role }),
    type: row.type,
  }
}
