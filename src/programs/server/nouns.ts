/** The nouns of a server over one storage: those of the whole cluster, and those that each namespace has of its own. */
import { createTurns } from '../../lib/turns.ts'
import { AuditBroker } from '../../server/audit/broker/audit-broker.ts'
import { Barrier } from '../../server/barrier/barrier.ts'
import { type NamespaceInfo, rootNamespace } from '../../server/contracts/epochs.ts'
import type { Tx } from '../../server/contracts/secret-storage.ts'
import { EventHub } from '../../server/faces/sys/events/event-hub.ts'
import { NodeRegistry } from '../../server/faces/sys/nodes/node-registry.ts'
import { VersionHistory } from '../../server/faces/sys/operations/catalog/version-history.ts'
import { HttpSettings } from '../../server/faces/sys/operations/settings/http-settings.ts'
import { expireIdentityRows } from '../../server/identity/expiring-rows.ts'
import { IdentityStore } from '../../server/identity/identity-store.ts'
import { MfaStore } from '../../server/identity/mfa/mfa-store.ts'
import { OidcProvider } from '../../server/identity/oidc/provider/oidc-provider.ts'
import { DueIndex } from '../../server/leases/due-index.ts'
import { LeaseStore } from '../../server/leases/lease-store.ts'
import { LockoutStore } from '../../server/lockout/lockout-store.ts'
import type { Builtin } from '../../server/mounts/builtin-mounts.ts'
import type { Mount } from '../../server/mounts/mount.ts'
import { MountTable } from '../../server/mounts/mount-table.ts'
import type { EndLoans } from '../../server/mounts/moves.ts'
import type { NamespaceRow } from '../../server/namespaces/namespace-row.ts'
import { NamespaceTable } from '../../server/namespaces/namespace-table.ts'
import { Authority } from '../../server/pipeline/access/authority.ts'
import type { NamespaceNouns } from '../../server/pipeline/access/namespace-nouns.ts'
import { Denials } from '../../server/policies/explain/denials.ts'
import { PolicyStore } from '../../server/policies/policy-store.ts'
import { LeaseQuotas } from '../../server/quotas/lease-quotas.ts'
import { QuotaStore } from '../../server/quotas/quota-store.ts'
import { PresentedTokens } from '../../server/tokens/presented-tokens.ts'
import { TokenRevocation } from '../../server/tokens/token-revocation.ts'
import { TokenStore } from '../../server/tokens/token-store.ts'
import { Wrappings } from '../../server/wrapping/wrapping.ts'
import type { CoreOptions } from './core.ts'
import {
  measureIdentity,
  measureLeases,
  measurePolicies,
  measureRevocations,
  measureTokens,
} from './node/measured-nouns.ts'
import { nodeOperations } from './node/operations.ts'
import { leaseCounter } from './quotas/lease-counter.ts'

/** As NamespaceNouns, with the classes that faces use. */
export interface OwnNouns extends NamespaceNouns {
  readonly identity: IdentityStore
  readonly mfa: MfaStore
  readonly oidcProvider: OidcProvider
}

export type Nouns = ReturnType<typeof createNouns>

