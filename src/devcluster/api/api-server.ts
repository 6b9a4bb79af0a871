/**
 * A Kubernetes API in memory, for development and tests: the kinds that secrets delivery touches, custom resources,
 * admission webhooks, service account tokens. A function from request to response; http-listener.ts puts it on a socket.
 */
import { setMaxListeners } from 'node:events'
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
import { discover, serverVersion } from './discovery/discovery.ts'
import { OpenApiDocuments } from './discovery/openapi/openapi-documents.ts'
import type { Discovery } from './discovery/served-kind.ts'
import { Authenticator } from './identity/authenticator.ts'
import { type Access, Authorizer } from './identity/authorizer.ts'
import { accessesOf, impersonated, readWish, type Wish } from './identity/impersonation.ts'
import { bootstrapRoles } from './identity/rbac/bootstrap-roles.ts'
import { RoleAggregation } from './identity/rbac/role-aggregation.ts'
import { accessOf } from './identity/request-access.ts'
import { ReviewEndpoint } from './identity/review-endpoint.ts'
import { TokenIssuer } from './identity/token-issuer.ts'
import { TokenRequests } from './identity/token-request.ts'
import { systemUser, type User } from './identity/user.ts'
import { builtInKinds } from './kinds/built-in-kinds.ts'
import { parseResourcePath, type ResourcePath } from './request-path.ts'
import { withTextBody } from './requests/body.ts'
import type { RequestContext } from './requests/context.ts'
import { normalize } from './requests/decode.ts'
import { ObjectRemover } from './requests/deletion/object-remover.ts'
import { ObjectEndpoint } from './requests/object-endpoint.ts'
import { ObjectWriter, timestamp } from './requests/object-writer.ts'
import type { KubeletCall } from './requests/pod-logs.ts'
import { ResourceTable } from './resource.ts'
import { BuiltInShapes } from './shapes/built-in-shapes.ts'
import { forbiddenRequest, internalError, methodNotAllowed, StatusError, tooLarge, unauthorized } from './status.ts'
import { ObjectStore } from './store/object-store.ts'
import { expireEvents } from './upkeep/event-expiry.ts'
import { GarbageCollector } from './upkeep/garbage-collector.ts'
import { NamespaceUpkeep } from './upkeep/namespace-upkeep.ts'
import { warningLines } from './warnings.ts'
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

const healthPaths = ['/healthz', '/livez', '/readyz']
const issuerPaths = ['/openid/v1/jwks', '/.well-known/openid-configuration']

export class ApiServer {
  readonly #store: ObjectStore
  readonly #resources: ResourceTable
  readonly #shapes = new BuiltInShapes()
  readonly #discovery: Discovery
  readonly #openApi: OpenApiDocuments
  readonly #reviews: ReviewEndpoint
  readonly #tokens: TokenIssuer
  readonly #authenticator: Authenticator
  readonly #authorizer: Authorizer
  readonly #writer: ObjectWriter
  readonly #objects: ObjectEndpoint
  readonly #collector: GarbageCollector
  readonly #namespaces: NamespaceUpkeep
  readonly #aggregation: RoleAggregation
  readonly #log: Logger
  readonly #stopping = new AbortController()
  readonly #stops: readonly (() => void)[]
  readonly #ready: Promise<void>

  constructor(options: ApiServerOptions) {
    // Each open watch waits for it.
    setMaxListeners(0, this.#stopping.signal)
    const { clock, random } = options
    this.#log = options.log ?? silentLog
    const store = new ObjectStore({ historyEvents: options.historyEvents ?? 10_000 })
    const resources = new ResourceTable(builtInKinds(this.#shapes))
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
    this.#reviews = new ReviewEndpoint({
      authenticator: this.#authenticator,
      authorizer: this.#authorizer,
      tokens,
      clock,
      shapes: this.#shapes,
    })
    this.#discovery = { resources, reviews: this.#reviews.kinds }
    this.#openApi = new OpenApiDocuments(this.#discovery)
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
      tokenRequests: new TokenRequests({ store, tokens, clock, shapes: this.#shapes }),
      authorize: (user, access) => this.#authorize(user, access),
      clock,
      callKubelet: options.callKubelet ?? (() => Promise.reject(new Error('no kubelet can be reached from here'))),
      bookmarkIntervalMs: options.bookmarkIntervalMs ?? 30_000,
      stopping: this.#stopping.signal,
    })
    const log = this.#log
    this.#collector = new GarbageCollector({ store, resources, remover, clock, random, log })
    this.#namespaces = new NamespaceUpkeep({ store, resources, writer, remover, caPem: options.caPem, log, clock })
    this.#aggregation = new RoleAggregation({ store, resources, writer, clock, log })
    this.#stops = [
      followDefinitions(store, resources, {
        metadata: this.#shapes.get('meta.ObjectMeta'),
        now: () => timestamp(clock.now()),
      }),
      this.#collector.start(),
      this.#namespaces.start(),
      this.#aggregation.start(),
      expireEvents(store, clock),
    ]
    this.#ready = this.#furnish()
  }

