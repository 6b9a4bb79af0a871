/** Requests for objects: from verb and path to the reader, the writer, the remover or a subresource. */
import type { KubeObject } from '../../../kube/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import { unservedSubresource } from '../discovery/served-kind.ts'
import type { Access } from '../identity/authorizer.ts'
import { asksWatch } from '../identity/request-access.ts'
import type { TokenRequests } from '../identity/token-request.ts'
import type { User } from '../identity/user.ts'
import { externalOf } from '../resource.ts'
import {
  badRequest,
  conflict,
  methodNotAllowed,
  notFound,
  StatusError,
  staleVersion,
  unknownResource,
} from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { type Tree, textAt } from '../tree.ts'
import { type ApiResponse, jsonResponse } from '../wire.ts'
import { mediaTypeOf, readObject } from './body.ts'
import { fieldValidationOf, isDryRun, managerOf, type RequestContext } from './context.ts'
import { checkPlace, decodeDocument } from './decode.ts'
import { type DeleteOptions, deleteOptionsOf } from './deletion/delete-options.ts'
import { checkPreconditions, type ObjectRemover } from './deletion/object-remover.ts'
import { repetitions } from './duplicate-fields.ts'
import { namedNoVersion, type ObjectWriter, timestamp, type WriteRequest } from './object-writer.ts'
import { patchObject, patchReader } from './patching/patch-request.ts'
import { type KubeletCall, podLogs } from './pod-logs.ts'
import { bindPod, checkBinding } from './pods/binding.ts'
import { evictionOptions, markEvicted, refuseOtherKind } from './pods/eviction.ts'
import { listObjects } from './reading/list-objects.ts'
import {
  parseVersion,
  readListOptions,
  tooLargeVersion,
  unreadableVersion,
  versionWords,
} from './reading/list-options.ts'
import { answerForm, presenterFor } from './reading/presenter.ts'
import { watchObjects } from './reading/watch-objects.ts'
import { applyScale, scaleKind, scaleOf } from './scale.ts'
import { otherUid } from './storage-key.ts'
import { checkWriteOptions } from './write-options.ts'

export interface ObjectEndpointOptions {
  readonly store: ObjectStore
  readonly writer: ObjectWriter
  readonly remover: ObjectRemover
  readonly tokenRequests: TokenRequests
  /** Throws the refusal. */
  readonly authorize: (user: User, access: Access) => void
  readonly clock: Clock
  readonly callKubelet: KubeletCall
  readonly bookmarkIntervalMs: number
  readonly stopping: AbortSignal
}

const createdOnly = ['pods/binding', 'pods/eviction', 'serviceaccounts/token']

export class ObjectEndpoint {
  readonly #options: ObjectEndpointOptions

  constructor(options: ObjectEndpointOptions) {
    this.#options = options
  }

  handle(method: string, context: RequestContext): Promise<ApiResponse> {
    if (context.subresource && context.subresource !== 'status') return this.#subresource(method, context)
    if (context.name === undefined) return this.#collection(method, context)
    switch (method) {
      case 'GET':
        return this.#get(context)
      case 'PUT':
        return this.#put(context)
      case 'PATCH':
        return this.#patch(context)
      case 'DELETE':
        if (context.subresource) throw methodNotAllowed()
        return this.#delete(context)
      default:
        throw methodNotAllowed()
    }
  }

