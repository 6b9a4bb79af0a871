/** Deletes objects: preconditions, grace, finalizers, propagation (k8s.io/apiserver/pkg/registry/generic/registry Store). */
import type { KubeObject } from '../../../../kube/client.ts'
import type { Clock } from '../../../../lib/clock.ts'
import type { Admission, AdmissionAttempt } from '../../admission/admission.ts'
import type { User } from '../../identity/user.ts'
import { externalOf, type Resource } from '../../resource.ts'
import { conflict, forbiddenRequest, notFound } from '../../status.ts'
import type { ObjectStore } from '../../store/object-store.ts'
import { timestamp } from '../object-writer.ts'
import type { DeleteOptions } from './delete-options.ts'

export const foregroundFinalizer = 'foregroundDeletion'
export const orphanFinalizer = 'orphan'

export interface DeleteRequest {
  readonly resource: Resource
  readonly namespace: string | undefined
  readonly name: string
  readonly user: User
  readonly warnings: string[]
  readonly options: DeleteOptions
}

export interface Removed {
  /** False: it waits for its end. */
  readonly gone: boolean
  /** In its last state. */
  readonly object: KubeObject
}

/** What becomes of an object that is to be deleted. */
type Fate =
  | { readonly kind: 'as it is' | 'removed' }
  /** With its deletion in it; `next` is whether it goes right after. */
  | { readonly kind: 'marked'; readonly object: KubeObject; readonly next: 'waits' | 'goes' }

const keptNamespaces = ['default', 'kube-system', 'kube-public']

export class ObjectRemover {
  readonly #store: ObjectStore
  readonly #admission: Admission
  readonly #clock: Clock

  constructor(options: { readonly store: ObjectStore; readonly admission: Admission; readonly clock: Clock }) {
    this.#store = options.store
    this.#admission = options.admission
    this.#clock = options.clock
  }

  async remove(request: DeleteRequest): Promise<Removed> {
    const { resource, namespace, name, options } = request
    if (resource.collection === 'namespaces' && keptNamespaces.includes(name))
      throw forbiddenRequest(resource, name, 'this namespace may not be deleted')
    for (;;) {
      const stored = this.#store.get(resource.collection, namespace, name)
      if (!stored) throw notFound(resource, name)
      checkPreconditions(resource, stored, options)
      const attempt: AdmissionAttempt = {
        operation: 'DELETE',
        resource,
        subresource: undefined,
        namespace,
        name,
        object: undefined,
        before: externalOf(resource, stored),
        user: request.user,
        dryRun: options.dryRun,
        options: { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1' },
        warnings: request.warnings,
      }
      await this.#admission.admit(attempt)
      await this.#admission.review?.(attempt)
      const fate = this.#fateOf(resource, stored, options)
      const done = options.dryRun ? foretell(stored, fate) : this.#carryOut(resource, stored, fate)
      if (done) return { gone: done.gone, object: externalOf(resource, done.object) }
    }
  }

  /** Undefined when somebody else was faster. */
  #carryOut({ collection }: Resource, stored: KubeObject, fate: Fate): Removed | undefined {
    if (fate.kind === 'as it is') return { gone: false, object: stored }
    // Who watches sees the deletion begin also when it ends at once.
    const marked = fate.kind === 'marked' ? this.#store.put(collection, fate.object, stored) : stored
    if (!marked) return undefined
    if (fate.kind === 'marked' && fate.next === 'waits') return { gone: false, object: marked }
    const object = this.#store.remove(collection, marked)
    return object ? { gone: true, object } : undefined
  }

  #fateOf(resource: Resource, stored: KubeObject, options: DeleteOptions): Fate {
    if (resource.collection === 'namespaces') return this.#fateOfNamespace(stored, options)
    const graceful = this.#graceful(resource, stored, options)
    if (graceful === 'pending') return { kind: 'as it is' }
    const finalizers = finalizersAfter(stored, options, resource.defaultPropagation)
    if (!graceful && finalizers.length === 0) return { kind: 'removed' }
    const now = timestamp(this.#clock.now())
    const { deletionTimestamp, generation } = stored.metadata
    const first = deletionTimestamp === undefined
    const metadata: KubeObject['metadata'] = {
      ...stored.metadata,
      ...(graceful ?? {
        deletionTimestamp: first || Date.parse(deletionTimestamp) > this.#clock.now() ? now : deletionTimestamp,
        deletionGracePeriodSeconds: 0,
      }),
      ...(first && generation ? { generation: generation + 1 } : {}),
    }
    delete metadata.finalizers
    if (finalizers.length > 0) metadata.finalizers = finalizers
    const waits = finalizers.length > 0 || (graceful?.deletionGracePeriodSeconds ?? 0) > 0
    if (waits && sameDeletion(stored.metadata, metadata)) return { kind: 'as it is' }
    return { kind: 'marked', object: { ...stored, metadata }, next: waits ? 'waits' : 'goes' }
  }

