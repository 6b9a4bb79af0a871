/**
 * A Kubernetes API in memory, for development and tests: the kinds that secrets delivery touches, custom resources,
 * admission webhooks, service account tokens. A function from request to response; http-listener.ts puts it on a socket.
 */
import type { Clock } from '../../lib/clock.ts'
import { type Logger, silentLog } from '../../lib/log.ts'
import type { RandomBytes } from '../../lib/random.ts'
import type { Admission } from './admission/admission.ts'
import { namespaceAdmission } from './admission/namespace-admission.ts'
import { rbacAdmission } from './admission/rbac-admission.ts'
import { ServiceAccountAdmission } from './admission/service-account-admission.ts'
import { WebhookAdmission } from './admission/webhook-admission.ts'
import { callWebhookOverHttps, type WebhookCall } from './admission/webhook-call.ts'
import { followDefinitions } from './crds/custom-resources.ts'
import { type Discovery, discover, openApiV3, serverVersion } from './discovery/discovery.ts'
import { Authenticator } from './identity/authenticator.ts'
import { type Access, Authorizer } from './identity/authorizer.ts'
import { bootstrapRoles } from './identity/bootstrap-roles.ts'
import { type ReviewKind, reviewKinds } from './identity/reviews.ts'
import { TokenIssuer } from './identity/token-issuer.ts'
import { systemUser, type User } from './identity/user.ts'
import { builtInKinds } from './kinds/built-in-kinds.ts'
import { parseResourcePath, type ResourcePath } from './request-path.ts'
import { readObject } from './requests/body.ts'
import type { RequestContext } from './requests/context.ts'
import { normalize } from './requests/decode.ts'
import { isWatch, ObjectEndpoint } from './requests/object-endpoint.ts'
import { ObjectRemover } from './requests/object-remover.ts'
import { ObjectWriter, timestamp } from './requests/object-writer.ts'
import type { KubeletCall } from './requests/pod-logs.ts'
import { ResourceTable } from './resource.ts'
import { BuiltInShapes } from './shapes/built-in-shapes.ts'
import { checkShape } from './shapes/check-shape.ts'
import {
  badRequest,
  forbiddenRequest,
  internalError,
  methodNotAllowed,
  StatusError,
  tooLarge,
  unauthorized,
} from './status.ts'
import { ObjectStore } from './store/object-store.ts'
import { expireEvents } from './upkeep/event-expiry.ts'
import { GarbageCollector } from './upkeep/garbage-collector.ts'
import { NamespaceUpkeep } from './upkeep/namespace-upkeep.ts'
import { type ApiRequest, type ApiResponse, jsonResponse, maxBodyBytes, textResponse } from './wire.ts'

export interface ApiServerOptions {
  readonly clock: Clock
  readonly random: RandomBytes
  /** The cluster's CA certificate, handed to pods in kube-root-ca.crt. */
  readonly caPem: string
  /** Whoever holds it may do everything. */
  readonly adminToken: string
  readonly log?: Logger
  readonly issuer?: string
  /** How many changes a watch can go back before it gets 410. */
  readonly historyEvents?: number
  readonly bookmarkIntervalMs?: number
  readonly callWebhook?: WebhookCall
  readonly callKubelet?: KubeletCall
}

/** Answered without credentials: they say nothing about what is in the cluster. */
const publicPaths = ['/healthz', '/livez', '/readyz', '/openid/v1/jwks', '/.well-known/openid-configuration']

export class ApiServer {
  readonly #store: ObjectStore
  readonly #resources: ResourceTable
  readonly #shapes = new BuiltInShapes()
  readonly #reviews: readonly ReviewKind[]
  readonly #tokens: TokenIssuer
  readonly #authenticator: Authenticator
  readonly #authorizer: Authorizer
  readonly #writer: ObjectWriter
  readonly #objects: ObjectEndpoint
  readonly #collector: GarbageCollector
  readonly #namespaces: NamespaceUpkeep
  readonly #log: Logger
  readonly #stopping = new AbortController()
  readonly #stops: readonly (() => void)[]
  readonly #ready: Promise<void>

