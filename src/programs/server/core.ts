/** Everything of a server but its sockets: nouns, faces, pipeline, handler, put together over one storage. */
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { RandomBytes } from '../../lib/random.ts'
import { AuditBroker } from '../../server/audit/broker/audit-broker.ts'
import { Barrier } from '../../server/barrier/barrier.ts'
import type { AuditDeviceType } from '../../server/contracts/devices.ts'
import { epochKey, rootNamespace } from '../../server/contracts/epochs.ts'
import type { Outbound } from '../../server/contracts/mounted.ts'
import type { MountInfo } from '../../server/contracts/request.ts'
import type { StorageBackend } from '../../server/contracts/storage.ts'
import { EventHub } from '../../server/faces/sys/event-hub.ts'
import { ShamirControl } from '../../server/faces/sys/shamir-control.ts'
import { createSysFace } from '../../server/faces/sys/sys-face.ts'
import { createTokenFace } from '../../server/faces/token/token-face.ts'
import { createHandler, type Handler } from '../../server/http/handler.ts'
import { DueIndex } from '../../server/leases/due-index.ts'
import { LeaseStore } from '../../server/leases/lease-store.ts'
import type { Mount, MountTypes } from '../../server/mounts/mount.ts'
import type { SystemTtl } from '../../server/mounts/mount-json.ts'
import { defaultConfig } from '../../server/mounts/mount-row.ts'
import { type Builtin, MountTable } from '../../server/mounts/mount-table.ts'
import { Authority } from '../../server/pipeline/authority.ts'
import { Pipeline } from '../../server/pipeline/pipeline.ts'
import { PolicyStore } from '../../server/policies/policy-store.ts'
import { PresentedTokens } from '../../server/tokens/presented-tokens.ts'
import { TokenRevocation } from '../../server/tokens/token-revocation.ts'
import { TokenStore } from '../../server/tokens/token-store.ts'
import { Housekeeping } from './housekeeping.ts'
import { InFlight } from './in-flight.ts'

export interface CoreOptions {
  readonly backend: StorageBackend
  readonly types: MountTypes
  readonly auditDevices: Readonly<Record<string, AuditDeviceType>>
  readonly outbound: Outbound
  readonly ttl: SystemTtl
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  /** As clients see it; see docs/adr. */
  readonly version: string
  readonly cofferVersion: string
  /** Names this process in audit chains. */
  readonly node: string
}

export interface Core {
  readonly handler: Handler
  readonly seal: ShamirControl
  readonly mounts: MountTable
  readonly events: EventHub
  readonly broker: AuditBroker
  /** Health says 503 from now on. */
  stop(): void
  /** Waits for requests under way (at most `graceMs`), then forgets the keys. Storage stays open. */
  close(graceMs: number): Promise<void>
}

const builtinVersion = 'v2.6.0+builtin.vault'

export function createCore(options: CoreOptions): Core {
  const { clock, random, log } = options
  const state = { stopping: false }
  const inFlight = new InFlight(clock)
  const nouns = createNouns(options, () => builtins)
  const { barrier, mounts, tokens, broker, authority } = nouns
  const house = new Housekeeping({ ...nouns, backend: options.backend, clock, log })
  const seal = new ShamirControl({
    barrier,
    random,
    log,
    createRoot: (token) => createRoot(tokens, token),
    opened: async () => {
      await authority.prepare()
      await broker.refresh()
      house.start()
    },
    closing: async () => {
      house.stop()
      await inFlight.idle(5000)
      await house.stopped()
      await broker.close()
      authority.forget()
      await mounts.forget()
      tokens.close()
    },
  })
  const builtins: readonly Builtin[] = createBuiltins(options, nouns, seal, state)
  const pipeline = new Pipeline({
    ...nouns,
    ...options,
    rows: barrier,
    auditor: broker,
    sealed: () => seal.sealed,
    sealedElsewhere: () => void seal.close(),
  })
  return {
    handler: createHandler({ handle: (incoming) => inFlight.run(() => pipeline.handle(incoming)) }),
    seal,
    mounts,
    events: nouns.events,
    broker,
    stop: () => {
      state.stopping = true
    },
    close: async (graceMs) => {
      await inFlight.idle(graceMs)
      await seal.close()
    },
  }
}

