/** Everything of a server but its sockets: nouns, faces, pipeline, handler, put together over one storage. */
import { tmpdir } from 'node:os'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { RandomBytes } from '../../lib/random.ts'
import { untilAborted } from '../../lib/until-aborted.ts'
import type { AuditBroker } from '../../server/audit/broker/audit-broker.ts'
import type { DeclaredDevice } from '../../server/audit/broker/declared-devices.ts'
import type { Barrier } from '../../server/barrier/barrier.ts'
import { readMark } from '../../server/barrier/restored-mark.ts'
import type { AuditDeviceType } from '../../server/contracts/devices.ts'
import { rootNamespace } from '../../server/contracts/epochs.ts'
import type { Outbound } from '../../server/contracts/mounted.ts'
import type { UserLockout } from '../../server/contracts/request.ts'
import type { StorageBackend } from '../../server/contracts/storage.ts'
import type { NodeAudits } from '../../server/faces/sys/audit/node-audits.ts'
import type { EventHub } from '../../server/faces/sys/events/event-hub.ts'
import { type ConfiguredSeals, NodeSeal } from '../../server/faces/sys/seal/node-seal.ts'
import type { SealControl } from '../../server/faces/sys/seal/seal-control.ts'
import { countFields, whereToLook } from '../../server/faces/sys/snapshots/undone-told.ts'
import type { CorsRules } from '../../server/http/cors.ts'
import { envelope } from '../../server/http/envelope.ts'
import { createHandler, type Handler } from '../../server/http/handler.ts'
import type { MountTypes } from '../../server/mounts/mount.ts'
import type { SystemTtl } from '../../server/mounts/mount-json.ts'
import type { MountTable } from '../../server/mounts/mount-table.ts'
import { Pipeline } from '../../server/pipeline/pipeline.ts'
import type { Denial, Denials } from '../../server/policies/explain/denials.ts'
import type { Limiter } from '../../server/quotas/rate-limiter.ts'
import type { SpoolPlace } from '../../server/snapshots/spool.ts'
import { measureMethods } from '../../server/telemetry/measured-methods.ts'
import { RequestMeter } from '../../server/telemetry/request-meter.ts'
import type { TokenStore } from '../../server/tokens/token-store.ts'
import { createBuiltins } from './builtins.ts'
import { Housekeeping } from './housekeeping.ts'
import { InFlight } from './in-flight.ts'
import type { NodeOperations } from './node/operations.ts'
import { createNouns, type Nouns } from './nouns.ts'
import { ScheduledSnapshots } from './snapshots/scheduled-snapshots.ts'
import type { SnapshotPlan } from './snapshots/snapshot-plan.ts'
import { UsageGauges } from './usage/usage-gauges.ts'

export interface CoreOptions {
  readonly backend: StorageBackend
  readonly types: MountTypes
  readonly auditDevices: Readonly<Record<string, AuditDeviceType>>
  /** Audit devices of the configuration; absent: those that are declared in storage stay as they are. */
  readonly declaredAudit?: () => readonly DeclaredDevice[]
  readonly outbound: Outbound
  readonly ttl: SystemTtl
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  /** As clients see it; see docs/adr. */
  readonly version: string
  readonly cofferVersion: string
  /** What the configuration's seal stanzas say; absent: Shamir. */
  readonly seals?: ConfiguredSeals
  /** False: sys/rekey and sys/generate-root are off for those without a token. Default: on. */
  readonly unauthenticatedRekey?: () => boolean
  /** The `user_lockout` stanzas by type of auth method, and "all"; `disabled`: VAULT_DISABLE_USER_LOCKOUT. */
  readonly userLockout?: {
    readonly stanzas?: Readonly<Record<string, UserLockout>>
    readonly disabled?: boolean
  }
  /** Where clients reach this server ("https://vault:8200"), for issuers of tokens. */
  readonly apiAddress?: () => string
  /** Names this process in audit chains. */
  readonly node: string
  /** Where snapshots are kept while they are taken and read; absent: the system's temporary folder. */
  readonly spoolPlace?: SpoolPlace
  /** Backups that the server takes by itself. */
  readonly snapshots?: SnapshotPlan
  /** Absent: this process is the whole node. */
  readonly group?: NodeGroup
  /** Metrics, log levels, configuration of this process; absent: as in a server without configuration. */
  readonly operations?: NodeOperations
}

/** The node of which this process is a part: workers/. */
export interface NodeGroup {
  /** This process serves nobody and does the housekeeping. */
  readonly leads: boolean
  readonly facts: { readonly number: number }
  readonly limiter: Limiter
  readonly audits: NodeAudits
  findDenial(requestId: string): Promise<Denial | undefined>
  /** What sys/ acts on; `own` is of this process. */
  sealControl(own: NodeSeal): SealControl
  /** This process was opened by people or by the seal. */
  opened(own: NodeSeal): Promise<void>
  /** This process found that the cluster was sealed. */
  sealedElsewhere(): void
}

export interface Core {
  readonly handler: Handler
  readonly seal: NodeSeal
  readonly mounts: MountTable
  readonly events: EventHub
  readonly denials: Denials
  readonly broker: AuditBroker
  /** As sys/config/cors says now. */
  readonly cors: CorsRules | undefined
  /** Health says 503 from now on. */
  stop(): void
  /** Waits for requests under way (at most `graceMs`), then forgets the keys. Storage stays open. */
  close(graceMs: number): Promise<void>
}

