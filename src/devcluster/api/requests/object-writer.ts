/** Creates and updates objects: admission, validation, ownership of fields, optimistic concurrency. */
import type { KubeObject, ManagedFieldsEntry } from '../../../kube/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import { type RandomBytes, uuid } from '../../../lib/random.ts'
import type { Admission } from '../admission/admission.ts'
import { type FieldProblem, invalid } from '../field-problem.ts'
import type { User } from '../identity/user.ts'
import { metadataProblems, metadataUpdateProblems } from '../kinds/metadata-rules.ts'
import { recordUpdate, type WriteMark } from '../patch/managed-fields.ts'
import { externalOf, groupVersionOf, type Resource, storedOf } from '../resource.ts'
import { alreadyExists, conflict, invalidObject, notFound, staleVersion } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { equal, type Tree } from '../tree.ts'
import { checkPlace, normalize } from './decode.ts'

export interface ObjectWriterOptions {
  readonly store: ObjectStore
  readonly admission: Admission
  readonly clock: Clock
  readonly random: RandomBytes
}

/** Whom and what a write is for. */
export interface WriteRequest {
  readonly resource: Resource
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly subresource: string | undefined
  readonly user: User
  readonly manager: string
  readonly dryRun: boolean
  readonly warnings: string[]
}

export interface UpdatePlan {
  /** The new state of `before`, a private copy in the request's version. */
  build(before: KubeObject): Tree | Promise<Tree>
  /** 'required': without a resourceVersion in it, the new state is refused unless the kind allows that (PUT). */
  readonly version: 'optional' | 'required'
  /** Server-side apply decides ownership itself. */
  readonly managedFields?: () => ManagedFieldsEntry[]
}

/** Races that nobody asked to be told of are tried again. */
const maxAttempts = 10

export class ObjectWriter {
  readonly #store: ObjectStore
  readonly #admission: Admission
  readonly #clock: Clock
  readonly #random: RandomBytes

  constructor(options: ObjectWriterOptions) {
    this.#store = options.store
    this.#admission = options.admission
    this.#clock = options.clock
    this.#random = options.random
  }

