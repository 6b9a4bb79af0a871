/** Creates and updates objects: admission, validation, ownership of fields, optimistic concurrency. */
import type { KubeObject, ManagedFieldsEntry } from '../../../kube/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import { type RandomBytes, uuid } from '../../../lib/random.ts'
import type { Admission } from '../admission/admission.ts'
import { type FieldProblem, invalid } from '../field-problem.ts'
import type { User } from '../identity/user.ts'
import { metadataProblems, metadataUpdateProblems, standardFinalizerProblems } from '../kinds/metadata-rules.ts'
import { keepTimes, recordUpdate } from '../patch/managed-fields.ts'
import { externalOf, type Resource, storedOf } from '../resource.ts'
import { writeZeros } from '../shapes/zero-values.ts'
import { alreadyExists, conflict, invalidObject, notFound, StatusError, staleVersion } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { at, equal, type Tree } from '../tree.ts'
import { checkPlace, normalize } from './decode.ts'
import { ownershipRules } from './ownership.ts'
import { otherUid } from './storage-key.ts'

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
  /** 'kept': as 'optional', but it must not get lost where the kind does not allow that (a patch). 'required': without a resourceVersion in it, the new state is refused unless the kind allows that (PUT). */
  readonly version: 'optional' | 'required' | 'kept'
  /** Server-side apply decides ownership itself. */
  readonly managedFields?: () => ManagedFieldsEntry[] | undefined
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
    managedFields?: () => ManagedFieldsEntry[] | undefined,
  ): Promise<KubeObject> {
    const { resource } = request
    checkPlace(object, request.namespace, request.name)
    writeZeros(object, resource.shape)
    // Who sent what, before others write into it.
    setOwners(object, managedFields ? managedFields() : recordUpdate(undefined, object, this.#rules(request)))
    const owners = object.metadata.managedFields
    const admitted = await this.#admission.admit({
      ...request,
      operation: 'CREATE',
      name: object.metadata.name ?? '',
      pathName: request.name,
      object,
      before: undefined,
      options: this.#options('CreateOptions', request),
    })
    const fresh = normalize(resource, admitted ?? object)
    this.#prepareNew(request, fresh)
    const first = resource.validateFirst?.problems(fresh) ?? []
    if (resource.validateFirst?.alone) this.#refuse(resource, fresh, first)
    this.#refuse(resource, fresh, [
      ...first,
      ...metadataProblems(resource, fresh),
      ...standardFinalizerProblems(resource, fresh),
      ...(resource.validate?.(fresh, undefined) ?? []),
    ])
    request.warnings.push(...(resource.warningsOf?.(fresh, undefined) ?? []))
    setOwners(fresh, owners)
    const { namespace, name = '' } = fresh.metadata
    await this.#admission.review?.({
      ...request,
      operation: 'CREATE',
      name,
      pathName: request.name,
      object: structuredClone(fresh),
      before: undefined,
      options: this.#options('CreateOptions', request),
    })
    // The API server does not take it for the client's fault.
    if (!request.dryRun && namesVersion(fresh))
      throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created')
    const taken = this.#store.get(resource.collection, namespace, name)
    if (taken) throw takenName(resource, fresh, taken)
    if (request.dryRun) return fresh
    const stored = this.#store.put(resource.collection, storedOf(resource, fresh), undefined)
    if (!stored) throw alreadyExists(resource, name)
    return externalOf(resource, stored)
  }

  #prepareNew({ resource, dryRun }: WriteRequest, object: KubeObject): void {
    const { metadata } = object
    if (!metadata.name && metadata.generateName)
      // 63 is the longest name that every kind takes.
      metadata.name = metadata.generateName.slice(0, 58) + this.#suffix()
    metadata.uid = uuid(this.#random)
    metadata.creationTimestamp = timestamp(this.#clock.now())
    // Only what is not stored keeps it.
    if (!dryRun) delete (metadata as Tree)['selfLink']
    delete metadata.managedFields
    if (resource.generation !== 'none') metadata.generation = 1
    if (resource.subresources.status && resource.subresources.statusOnCreate !== 'kept') delete object['status']
    resource.prepareCreate?.(object)
    writeZeros(object, resource.shape)
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
    const owners = plan.managedFields ? plan.managedFields() : recordUpdate(before, built, this.#rules(request))
    setOwners(built, owners)
    this.#isolate(request, built, before)
    const admitted = await this.#admission.admit({
      ...request,
      operation: 'UPDATE',
      name,
      pathName: name,
      object: built,
      before,
      options: this.#options('UpdateOptions', request),
    })
    const after = normalize(resource, admitted ?? built)
    this.#isolate(request, after, before)
    this.#prepareChanged(request, after, before)
    this.#refuse(resource, after, this.#updateProblems(request, after, before))
    request.warnings.push(...(resource.warningsOf?.(after, before) ?? []))
    setOwners(after, owners)
    await this.#admission.review?.({
      ...request,
      operation: 'UPDATE',
      name,
      pathName: name,
      object: structuredClone(after),
      before,
      options: this.#options('UpdateOptions', request),
    })
    after.metadata.resourceVersion = before.metadata.resourceVersion
    const goes = isOver(resource, after)
    // Only what is not stored keeps it.
    if (!request.dryRun && !goes) delete (after.metadata as Tree)['selfLink']
    const same = structuredClone(after)
    keepTimes(same, before)
    if (equal(same, before) && !goes) return same
    if (request.dryRun) return after
    // What ends is answered as it was sent.
    if (goes && this.#store.remove(resource.collection, stored, storedOf(resource, after))) return after
    const written = goes ? undefined : this.#store.put(resource.collection, storedOf(resource, after), stored)
    if (written) return externalOf(resource, written)
    if (asked) throw conflict(resource, name, staleVersion)
    return 'raced'
  }

  /** True when the client named the version that it changes. */
  #checkPreconditions(request: WriteRequest, plan: UpdatePlan, built: KubeObject, before: KubeObject): boolean {
    const { resource, name = '' } = request
    const { uid, resourceVersion } = built.metadata
    if (plan.version === 'required' && uid && uid !== before.metadata.uid) throw otherUid(request, uid, before)
    if (!resourceVersion || resourceVersion === '0') {
      if (plan.version !== 'optional' && !resource.unconditionalUpdate)
        // The API server names the resource here, where it names the kind elsewhere.
        throw invalidObject({ group: resource.group, kind: resource.plural }, name, [
          invalid('metadata.resourceVersion', 0, 'must be specified for an update'),
        ])
      return false
    }
    if (!/^\d+$/.test(resourceVersion)) throw namedNoVersion(resourceVersion)
    if (resourceVersion !== before.metadata.resourceVersion) throw conflict(resource, name, staleVersion)
    // A patch starts from the live object: its version is there without anyone having named it.
    return plan.version === 'required'
  }

  /** Status changes only through its subresource, and nothing else through that. */
  #isolate(request: WriteRequest, object: KubeObject, before: KubeObject): void {
    if (request.subresource === 'status') {
      const { status } = object
      for (const member of Object.keys(object)) if (member !== 'metadata') delete object[member]
      const { metadata } = object
      Object.assign(object, structuredClone(before))
      // A built-in kind's metadata may be written along (controllers annotate that way), a custom one's may not.
      if (!request.resource.custom) object.metadata = restored(metadata, before, request.resource)
      else if (metadata.managedFields) object.metadata = { ...object.metadata, managedFields: metadata.managedFields }
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
    // What a client leaves out stays; what it sets otherwise is refused later. Who knows none of a deletion does not stop it.
    metadata.uid ||= before.metadata.uid
    for (const member of ['creationTimestamp', 'generation'] as const) {
      if (before.metadata[member] === undefined) delete metadata[member]
      else (metadata as Tree)[member] = before.metadata[member]
    }
    for (const member of ['deletionTimestamp', 'deletionGracePeriodSeconds'] as const)
      if (!metadata[member] && before.metadata[member] !== undefined)
        (metadata as Tree)[member] = before.metadata[member]
    if (request.subresource === 'status') {
      resource.prepareStatus?.(object, before)
      return
    }
    resource.prepareUpdate?.(object, before)
    if (resource.generation !== 'none' && changesGeneration(resource, object, before))
      metadata.generation = (before.metadata.generation ?? 0) + 1
  }

  #updateProblems(request: WriteRequest, object: KubeObject, before: KubeObject): FieldProblem[] {
    const { resource } = request
    const rules = request.subresource === 'status' ? resource.validateStatus : resource.validate
    return [
      ...metadataProblems(resource, object, true),
      ...metadataUpdateProblems(object, before),
      ...standardFinalizerProblems(resource, object),
      ...(request.subresource === 'status' ? [] : (resource.validateChange?.(object, before) ?? [])),
      ...(rules?.(object, before) ?? []),
    ]
  }

  #refuse(resource: Resource, object: KubeObject, problems: readonly FieldProblem[]): void {
    const { kind, errorGroup = resource.group } = resource
    if (problems.length > 0) throw invalidObject({ group: errorGroup, kind }, object.metadata.name ?? '', problems)
  }

  #rules(request: WriteRequest) {
    return ownershipRules(request, timestamp(this.#clock.now()))
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

/** A deletion that waited only for finalizers ends with the last of them. */
function isOver(resource: Resource, { metadata }: KubeObject): boolean {
  const { deletionTimestamp, finalizers = [], deletionGracePeriodSeconds = 0 } = metadata
  const waits = finalizers.length > 0 || deletionGracePeriodSeconds > 0 || resource.collection === 'namespaces'
  return deletionTimestamp !== undefined && !waits
}

function takenName({ group, errorGroup = group, plural }: Resource, fresh: KubeObject, taken: KubeObject): StatusError {
  const { name = '', generateName } = fresh.metadata
  const ending = taken.metadata.deletionTimestamp !== undefined
  const generated = Boolean(generateName)
  return alreadyExists({ group: generated ? errorGroup : group, plural }, name, { ending, generated })
}

/** Metadata as written along with the status, but for what the kind leaves then. */
function restored(metadata: KubeObject['metadata'], before: KubeObject, resource: Resource): KubeObject['metadata'] {
  const out: Tree = { ...metadata }
  for (const [top, member] of resource.statusLeaves ?? []) {
    if (top !== 'metadata' || member === undefined) continue
    const value = at(before, 'metadata', member)
    if (value === undefined) delete out[member]
    else out[member] = value
  }
  return out
}

function setOwners(object: KubeObject, owners: ManagedFieldsEntry[] | undefined): void {
  if (owners) object.metadata.managedFields = owners
  else delete object.metadata.managedFields
}

function changesGeneration(resource: Resource, object: KubeObject, before: KubeObject): boolean {
  if (resource.generation === 'spec') return !equal(object['spec'], before['spec'])
  const kept = resource.subresources.status
  const content = ({ metadata: _, status, ...rest }: KubeObject): Tree => (kept ? rest : { ...rest, status })
  return !equal(content(object), content(before))
}

const namesVersion = ({ metadata: { resourceVersion = '' } }: KubeObject) => Number.parseInt(resourceVersion, 10) > 0

/** An object's version is not a number of ours. */
export function namedNoVersion(version: string): StatusError {
  const message = `strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`
  return new StatusError(500, '', message)
}

/** RFC 3339 with whole seconds, as metav1.Time. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