  /** Never rejects. */
  async handle(request: ApiRequest): Promise<ApiResponse> {
    await this.#ready
    const warnings: string[] = []
    const response = await this.#answer(request, warnings).catch((error: unknown) => {
      const known = error instanceof StatusError ? error : this.#unexpected(error, request)
      return jsonResponse(known.code, known.toStatus(), known.headers)
    })
    if (warnings.length === 0) return response
    return { ...response, headers: { ...response.headers, warning: warningLines(warnings) } }
  }

  /** Resolves when garbage collection and namespace upkeep have dealt with everything so far; for tests. */
  async idle(): Promise<void> {
    await this.#ready
    for (let version = -1; version !== this.#store.version; ) {
      version = this.#store.version
      await this.#collector.idle()
      await this.#namespaces.idle()
      await this.#aggregation.idle()
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
    await this.#aggregation.idle()
  }

  async #answer(request: ApiRequest, warnings: string[]): Promise<ApiResponse> {
    const { path, method } = request
    const caller = this.#authenticator.caller(request.headers['authorization'], path)
    if (!caller) throw unauthorized()
    if ((request.bytes ?? Buffer.from(request.body ?? '')).length > maxBodyBytes) throw tooLarge(maxBodyBytes)
    const wish = readWish(request.headerLines ?? Object.entries(request.headers).map(([k, v]) => [k, v ?? '']))
    if (typeof wish === 'string') return internalErrorPage(request, wish)
    const user = wish ? this.#impersonate(caller, wish) : caller
    const target = parseResourcePath(path)
    this.#authorize(user, accessOf(request, target))
    if (target) return this.#resourceAnswer(request, target, user, warnings)
    if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed()
    return this.#infoAnswer(request)
  }

  #impersonate(caller: User, wish: Wish): User {
    for (const access of accessesOf(wish)) this.#authorize(caller, access)
    return impersonated(wish)
  }

  #issuerAnswer(path: string): ApiResponse {
    if (path === '/openid/v1/jwks') {
      const keys = jsonResponse(200, this.#tokens.keySet())
      return { ...keys, headers: { 'content-type': 'application/jwk-set+json' } }
    }
    const { issuer } = this.#tokens
    return jsonResponse(200, {
      issuer,
      jwks_uri: `${issuer}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    })
  }

  #infoAnswer(request: ApiRequest): ApiResponse {
    const { path } = request
    if (healthPaths.includes(path)) return textResponse(200, 'ok')
    if (issuerPaths.includes(path)) return this.#issuerAnswer(path)
    if (path === '/version' || path === '/version/') return jsonResponse(200, serverVersion)
    const found = /^\/openapi\/v3(\/|$)/.test(path) ? this.#openApi.answer(request) : discover(this.#discovery, request)
    return found ?? notFoundPage()
  }

  async #resourceAnswer(
    request: ApiRequest,
    target: ResourcePath,
    user: User,
    warnings: string[],
  ): Promise<ApiResponse> {
    const { group, plural, subresource, namespace, name } = target
    const review = this.#reviews.find(target)
    if (review) return this.#reviews.answer(review, withTextBody(request, review), { user, namespace, warnings })
    const resource = this.#resources.find(group, target.version, plural)
    const known = resource && (subresource !== 'status' || resource.subresources.status)
    if (!known || target.deeper || (namespace !== undefined && !resource.namespaced)) return this.#unknown(group)
    if (name !== undefined && resource.namespaced && namespace === undefined) return this.#unknown(group)
    if (resource.deprecation) warnings.push(resource.deprecation)
    const { headers, body = '' } = withTextBody(request, resource)
    const context: RequestContext = {
      user,
      resource,
      namespace,
      name,
      subresource,
      query: request.query,
      headers,
      body,
      warnings,
      signal: request.signal,
    }
    return this.#objects.handle(request.method, context)
  }

  /** Where a group is known, the answer is a Status. */
  #unknown(group: string): ApiResponse {
    const kinds = [...this.#resources.all(), ...this.#reviews.kinds]
    if (!kinds.some((kind) => kind.group === group)) return notFoundPage()
    throw new StatusError(404, 'NotFound', 'the server could not find the requested resource', {})
  }

  #authorize(user: User, access: Access): void {
    const { allowed, reason } = this.#authorizer.decide(user, access)
    if (allowed) return
    const who = `User "${user.name}" cannot ${access.verb}`
    const why = reason === '' ? '' : `: ${reason}`
    if ('path' in access)
      throw new StatusError(403, 'Forbidden', `forbidden: ${unmarked(`${who} path "${access.path}"`)}${why}`, {})
    const { group, resource, subresource, namespace, name } = access
    const what = subresource ? `${resource}/${subresource}` : resource
    const where = namespace ? `in the namespace "${namespace}"` : 'at the cluster scope'
    const words = unmarked(`${who} resource "${what}" in API group "${group}" ${where}`)
    throw forbiddenRequest({ group, plural: resource }, name ?? '', words + why)
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
  const steps = [namespaceAdmission(store), accounts, webhooks, rbacAdmission(tools.authorizer)]
  return {
    async admit(attempt) {
      let { object } = attempt
      for (const step of steps) object = await step.admit({ ...attempt, object })
      return object
    },
    review: (attempt) => webhooks.review(attempt),
  }
}

/** Nothing in a refusal may look like a page's markup. */
const unmarked = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

function internalErrorPage({ path, query }: ApiRequest, why: string): ApiResponse {
  const uri = query.size === 0 ? path : `${path}?${query}`
  return textResponse(500, `${unmarked(`Internal Server Error: ${JSON.stringify(uri)}: ${why}`)}\n`)
}

const notFoundPage = () => textResponse(404, '404 page not found\n')