  /** `object` is decoded and has its defaults; it is changed. Answers in the request's version. */
  async create(
    request: WriteRequest,
    object: KubeObject,
    managedFields?: () => ManagedFieldsEntry[],
  ): Promise<KubeObject> {
    const { resource } = request
    checkPlace(object, request.namespace, request.name)
    const admitted = await this.#admission.admit({
      ...request,
      operation: 'CREATE',
      name: object.metadata.name ?? '',
      object,
      before: undefined,
      options: this.#options('CreateOptions', request),
    })
    const fresh = normalize(resource, admitted ?? object)
    this.#prepareNew(resource, fresh)
    const problems = [...metadataProblems(resource, fresh), ...(resource.validate?.(fresh, undefined) ?? [])]
    this.#refuse(resource, fresh, problems)
    fresh.metadata.managedFields = managedFields
      ? managedFields()
      : recordUpdate(undefined, fresh, resource.shape, this.#mark(request))
    const { namespace, name = '' } = fresh.metadata
    if (this.#store.get(resource.collection, namespace, name)) throw alreadyExists(resource, name)
    if (request.dryRun) return fresh
    const stored = this.#store.put(resource.collection, storedOf(resource, fresh), undefined)
    if (!stored) throw alreadyExists(resource, name)
    return externalOf(resource, stored)
  }

  #prepareNew(resource: Resource, object: KubeObject): void {
    const { metadata } = object
    if (!metadata.name && metadata.generateName)
      // 63 is the longest name that every kind takes.
      metadata.name = metadata.generateName.slice(0, 58) + this.#suffix()
    metadata.uid = uuid(this.#random)
    metadata.creationTimestamp = timestamp(this.#clock.now())
    for (const member of ['resourceVersion', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink'] as const)
      delete (metadata as Tree)[member]
    delete metadata.managedFields
    delete metadata.generation
    if (resource.generation !== 'none') metadata.generation = 1
    if (resource.subresources.status && resource.subresources.statusOnCreate !== 'kept') delete object['status']
    resource.prepareCreate?.(object)
  }

  /** Five letters and digits that read unambiguously. */
  #suffix(): string {
    const letters = 'bcdfghjklmnpqrstvwxz2456789'
    return [...this.#random(5)].map((byte) => letters[byte % letters.length]).join('')
  }

  /** Answers in the request's version. */
  async update(request: WriteRequest, plan: UpdatePlan): Promise<KubeObject> {
    const { resource, namespace, name = '' } = request
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const stored = this.#store.get(resource.collection, namespace, name)
      if (!stored) throw notFound(resource, name)
      const done = await this.#tryUpdate(request, plan, stored)
      if (done !== 'raced') return done
    }
    throw conflict(resource, name, staleVersion)
  }

  async #tryUpdate(request: WriteRequest, plan: UpdatePlan, stored: KubeObject): Promise<KubeObject | 'raced'> {
    const { resource, name = '' } = request
    const before = externalOf(resource, stored)
    const built = normalize(resource, await plan.build(structuredClone(before)))
    checkPlace(built, request.namespace, name)
    const asked = this.#checkPreconditions(request, plan, built, before)
    this.#isolate(request, built, before)
    const admitted = await this.#admission.admit({
      ...request,
      operation: 'UPDATE',
      name,
      object: built,
      before,
      options: this.#options('UpdateOptions', request),
    })
    const after = normalize(resource, admitted ?? built)
    this.#isolate(request, after, before)
    this.#prepareChanged(request, after, before)
    this.#refuse(resource, after, this.#updateProblems(request, after, before))
    after.metadata.managedFields = plan.managedFields
      ? plan.managedFields()
      : recordUpdate(before, after, resource.shape, this.#mark(request))
    if (after.metadata.managedFields.length === 0) delete after.metadata.managedFields
    after.metadata.resourceVersion = before.metadata.resourceVersion
    if (request.dryRun || equal(after, before)) return after
    const written = this.#write(resource, stored, storedOf(resource, after))
    if (written) return externalOf(resource, written)
    if (asked) throw conflict(resource, name, staleVersion)
    return 'raced'
  }

  /** True when the client named the version that it changes. */
  #checkPreconditions(request: WriteRequest, plan: UpdatePlan, built: KubeObject, before: KubeObject): boolean {
    const { resource, name = '' } = request
    const { uid, resourceVersion } = built.metadata
    if (uid && uid !== before.metadata.uid)
      throw conflict(
        resource,
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${before.metadata.uid}`,
      )
    if (!resourceVersion || resourceVersion === '0') {
      if (plan.version === 'required' && !resource.unconditionalUpdate)
        throw invalidObject(resource, name, [invalid('metadata.resourceVersion', 0, 'must be specified for an update')])
      return false
    }
    if (resourceVersion !== before.metadata.resourceVersion) throw conflict(resource, name, staleVersion)
    // A patch starts from the live object: its version is there without anyone having named it.
    return plan.version === 'required'
  }

  /** Status changes only through its subresource, and nothing else through that. */
  #isolate(request: WriteRequest, object: KubeObject, before: KubeObject): void {
    if (request.subresource === 'status') {
      const { status } = object
      for (const member of Object.keys(object)) if (member !== 'metadata') delete object[member]
      const managedFields = object.metadata.managedFields
      Object.assign(object, structuredClone(before))
      if (managedFields) object.metadata = { ...object.metadata, managedFields }
      if (status === undefined) delete object['status']
      else object['status'] = status
    } else if (request.resource.subresources.status) {
      if (before['status'] === undefined) delete object['status']
      else object['status'] = before['status']
    }
  }

  #prepareChanged(request: WriteRequest, object: KubeObject, before: KubeObject): void {
    const { resource } = request
    const { metadata } = object
    const owned = ['uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generation'] as const
    for (const member of owned) {
      if (before.metadata[member] === undefined) delete metadata[member]
      else (metadata as Tree)[member] = before.metadata[member]
    }
    if (request.subresource === 'status') return
    resource.prepareUpdate?.(object, before)
    if (resource.generation !== 'none' && changesGeneration(resource, object, before))
      metadata.generation = (before.metadata.generation ?? 0) + 1
  }

  #updateProblems(request: WriteRequest, object: KubeObject, before: KubeObject): FieldProblem[] {
    const { resource } = request
    if (request.subresource === 'status') return [...(resource.validateStatus?.(object, before) ?? [])]
    return [
      ...metadataProblems(resource, object),
      ...metadataUpdateProblems(object, before),
      ...(resource.validate?.(object, before) ?? []),
    ]
  }

  /** A deletion that waited only for finalizers ends with the last of them. */
  #write(resource: Resource, before: KubeObject, after: KubeObject): KubeObject | undefined {
    const { deletionTimestamp, finalizers, deletionGracePeriodSeconds } = after.metadata
    const waits =
      (finalizers ?? []).length > 0 || (deletionGracePeriodSeconds ?? 0) > 0 || resource.collection === 'namespaces'
    if (deletionTimestamp && !waits) return this.#store.remove(resource.collection, before, after)
    return this.#store.put(resource.collection, after, before)
  }

  #refuse(resource: Resource, object: KubeObject, problems: readonly FieldProblem[]): void {
    if (problems.length > 0) throw invalidObject(resource, object.metadata.name ?? '', problems)
  }

  #mark(request: WriteRequest): WriteMark {
    return {
      manager: request.manager,
      operation: 'Update',
      apiVersion: groupVersionOf(request.resource),
      time: timestamp(this.#clock.now()),
      ...(request.subresource ? { subresource: request.subresource } : {}),
    }
  }

  #options(kind: string, request: WriteRequest): Tree {
    return {
      kind,
      apiVersion: 'meta.k8s.io/v1',
      fieldManager: request.manager,
      ...(request.dryRun ? { dryRun: ['All'] } : {}),
    }
  }
}

function changesGeneration(resource: Resource, object: KubeObject, before: KubeObject): boolean {
  if (resource.generation === 'spec') return !equal(object['spec'], before['spec'])
  const kept = resource.subresources.status
  const content = ({ metadata: _, status, ...rest }: KubeObject): Tree => (kept ? rest : { ...rest, status })
  return !equal(content(object), content(before))
}

/** RFC 3339 with whole seconds, as metav1.Time. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
