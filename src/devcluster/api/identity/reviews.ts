/** Kinds that are only ever created: questions about tokens, users and rights. */
import type { Clock } from '../../../lib/clock.ts'
import { timestamp } from '../requests/object-writer.ts'
import { badRequest, invalidObject } from '../status.ts'
import { type Tree, textAt, textMapAt, textsAt, treeAt } from '../tree.ts'
import type { Authenticator } from './authenticator.ts'
import { type Authorizer, missingText } from './authorizer.ts'
import type { Access, Rule } from './rbac/rule.ts'
import { accessProblems, metadataProblems, placeProblems, subjectProblems } from './review-problems.ts'
import { ignoredSelectors, selectorProblems } from './review-selectors.ts'
import type { TokenIssuer } from './token-issuer.ts'
import { type User, userInfo } from './user.ts'

/** A kind that answers its own creation and is not kept. */
export interface ReviewKind {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  /** Line of builtin-types.gen.ts. */
  readonly type: string
  readonly namespaced: boolean
  answer(review: Tree, asker: Asker): Tree
}

export interface Asker {
  readonly user: User
  /** Of the request's path. */
  readonly namespace: string | undefined
}

export interface ReviewTools {
  readonly authenticator: Authenticator
  readonly authorizer: Authorizer
  readonly tokens: TokenIssuer
  readonly clock: Clock
}

export function reviewKinds(tools: ReviewTools): readonly ReviewKind[] {
  return [...authenticationKinds(tools), ...accessKinds(tools.authorizer), rulesKind(tools.authorizer)]
}

function authenticationKinds(tools: ReviewTools): readonly ReviewKind[] {
  const common = { group: 'authentication.k8s.io', version: 'v1', namespaced: false }
  return [
    {
      ...common,
      plural: 'tokenreviews',
      kind: 'TokenReview',
      type: 'authentication.TokenReview',
      answer: (review) => ({ ...review, status: tokenStatus(tools, review) }),
    },
    {
      ...common,
      plural: 'selfsubjectreviews',
      kind: 'SelfSubjectReview',
      type: 'authentication.SelfSubjectReview',
      answer: ({ apiVersion, kind }, { user }) => {
        const metadata = { creationTimestamp: timestamp(tools.clock.now()) }
        return { kind, apiVersion, metadata, status: { userInfo: userInfo(user) } }
      },
    },
  ]
}

function accessKinds(authorizer: Authorizer): readonly ReviewKind[] {
  const common = { group: 'authorization.k8s.io', version: 'v1', namespaced: false }
  return [
    {
      ...common,
      plural: 'subjectaccessreviews',
      kind: 'SubjectAccessReview',
      type: 'authorization.SubjectAccessReview',
      answer(review) {
        refuse([
          ...accessProblems(review),
          ...subjectProblems(review),
          ...selectorProblems(review),
          ...metadataProblems(review),
        ])
        return { ...review, status: accessStatus(authorizer, subjectOf(review), review) }
      },
    },
    {
      ...common,
      plural: 'localsubjectaccessreviews',
      kind: 'LocalSubjectAccessReview',
      type: 'authorization.LocalSubjectAccessReview',
      namespaced: true,
      answer(review) {
        refuse([
          ...accessProblems(review),
          ...subjectProblems(review),
          ...selectorProblems(review),
          ...metadataProblems(review, 'namespace'),
          ...placeProblems(review),
        ])
        return { ...review, status: accessStatus(authorizer, subjectOf(review), review) }
      },
    },
    {
      ...common,
      plural: 'selfsubjectaccessreviews',
      kind: 'SelfSubjectAccessReview',
      type: 'authorization.SelfSubjectAccessReview',
      answer(review, { user }) {
        refuse([...accessProblems(review), ...selectorProblems(review), ...metadataProblems(review)])
        return { ...review, status: accessStatus(authorizer, user, review) }
      },
    },
  ]
}

function rulesKind(authorizer: Authorizer): ReviewKind {
  return {
    group: 'authorization.k8s.io',
    version: 'v1',
    namespaced: false,
    plural: 'selfsubjectrulesreviews',
    kind: 'SelfSubjectRulesReview',
    type: 'authorization.SelfSubjectRulesReview',
    answer({ apiVersion, kind, spec }, { user }) {
      const namespace = textAt(spec, 'namespace') ?? ''
      if (namespace === '') throw badRequest('no namespace on request')
      return { kind, apiVersion, metadata: {}, spec: {}, status: rulesStatus(authorizer, user, namespace) }
    },
  }
}

function refuse(problems: Parameters<typeof invalidObject>[2]): void {
  // The API server has forgotten the kind's name when it says this.
  if (problems.length > 0) throw invalidObject({ group: 'authorization.k8s.io', kind: '' }, '', problems)
}

function tokenStatus({ authenticator, tokens }: ReviewTools, review: Tree): Tree {
  const token = textAt(review, 'spec', 'token') ?? ''
  if (token === '') throw badRequest('token is required for TokenReview in authentication')
  const asked = textsAt(review, 'spec', 'audiences')
  const result = authenticator.check(`Bearer ${token}`, asked.length > 0 ? asked : [tokens.issuer])
  if ('error' in result) return { user: {}, ...(result.error === '' ? {} : { error: result.error }) }
  return { authenticated: true, user: userInfo(result.user), audiences: [...result.audiences] }
}

function subjectOf(review: Tree): User {
  const extra = Object.keys(treeAt(review, 'spec', 'extra') ?? {}).map((key) => {
    return [key, textsAt(review, 'spec', 'extra', key)] as const
  })
  return {
    name: textAt(review, 'spec', 'user') ?? '',
    uid: textAt(review, 'spec', 'uid') ?? '',
    groups: textsAt(review, 'spec', 'groups'),
    extra: Object.fromEntries(extra),
  }
}

function accessStatus(authorizer: Authorizer, user: User, review: Tree): Tree {
  const { allowed, reason } = authorizer.decide(user, askedAccess(review))
  const ignored = ignoredSelectors(treeAt(review, 'spec', 'resourceAttributes'))
  return {
    allowed,
    ...(reason === '' ? {} : { reason }),
    ...(ignored === '' ? {} : { evaluationError: ignored }),
  }
}

function askedAccess(review: Tree): Access {
  const path = treeAt(review, 'spec', 'nonResourceAttributes')
  if (path) return { verb: textAt(path, 'verb') ?? '', path: textAt(path, 'path') ?? '' }
  const asked = textMapAt(review, 'spec', 'resourceAttributes')
  return {
    verb: asked['verb'] ?? '',
    group: asked['group'] ?? '',
    resource: asked['resource'] ?? '',
    subresource: asked['subresource'],
    namespace: asked['namespace'],
    name: asked['name'],
  }
}

function rulesStatus(authorizer: Authorizer, user: User, namespace: string): Tree {
  const { rules, missing } = authorizer.rulesOf(user, namespace)
  const some = (member: 'apiGroups' | 'resources' | 'resourceNames' | 'nonResourceURLs') => (rule: Rule) =>
    rule[member].length > 0 ? { [member]: rule[member] } : {}
  const resourceMembers = [some('apiGroups'), some('resources'), some('resourceNames')]
  return {
    resourceRules: rules
      .filter((rule) => rule.resources.length > 0)
      .map((rule) => Object.assign({ verbs: rule.verbs }, ...resourceMembers.map((member) => member(rule)))),
    nonResourceRules: rules
      .filter((rule) => rule.nonResourceURLs.length > 0)
      .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: false,
    ...(missing.length > 0 ? { evaluationError: missingText(missing) } : {}),
  }
}