  /** The time a kind takes to end; 'pending' when a deletion already runs that this one does not shorten. */
  #graceful(resource: Resource, stored: KubeObject, options: DeleteOptions): Grace | 'pending' | undefined {
    if (!resource.gracePeriodSeconds) return undefined
    const now = this.#clock.now()
    const { deletionTimestamp, deletionGracePeriodSeconds: running = 0 } = stored.metadata
    if (deletionTimestamp === undefined) {
      const seconds = resource.gracePeriodSeconds(stored, options.gracePeriodSeconds)
      return { deletionTimestamp: timestamp(now + seconds * 1000), deletionGracePeriodSeconds: seconds }
    }
    if (running === 0) return undefined
    const asked = options.gracePeriodSeconds
    if (asked === undefined || asked >= running) return 'pending'
    const due = Date.parse(deletionTimestamp) + (asked - running) * 1000
    if (due >= now) return { deletionTimestamp: timestamp(due), deletionGracePeriodSeconds: asked }
    return { deletionTimestamp: timestamp(now), deletionGracePeriodSeconds: asked === 0 ? 0 : 1 }
  }

  /** It ends when what is in it has, by its own controller. */
  #fateOfNamespace(stored: KubeObject, options: DeleteOptions): Fate {
    if (stored.metadata.deletionTimestamp) return { kind: 'as it is' }
    const metadata = { ...stored.metadata, deletionTimestamp: timestamp(this.#clock.now()) }
    const finalizers = finalizersAfter(stored, options, undefined)
    delete metadata.finalizers
    if (finalizers.length > 0) metadata.finalizers = finalizers
    const status = { ...(typeof stored['status'] === 'object' ? stored['status'] : {}), phase: 'Terminating' }
    return { kind: 'marked', object: { ...stored, metadata, status }, next: 'waits' }
  }
}

interface Grace {
  readonly deletionTimestamp: string
  readonly deletionGracePeriodSeconds: number
}

function foretell(stored: KubeObject, fate: Fate): Removed {
  if (fate.kind !== 'marked') return { gone: fate.kind === 'removed', object: stored }
  return { gone: fate.next === 'goes', object: fate.object }
}

function sameDeletion(before: KubeObject['metadata'], after: KubeObject['metadata']): boolean {
  const members = ['deletionTimestamp', 'deletionGracePeriodSeconds'] as const
  const [was = [], is = []] = [before.finalizers, after.finalizers]
  return members.every((m) => before[m] === after[m]) && was.length === is.length && is.every((f) => was.includes(f))
}

/** What was asked for counts, then what an earlier deletion left, then the kind's way. */
function finalizersAfter(stored: KubeObject, options: DeleteOptions, otherwise: string | undefined): string[] {
  const all = stored.metadata.finalizers ?? []
  const own = all.filter((f) => f !== foregroundFinalizer && f !== orphanFinalizer)
  const { propagationPolicy, orphanDependents } = options
  const asked = orphanDependents === undefined ? propagationPolicy : orphanDependents ? 'Orphan' : 'Background'
  const policy = asked ?? (own.length < all.length ? undefined : otherwise)
  if (policy === 'Foreground') return [...own, foregroundFinalizer]
  if (policy === 'Orphan') return [...own, orphanFinalizer]
  return policy === 'Background' ? own : [...all]
}

/** Whether it is still the one that was meant. */
export function checkPreconditions(resource: Resource, stored: KubeObject, options: DeleteOptions): void {
  const { name = '', uid = '', resourceVersion = '' } = stored.metadata
  if (resource.collection === 'namespaces') {
    const words = (what: string, asked: string, is: string) =>
      `Precondition failed: ${what} in precondition: ${asked}, ${what} in object meta: ${is}`
    if (options.uid !== undefined && options.uid !== uid) throw conflict(resource, name, words('UID', options.uid, uid))
    if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion)
      throw conflict(resource, name, words('ResourceVersion', options.resourceVersion, resourceVersion))
    return
  }
  // The API server names the kind here, where it names the resource elsewhere.
  const what = { group: resource.errorGroup ?? resource.group, plural: resource.kind }
  if (options.uid !== undefined && options.uid !== uid)
    throw conflict(
      what,
      name,
      `the UID in the precondition (${options.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    )
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion)
    throw conflict(
      what,
      name,
      `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
    )
}
