/** Deletes what lost its owners, and ends foreground and orphaning deletions. */
import type { KubeObject, OwnerReference } from '../../../kube/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import { type RandomBytes, uuid } from '../../../lib/random.ts'
import { systemUser } from '../identity/user.ts'
import { eventCollection } from '../kinds/events.ts'
import { foregroundFinalizer, type ObjectRemover, orphanFinalizer } from '../requests/deletion/object-remover.ts'
import { timestamp } from '../requests/object-writer.ts'
import type { ResourceTable } from '../resource.ts'
import { StatusError } from '../status.ts'
import type { ObjectStore, StoreEvent } from '../store/object-store.ts'

export interface GarbageCollectorOptions {
  readonly store: ObjectStore
  readonly resources: ResourceTable
  readonly remover: ObjectRemover
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
}

interface Place {
  readonly collection: string
  readonly namespace: string | undefined
  readonly name: string
}

export class GarbageCollector {
  readonly #options: GarbageCollectorOptions
  /** Where the object with this uid is. */
  readonly #live = new Map<string, Place>()
  /** uid of an owner -> uids of those that name it. */
  readonly #dependents = new Map<string, Set<string>>()
  /** "<uid> <uid of an owner in another namespace>" */
  readonly #reported = new Set<string>()
  #work: Promise<void> = Promise.resolve()

  constructor(options: GarbageCollectorOptions) {
    this.#options = options
  }

