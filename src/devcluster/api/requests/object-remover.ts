/** Deletes objects: preconditions, grace, finalizers, propagation. */
import type { KubeObject } from '../../../kube/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Admission } from '../admission/admission.ts'
import type { User } from '../identity/user.ts'
import { externalOf, type Resource } from '../resource.ts'
import { badRequest, conflict, forbiddenRequest, notFound } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { isTree, numberAt, type Tree, textAt } from '../tree.ts'
import { timestamp } from './object-writer.ts'

export const foregroundFinalizer = 'foregroundDeletion'
export const orphanFinalizer = 'orphan'

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number
  readonly uid?: string
  readonly resourceVersion?: string
  readonly propagationPolicy?: string
  readonly dryRun: boolean
}

export interface DeleteRequest {
  readonly resource: Resource
  readonly namespace: string | undefined
  readonly name: string
  readonly user: User
  readonly warnings: string[]
  readonly options: DeleteOptions
}

/** From the query and the DeleteOptions in the body; the body counts. */
export function readDeleteOptions(query: URLSearchParams, body: Tree): DeleteOptions {
  const asked = query.get('gracePeriodSeconds')
  const grace = numberAt(body, 'gracePeriodSeconds') ?? (asked === null ? undefined : Number(asked))
  if (grace !== undefined && (!Number.isInteger(grace) || grace < 0))
    throw badRequest(`invalid gracePeriodSeconds: ${grace}`)
  const orphan = isTree(body) ? body['orphanDependents'] : undefined
  const policy = textAt(body, 'propagationPolicy') ?? query.get('propagationPolicy') ?? undefined
  if (policy !== undefined && !['Orphan', 'Background', 'Foreground'].includes(policy))
    throw badRequest(`invalid propagationPolicy: ${policy}`)
  const dryRun = query.getAll('dryRun').includes('All') || JSON.stringify(body['dryRun'] ?? []).includes('All')
  return {
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(textAt(body, 'preconditions', 'uid') ? { uid: textAt(body, 'preconditions', 'uid') } : {}),
    ...(textAt(body, 'preconditions', 'resourceVersion')
      ? { resourceVersion: textAt(body, 'preconditions', 'resourceVersion') }
      : {}),
    ...(policy ? { propagationPolicy: policy } : orphan === true ? { propagationPolicy: 'Orphan' } : {}),
    dryRun,
  }
}

const keptNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

export class ObjectRemover {
  readonly #store: ObjectStore
  readonly #admission: Admission
  readonly #clock: Clock

  constructor(options: { readonly store: ObjectStore; readonly admission: Admission; readonly clock: Clock }) {
    this.#store = options.store
    this.#admission = options.admission
    this.#clock = options.clock
  }

  /** 'gone', or the object that now waits for its end. */
  async remove(request: DeleteRequest): Promise<{ readonly gone: boolean; readonly object: KubeObject }> {
    const { resource, namespace, name, options } = request
    this.#refuseKept(request)
    for (;;) {
      const stored = this.#store.get(resource.collection, namespace, name)
      if (!stored) throw notFound(resource, name)
      checkPreconditions(resource, stored, options)
      await this.#admission.admit({
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
      })
      const next = this.#nextState(resource, stored, options)
      if (options.dryRun) return { gone: next === 'gone', object: externalOf(resource, stored) }
      const done = next === 'gone' ? this.#store.remove(resource.collection, stored) : this.#put(resource, next, stored)
      if (done) return { gone: next === 'gone', object: externalOf(resource, done) }
    }
  }

  #refuseKept(request: DeleteRequest): void {
    if (request.resource.collection === 'namespaces' && keptNamespaces.includes(request.name))
      throw forbiddenRequest(request.resource, request.name, 'this namespace may not be deleted')
  }

  /** A second deletion that changes nothing writes nothing. */
  #put(resource: Resource, next: KubeObject, stored: KubeObject): KubeObject | undefined {
    return next === stored ? stored : this.#store.put(resource.collection, next, stored)
  }

  #nextState(resource: Resource, stored: KubeObject, options: DeleteOptions): KubeObject | 'gone' {
    const grace = resource.gracePeriodSeconds?.(stored, options.gracePeriodSeconds) ?? 0
    const finalizers = finalizersAfter(stored, options.propagationPolicy)
    const isNamespace = resource.collection === 'namespaces'
    const { deletionTimestamp, deletionGracePeriodSeconds: running = 0 } = stored.metadata
    const least = deletionTimestamp ? Math.min(grace, running) : grace
    if (finalizers.length === 0 && least === 0 && !isNamespace) return 'gone'
    const sameFinalizers = finalizers.length === (stored.metadata.finalizers ?? []).length
    if (deletionTimestamp && least === running && sameFinalizers) return stored
    const metadata = {
      ...stored.metadata,
      ...(finalizers.length > 0 ? { finalizers } : {}),
      deletionTimestamp:
        deletionTimestamp && least === running ? deletionTimestamp : timestamp(this.#clock.now() + least * 1000),
      deletionGracePeriodSeconds: least,
      ...(stored.metadata.generation ? { generation: stored.metadata.generation + 1 } : {}),
    }
    return { ...stored, metadata, ...(isNamespace ? { status: { phase: 'Terminating' } } : {}) }
  }
}

function finalizersAfter(stored: KubeObject, policy: string | undefined): string[] {
  const own = (stored.metadata.finalizers ?? []).filter((f) => f !== foregroundFinalizer && f !== orphanFinalizer)
  if (policy === 'Foreground') return [...own, foregroundFinalizer]
  if (policy === 'Orphan') return [...own, orphanFinalizer]
  return policy === 'Background' ? own : [...(stored.metadata.finalizers ?? [])]
}

function checkPreconditions(resource: Resource, stored: KubeObject, options: DeleteOptions): void {
  const { name = '', uid, resourceVersion } = stored.metadata
  if (options.uid && options.uid !== uid)
    throw conflict(
      resource,
      name,
      `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${uid}`,
    )
  if (options.resourceVersion && options.resourceVersion !== resourceVersion)
    throw conflict(
      resource,
      name,
      `Precondition failed: ResourceVersion in precondition: ${options.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`,
    )
}
