/** A login's grant -> a token. Only the pipeline does this. */
import type { JsonObject } from '../../lib/json/value.ts'
import type { LoginGrant } from '../contracts/auth.ts'
import { type MountInfo, Refusal } from '../contracts/request.ts'
import { effectiveTtl, type SystemTtl } from '../mounts/mount-json.ts'
import { authJson } from '../tokens/auth-json.ts'
import { tokenPolicies } from '../tokens/token-policies.ts'
import type { TokenRow } from '../tokens/token-row.ts'
import type { TokenStore } from '../tokens/token-store.ts'
import { tokenTtl } from '../tokens/token-ttl.ts'

export interface Minted {
  readonly id: string
  readonly token: string
  readonly row: TokenRow
  readonly auth: JsonObject
  readonly warnings: readonly string[]
}

export async function mint(
  options: { tokens: TokenStore; ttl: SystemTtl; now: number },
  grant: LoginGrant,
  mount: MountInfo,
  path: string,
): Promise<Minted> {
  if (grant.tokenType === 'batch' || grant.tokenType === 'default-batch') {
    throw new Refusal(400, 'batch tokens are not supported by this server: set token_type to "service" or "default"')
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
    entityId: '',
    boundCidrs: grant.boundCidrs,
    noDefaultPolicy: grant.noDefaultPolicy,
    mount: mount.uuid,
    login: grant,
  })
  return { ...made, auth: authJson(made.token, made.row, ttlMs), warnings }
}

/** "auth/kubernetes/" and "default-my-app" -> "kubernetes-default-my-app". */
function displayName(mount: MountInfo, name: string): string {
  const source = mount.path.slice('auth/'.length).replaceAll('/', '-')
  return `${source}${name}`.replace(/-$/, '')
}
