/** Lists, page by page, each page of the same moment. */
import type { KubeObject } from '../../../kube/client.ts'
import { externalOf, type Resource } from '../resource.ts'
import { badRequest, expired, StatusError } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import {
  type FieldRequirement,
  type LabelRequirement,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
} from '../store/selectors.ts'
import { isTree, numberAt, textAt } from '../tree.ts'
import type { RequestContext } from './context.ts'

export interface ObjectList {
  readonly items: readonly KubeObject[]
  readonly version: string
  readonly continueToken?: string
  readonly remaining?: number
}

export interface Filter {
  matches(object: KubeObject): boolean
}

/** By namespace, name and the query's selectors. */
export function filterOf(context: Pick<RequestContext, 'resource' | 'namespace' | 'name' | 'query'>): Filter {
  const { resource, namespace, name, query } = context
  const labels: readonly LabelRequirement[] = parseLabelSelector(query.get('labelSelector') ?? '')
  const supported = [
    'metadata.name',
    ...(resource.namespaced ? ['metadata.namespace'] : []),
    ...resource.selectableFields,
  ]
  const fields: readonly FieldRequirement[] = parseFieldSelector(query.get('fieldSelector') ?? '', supported)
  return {
    matches: (object) =>
      (namespace === undefined || object.metadata.namespace === namespace) &&
      (name === undefined || object.metadata.name === name) &&
      matchesLabels(labels, object.metadata.labels) &&
      matchesFields(fields, (field) => fieldValue(resource, object, field)),
  }
}

function fieldValue(resource: Resource, object: KubeObject, field: string): string {
  if (field === 'metadata.name') return object.metadata.name ?? ''
  if (field === 'metadata.namespace') return object.metadata.namespace ?? ''
  return resource.fieldValue?.(object, field) ?? ''
}

export function listObjects(store: ObjectStore, context: RequestContext): ObjectList {
  const { resource, query } = context
  const filter = filterOf(context)
  const page = readPage(store, query)
  const all = store.listAt(resource.collection, page.version)
  if (!all) throw expired(expiredContinue)
  const matching = all.map((stored) => externalOf(resource, stored)).filter((object) => filter.matches(object))
  const from = page.after === undefined ? 0 : matching.findIndex((object) => orderKey(object) > (page.after ?? ''))
  const rest = from < 0 ? [] : matching.slice(from)
  const items = page.limit > 0 ? rest.slice(0, page.limit) : rest
  const last = items.at(-1)
  const version = String(page.version)
  if (items.length === rest.length || !last) return { items, version }
  const token = { v: 'coffer/v1', rv: page.version, after: orderKey(last) }
  return {
    items,
    version,
    continueToken: Buffer.from(JSON.stringify(token)).toString('base64url'),
    ...(query.get('labelSelector') || query.get('fieldSelector') ? {} : { remaining: rest.length - items.length }),
  }
}

const expiredContinue =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.'

const orderKey = (object: KubeObject) => `${object.metadata.namespace ?? ''}/${object.metadata.name ?? ''}`

function readPage(store: ObjectStore, query: URLSearchParams): { version: number; after?: string; limit: number } {
  const limit = Number(query.get('limit') ?? '0')
  if (!Number.isInteger(limit) || limit < 0) throw badRequest(`invalid limit: ${query.get('limit')}`)
  const token = query.get('continue')
  if (token) {
    const read = parseToken(token)
    if (!read) throw badRequest('continue key is not valid: it was not made by this server')
    return { ...read, limit }
  }
  const asked = query.get('resourceVersion') ?? ''
  if (asked === '' || asked === '0') return { version: store.version, limit }
  const version = parseVersion(asked)
  if (version > store.version) throw tooLargeVersion(version, store.version)
  if (query.get('resourceVersionMatch') !== 'Exact') return { version: store.version, limit }
  if (version < store.oldest) throw expired(`The resourceVersion for the provided list is too old.`)
  return { version, limit }
}

function parseToken(token: string): { version: number; after: string } | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'))
    const version = numberAt(value, 'rv')
    const after = textAt(value, 'after')
    return isTree(value) && version !== undefined && after !== undefined ? { version, after } : undefined
  } catch {
    return undefined
  }
}

/** A resourceVersion of ours. */
export function parseVersion(text: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw badRequest(
      `Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    )
  return Number(text)
}

export function tooLargeVersion(asked: number, current: number): StatusError {
  return new StatusError(504, 'Timeout', `Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  })
}