  start(): () => void {
    return this.#options.store.subscribe((event) => {
      this.#index(event)
      if (event.type !== 'DELETED') this.#reportMisplaced(event.object)
      if (this.#concerns(event)) this.#work = this.#work.then(() => this.#settle(event)).catch(this.#failed)
    })
  }

  /** Resolves when everything that has happened so far is dealt with. */
  idle(): Promise<void> {
    return this.#work
  }

  #failed = (error: unknown): void => {
    if (error instanceof StatusError && error.code === 404) return
    this.#options.log.error('garbage collection failed', {
      why: error instanceof Error ? error.message : String(error),
    })
  }

  #index({ type, object, before, collection }: StoreEvent): void {
    const { uid = '', namespace, name = '' } = object.metadata
    for (const owner of before?.metadata.ownerReferences ?? []) this.#dependents.get(owner.uid)?.delete(uid)
    if (type === 'DELETED') {
      this.#live.delete(uid)
      return
    }
    this.#live.set(uid, { collection, namespace, name })
    for (const owner of object.metadata.ownerReferences ?? []) {
      const known = this.#dependents.get(owner.uid) ?? new Set()
      this.#dependents.set(owner.uid, known.add(uid))
    }
  }

  /** An owner in another namespace is none: said once, where people look. */
  #reportMisplaced(object: KubeObject): void {
    const { namespace, uid = '', ownerReferences = [] } = object.metadata
    for (const owner of ownerReferences) {
      const place = this.#live.get(owner.uid)
      const key = `${uid} ${owner.uid}`
      if (!place || place.namespace === undefined || place.namespace === namespace || this.#reported.has(key)) continue
      this.#reported.add(key)
      this.#options.store.put(eventCollection, this.#misplacedEvent(object, owner), undefined)
    }
  }

  #misplacedEvent(object: KubeObject, owner: OwnerReference): KubeObject {
    const { namespace, name = '', uid } = object.metadata
    const { clock, random } = this.#options
    const now = timestamp(clock.now())
    const suffix = Buffer.from(random(8)).toString('hex')
    const { apiVersion, kind } = object
    const said = `[${owner.apiVersion}/${owner.kind}, namespace: ${namespace ?? ''}, name: ${owner.name}, uid: ${owner.uid}]`
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        name: `${name}.${suffix}`,
        namespace: namespace ?? 'default',
        uid: uuid(random),
        creationTimestamp: now,
      },
      involvedObject: { apiVersion, kind, ...(namespace ? { namespace } : {}), name, uid },
      reason: 'OwnerRefInvalidNamespace',
      message: `ownerRef ${said} does not exist in namespace "${namespace ?? ''}"`,
      source: { component: 'garbage-collector-controller' },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
      type: 'Warning',
      eventTime: null,
      reportingComponent: 'garbage-collector-controller',
      reportingInstance: '',
    }
  }

  #concerns({ type, object }: StoreEvent): boolean {
    const { ownerReferences = [], deletionTimestamp, finalizers = [], uid = '' } = object.metadata
    if (ownerReferences.length > 0) return true
    if (type === 'DELETED') return this.#dependents.has(uid)
    return deletionTimestamp !== undefined && finalizers.some((f) => f === foregroundFinalizer || f === orphanFinalizer)
  }

  async #settle(event: StoreEvent): Promise<void> {
    const { uid = '', ownerReferences = [] } = event.object.metadata
    if (event.type === 'DELETED') {
      // Seen to end, whether or not its kind is still there to be looked up.
      for (const dependent of [...(this.#dependents.get(uid) ?? [])]) await this.#attend(dependent, uid)
      if ((this.#dependents.get(uid)?.size ?? 0) === 0) this.#dependents.delete(uid)
      for (const owner of ownerReferences) await this.#attend(owner.uid)
    } else {
      await this.#attend(uid)
    }
  }

  /** Does for one object what its owners (of which `ended` has gone) and its own deletion ask for. */
  async #attend(uid: string, ended?: string): Promise<void> {
    const object = this.#find(uid)
    if (!object) return
    const { deletionTimestamp, finalizers = [], ownerReferences: owners = [], namespace } = object.metadata
    if (deletionTimestamp) {
      if (finalizers.includes(orphanFinalizer)) this.#orphan(uid)
      if (finalizers.includes(foregroundFinalizer)) await this.#foreground(uid)
      return
    }
    if (owners.length === 0) return
    const present = owners.filter((owner) => owner.uid !== ended && !this.#isAbsent(owner, namespace))
    const solid = present.filter((owner) => !this.#endsInForeground(owner.uid))
    if (solid.length === owners.length) return
    if (solid.length > 0) this.#edit(uid, (found) => ({ ...found.metadata, ownerReferences: solid }))
    else await this.#endWithOwners(object, present.length > 0)
  }

  /** `waited`: an owner waits for it, so it in turn waits for what it owns. */
  async #endWithOwners(object: KubeObject, waited: boolean): Promise<void> {
    const { uid = '', finalizers = [] } = object.metadata
    const own = [...(this.#dependents.get(uid) ?? [])].filter((dependent) => this.#find(dependent) !== undefined)
    if (waited && own.length > 0) {
      // Two that wait for each other would wait for ever.
      if (own.some((dependent) => this.#endsInForeground(dependent)))
        this.#edit(uid, ({ metadata }) => ({
          ...metadata,
          ownerReferences: (metadata.ownerReferences ?? []).map((owner) => ({ ...owner, blockOwnerDeletion: false })),
        }))
      return this.#delete(object, 'Foreground')
    }
    const asked = finalizers.includes(orphanFinalizer)
      ? 'Orphan'
      : finalizers.includes(foregroundFinalizer)
        ? 'Foreground'
        : 'Background'
    return this.#delete(object, asked)
  }

  #endsInForeground(uid: string): boolean {
    const { deletionTimestamp, finalizers = [] } = this.#find(uid)?.metadata ?? {}
    return deletionTimestamp !== undefined && finalizers.includes(foregroundFinalizer)
  }

  /** An owner that cannot be looked up (no such kind; in some namespace, when the dependent is in none) is not known to be gone. */
  #isAbsent(owner: OwnerReference, namespace: string | undefined): boolean {
    const place = this.#live.get(owner.uid)
    if (place && (place.namespace === undefined || place.namespace === namespace)) return false
    const resource = this.#options.resources.findKind(owner.apiVersion, owner.kind)
    return resource !== undefined && (!resource.namespaced || namespace !== undefined)
  }

  #orphan(uid: string): void {
    for (const dependent of this.#dependents.get(uid) ?? [])
      this.#edit(dependent, ({ metadata }) => ({
        ...metadata,
        ownerReferences: (metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid),
      }))
    this.#dropFinalizer(uid, orphanFinalizer)
  }

  async #foreground(uid: string): Promise<void> {
    for (const dependent of [...(this.#dependents.get(uid) ?? [])])
      if (!this.#find(dependent)?.metadata.deletionTimestamp) await this.#attend(dependent)
    const waiting = [...(this.#dependents.get(uid) ?? [])].some((dependent) =>
      this.#find(dependent)?.metadata.ownerReferences?.some((o) => o.uid === uid && o.blockOwnerDeletion === true),
    )
    if (!waiting) this.#dropFinalizer(uid, foregroundFinalizer)
  }

  #dropFinalizer(uid: string, finalizer: string): void {
    this.#edit(uid, ({ metadata }) => ({
      ...metadata,
      finalizers: (metadata.finalizers ?? []).filter((known) => known !== finalizer),
    }))
  }

  #find(uid: string): KubeObject | undefined {
    const place = this.#live.get(uid)
    const found = place && this.#options.store.get(place.collection, place.namespace, place.name)
    return found?.metadata.uid === uid ? found : undefined
  }

  /** Writes other metadata; the last finalizer of an ending object takes it along. */
  #edit(uid: string, change: (object: KubeObject) => KubeObject['metadata']): void {
    const place = this.#live.get(uid)
    const object = this.#find(uid)
    if (!place || !object) return
    const after: KubeObject = { ...object, metadata: change(object) }
    if (after.metadata.finalizers?.length === 0) delete after.metadata.finalizers
    if (after.metadata.ownerReferences?.length === 0) delete after.metadata.ownerReferences
    const ends = after.metadata.deletionTimestamp && !after.metadata.finalizers
    const { store } = this.#options
    if (ends && (after.metadata.deletionGracePeriodSeconds ?? 0) === 0) store.remove(place.collection, object, after)
    else store.put(place.collection, after, object)
  }

  async #delete(object: KubeObject, propagationPolicy: string): Promise<void> {
    const { uid = '', namespace, name = '' } = object.metadata
    const place = this.#live.get(uid)
    const resource = place && this.#options.resources.findCollection(place.collection)
    if (!resource) return
    const options = { uid, propagationPolicy, dryRun: false }
    await this.#options.remover.remove({ resource, namespace, name, user: systemUser, warnings: [], options })
  }
}
