/** serviceaccounts/token: a TokenRequest in, the same with its token out (k8s.io/kubernetes/pkg/registry/core/serviceaccount). */
import type { KubeObject } from '../../../kube/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import { type FieldProblem, invalid } from '../field-problem.ts'
import { builtIn } from '../kinds/built-in.ts'
import { readObject } from '../requests/body.ts'
import { fieldValidationOf, type RequestContext } from '../requests/context.ts'
import { checkPlace, decodeDocument } from '../requests/decode.ts'
import { timestamp } from '../requests/object-writer.ts'
import type { Resource } from '../resource.ts'
import type { BuiltInShapes } from '../shapes/built-in-shapes.ts'
import { badRequest, conflict, invalidObject, notFound } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { ensureTree, numberAt, setDefault, type Tree, textAt, textsAt, treeAt } from '../tree.ts'
import { ownersOfQuestion } from './review-owners.ts'
import type { TokenGrant, TokenIssuer } from './token-issuer.ts'

export interface TokenRequestsOptions {
  readonly store: ObjectStore
  readonly tokens: TokenIssuer
  readonly clock: Clock
  readonly shapes: BuiltInShapes
}

const group = 'authentication.k8s.io'
const requestKind = { group, version: 'v1', plural: 'tokenrequests', kind: 'TokenRequest' }
const shortestSeconds = 600
const longestSeconds = 2 ** 32
/** What pods ask for: such tokens live longer than they say, for programs that never read them again. */
const podSeconds = 3607
const yearSeconds = 365 * 86_400

export class TokenRequests {
  readonly #options: TokenRequestsOptions
  readonly #resource: Resource

  constructor(options: TokenRequestsOptions) {
    this.#options = options
    this.#resource = builtIn(options.shapes, { ...requestKind, type: 'authentication.TokenRequest' })
  }

  async answer(context: RequestContext, account: KubeObject): Promise<Tree> {
    const request = await this.#read(context, account)
    const seconds = numberAt(request, 'spec', 'expirationSeconds') ?? 0
    const { tokens, clock } = this.#options
    const asked = textsAt(request, 'spec', 'audiences')
    const audiences = asked.length > 0 ? asked : [tokens.issuer]
    const problems = secondsProblems(seconds)
    if (problems.length > 0) throw invalidObject(requestKind, '', problems)
    const boundTo = this.#boundObject(account, treeAt(request, 'spec', 'boundObjectRef'))
    const extended =
      boundTo?.kind === 'Pod' && seconds === podSeconds && audiences.every((audience) => audience === tokens.issuer)
    const lifetime = extended ? { seconds: yearSeconds, warnAfterSeconds: seconds } : { seconds }
    const issued = tokens.issue({ account, audiences, ...lifetime, ...(boundTo ? { boundTo } : {}) })
    const now = clock.now()
    const { name, namespace, uid } = account.metadata
    const metadata = { name, namespace, uid, creationTimestamp: timestamp(now) }
    const { managedFields } = request.metadata
    return {
      kind: 'TokenRequest',
      apiVersion: `${group}/v1`,
      metadata: { ...metadata, ...(managedFields ? { managedFields } : {}) },
      spec: {
        audiences,
        expirationSeconds: seconds,
        boundObjectRef: treeAt(request, 'spec', 'boundObjectRef') ?? null,
      },
      status: { token: issued.token, expirationTimestamp: timestamp(now + seconds * 1000) },
    }
  }

  async #read(context: RequestContext, account: KubeObject): Promise<KubeObject> {
    const document = await readObject(context.body, context.headers, 'TokenRequest')
    const { warnings } = context
    const request = decodeDocument(this.#resource, document, {
      validation: fieldValidationOf(context.query),
      warnings,
    })
    checkPlace(request, context.namespace, undefined)
    const { name, uid } = account.metadata
    const asked = request.metadata
    if (asked.name && asked.name !== name)
      throw invalidObject(requestKind, name ?? '', [
        invalid('metadata.name', asked.name, 'must match the service account name if specified'),
      ])
    if (asked.uid && asked.uid !== uid)
      throw conflict(
        { group, plural: 'TokenRequest' },
        name ?? '',
        `the UID in the token request (${asked.uid}) does not match the UID of the service account (${uid})`,
      )
    setDefault(ensureTree(request, 'spec'), 'expirationSeconds', 3600)
    const nowMs = this.#options.clock.now()
    const owners = ownersOfQuestion(this.#resource, request, context, { nowMs, subresource: 'token' })
    if (owners) asked.managedFields = owners
    return request
  }

  #boundObject(account: KubeObject, reference: Tree | undefined): TokenGrant['boundTo'] {
    if (!reference) return undefined
    const kind = boundKind(reference)
    const name = textAt(reference, 'name') ?? ''
    if (name === '') throw badRequest('Name parameter required.')
    const type = { group: '', plural: boundKinds[kind] }
    const namespace = kind === 'Node' ? undefined : account.metadata.namespace
    const object = this.#options.store.get(type.plural, namespace, name)
    if (!object) throw notFound(type, name)
    if (kind === 'Pod' && textAt(object, 'spec', 'serviceAccountName') !== account.metadata.name)
      throw badRequest(
        `cannot bind token for serviceaccount "${account.metadata.name}" to pod running with different serviceaccount name.`,
      )
    const uid = textAt(reference, 'uid')
    if (uid && uid !== object.metadata.uid)
      throw conflict(
        { group: '', plural: kind },
        name,
        `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      )
    return { kind, object }
  }
}

function secondsProblems(seconds: number): readonly FieldProblem[] {
  const field = 'spec.expirationSeconds'
  if (seconds < shortestSeconds) return [invalid(field, seconds, 'may not specify a duration less than 10 minutes')]
  if (seconds > longestSeconds) return [invalid(field, seconds, 'may not specify a duration larger than 2^32 seconds')]
  return []
}

const boundKinds = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' } as const

/** Any version will do, also none. */
function boundKind(reference: Tree): keyof typeof boundKinds {
  const kind = textAt(reference, 'kind') ?? ''
  const apiVersion = textAt(reference, 'apiVersion') ?? ''
  if (!apiVersion.includes('/') && (kind === 'Pod' || kind === 'Secret' || kind === 'Node')) return kind
  const type = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`
  throw badRequest(`cannot bind token to object of type ${type}, Kind=${kind}`)
}