  constructor(options: ApiServerOptions) {
    const { clock, random } = options
    this.#log = options.log ?? silentLog
    const store = new ObjectStore({ historyEvents: options.historyEvents ?? 10_000 })
    const resources = new ResourceTable(builtInKinds(this.#shapes, () => timestamp(clock.now())))
    const tokens = new TokenIssuer({
      store,
      clock,
      random,
      issuer: options.issuer ?? 'https://kubernetes.default.svc.cluster.local',
    })
    this.#store = store
    this.#resources = resources
    this.#tokens = tokens
    this.#authenticator = new Authenticator({ adminToken: options.adminToken, tokens })
    this.#authorizer = new Authorizer({ store })
    this.#reviews = reviewKinds({ authenticator: this.#authenticator, authorizer: this.#authorizer, tokens })
    const admission = admissionChain({
      store,
      resources,
      random,
      authorizer: this.#authorizer,
      call: options.callWebhook ?? callWebhookOverHttps,
    })
    const writer = new ObjectWriter({ store, admission, clock, random })
    const remover = new ObjectRemover({ store, admission, clock })
    this.#writer = writer
    this.#objects = new ObjectEndpoint({
      store,
      writer,
      remover,
      tokens,
      authorize: (user, access) => this.#authorize(user, access),
      clock,
      callKubelet: options.callKubelet ?? (() => Promise.reject(new Error('no kubelet can be reached from here'))),
      bookmarkIntervalMs: options.bookmarkIntervalMs ?? 30_000,
      stopping: this.#stopping.signal,
    })
    const log = this.#log
    this.#collector = new GarbageCollector({ store, resources, remover, log })
    this.#namespaces = new NamespaceUpkeep({ store, resources, writer, remover, caPem: options.caPem, log })
    this.#stops = [
      followDefinitions(store, resources, this.#shapes.get('meta.ObjectMeta')),
      this.#collector.start(),
      this.#namespaces.start(),
      expireEvents(store, clock),
    ]
    this.#ready = this.#furnish()
  }

  /** Never rejects. */
  async handle(request: ApiRequest): Promise<ApiResponse> {
    await this.#ready
    const warnings: string[] = []
    try {
      const response = await this.#answer(request, warnings)
      if (warnings.length === 0) return response
      const lines = [...new Set(warnings)].map((text) => `299 - ${JSON.stringify(oneLine(text))}`)
      return { ...response, headers: { ...response.headers, warning: lines } }
    } catch (error) {
      const known = error instanceof StatusError ? error : this.#unexpected(error, request)
      return jsonResponse(known.code, known.toStatus(), known.headers)
    }
  }

  /** Resolves when garbage collection and namespace upkeep have dealt with everything so far; for tests. */
  async idle(): Promise<void> {
    await this.#ready
    for (let version = -1; version !== this.#store.version; ) {
      version = this.#store.version
      await this.#collector.idle()
      await this.#namespaces.idle()
    }
  }