export function createCore(options: CoreOptions): Core {
  const { clock, random, log } = options
  const state = { stopping: false }
  const inFlight = new InFlight(clock)
  const nouns = createNouns(
    options,
    (own) => createBuiltins({ options, nouns, seal: control, stopping: () => state.stopping }, own),
    () => {
      // Each request that was about to write finds out.
      if (!seal.sealed) log.warn('the storage was restored by another node: this one forgets its keys')
      void sealedElsewhere()
    },
  )
  const { barrier, tokens, broker, authority } = nouns
  const { telemetry } = nouns.operations
  const { group } = options
  const leads = group?.leads ?? true
  if (leads) {
    new UsageGauges({
      ...nouns,
      telemetry,
      periodMs: nouns.operations.usagePeriodMs,
      sealed: () => barrier.sealed,
      namespaces: () => nouns.namespaces.known.rows.filter((row) => !row.deleting),
    })
  }
  const sealedElsewhere = () => {
    group?.sealedElsewhere()
    return seal.close()
  }
  const sealChanged = async () => {
    if (!seal.sealed && (await authority.sealedSince())) await sealedElsewhere()
  }
  const house = new Housekeeping({
    ...(options.snapshots && leads
      ? { scheduledSnapshots: scheduled(options, options.snapshots, nouns, () => seal.status()) }
      : {}),
    ...{ ...nouns, backend: leads ? options.backend : neverLeads, clock, log },
    sealChanged: () => {
      sealChanged().catch((error: unknown) => log.warn('not known whether to seal', { error: String(error) }))
    },
  })
  const seal: NodeSeal = new NodeSeal({
    barrier,
    random,
    clock,
    log,
    ...(options.seals ? { seals: options.seals } : {}),
    createRoot: (token) => createRoot(tokens, token),
    newRoot: async () => (await tokens.create(rootToken)).token,
    stepDown: () => house.stepDown(),
    ...(group ? { unsealed: () => group.opened(seal) } : {}),
    opened: async () => {
      await authority.prepare()
      if (leads) await nouns.nodes.join(await barrier.now())
      if (leads) await tellRestored(barrier, log)
      await (options.declaredAudit ? broker.declare(options.declaredAudit()) : broker.refresh())
      await nouns.httpSettings.open()
      await nouns.versionHistory.record(await barrier.now())
      house.start()
      nouns.operations.metrics.unsealed.set(1)
      nouns.operations.metrics.active.set(1)
    },
    closing: async () => {
      nouns.operations.metrics.unsealed.set(0)
      nouns.operations.metrics.active.set(0)
      house.stop()
      await inFlight.idle(5000)
      await house.stopped()
      const closed = broker.close().catch((error: unknown) => {
        log.warn('audit not closed in order', { error: String(error) })
      })
      await Promise.all([closed, nouns.nodes.leave()])
      nouns.httpSettings.close()
      authority.forget()
      nouns.denials.clear()
      await nouns.forget()
      tokens.close()
    },
  })
  measureMethods(seal, clock, {
    unseal: telemetry.summary('core.unseal'),
    seal: telemetry.summary('core.seal'),
    stepDown: telemetry.summary('core.step_down'),
  })
  const control = group?.sealControl(seal) ?? seal
  const pipeline = new Pipeline({
    ...nouns,
    ...options,
    rows: barrier,
    auditor: broker,
    render: (answer) => (answer.kind === 'envelope' ? envelope(answer) : ''),
    meter: new RequestMeter({ clock, ...nouns.operations }),
    sealed: () => seal.sealed,
    sealedElsewhere: () => void sealedElsewhere(),
  })
  return {
    handler: createHandler({ handle: (incoming) => inFlight.run(() => pipeline.handle(incoming)) }, nouns.turns),
    seal,
    get mounts() {
      return nouns.nounsOf(rootNamespace).mounts
    },
    events: nouns.events,
    denials: nouns.denials,
    broker,
    get cors() {
      return nouns.httpSettings.cors
    },
    stop: () => {
      state.stopping = true
    },
    close: async (graceMs) => {
      await inFlight.idle(graceMs)
      await seal.close()
    },
  }
}

/** Each time that it is unsealed, until it is sealed by hand: revocations that were undone are done once more by people. */
async function tellRestored(barrier: Barrier, log: Logger): Promise<void> {
  const mark = await readMark(barrier)
  if (!mark) return
  const { undone, ...when } = mark
  const ended = undone ? countFields(undone) : { notKnown: whereToLook(mark.takenAt) }
  log.warn('this storage was restored: what was revoked after the snapshot is valid again, revoke it once more', {
    ...when,
    ...ended,
  })
}

function scheduled(
  options: CoreOptions,
  plan: SnapshotPlan,
  { barrier, operations }: Nouns,
  status: NodeSeal['status'],
): ScheduledSnapshots {
  return new ScheduledSnapshots({
    ...options,
    plan,
    allRows: barrier,
    seal: { status },
    storageType: options.backend.type,
    maxValueBytes: options.backend.limits.valueBytes,
    spoolPlace: options.spoolPlace ?? { folder: tmpdir(), minFreeBytes: 0 },
    log: options.log.with({ logger: 'snapshots' }),
    telemetry: operations.telemetry,
  })
}

/** Only the housekeeper of a node of several processes stands for the lead. */
const neverLeads: Pick<StorageBackend, 'lead'> = {
  lead: (_work, until) => untilAborted(until),
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
  namespace: rootNamespace.id,
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
