/** Kinds that are only ever created: questions about tokens, users and rights. */
import type { KubeObject } from '../../../kube/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import { invalid } from '../field-problem.ts'
import { timestamp } from '../requests/object-writer.ts'
import { badRequest, conflict, invalidObject, notFound, StatusError } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { numberAt, type Tree, textAt, textsAt, treeAt } from '../tree.ts'
import type { Authenticator } from './authenticator.ts'
import type { Access, Authorizer } from './authorizer.ts'
import type { TokenGrant, TokenIssuer } from './token-issuer.ts'
import { type User, userInfo } from './user.ts'

/** A kind that answers its own creation and is not kept. */
export interface ReviewKind {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  /** Line of builtin-types.gen.ts. */
  readonly type: string
  answer(review: Tree, user: User): Tree
}

export interface ReviewTools {
  readonly authenticator: Authenticator
  readonly authorizer: Authorizer
  readonly tokens: TokenIssuer
}

export function reviewKinds(tools: ReviewTools): readonly ReviewKind[] {
  return [
    {
      group: 'authentication.k8s.io',
      version: 'v1',
      plural: 'tokenreviews',
      kind: 'TokenReview',
      type: 'authentication.TokenReview',
      answer: (review) => ({ ...review, status: tokenStatus(tools, review) }),
    },
    {
      group: 'authentication.k8s.io',
      version: 'v1',
      plural: 'selfsubjectreviews',
      kind: 'SelfSubjectReview',
      type: 'authentication.SelfSubjectReview',
      answer: (review, user) => ({ ...review, status: { userInfo: userInfo(user) } }),
    },
    {
      group: 'authorization.k8s.io',
      version: 'v1',
      plural: 'subjectaccessreviews',
      kind: 'SubjectAccessReview',
      type: 'authorization.SubjectAccessReview',
      answer: (review) => ({ ...review, status: accessStatus(tools.authorizer, subjectOf(review), review) }),
    },
    {
      group: 'authorization.k8s.io',
      version: 'v1',
      plural: 'selfsubjectaccessreviews',
      kind: 'SelfSubjectAccessReview',
      type: 'authorization.SelfSubjectAccessReview',
      answer: (review, user) => ({ ...review, status: accessStatus(tools.authorizer, user, review) }),
    },
  ]
}

function tokenStatus({ authenticator, tokens }: ReviewTools, review: Tree): Tree {
  const token = textAt(review, 'spec', 'token') ?? ''
  if (token === '') throw badRequest('token is required for TokenReview in authentication')
  const asked = textsAt(review, 'spec', 'audiences')
  const result = authenticator.check(token, asked.length > 0 ? asked : [tokens.issuer])
  if ('error' in result) return { user: {}, error: result.error }
  return { authenticated: true, user: userInfo(result.user), audiences: [...result.audiences] }
}

function subjectOf(review: Tree): User {
  const name = textAt(review, 'spec', 'user') ?? ''
  const groups = textsAt(review, 'spec', 'groups')
  if (name === '' && groups.length === 0)
    throw invalidObject({ group: 'authorization.k8s.io', kind: 'SubjectAccessReview' }, '', [
      invalid('spec.user', '', 'at least one of user or group must be specified'),
    ])
  return { name, groups }
}

function accessStatus(authorizer: Authorizer, user: User, review: Tree): Tree {
  return authorizer.allows(user, accessOf(review)) ? { allowed: true } : { allowed: false }
}

function accessOf(review: Tree): Access {
  const resource = treeAt(review, 'spec', 'resourceAttributes')
  const path = treeAt(review, 'spec', 'nonResourceAttributes')
  if ((resource === undefined) === (path === undefined))
    throw badRequest('exactly one of nonResourceAttributes or resourceAttributes must be specified')
  if (path) return { verb: textAt(path, 'verb') ?? '', path: textAt(path, 'path') ?? '' }
  return {
    verb: textAt(resource, 'verb') ?? '',
    group: textAt(resource, 'group') ?? '',
    resource: textAt(resource, 'resource') ?? '',
    subresource: textAt(resource, 'subresource') || undefined,
    namespace: textAt(resource, 'namespace') || undefined,
    name: textAt(resource, 'name') || undefined,
  }
}

const shortestSeconds = 600
const longestSeconds = 2 ** 32

/** serviceaccounts/token: a TokenRequest in, the same with its token out. */
export function answerTokenRequest(
  tools: { readonly store: ObjectStore; readonly tokens: TokenIssuer; readonly clock: Clock },
  account: KubeObject,
  request: Tree,
): Tree {
  const seconds = numberAt(request, 'spec', 'expirationSeconds') ?? 3600
  const kind = { group: 'authentication.k8s.io', kind: 'TokenRequest' }
  if (seconds < shortestSeconds)
    throw invalidObject(kind, '', [
      invalid('spec.expirationSeconds', seconds, 'may not specify a duration less than 10 minutes'),
    ])
  if (seconds > longestSeconds)
    throw invalidObject(kind, '', [
      invalid('spec.expirationSeconds', seconds, 'may not specify a duration larger than 2^32 seconds'),
    ])
  const asked = textsAt(request, 'spec', 'audiences')
  const audiences = asked.length > 0 ? asked : [tools.tokens.issuer]
  const boundTo = boundObject(tools.store, account, treeAt(request, 'spec', 'boundObjectRef'))
  const issued = tools.tokens.issue({ account, audiences, seconds, ...(boundTo ? { boundTo } : {}) })
  const { name, namespace, uid } = account.metadata
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, creationTimestamp: timestamp(tools.clock.now()), uid },
    spec: {
      audiences,
      expirationSeconds: seconds,
      boundObjectRef: treeAt(request, 'spec', 'boundObjectRef') ?? null,
    },
    status: { token: issued.token, expirationTimestamp: timestamp(issued.expiresMs) },
  }
}

const boundKinds = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' } as const

function boundObject(store: ObjectStore, account: KubeObject, reference: Tree | undefined): TokenGrant['boundTo'] {
  if (!reference) return undefined
  const asked = textAt(reference, 'kind') ?? ''
  const kind = asked === 'Pod' || asked === 'Secret' || asked === 'Node' ? asked : undefined
  if (!kind || (textAt(reference, 'apiVersion') ?? 'v1') !== 'v1')
    throw badRequest(
      `cannot bind token for serviceaccount "${account.metadata.name}" to object of type ${textAt(reference, 'apiVersion') ?? ''}, Kind=${asked}`,
    )
  const name = textAt(reference, 'name') ?? ''
  const type = { group: '', plural: boundKinds[kind] }
  const object = store.get(type.plural, kind === 'Node' ? undefined : account.metadata.namespace, name)
  if (!object) throw notFound(type, name)
  const uid = textAt(reference, 'uid')
  if (uid && uid !== object.metadata.uid)
    throw conflict(
      { group: '', plural: kind },
      name,
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    )
  const user = kind === 'Pod' ? textAt(object, 'spec', 'serviceAccountName') : account.metadata.name
  if (user !== account.metadata.name)
    throw new StatusError(
      400,
      'BadRequest',
      `cannot bind token for serviceaccount "${account.metadata.name}" to pod running with different serviceaccount name.`,
    )
  return { kind, object }
}