  async #collection(method: string, context: RequestContext): Promise<ApiResponse> {
    if (method === 'GET') return this.#list(context)
    if (context.resource.namespaced && context.namespace === undefined) throw methodNotAllowed()
    if (method === 'POST') return this.#post(context)
    if (method === 'DELETE' && context.resource.collectionDelete !== false) return this.#deleteCollection(context)
    throw methodNotAllowed()
  }

  #presenter(context: RequestContext) {
    const form = answerForm(context.headers['accept'])
    return presenterFor(context.resource, form, context.query, () => this.#options.clock.now())
  }

  async #list(context: RequestContext): Promise<ApiResponse> {
    const presenter = this.#presenter(context)
    if (!asksWatch(context.query)) return jsonResponse(200, presenter.list(listObjects(this.#options.store, context)))
    const tools = { ...this.#options, presenter }
    return { status: 200, headers: { 'content-type': 'application/json' }, body: watchObjects(tools, context) }
  }

  #existing(context: RequestContext): KubeObject {
    const { resource, namespace, name = '' } = context
    const stored = this.#options.store.get(resource.collection, namespace, name)
    if (!stored) throw notFound(resource, name)
    return stored
  }

  async #get(context: RequestContext): Promise<ApiResponse> {
    const presenter = this.#presenter(context)
    this.#checkVersion(context)
    return jsonResponse(200, presenter.one(externalOf(context.resource, this.#existing(context))))
  }

  /** Whether the state that was asked for can be shown. */
  #checkVersion({ query, resource }: RequestContext): void {
    const asked = query.get('resourceVersion') ?? ''
    const version = asked === '' ? 0 : parseVersion(asked)
    // Events have no cache in front of the storage, which says it so.
    if (version === undefined && resource.collection === 'events')
      throw badRequest(`invalid resource version: ${versionWords(asked)}`)
    if (version === undefined) throw unreadableVersion(asked)
    if (version > this.#options.store.version) throw tooLargeVersion(version, this.#options.store.version)
  }

  #writeRequest(context: RequestContext): WriteRequest {
    const { resource, namespace, name, subresource, user, query, warnings } = context
    return {
      resource,
      namespace,
      name,
      subresource,
      user,
      warnings,
      manager: managerOf(context),
      dryRun: isDryRun(query),
    }
  }

  async #decoded(context: RequestContext, options: 'CreateOptions' | 'UpdateOptions'): Promise<KubeObject> {
    checkWriteOptions(context.query, options)
    const document = await readObject(context.body, context.headers, context.resource.kind)
    const validation = fieldValidationOf(context.query)
    const repeated = validation === 'Ignore' ? [] : await repetitions(context.body, mediaTypeOf(context.headers))
    return decodeDocument(context.resource, document, { validation, warnings: context.warnings, repetitions: repeated })
  }

  async #post(context: RequestContext): Promise<ApiResponse> {
    const object = await this.#decoded(context, 'CreateOptions')
    // What makes an object by PUT or by an apply keeps them.
    const { deletionTimestamp: _, deletionGracePeriodSeconds: __, ...metadata } = object.metadata
    delete (metadata as Tree)['selfLink']
    object.metadata = metadata
    context.resource.fillDefaults?.(object)
    const created = await this.#options.writer.create(this.#writeRequest(context), object)
    return jsonResponse(201, this.#presenter(context).one(created))
  }

  async #put(context: RequestContext): Promise<ApiResponse> {
    const object = await this.#decoded(context, 'UpdateOptions')
    if (!object.metadata.name)
      throw badRequest(
        `the name of the object (${context.name} based on URL) was undeterminable: name must be provided`,
      )
    const presenter = this.#presenter(context)
    const { resource, namespace, name = '', subresource, user } = context
    checkPlace(object, namespace, name)
    if (resource.createOnUpdate && !subresource && !this.#options.store.get(resource.collection, namespace, name)) {
      const { group, plural } = resource
      const request = this.#writeRequest(context)
      const { resourceVersion = '' } = object.metadata
      if (object.metadata.uid) throw otherUid(request, object.metadata.uid, undefined)
      if (!/^\d*$/.test(resourceVersion)) throw namedNoVersion(resourceVersion)
      // Who may only change things must not make them this way.
      this.#options.authorize(user, { verb: 'create', group, resource: plural, subresource, namespace, name })
      resource.fillDefaults?.(object)
      // Of what is not there any version may be named.
      delete object.metadata.resourceVersion
      return jsonResponse(201, presenter.one(await this.#options.writer.create(request, object)))
    }
    const updated = await this.#options.writer.update(this.#writeRequest(context), {
      version: 'required',
      build: () => structuredClone(object),
    })
    return jsonResponse(200, presenter.one(updated))
  }

  async #patch(context: RequestContext): Promise<ApiResponse> {
    const { created, object } = await patchObject(this.#options, context, this.#writeRequest(context))
    return jsonResponse(created ? 201 : 200, this.#presenter(context).one(object))
  }

  async #delete(context: RequestContext): Promise<ApiResponse> {
    const { resource, namespace, name = '', user, warnings } = context
    const options = await deleteOptionsOf(context, () => readBody(context, 'DeleteOptions'))
    warnOfDependents(context, options)
    const { gone, object } = await this.#options.remover.remove({ resource, namespace, name, user, warnings, options })
    // An old client that asked not to orphan is told that the rest takes its time.
    const status = !gone && options.orphanDependents === false ? 202 : 200
    if (!gone || resource.answersDeleted) return jsonResponse(status, this.#presenter(context).one(object))
    const details = {
      name,
      ...(resource.group === '' ? {} : { group: resource.group }),
      kind: resource.plural,
      uid: object.metadata.uid,
    }
    return jsonResponse(200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details })
  }

  async #deleteCollection(context: RequestContext): Promise<ApiResponse> {
    const { resource, user, warnings } = context
    const { filter } = readListOptions(context)
    const options = await deleteOptionsOf(context, () => readBody(context, 'DeleteOptions'))
    warnOfDependents(context, options)
    const version = String(this.#options.store.version)
    const found = this.#options.store.list(resource.collection).map((stored) => externalOf(resource, stored))
    // They are answered as they were found.
    const items = found.filter((candidate) => filter.matches(candidate))
    for (const { metadata } of items) {
      const { namespace, name = '' } = metadata
      await this.#options.remover.remove({ resource, namespace, name, user, warnings, options }).catch(unlessGone)
    }
    return jsonResponse(200, this.#presenter(context).list({ items, version }))
  }

  async #subresource(method: string, context: RequestContext): Promise<ApiResponse> {
    const { resource, subresource } = context
    if (subresource === 'scale' && resource.subresources.scale) return this.#scale(method, context)
    const endpoint = `${method} ${resource.collection}/${subresource}`
    switch (endpoint) {
      case 'GET pods/log':
        return podLogs(this.#options.store, this.#options.callKubelet, context)
      case 'POST pods/binding':
        return this.#bind(context)
      case 'POST pods/eviction':
        return this.#evict(context)
      case 'POST serviceaccounts/token':
        return jsonResponse(201, await this.#options.tokenRequests.answer(context, this.#existing(context)))
      default: {
        if (createdOnly.includes(`${resource.collection}/${subresource}`)) throw methodNotAllowed()
        const refused = unservedSubresource(resource.collection, subresource ?? '')
        if (refused) throw new StatusError(501, 'NotImplemented', refused)
        throw unknownResource()
      }
    }
  }

  async #scale(method: string, context: RequestContext): Promise<ApiResponse> {
    const paths = context.resource.subresources.scale
    if (!paths) throw methodNotAllowed()
    if (method === 'GET') this.#checkVersion(context)
    if (method === 'GET')
      return jsonResponse(200, scaleOf(externalOf(context.resource, this.#existing(context)), paths))
    if (method !== 'PUT' && method !== 'PATCH') throw methodNotAllowed()
    const request = { ...this.#writeRequest(context), subresource: undefined }
    const inside = { ...context, resource: scaleKind(context.resource) }
    let read: (before: KubeObject) => Tree
    if (method === 'PATCH') read = patchReader(inside)
    else {
      const sent = await this.#decoded(inside, 'UpdateOptions')
      checkPlace(sent, context.namespace, context.name)
      read = () => sent
    }
    const updated = await this.#options.writer.update(request, {
      version: 'optional',
      build: (before) => {
        const scale = read(scaleOf(before, paths))
        const uid = textAt(scale, 'metadata', 'uid')
        if (uid && uid !== before.metadata.uid) throw otherUid(request, uid, before)
        const version = before.metadata.resourceVersion
        const scaled = applyScale(before, scale, paths)
        const asked = textAt(scale, 'metadata', 'resourceVersion')
        if (asked && asked !== '0' && asked !== version)
          throw conflict(context.resource, context.name ?? '', staleVersion)
        return scaled
      },
    })
    return jsonResponse(200, scaleOf(updated, paths))
  }

  /** The scheduler's only write: a pod gets its node, once. */
  async #bind(context: RequestContext): Promise<ApiResponse> {
    const body = await readBody(context, 'Binding')
    checkBinding(body)
    const nowText = timestamp(this.#options.clock.now())
    bindPod({ store: this.#options.store, nowText, dryRun: isDryRun(context.query) }, this.#existing(context), body)
    return jsonResponse(201, succeeded)
  }

  async #evict(context: RequestContext): Promise<ApiResponse> {
    const { resource, namespace, name = '', user, warnings } = context
    const body = await readBody(context, 'Eviction')
    refuseOtherKind(body)
    const options = evictionOptions(body, name, isDryRun(context.query))
    const pod = this.#existing(context)
    checkPreconditions(resource, pod, options)
    if (!options.dryRun) markEvicted(this.#options.store, pod, timestamp(this.#options.clock.now()))
    await this.#options.remover.remove({ resource, namespace, name, user, warnings, options })
    return jsonResponse(201, succeeded)
  }
}

const succeeded = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }

const readBody = (context: RequestContext, kind: string) => readObject(context.body, context.headers, kind)

function warnOfDependents({ resource, warnings }: RequestContext, options: DeleteOptions): void {
  const unsaid = options.propagationPolicy === undefined && options.orphanDependents === undefined
  if (unsaid && resource.deletionWarning) warnings.push(resource.deletionWarning)
}

function unlessGone(error: unknown): void {
  if (!(error instanceof StatusError) || error.code !== 404) throw error
}
