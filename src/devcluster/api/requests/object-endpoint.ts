/** Requests for objects: from verb and path to the reader, the writer, the remover or a subresource. */
import type { KubeObject } from '../../../kube/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Access } from '../identity/authorizer.ts'
import { answerTokenRequest } from '../identity/reviews.ts'
import type { TokenIssuer } from '../identity/token-issuer.ts'
import type { User } from '../identity/user.ts'
import { applyMergePatch } from '../patch/merge-patch.ts'
import { externalOf } from '../resource.ts'
import { badRequest, conflict, methodNotAllowed, notFound, StatusError } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { isTree, type Tree, textAt } from '../tree.ts'
import { type ApiResponse, jsonResponse, textResponse } from '../wire.ts'
import { parseJson, readObject } from './body.ts'
import { fieldValidationOf, isDryRun, managerOf, type RequestContext } from './context.ts'
import { decodeDocument } from './decode.ts'
import { filterOf, listObjects } from './object-reader.ts'
import { type ObjectRemover, readDeleteOptions } from './object-remover.ts'
import type { ObjectWriter, WriteRequest } from './object-writer.ts'
import { patchObject } from './patch-request.ts'
import { type KubeletCall, podLogs } from './pod-logs.ts'
import { applyScale, scaleOf } from './scale.ts'
import { answerForm, presenterFor } from './table.ts'
import { watchObjects } from './watch-objects.ts'

export interface ObjectEndpointOptions {
  readonly store: ObjectStore
  readonly writer: ObjectWriter
  readonly remover: ObjectRemover
  readonly tokens: TokenIssuer
  /** Throws the refusal. */
  readonly authorize: (user: User, access: Access) => void
  readonly clock: Clock
  readonly callKubelet: KubeletCall
  readonly bookmarkIntervalMs: number
  readonly stopping: AbortSignal
}