  /** Ends all watches. */
  close(): void {
    this.#stopping.abort()
    for (const stop of this.#stops) stop()
  }

  async #furnish(): Promise<void> {
    const names = ['default', 'kube-system', 'kube-public', 'kube-node-lease']
    const namespaces = names.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))
    for (const object of [...namespaces, ...bootstrapRoles]) {
      const resource = this.#resources.findKind(object.apiVersion, object.kind)
      if (!resource) throw new Error(`no such kind: ${object.kind}`)
      const { name } = object.metadata
      const place = { namespace: undefined, name, subresource: undefined }
      const manager = 'kube-apiserver'
      const request = { ...place, resource, user: systemUser, manager, dryRun: false, warnings: [] }
      await this.#writer.create(request, normalize(resource, { ...object }))
    }
    await this.#collector.idle()
    await this.#namespaces.idle()
  }

  async #answer(request: ApiRequest, warnings: string[]): Promise<ApiResponse> {
    const { path, method } = request
    if (publicPaths.includes(path)) return this.#publicAnswer(path)
    const user = this.#authenticator.fromHeader(request.headers['authorization'])
    if (!user) throw unauthorized()
    if (request.headers['impersonate-user'] !== undefined)
      throw new StatusError(403, 'Forbidden', 'the development cluster does not impersonate')
    if (Buffer.byteLength(request.body ?? '') > maxBodyBytes) throw tooLarge(maxBodyBytes)
    const target = parseResourcePath(path)
    if (target) return this.#resourceAnswer(request, target, user, warnings)
    if (method !== 'GET') throw methodNotAllowed()
    this.#authorize(user, { verb: 'get', path })
    return this.#infoAnswer(path)
  }

  #publicAnswer(path: string): ApiResponse {
    if (path === '/openid/v1/jwks') {
      const keys = jsonResponse(200, this.#tokens.keySet())
      return { ...keys, headers: { 'content-type': 'application/jwk-set+json' } }
    }
    if (path !== '/.well-known/openid-configuration') return textResponse(200, 'ok')
    const { issuer } = this.#tokens
    return jsonResponse(200, {
      issuer,
      jwks_uri: `${issuer}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    })
  }

  #infoAnswer(path: string): ApiResponse {
    const discovery: Discovery = { resources: this.#resources, reviews: this.#reviews }
    if (path === '/version' || path === '/version/') return jsonResponse(200, serverVersion)
    const found = path.startsWith('/openapi/v3') ? openApiV3(discovery, path) : discover(discovery, path)
    return found ? jsonResponse(200, found) : notFoundPage()
  }

  async #resourceAnswer(
    request: ApiRequest,
    target: ResourcePath,
    user: User,
    warnings: string[],
  ): Promise<ApiResponse> {
    const { group, plural, subresource, namespace, name } = target
    const verb = verbOf(request, target)
    this.#authorize(user, { verb, group, resource: plural, subresource, namespace, name })
    const review = this.#reviews.find((r) => r.group === group && r.version === target.version && r.plural === plural)
    if (review) return this.#reviewAnswer(request, review, user)
    const resource = this.#resources.find(group, target.version, plural)
    const known = resource && (subresource !== 'status' || resource.subresources.status)
    if (!known || (namespace !== undefined && !resource.namespaced)) return notFoundPage()
    if (name !== undefined && resource.namespaced && namespace === undefined) return notFoundPage()
    if (resource.deprecation) warnings.push(resource.deprecation)
    const context: RequestContext = {
      user,
      resource,
      namespace,
      name,
      subresource,
      query: request.query,
      headers: request.headers,
      body: request.body ?? '',
      warnings,
      signal: request.signal,
    }
    return this.#objects.handle(request.method, context)
  }

  async #reviewAnswer(request: ApiRequest, review: ReviewKind, user: User): Promise<ApiResponse> {
    if (request.method !== 'POST') throw methodNotAllowed()
    const body = await readObject(request.body ?? '', request.headers, review.kind)
    body['apiVersion'] ??= `${review.group}/${review.version}`
    body['kind'] ??= review.kind
    if (body['kind'] !== review.kind)
      throw badRequest(`${String(body['kind'])} in version "${review.version}" cannot be handled as a ${review.kind}`)
    const { wrongTypes } = checkShape(body, this.#shapes.get(review.type))
    if (wrongTypes[0])
      throw badRequest(
        `${review.kind} in version "${review.version}" cannot be handled as a ${review.kind}: ${wrongTypes[0]}`,
      )
    return jsonResponse(201, review.answer(body, user))
  }

  #authorize(user: User, access: Access): void {
    if (this.#authorizer.allows(user, access)) return
    const who = `User "${user.name}" cannot ${access.verb}`
    if ('path' in access) throw new StatusError(403, 'Forbidden', `forbidden: ${who} path "${access.path}"`, {})
    const { group, resource, subresource, namespace } = access
    const what = subresource ? `${resource}/${subresource}` : resource
    const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`
    throw forbiddenRequest(
      { group, plural: resource },
      access.name ?? '',
      `${who} resource "${what}" in API group "${group}" ${where}`,
    )
  }

  #unexpected(error: unknown, request: ApiRequest): StatusError {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#log.error('request failed', { method: request.method, path: request.path, why })
    return internalError('the development cluster failed; its log says why')
  }
}

function admissionChain(tools: {
  readonly store: ObjectStore
  readonly resources: ResourceTable
  readonly random: RandomBytes
  readonly authorizer: Authorizer
  readonly call: WebhookCall
}): Admission {
  const { store, random } = tools
  const accounts = new ServiceAccountAdmission({ store, random })
  const webhooks = new WebhookAdmission({ ...tools, again: accounts })
  // After the webhooks: what they make of a role counts.
  const steps = [namespaceAdmission(store), accounts, webhooks, rbacAdmission(store, tools.authorizer)]
  return {
    async admit(attempt) {
      let { object } = attempt
      for (const step of steps) object = await step.admit({ ...attempt, object })
      return object
    },
  }
}

const notFoundPage = () => textResponse(404, '404 page not found\n')
const oneLine = (text: string) => text.replace(/[\u0000-\u001f\u007f]/g, ' ')

function verbOf({ method, query }: ApiRequest, { name }: ResourcePath): string {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (isWatch(query)) return 'watch'
      return name === undefined ? 'list' : 'get'
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return name === undefined ? 'deletecollection' : 'delete'
    default:
      return method.toLowerCase()
  }
}
