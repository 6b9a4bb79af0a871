/** A login's grant -> a token. Only the pipeline does this. */
import type { JsonObject } from '../../../lib/json/value.ts'
import type { LoginGrant } from '../../contracts/access/auth.ts'
import type { NamespaceInfo } from '../../contracts/epochs.ts'
import { type MountInfo, Refusal } from '../../contracts/request.ts'
import { effectiveTtl, type SystemTtl } from '../../mounts/mount-json.ts'
import { authJson } from '../../tokens/auth-json.ts'
import { tokenPolicies } from '../../tokens/token-policies.ts'
import type { TokenRow } from '../../tokens/token-row.ts'
import type { TokenStore } from '../../tokens/token-store.ts'
import { tokenTtl } from '../../tokens/token-ttl.ts'
import { tokenTypeOf } from './login.ts'

export interface Minted {
  readonly id: string
  readonly token: string
  readonly row: TokenRow
  readonly identityPolicies: readonly string[]
  readonly auth: JsonObject
  readonly warnings: readonly string[]
}

export async function mint(
  options: {
    readonly tokens: TokenStore
    readonly ttl: SystemTtl
    readonly now: number
    readonly namespace: NamespaceInfo
    readonly entityId: string
    readonly identityPolicies: readonly string[]
  },
  grant: LoginGrant,
  mount: MountInfo,
  path: string,
): Promise<Minted> {
  const type = tokenTypeOf(grant.tokenType, mount)
  if (type === 'batch' && (grant.numUses > 0 || grant.periodMs > 0 || grant.explicitMaxTtlMs > 0)) {
    throw new Refusal(400, 'batch tokens have no use limit, period or explicit maximum: take them out of the role')
  }
  const policies = tokenPolicies(grant.policies, grant.noDefaultPolicy)
  if (policies.includes('root')) throw new Refusal(400, 'auth methods cannot create root tokens')
  const limits = effectiveTtl(mount.config, options.ttl)
  const { ttlMs, warnings } = tokenTtl({
    wantedMs: 0,
    roleTtlMs: grant.ttlMs,
    roleMaxTtlMs: grant.maxTtlMs,
    explicitMaxTtlMs: grant.explicitMaxTtlMs,
    periodMs: grant.periodMs,
    ...limits,
    issuedAt: options.now,
    now: options.now,
  })
  const made = await options.tokens.create({
    policies,
    path,
    meta: grant.metadata,
    displayName: displayName(mount, grant.displayName),
    numUses: grant.numUses,
    ttlMs,
    explicitMaxTtlMs: grant.explicitMaxTtlMs,
    periodMs: grant.periodMs,
    renewable: grant.renewable,
    entityId: options.entityId,
    namespace: options.namespace.id,
    type,
    boundCidrs: grant.boundCidrs,
    noDefaultPolicy: grant.noDefaultPolicy,
    mount: mount.uuid,
    login: grant,
  })
  return {
    ...made,
    identityPolicies: options.identityPolicies,
    auth: authJson(made.token, made.row, ttlMs, options.identityPolicies),
    warnings,
  }
}

/** "auth/kubernetes/" and "default-my-app" -> "kubernetes-default-my-app". */
function displayName(mount: MountInfo, name: string): string {
  const source = mount.path.slice('auth/'.length).replaceAll('/', '-')
  return `${source}${name}`.replace(/-$/, '')
}
