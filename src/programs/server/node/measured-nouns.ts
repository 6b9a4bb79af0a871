/** What tokens, leases, policies and identity do, under Vault's names. Nothing of it is on the way of every request. */
import type { NamespaceInfo } from '../../../server/contracts/epochs.ts'
import type { MountInfo } from '../../../server/contracts/request.ts'
import type { IdentityStore } from '../../../server/identity/identity-store.ts'
import type { LeaseStore } from '../../../server/leases/lease-store.ts'
import type { PolicyStore } from '../../../server/policies/policy-store.ts'
import { measureMethods, timeWork } from '../../../server/telemetry/measured-methods.ts'
import type { Telemetry } from '../../../server/telemetry/telemetry.ts'
import { ttlBucket } from '../../../server/telemetry/ttl-bucket.ts'
import type { TokenRevocation } from '../../../server/tokens/token-revocation.ts'
import type { TokenStore } from '../../../server/tokens/token-store.ts'

export interface MeasuredTokens {
  readonly tokens: TokenStore
  readonly revocation: TokenRevocation
  readonly telemetry: Telemetry
  /** The auth mount that a login came through; undefined when it is not known (any more). */
  readonly mountOf: (namespaceId: string, uuid: string) => MountInfo | undefined
  readonly namespaceOf: (id: string) => NamespaceInfo | undefined
}

export function measureTokens(options: MeasuredTokens): void {
  const { tokens, revocation, telemetry } = options
  const { clock } = telemetry
  measureMethods(tokens, clock, {
    lookup: telemetry.summary('token.lookup'),
    findByAccessor: telemetry.summary('token.lookup'),
    renew: [telemetry.summary('token.store'), telemetry.summary('expire.renew-token')],
  })
  const created = telemetry.summary('token.create')
  const stored = telemetry.summary('token.store')
  const create = tokens.create.bind(tokens)
  tokens.create = async (wanted) => {
    const begun = clock.monotonic()
    const made = await create(wanted)
    const now = clock.monotonic()
    created.observe(now - begun, now)
    // A batch token is not kept.
    if (made.row.type === 'service') stored.observe(now - begun, now)
    const mount = wanted.mount === '' ? undefined : options.mountOf(wanted.namespace, wanted.mount)
    const path = options.namespaceOf(wanted.namespace)?.path ?? ''
    const labels = {
      auth_method: mount?.type ?? 'token',
      creation_ttl: ttlBucket(wanted.ttlMs),
      mount_point: mount?.path ?? 'auth/token/',
      namespace: path === '' ? 'root' : path,
      token_type: made.row.type,
    }
    telemetry.counter('token.creation', labels).add()
    return made
  }
  const revoked = telemetry.summary('token.revoke')
  measureMethods(revocation, clock, {
    revoke: [revoked, telemetry.summary('token.revoke-tree')],
    revokeOrphaning: revoked,
  })
}

/** What LeaseStore calls when it revokes. */
export const measureRevocations = (telemetry: Telemetry): ((work: Promise<boolean>) => void) => {
  const revoked = telemetry.summary('expire.revoke')
  return (work) => timeWork(work, telemetry.clock, revoked)
}

export function measureLeases(leases: LeaseStore, telemetry: Telemetry): void {
  const { clock } = telemetry
  const registered = telemetry.summary('expire.register')
  const fetched = telemetry.summary('expire.fetch-lease-times')
  const renewed = telemetry.summary('expire.renew')
  const byPrefix = telemetry.summary('expire.revoke-prefix')
  const byToken = telemetry.summary('expire.revoke-by-token')
  measureMethods(leases, clock, { revokeByToken: byToken })
  const lend = leases.for.bind(leases)
  leases.for = (origin) => measureMethods({ ...lend(origin) }, clock, { issue: registered })
  const within = leases.in.bind(leases)
  leases.in = (namespace) =>
    measureMethods(within(namespace), clock, {
      get: fetched,
      renew: renewed,
      revokePrefix: byPrefix,
    })
}

/** Of one namespace. */
export function measurePolicies(policies: PolicyStore, telemetry: Telemetry): PolicyStore {
  const set = telemetry.summary('policy.set_policy')
  return measureMethods(policies, telemetry.clock, {
    get: telemetry.summary('policy.get_policy'),
    put: set,
    patch: set,
    delete: telemetry.summary('policy.delete_policy'),
    list: telemetry.summary('policy.list_policies'),
  })
}

/** Of one namespace. */
export function measureIdentity(identity: IdentityStore, telemetry: Telemetry): IdentityStore {
  const { clock } = telemetry
  const entity = telemetry.summary('identity.upsert_entity_txn')
  measureMethods(identity.entities, clock, { upsert: entity })
  measureMethods(identity.aliases, clock, { upsert: entity })
  measureMethods(identity.groups, clock, { upsert: telemetry.summary('identity.upsert_group_txn') })
  return identity
}
