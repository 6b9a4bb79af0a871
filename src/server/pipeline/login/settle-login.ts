/** A login that its method has granted: the entity, the second factor if one is wanted, the token. */
import type { Clock } from '../../../lib/clock.ts'
import type { JsonObject } from '../../../lib/json/value.ts'
import type { LeaseCounts, Lockout } from '../../contracts/access/admission.ts'
import type { LoginGrant } from '../../contracts/access/auth.ts'
import { type MountInfo, Refusal, type Reply } from '../../contracts/request.ts'
import type { SystemTtl } from '../../mounts/mount-json.ts'
import type { TokenRevocation } from '../../tokens/token-revocation.ts'
import type { TokenStore } from '../../tokens/token-store.ts'
import type { Authority } from '../access/authority.ts'
import type { NamespaceNouns } from '../access/namespace-nouns.ts'
import { settle } from '../answer/settle.ts'
import type { Answer, Exchange } from '../exchange.ts'
import { countLogin } from './count-login.ts'
import { entityOf } from './login.ts'
import { mint } from './mint.ts'

export interface SettleLoginOptions {
  readonly nouns: NamespaceNouns
  readonly authority: Authority
  readonly tokens: TokenStore
  readonly revocation: TokenRevocation
  readonly ttl: SystemTtl
  readonly clock: Clock
  readonly leaseCounts?: LeaseCounts
  readonly lockout?: Lockout | undefined
}

type LoginReply = Extract<Reply, { kind: 'login' }>

/** What is made is remembered in the exchange, so that it can be undone. */
export async function settleLogin(x: Exchange, reply: LoginReply, options: SettleLoginOptions): Promise<Answer> {
  const { nouns, authority } = options
  const { begun, grant } = reply
  const mount = begun ? nouns.mounts.known.byUuid(begun.mountUuid)?.info : x.mount?.info
  if (!mount) throw new Refusal(400, 'invalid request ID')
  const path = begun?.path ?? x.path
  const entityId = begun?.entityId ?? (await entityOf(grant, mount, nouns))
  const user = begun ? begun.user : reply.user
  const requirement = begun ? undefined : await demanded(x, nouns, { mount, path, entityId, grant, user })
  if (requirement) return settle(x, reply, waiting(requirement))
  const standing = entityId === '' ? undefined : await authority.standingOf(nouns, entityId)
  const minted = await mint(
    {
      ...options,
      now: options.clock.now(),
      namespace: nouns.info,
      entityId,
      identityPolicies: standing?.policies ?? [],
    },
    grant,
    mount,
    path,
  )
  const { signal } = x.deadline
  await countLogin(options, { namespacePath: nouns.info.path, mountPath: mount.path, path, token: minted, signal })
  x.made = minted
  // Not before: a password alone does not make up for failures where more is asked for.
  if (user !== undefined) await options.lockout?.succeeded(nouns.info.id, mount, user)
  x.warnings.push(...minted.warnings)
  return settle(x, reply, minted.auth)
}

async function demanded(
  x: Exchange,
  { mfa }: NamespaceNouns,
  login: { mount: MountInfo; path: string; entityId: string; grant: LoginGrant; user: string | undefined },
): Promise<JsonObject | undefined> {
  const { requirement, warning } = await mfa.atLogin({ ...login, header: x.incoming.headers['x-vault-mfa'] })
  if (warning !== undefined) x.warnings.push(warning)
  return requirement
}

/** Vault's `auth` of a login that has no token yet. */
const waiting = (requirement: JsonObject): JsonObject => ({
  client_token: '',
  accessor: '',
  policies: null,
  metadata: null,
  lease_duration: 0,
  renewable: false,
  entity_id: '',
  token_type: 'default',
  orphan: false,
  mfa_requirement: requirement,
  num_uses: 0,
})
