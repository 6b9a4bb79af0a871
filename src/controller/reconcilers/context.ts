/** What the reconcilers share: the stores as they are now, and the marks of the group. */

import type { KubeObject, Ref } from '../../kube/client.ts'
import type { SecretStore } from '../crds/secret-store.ts'
import type { OutageReason, RemoteRef } from '../providers/provider.ts'

/** The open sessions of all stores, one per store object, with their health. Implemented by controller/stores. */
export interface Stores {
  /** Opens or keeps the session that fits this state of the object. Never asks the store. */
  use(store: SecretStore): OpenStore
  /** By "<namespace>/<name>". */
  outage(key: string): Outage | undefined
  /** The object is gone. */
  forget(key: string): void
}

export interface OpenStore {
  /** Throws ProviderError; an outage is remembered and probed until it ends. */
  check(): Promise<'ready' | 'unknown'>
  /** As SecretReader.get. During an outage it throws at once: one probe per store asks, not each reader. */
  get(ref: RemoteRef): Promise<Uint8Array | undefined>
  /** As SecretReader.locate. */
  locate(ref: RemoteRef): Promise<string>
  /** The last check of this process worked and no outage came after it. The object's condition says so a moment later. */
  readonly ready: boolean
}

export interface Outage {
  readonly reason: OutageReason
  /** The first failure. */
  readonly sinceMs: number
  /** For people; never a value. */
  readonly message: string
}

/** Objects of one kind as the watch last told. */
export interface ObjectCache<T extends KubeObject = KubeObject> {
  get(ref: Ref): T | undefined
  byIndex(index: string, value: string): readonly T[]
}

/** One Event about an object, sent on the side: it never delays or fails a reconcile. */
export type Recorder = (about: KubeObject, note: EventNote) => void
export interface EventNote {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

/**
 * When a key is worked on again, if nothing happens to it before: never; after a time; after its own growing pause (1 s, doubled
 * up to 7 min); or when its store changes (which is watched; the time is only a safeguard).
 */
export type Next =
  | { readonly when: 'never' }
  | { readonly when: 'after'; readonly ms: number }
  | { readonly when: 'backoff' }
  | { readonly when: 'store' }

export const controllerName = 'external-secrets'
