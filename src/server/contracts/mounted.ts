import type { Clock } from '../../lib/clock.ts'
import type { Json, JsonObject } from '../../lib/json/value.ts'
import type { Logger } from '../../lib/log.ts'
import type { OutboundAnswer, OutboundCall } from '../../lib/outbound/outbound.ts'
import type { RandomBytes } from '../../lib/random.ts'
import type { NamespaceInfo } from './epochs.ts'
import type { LeaseHandler } from './leases.ts'
import type { MountInfo, Route } from './request.ts'
import type { SecretStorage, Tx } from './secret-storage.ts'
import type { Check } from './storage.ts'

/** A live mount. Created lazily, evicted when idle: it keeps nothing that storage does not have. */
export interface Mounted {
  readonly routes: readonly Route[]
  readonly leases?: Readonly<Record<string, LeaseHandler>>
  created?(tx: Tx): Promise<void>
  tuned?(tx: Tx, before: Json): Promise<void>
  removing?(signal: AbortSignal): Promise<void>
  /** Storage keys (relative to the mount's view) that changed on any node, own changes included; 'reset' after any doubt. */
  changed?(keys: readonly string[] | 'reset'): void
  tick?(fence: Check, signal: AbortSignal): Promise<void>
  close?(): Promise<void>
}

/** A kind of engine or auth method; one line each in programs/engines.ts. */
export interface MountType<M extends Mounted = Mounted> {
  readonly type: string
  readonly class: 'secret' | 'auth'
  /** Shown as running_plugin_version. */
  readonly version: string
  /** Refuses (400) or completes the options of a new mount, e.g. kv's {version:"2"}. */
  options?(given: Readonly<Record<string, string>> | null): Readonly<Record<string, string>> | null
  create(context: MountContext): M
}

export interface MountContext {
  readonly namespace: NamespaceInfo
  readonly mount: MountInfo
  readonly storage: SecretStorage
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  readonly outbound: Outbound
  readonly events: EventSink
}

/** The only dialer of engines and auth methods (lib/outbound): no link-local or metadata addresses, no cross-host redirects, byte and time limits. */
export interface Outbound {
  request(call: OutboundCall): Promise<OutboundAnswer>
}
/** Notices without values, for sys/events/subscribe. Subscribers see only paths that they may read. */
export interface EventSink {
  /** Without listeners an event is not worth its making. */
  readonly listened: boolean
  publish(event: ServerEvent): void
}
export interface ServerEvent {
  /** "kv-v2/data-write" */
  readonly type: string
  readonly namespace: NamespaceInfo
  readonly mount: MountInfo
  /** Path that a subscriber must be able to read, mount included: "secret/data/my-app/config". */
  readonly dataPath: string
  readonly metadata: JsonObject
}
