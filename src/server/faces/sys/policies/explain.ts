/** sys/coffer/explain: why policy allows or denies, for those who may read the policies in question. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { NamespaceInfo } from '../../../contracts/epochs.ts'
import type { Fields, InputOf } from '../../../contracts/fields.ts'
import { type Call, operation, Refusal, type Route, type Verb } from '../../../contracts/request.ts'
import type { MountTable } from '../../../mounts/mount-table.ts'
import type { Denials } from '../../../policies/explain/denials.ts'
import {
  type ExplainedRule,
  type ExplainRequest,
  type Explanation,
  explain,
} from '../../../policies/explain/explain.ts'
import type { PolicyStore } from '../../../policies/policy-store.ts'
import { isListing } from '../../../policies/shortfall.ts'
import type { PresentedTokens } from '../../../tokens/presented-tokens.ts'
import type { Subject, Subjects } from './subjects.ts'

export interface ExplainRoutesOptions {
  readonly namespace: NamespaceInfo
  readonly policies: PolicyStore
  readonly mounts: MountTable
  readonly presented: PresentedTokens
  readonly denials: Denials
  readonly subjects: Subjects
}

const fields = {
  path: { kind: 'string', description: 'The path, below this namespace' },
  operation: { kind: 'lowerString', description: 'create, read, update, patch, delete, list, scan or head' },
  token: { kind: 'string', description: 'As this token', default: '' },
  accessor: { kind: 'string', description: 'As the token of this accessor', default: '' },
  policies: { kind: 'commaList', description: 'As a token with these policies', default: [] },
  entity_id: { kind: 'string', description: 'As this entity; with policies: together', default: '' },
  request_id: { kind: 'string', description: 'The request that was denied under this id, on this node', default: '' },
  data: { kind: 'object', description: 'The parameters of the request' },
  wrap_ttl: { kind: 'duration', description: 'The wrapping that the request asks for', default: 0 },
} as const satisfies Fields
type Input = InputOf<typeof fields>

const operations = ['create', 'read', 'update', 'patch', 'delete', 'list', 'scan', 'head'] as const
const denied = () => new Refusal(403, '1 error occurred:\n\t* permission denied\n\n')

export function explainRoutes(options: ExplainRoutesOptions): Route[] {
  return [
    {
      path: 'coffer/explain',
      summary:
        'Which rule of which policy decides about a request, what it lacks, and the smallest rule that would allow it.',
      on: {
        update: operation({
          input: fields,
          effect: 'none',
          handle: async (call) => ({ kind: 'data', data: await answer(options, call) }),
        }),
      },
    },
  ]
}

interface Question {
  readonly request: ExplainRequest
  readonly subject: Pick<Subject, 'policies' | 'entityId' | 'template'>
}

async function answer(options: ExplainRoutesOptions, call: Call<Input>): Promise<JsonObject> {
  const { policies, presented } = options
  const { request, subject } = await questionOf(options, call)
  const acl = presented.get(call)?.acl
  // The answer shows rules: each policy must be one that the caller may read.
  // What templates are filled with is shown as well: of others only to who may read them.
  const { entityId } = subject
  const own = entityId === '' || entityId === call.caller?.entityId || call.input.token !== ''
  if (!own && !acl?.check({ path: `identity/entity/id/${entityId}`, operation: 'read' }).allowed) throw denied()
  const readable = (name: string) => acl?.check({ path: `sys/policies/acl/${name}`, operation: 'read' }).allowed
  if (!subject.policies.every(readable)) throw denied()
  const found = await policies.parsed(subject.policies)
  const known = new Set(found.map(({ name }) => name))
  const { template } = subject
  const context = { namespace: options.namespace, now: () => call.now, ...(template && { template }) }
  return {
    path: request.path,
    operation: request.operation,
    policies: [...subject.policies],
    ...(subject.entityId === '' ? {} : { entity_id: subject.entityId }),
    ...explanationJson(explain(found, request, context)),
    absent_policies: subject.policies.filter((name) => !known.has(name)),
  }
}

async function questionOf(options: ExplainRoutesOptions, call: Call<Input>): Promise<Question> {
  const { input } = call
  const ways = [input.token, input.accessor, input.request_id, input.entity_id || input.policies.join()]
  if (ways.filter((way) => way !== '').length > 1) {
    throw new Refusal(400, 'only one of token, accessor, request_id, and policies with entity_id can be sent')
  }
  if (input.request_id !== '') return recorded(options, input)
  const request = requestOf(options, input)
  const subject = await subjectOf(options, call)
  if (!subject) {
    // That there is none is for those who could have read it.
    const { entity_id: id } = input
    const acl = options.presented.get(call)?.acl
    if (id !== '' && !acl?.check({ path: `identity/entity/id/${id}`, operation: 'read' }).allowed) throw denied()
    throw new Refusal(400, 'no such token, accessor or entity')
  }
  if (subject.home.id !== options.namespace.id) {
    throw new Refusal(400, "the token's policies are those of another namespace: ask there, with the path from there")
  }
  return { request, subject }
}

async function subjectOf({ subjects, presented }: ExplainRoutesOptions, call: Call<Input>) {
  const { token, accessor, entity_id: entityId, policies } = call.input
  if (token !== '') return subjects.ofToken(token)
  if (accessor !== '') return subjects.ofAccessor(accessor)
  if (policies.length > 0 || entityId !== '') {
    return subjects.ofPolicies(
      policies.map((name) => name.toLowerCase()),
      entityId,
    )
  }
  const own = presented.get(call)?.live.row
  return own && subjects.ofRow(own)
}

async function recorded({ denials, namespace, subjects }: ExplainRoutesOptions, input: Input): Promise<Question> {
  const found = await denials.findAnywhere(input.request_id)
  if (!found || found.namespaceId !== namespace.id) {
    throw new Refusal(404, 'no such denied request is remembered here: the last 1,000 of this node are')
  }
  const { path, operation: verb, needsSudo, wrapTtlMs, policies, entityId } = found
  const wrap = wrapTtlMs > 0 ? { wrapTtlMs } : {}
  const request = { path, operation: verb, needsSudo, ...wrap, ...(input.data && { input: input.data }) }
  const now = entityId === '' ? undefined : await subjects.ofPolicies([], entityId)
  return { request, subject: { policies, entityId, ...(now?.template && { template: now.template }) } }
}

function requestOf({ mounts }: ExplainRoutesOptions, input: Input): ExplainRequest {
  const verb = operations.find((name) => name === input.operation)
  if (!verb) throw new Refusal(400, `operation must be one of ${operations.join(', ')}`)
  if (!input.path) throw new Refusal(400, 'path must be supplied')
  const bare = input.path.replace(/^\/+/, '')
  const path = isListing(verb) && !bare.endsWith('/') ? `${bare}/` : bare
  return {
    path,
    operation: verb,
    needsSudo: needsSudo(mounts, path, verb),
    ...(input.data && { input: input.data }),
    ...(input.wrap_ttl > 0 && { wrapTtlMs: input.wrap_ttl }),
  }
}

function needsSudo(mounts: MountTable, path: string, operationName: (typeof operations)[number]): boolean {
  const verb: Verb = operationName === 'create' ? 'update' : operationName
  const mount = mounts.known.route(path)
  const match = mount?.routes.match(path.slice(mount.info.path.length), verb)
  return match?.route.on[verb]?.access === 'sudo'
}

function explanationJson({ allowed, reason, rule, missing, others, dropped, remedy }: Explanation): JsonObject {
  return {
    allowed,
    reason,
    rule: rule ? ruleJson(rule) : null,
    missing: missing ? missingJson(missing) : null,
    other_rules: others.map((other) => ({ ...ruleJson(other), lost_because: other.lostBecause })),
    dropped_rules: dropped.map((item) => ({ ...item })),
    ...(remedy && {
      [remedy.kind === 'policy' ? 'allow_with' : `change_${remedy.kind === 'request' ? 'request' : 'policy'}`]:
        remedy.text,
    }),
  }
}

function ruleJson({ path, capabilities, from }: ExplainedRule): JsonObject {
  return { path, capabilities, from: from.map((source) => ({ ...source })) }
}

function missingJson(missing: NonNullable<Explanation['missing']>): JsonObject {
  switch (missing.kind) {
    case 'rule':
    case 'deny':
      return { kind: missing.kind }
    case 'sudo':
      return { kind: 'capability', capability: 'sudo' }
    case 'capability':
      return { kind: 'capability', capability: missing.needs }
    case 'wrapping':
      return { kind: 'wrapping', min_wrapping_ttl: missing.minMs / 1000, max_wrapping_ttl: missing.maxMs / 1000 }
    case 'parameter':
      return { kind: 'parameter', parameter: missing.name, why: missing.why }
    case 'page':
      return { kind: 'page', pagination_limit: missing.limit, why: missing.why }
  }
}