type Nouns = ReturnType<typeof createNouns>

function createNouns(options: CoreOptions, builtins: () => readonly Builtin[]) {
  const { backend, clock, random, log, ttl, outbound, types } = options
  const barrier = new Barrier({ backend, clock, random, log })
  const rows = barrier
  const events = new EventHub({ random })
  const due = new DueIndex(rows.view(`ns/${rootNamespace.id}/`))
  const tokens = new TokenStore({ rows, due, random })
  const policies = new PolicyStore({ rows, namespaceId: rootNamespace.id, clock })
  const presented = new PresentedTokens()
  const broker = new AuditBroker({ rows, clock, random, log, devices: options.auditDevices, node: options.node })
  const mounts = new MountTable({ rows, types, builtins, clock, random, log, outbound, events })
  const leases = new LeaseStore({ rows, due, mounts, random, log, ttl })
  const revocation = new TokenRevocation({ rows, tokens, leases, due })
  const authority = new Authority({ rows, mounts, tokens, policies, auditChanged: () => broker.refresh() })
  const sweepMount = async (mount: Mount, signal: AbortSignal) => {
    await leases.revokePrefix(mount.info.path, { force: false, signal, mount: mount.info.uuid })
    if (mount.info.class === 'auth') await revocation.revokeByMount(mount.info.uuid, signal)
  }
  const aclOf = async (names: readonly string[]) => {
    const [epoch] = await rows.read([{ key: epochKey(rootNamespace.id, 'policies') }])
    return policies.acl(names, epoch === undefined || epoch === 'same' ? '' : epoch.version)
  }
  return {
    barrier,
    events,
    due,
    tokens,
    policies,
    presented,
    broker,
    mounts,
    leases,
    revocation,
    authority,
    sweepMount,
    aclOf,
  }
}

function createBuiltins(
  options: CoreOptions,
  nouns: Nouns,
  seal: ShamirControl,
  state: { readonly stopping: boolean },
): readonly Builtin[] {
  return [
    {
      info: builtinInfo('sys/', 'secret', 'system', 'system endpoints used for control, policy and debugging'),
      version: builtinVersion,
      create: () =>
        createSysFace({
          ...nouns,
          ...options,
          seal,
          storageType: options.backend.type,
          stopping: () => state.stopping,
          sweep: nouns.sweepMount,
          hub: nouns.events,
          source: `coffer://${options.node}`,
        }),
    },
    {
      info: builtinInfo('auth/token/', 'auth', 'token', 'token based credentials'),
      version: builtinVersion,
      create: () => createTokenFace({ ...nouns, ttl: options.ttl }),
    },
  ]
}

/** The one token that nobody made. The barrier is open only for this. */
async function createRoot(tokens: TokenStore, token: string | undefined): Promise<string> {
  await tokens.open()
  // One that was chosen (-dev) looks as if it had been created, as Vault's does.
  const chosen = token === undefined ? {} : { token, path: 'auth/token/create', displayName: 'token' }
  const made = await tokens.create({ ...rootToken, ...chosen })
  tokens.close()
  return made.token
}

const rootToken = {
  policies: ['root'],
  path: 'auth/token/root',
  meta: null,
  displayName: 'root',
  numUses: 0,
  ttlMs: 0,
  explicitMaxTtlMs: 0,
  periodMs: 0,
  renewable: false,
  entityId: '',
  boundCidrs: [],
  noDefaultPolicy: false,
  mount: '',
}

/** The same on every node and never in storage. */
function builtinInfo(path: string, mountClass: 'secret' | 'auth', type: string, description: string): MountInfo {
  const number = mountClass === 'auth' ? '2' : '1'
  return {
    path,
    class: mountClass,
    type,
    description,
    accessor: `${mountClass === 'auth' ? 'auth_' : ''}${type}_0000000${number}`,
    uuid: `00000000-0000-4000-8000-00000000000${number}`,
    local: false,
    sealWrap: type === 'system',
    options: null,
    config: defaultConfig,
  }
}
