/** For tests: identity over a real barrier, whose commits have the real limits. */
import type { Clock } from '../../lib/clock.ts'
import { FakeClock } from '../../lib/fake-clock.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import { Barrier } from '../barrier/barrier.ts'
import type { LoginAlias } from '../contracts/access/standing.ts'
import type { StorageBackend } from '../contracts/storage.ts'
import { DueIndex } from '../leases/due-index.ts'
import { openMemory } from '../storage/memory/memory.ts'
import { IdentityStore } from './identity-store.ts'
import { MfaStore } from './mfa/mfa-store.ts'
import type { OidcStore } from './oidc/oidc-store.ts'
import { OidcProvider } from './oidc/provider/oidc-provider.ts'

export const mounts = ['userpass', 'approle', 'jwt'].map((type) => ({
  path: `auth/${type}/`,
  type,
  accessor: `auth_${type}_1`,
}))
const rootKey = () => Buffer.alloc(32, 7)

export interface OpenIdentity {
  readonly backend: StorageBackend
  readonly barrier: Barrier
  readonly clock: FakeClock
  readonly identity: IdentityStore
  readonly oidc: OidcStore
  readonly oidcProvider: OidcProvider
  readonly mfa: MfaStore
}

/** A node over this storage, a new one by default. */
export async function openIdentity(
  options: { backend?: StorageBackend; clock?: FakeClock; namespaceId?: string } = {},
): Promise<OpenIdentity> {
  const clock = options.clock ?? new FakeClock()
  const backend = options.backend ?? openMemory({ clock, random: systemRandom })
  // Retries of contended commits wait by this clock, which nobody moves here.
  const impatient = { ...clockOf(clock), sleep: async () => {} }
  const barrier = new Barrier({ backend, clock: impatient, random: systemRandom, log: silentLog })
  if (!(await barrier.initialised())) await barrier.initialise({ rootKey: rootKey(), plain: [] })
  await barrier.unseal(rootKey())
  const id = options.namespaceId ?? 'root'
  const namespace = { id, path: id === 'root' ? '' : `${id}/` }
  const identity = new IdentityStore({
    rows: barrier,
    namespace,
    clock,
    random: systemRandom,
    log: silentLog,
    apiAddress: () => 'https://vault:8200',
    mountOf: (accessor) => mounts.find((mount) => mount.accessor === accessor),
  })
  const due = new DueIndex(barrier.view('ns/root/'), clock)
  const oidcProvider = new OidcProvider({ rows: barrier, namespace, random: systemRandom, due, identity })
  const mfa = new MfaStore({
    ...{ rows: barrier, namespace, random: systemRandom, identity, due },
    authMounts: () => [],
    above: () => [],
    below: () => [],
  })
  return { backend, barrier, clock, identity, oidc: identity.oidc, oidcProvider, mfa }
}

const clockOf = (clock: FakeClock): Clock => ({
  now: () => clock.now(),
  monotonic: () => clock.monotonic(),
  sleep: (ms, signal) => clock.sleep(ms, signal),
  after: (ms, fn) => clock.after(ms, fn),
})

export const loginBy = (name: string, more: Partial<LoginAlias> = {}): LoginAlias => ({
  mountAccessor: 'auth_userpass_1',
  mountType: 'userpass',
  mountPath: 'auth/userpass/',
  name,
  metadata: {},
  ...more,
})

/** As the pipeline asks: with the rows as they are now. Undefined when the entity's row is absent. */
export async function standingNow({ barrier, identity }: OpenIdentity, entityId: string) {
  const key = identity.entityKey(entityId)
  const epoch = `${key.slice(0, key.indexOf('identity/'))}epoch/groups`
  const [row, groups] = await barrier.read([{ key }, { key: epoch }])
  if (row === undefined || row === 'same') return undefined
  return identity.standing(entityId, row, groups === undefined || groups === 'same' ? '' : groups.version)
}

/** All rows of identity, by key without its prefix. */
export async function rowsOf({ backend }: OpenIdentity, namespaceId = 'root'): Promise<string[]> {
  const names: string[] = []
  for (;;) {
    const page = await backend.list(`ns/${namespaceId}/identity/`, {
      depth: 'all',
      limit: 1000,
      ...(names.length > 0 && { after: names.at(-1) }),
    })
    names.push(...page)
    if (page.length < 1000) return names
  }
}