// One list of constructors: shorter in one piece than its parts with what they hand each other.
export function createNouns(
  options: CoreOptions,
  builtins: (own: OwnNouns) => readonly Builtin[],
  /** Another node has replaced all rows. */
  passed: () => void,
) {
  const { backend, clock, random, log, ttl, outbound, types } = options
  const barrier = new Barrier({ backend, clock, random, log, passed })
  const rows = barrier
  const { group } = options
  const events = new EventHub({ random })
  const due = new DueIndex(rows.view(`ns/${rootNamespace.id}/`), clock)
  expireIdentityRows({ rows, due })
  const tokens = new TokenStore({ rows, due, random })
  const presented = new PresentedTokens()
  const denials = new Denials(group ? { elsewhere: (id) => group.findDenial(id) } : {})
  const operations = options.operations ?? nodeOperations({ clock })
  const { auditDevices: devices } = options
  // Each process has chains of its own.
  const node = group ? `${options.node}/${group.facts.number}` : options.node
  const turns = createTurns()
  const broker = new AuditBroker({ rows, clock, random, log, devices, node, turns, metrics: operations.metrics })
  const httpSettings = new HttpSettings({ rows })
  const versionHistory = new VersionHistory({ rows, version: options.version, cofferVersion: options.cofferVersion })
  const nodes = new NodeRegistry({ ...options, barrier })
  const namespaces: NamespaceTable = new NamespaceTable({
    rows,
    random,
    log,
    reserve: (parent, tx, path) => nounsOf(parent).mounts.reserve(tx, path),
  })
  const own = new Map<string, OwnNouns>()
  const nounsOf = (info: NamespaceInfo): OwnNouns => {
    const known = own.get(info.id)
    if (known) return known
    const mounts: MountTable = new MountTable({
      namespace: info,
      rows,
      types,
      clock,
      random,
      log,
      outbound,
      events,
      builtins: () => builtins(made),
      checkFree: (tx, path) => namespaces.checkFree(info, tx, path),
    })
    const policies = new PolicyStore({ rows, namespace: info, clock, turns })
    const mountOf = (accessor: string) => mounts.known.mounts.find((mount) => mount.info.accessor === accessor)?.info
    const identity = new IdentityStore({
      ...{ rows, namespace: info, clock, random, log, mountOf },
      apiAddress: options.apiAddress ?? (() => ''),
    })
    const oidcProvider = new OidcProvider({ rows, namespace: info, random, due, identity })
    const mfa = new MfaStore({
      ...{ rows, namespace: info, random, due, identity },
      authMounts: () => mounts.known.mounts.flatMap((mount) => (mount.info.class === 'auth' ? [mount.info] : [])),
      above: () => namespaces.known.above(info.path).map((outer) => nounsOf(outer).mfa),
      below: () => namespaces.known.below(info.path, true).map(({ id, path }) => nounsOf({ id, path }).mfa),
    })
    measurePolicies(policies, operations.telemetry)
    measureIdentity(identity, operations.telemetry)
    const made: OwnNouns = { info, mounts, policies, identity, mfa, oidcProvider }
    own.set(info.id, made)
    return made
  }
  const mountOf = async (namespaceId: string, uuid: string): Promise<Mount | undefined> => {
    const info = namespaces.known.byId(namespaceId) ?? (await namespaces.load()).byId(namespaceId)
    return info && nounsOf(info).mounts.find(uuid)
  }
  const quotas = new QuotaStore({
    ...{ rows, clock, random },
    violated: () => operations.metrics.quotaViolation.add(),
    ...(group ? { limiter: group.limiter } : {}),
  })
  const { stanzas = {}, disabled = false } = options.userLockout ?? {}
  const lockout = new LockoutStore({ rows, due, log, stanzas, disabled })
  const checkMount = (info: NamespaceInfo, tx: Tx, mount: Mount) => nounsOf(info).mounts.check(tx, mount)
  const leases = new LeaseStore({
    ...{ rows, due, mountOf, checkMount, random, log, ttl, clock },
    counts: { admitLease: (...asked) => leaseCounts.admitLease(...asked) },
    revoking: measureRevocations(operations.telemetry),
  })
  const leaseCounts = new LeaseQuotas({
    quotas,
    count: leaseCounter({ namespaces, nounsOf, leases, tokens }),
    violated: () => operations.metrics.quotaLeaseViolation.add(),
  })
  const revocation = new TokenRevocation({ rows, tokens, leases, due, random })
  measureLeases(leases, operations.telemetry)
  measureTokens({
    ...{ tokens, revocation, telemetry: operations.telemetry },
    namespaceOf: (id) => namespaces.known.byId(id),
    mountOf: (id, uuid) => own.get(id)?.mounts.known.mounts.find((mount) => mount.info.uuid === uuid)?.info,
  })
  const wrappings = new Wrappings({ rows, tokens })
  const authority = new Authority({
    rows,
    namespaces,
    nounsOf,
    tokens,
    auditChanged: async (version) => {
      await broker.refresh()
      await quotas.changed(version)
    },
  })
  const endLoans =
    (info: NamespaceInfo): EndLoans =>
    async (mount, path, signal) => {
      await leases.in(info).revokePrefix(path, { force: false, signal, mount: mount.uuid })
      if (mount.class === 'auth') await revocation.revokeByMount(mount.uuid, signal)
    }
  const sweep = (info: NamespaceInfo) => async (mount: Mount, signal: AbortSignal) => {
    await endLoans(info)(mount.info, mount.info.path, signal)
    if (mount.info.class === 'auth') await nounsOf(info).identity.sweepMount(mount.info.accessor, signal)
  }
  const forget = async () => {
    for (const { mounts } of own.values()) await mounts.forget()
    own.clear()
    quotas.forget()
    namespaces.forget()
  }
  const removeNamespace = (row: NamespaceRow, signal: AbortSignal) =>
    removeWhole({
      row,
      signal,
      barrier,
      namespaces,
      revocation,
      leases,
      nounsOf,
      sweep,
      dropped: () => own.delete(row.id),
    })
  /** Of the namespaces that this process has come across. */
  const live = () => [...own.values()]
  return {
    barrier,
    operations,
    httpSettings,
    versionHistory,
    events,
    due,
    tokens,
    presented,
    denials,
    broker,
    turns,
    namespaces,
    nounsOf,
    live,
    leases,
    quotas,
    admission: quotas,
    leaseCounts,
    lockout,
    revocation,
    wrappings,
    authority,
    endLoans,
    nodes,
    sweep,
    forget,
    removeNamespace,
  }
}

interface WholeNamespace extends Pick<Nouns, 'barrier' | 'namespaces' | 'revocation' | 'leases' | 'nounsOf' | 'sweep'> {
  readonly row: NamespaceRow
  readonly signal: AbortSignal
  readonly dropped: () => void
}

/** Nothing reaches it any more: its tokens end first, then what its mounts lent, then its rows. Runs again after a crash. */
async function removeWhole(options: WholeNamespace): Promise<void> {
  const { row, signal, barrier, namespaces, revocation, nounsOf, sweep } = options
  const info = { id: row.id, path: row.path }
  await revocation.revokeByNamespace(row.id, signal)
  const { mounts } = nounsOf(info)
  const view = await mounts.load()
  for (const mount of view.mounts) {
    if (!mount.builtin) await mounts.disable(mount, sweep(info))
  }
  for (const mount of view.removing) await mounts.finishRemoval(mount, sweep(info), signal)
  await options.leases.in(info).revokePrefix('', { force: false, signal })
  const prefixes = [
    `ns/${row.id}/`,
    ...view.mounts.filter((mount) => mount.builtin).map((mount) => mount.storage.prefix),
  ]
  // The cubbyholes of all namespaces lie together, by token: they went with the tokens.
  for (const prefix of prefixes.filter((name) => name !== 'cubbyhole/')) {
    while ((await barrier.clear(prefix, 500)) > 0) signal.throwIfAborted()
  }
  await namespaces.drop(row.id)
  options.dropped()
}
