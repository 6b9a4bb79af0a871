/** What a list or a watch asks for (k8s.io/apimachinery ListOptions): read from the query, checked in the API server's order. */
import type { KubeObject } from '../../../../kube/client.ts'
import { type FieldProblem, forbidden, notSupported } from '../../field-problem.ts'
import type { Resource } from '../../resource.ts'
import { badRequest, invalidObject, StatusError } from '../../status.ts'
import { parseLabelSelector } from '../../store/label-selector-text.ts'
import { type FieldRequirement, matchesFields, matchesLabels, parseFieldSelector } from '../../store/selectors.ts'
import type { RequestContext } from '../context.ts'

export interface Filter {
  /** Whether there are no selectors. */
  readonly all: boolean
  matches(object: KubeObject): boolean
}

export interface ListOptions {
  readonly filter: Filter
  /** 0: all. */
  readonly limit: number
  readonly continueToken: string
  /** Empty when the client named none. */
  readonly version: string
  readonly match: string
  readonly sendInitialEvents: boolean | undefined
  readonly bookmarks: boolean
  readonly timeoutSeconds: number
}

type Asked = Pick<RequestContext, 'resource' | 'namespace' | 'name' | 'query'>

export function readListOptions(context: Asked): ListOptions {
  const { query } = context
  const text = (name: string) => query.get(name) ?? ''
  const limit = integer(text('limit'))
  const timeoutSeconds = integer(text('timeoutSeconds'))
  const labels = parseLabelSelector(text('labelSelector'))
  const fields = parseFieldSelector(text('fieldSelector'))
  const options = {
    limit: Math.max(0, limit),
    timeoutSeconds: Math.max(0, timeoutSeconds),
    continueToken: text('continue'),
    version: text('resourceVersion'),
    match: text('resourceVersionMatch'),
    sendInitialEvents: flag(query, 'sendInitialEvents'),
    bookmarks: flag(query, 'allowWatchBookmarks') === true,
  }
  const problems = flag(query, 'watch') === true ? watchProblems(options) : listProblems(options)
  if (problems.length > 0) throw invalidObject({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', problems)
  const { resource, namespace, name } = context
  for (const { field } of fields) checkField(resource, field)
  return {
    ...options,
    filter: {
      all: labels.length + fields.length === 0,
      matches: (object) =>
        (namespace === undefined || object.metadata.namespace === namespace) &&
        (name === undefined || object.metadata.name === name) &&
        matchesLabels(labels, object.metadata.labels) &&
        matchesFields(fields, (field) => fieldValue(resource, object, field)),
    },
  }
}

/** Undefined when the query does not have it. */
export function flag(query: URLSearchParams, name: string): boolean | undefined {
  const text = query.get(name)
  return text === null ? undefined : !['false', '0'].includes(text.toLowerCase())
}

export function integer(text: string): number {
  if (text === '') return 0
  if (!/^[+-]?\d{1,15}$/.test(text))
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  return Number(text)
}

type Said = Pick<ListOptions, 'version' | 'match' | 'continueToken' | 'sendInitialEvents'>

const noContinue = 'resourceVersionMatch is forbidden when continue is provided'

function listProblems({ version, match, continueToken, sendInitialEvents }: Said): FieldProblem[] {
  const out: FieldProblem[] = []
  const field = 'resourceVersionMatch'
  if (match !== '') {
    if (version === '')
      out.push(forbidden(field, 'resourceVersionMatch is forbidden unless resourceVersion is provided'))
    if (continueToken !== '') out.push(forbidden(field, noContinue))
    if (match !== 'Exact' && match !== 'NotOlderThan')
      out.push(notSupported(field, match, ['Exact', 'NotOlderThan', '']))
    if (match === 'Exact' && version === '0')
      out.push(forbidden(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
  }
  if (sendInitialEvents !== undefined)
    out.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'))
  return out
}

function watchProblems({ version, match, continueToken, sendInitialEvents }: Said): FieldProblem[] {
  const out: FieldProblem[] = []
  const field = 'resourceVersionMatch'
  // One that begins with all there is counts as one that asked for it.
  const begins = sendInitialEvents === undefined && match === '' && (version === '' || version === '0')
  if (begins) return continueToken === '' ? out : [forbidden(field, noContinue)]
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan')
    out.push(forbidden(field, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
  if (match === '') return out
  if (sendInitialEvents === undefined)
    out.push(forbidden(field, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'))
  if (match !== 'NotOlderThan') out.push(notSupported(field, match, ['NotOlderThan']))
  if (continueToken !== '') out.push(forbidden(field, noContinue))
  return out
}

/** Kinds that say nothing of their fields are selected by name and namespace, and refuse in other words. */
function checkField(resource: Resource, field: string): void {
  if (resource.selectableFields.length === 0 && !resource.custom) {
    if (field !== 'metadata.name' && field !== 'metadata.namespace')
      throw badRequest(
        `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
      )
    return
  }
  const supported = [
    'metadata.name',
    ...(resource.namespaced ? ['metadata.namespace'] : []),
    ...resource.selectableFields,
  ]
  if (!supported.includes(field)) throw badRequest(`field label not supported: ${field}`)
}

function fieldValue(resource: Resource, object: KubeObject, field: FieldRequirement['field']): string {
  if (field === 'metadata.name') return object.metadata.name ?? ''
  if (field === 'metadata.namespace') return object.metadata.namespace ?? ''
  return resource.fieldValue?.(object, field) ?? ''
}

/** A resourceVersion of ours. */
export function parseVersion(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

export const versionWords = (text: string) =>
  `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`

/** Where the API server does not take an unreadable version for the client's fault. */
export const unreadableVersion = (text: string) => new StatusError(500, '', versionWords(text))

export function tooLargeVersion(asked: number, current: number): StatusError {
  return new StatusError(
    504,
    'Timeout',
    `Timeout: Too large resource version: ${asked}, current: ${current}`,
    {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
    { 'retry-after': '1' },
  )
}