export const isWatch = (query: URLSearchParams) => ['true', '1'].includes(query.get('watch') ?? '')

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
    if (method === 'DELETE') return this.#deleteCollection(context)
    throw methodNotAllowed()
  }

  #presenter(context: RequestContext) {
    const form = answerForm(context.headers['accept'])
    return presenterFor(context.resource, form, context.query, () => this.#options.clock.now())
  }

  async #list(context: RequestContext): Promise<ApiResponse> {
    const presenter = this.#presenter(context)
    if (!isWatch(context.query)) return jsonResponse(200, presenter.list(listObjects(this.#options.store, context)))
    const tools = { ...this.#options, present: presenter.event }
    return { status: 200, headers: { 'content-type': 'application/json' }, body: watchObjects(tools, context) }
  }

  #existing(context: RequestContext): KubeObject {
    const { resource, namespace, name = '' } = context
    const stored = this.#options.store.get(resource.collection, namespace, name)
    if (!stored) throw notFound(resource, name)
    return stored
  }

  async #get(context: RequestContext): Promise<ApiResponse> {
    if (isWatch(context.query)) return this.#list(context)
    const presenter = this.#presenter(context)
    return jsonResponse(200, presenter.one(externalOf(context.resource, this.#existing(context))))
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

  async #decoded(context: RequestContext): Promise<KubeObject> {
    const document = await readObject(context.body, context.headers, context.resource.kind)
    const validation = fieldValidationOf(context.query)
    return decodeDocument(context.resource, document, { validation, warnings: context.warnings })
  }

  async #post(context: RequestContext): Promise<ApiResponse> {
    const object = await this.#decoded(context)
    context.resource.fillDefaults?.(object)
    const created = await this.#options.writer.create(this.#writeRequest(context), object)
    return jsonResponse(201, this.#presenter(context).one(created))
  }

  async #put(context: RequestContext): Promise<ApiResponse> {
    const object = await this.#decoded(context)
    const updated = await this.#options.writer.update(this.#writeRequest(context), {
      version: 'required',
      build: () => structuredClone(object),
    })
    return jsonResponse(200, this.#presenter(context).one(updated))
  }

  async #patch(context: RequestContext): Promise<ApiResponse> {
    const { created, object } = await patchObject(this.#options, context, this.#writeRequest(context))
    return jsonResponse(created ? 201 : 200, this.#presenter(context).one(object))
  }

  async #delete(context: RequestContext): Promise<ApiResponse> {
    const { resource, namespace, name = '', user, warnings } = context
    const options = readDeleteOptions(context.query, await readDeleteBody(context))
    const { gone, object } = await this.#options.remover.remove({ resource, namespace, name, user, warnings, options })
    if (!gone) return jsonResponse(200, this.#presenter(context).one(object))
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
    const options = readDeleteOptions(context.query, await readDeleteBody(context))
    const filter = filterOf(context)
    const found = this.#options.store.list(resource.collection).map((stored) => externalOf(resource, stored))
    const items: KubeObject[] = []
    for (const object of found.filter((candidate) => filter.matches(candidate))) {
      const { namespace, name = '' } = object.metadata
      items.push((await this.#options.remover.remove({ resource, namespace, name, user, warnings, options })).object)
    }
    return jsonResponse(200, this.#presenter(context).list({ items, version: String(this.#options.store.version) }))
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
        return jsonResponse(
          201,
          answerTokenRequest(
            this.#options,
            this.#existing(context),
            await readObject(context.body, context.headers, 'TokenRequest'),
          ),
        )
      default:
        return textResponse(404, '404 page not found\n')
    }
  }

  async #scale(method: string, context: RequestContext): Promise<ApiResponse> {
    const paths = context.resource.subresources.scale
    if (!paths) throw methodNotAllowed()
    if (method === 'GET')
      return jsonResponse(200, scaleOf(externalOf(context.resource, this.#existing(context)), paths))
    if (method !== 'PUT' && method !== 'PATCH') throw methodNotAllowed()
    const body = parseJson(context.body, 'Scale')
    const request = { ...this.#writeRequest(context), subresource: undefined }
    const updated = await this.#options.writer.update(request, {
      version: 'optional',
      build: (before) => {
        const scale = method === 'PUT' ? body : applyMergePatch(scaleOf(before, paths), body)
        const asked = textAt(scale, 'metadata', 'resourceVersion')
        if (asked && asked !== before.metadata.resourceVersion)
          throw conflict(
            context.resource,
            context.name ?? '',
            'the object has been modified; please apply your changes to the latest version and try again',
          )
        return applyScale(before, scale, paths)
      },
    })
    return jsonResponse(200, scaleOf(updated, paths))
  }

  /** The scheduler's only write: a pod gets its node, once. */
  async #bind(context: RequestContext): Promise<ApiResponse> {
    const body = await readObject(context.body, context.headers, 'Binding')
    const node = textAt(body, 'target', 'name') ?? ''
    if (node === '') throw badRequest('target.name: Required value')
    const { store } = this.#options
    const pod = this.#existing(context)
    const name = pod.metadata.name ?? ''
    if (pod.metadata.deletionTimestamp)
      throw conflict(
        { group: '', plural: 'pods/binding' },
        name,
        `pod ${name} is being deleted, cannot be assigned to a host`,
      )
    const bound = textAt(pod, 'spec', 'nodeName')
    if (bound)
      throw conflict({ group: '', plural: 'pods/binding' }, name, `pod ${name} is already assigned to node "${bound}"`)
    const spec: Tree = isTree(pod['spec']) ? pod['spec'] : {}
    const now = `${new Date(this.#options.clock.now()).toISOString().slice(0, 19)}Z`
    const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: now }
    const status: Tree = isTree(pod['status']) ? pod['status'] : {}
    const conditions = Array.isArray(status['conditions']) ? status['conditions'] : []
    const after: KubeObject = {
      ...pod,
      spec: { ...spec, nodeName: node },
      status: { ...status, conditions: [...conditions, scheduled] },
    }
    if (!isDryRun(context.query) && !store.put('pods', after, pod))
      throw conflict({ group: '', plural: 'pods/binding' }, name, 'the object has been modified')
    return jsonResponse(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 })
  }

  /** There are no disruption budgets here, so an eviction is a deletion. */
  async #evict(context: RequestContext): Promise<ApiResponse> {
    const { resource, namespace, name = '', user, warnings } = context
    const body = await readObject(context.body, context.headers, 'Eviction')
    const asked = body['deleteOptions']
    const options = readDeleteOptions(context.query, isTree(asked) ? asked : {})
    await this.#options.remover.remove({ resource, namespace, name, user, warnings, options })
    return jsonResponse(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 })
  }
}

async function readDeleteBody(context: RequestContext): Promise<Tree> {
  if (context.body.trim() === '') return {}
  const options = await readObject(context.body, context.headers, 'DeleteOptions')
  if (options['kind'] !== undefined && options['kind'] !== 'DeleteOptions')
    throw new StatusError(400, 'BadRequest', `cannot convert ${String(options['kind'])} to DeleteOptions`)
  return options
}
