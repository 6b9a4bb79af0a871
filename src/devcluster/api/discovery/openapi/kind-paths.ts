/** The paths of a kind in an OpenAPI document: what may be asked there, with which parameters and bodies. */
import type { ReviewKind } from '../../identity/reviews.ts'
import type { Resource } from '../../resource.ts'
import type { Tree } from '../../tree.ts'
import { type ServedSubresource, subresourcesOf, verbsOf } from '../served-kind.ts'
import { schemaName, schemaRef } from './built-in-schemas.ts'
import { listName, typeName } from './kind-schemas.ts'

type Paths = (readonly [path: string, Tree])[]
interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

const parameter = (name: string, type: string, place = 'query'): Tree => ({
  name,
  in: place,
  ...(place === 'path' ? { required: true } : {}),
  schema: { type, uniqueItems: true },
})
const texts = (...names: readonly string[]) => names.map((name) => parameter(name, 'string'))
const truths = (...names: readonly string[]) => names.map((name) => parameter(name, 'boolean'))
const numbers = (...names: readonly string[]) => names.map((name) => parameter(name, 'integer'))

const listParameters = [
  ...truths('allowWatchBookmarks', 'sendInitialEvents', 'watch'),
  ...texts('continue', 'fieldSelector', 'labelSelector', 'resourceVersion', 'resourceVersionMatch'),
  ...numbers('limit', 'timeoutSeconds'),
]
const writeParameters = texts('dryRun', 'fieldManager', 'fieldValidation')
const patchParameters = [...writeParameters, ...truths('force')]
const deleteParameters = [
  ...texts('dryRun', 'propagationPolicy'),
  ...numbers('gracePeriodSeconds'),
  ...truths('orphanDependents'),
]

const status = schemaName('meta.Status')
const deleteOptions = schemaName('meta.DeleteOptions')
const patch = schemaName('meta.Patch')

/** Full names of the types that every document refers to. */
export const commonTypes: readonly string[] = [status, deleteOptions, patch]

const patchMediaTypes = ['application/apply-patch+yaml', 'application/json-patch+json', 'application/merge-patch+json']
const strategicType = 'application/strategic-merge-patch+json'

const content = (mediaTypes: readonly string[], type: string) => ({
  content: Object.fromEntries(mediaTypes.map((mediaType) => [mediaType, { schema: schemaRef(type) }])),
})

interface Operation {
  readonly action: string
  readonly parameters?: readonly Tree[]
  /** Full names of types; no body: none is taken, no answer: text. */
  readonly body?: string
  readonly bodyTypes?: readonly string[]
  readonly answer?: string
  readonly codes?: readonly number[]
}

const reasons: Readonly<Record<number, string>> = { 200: 'OK', 201: 'Created', 202: 'Accepted' }

function operation({ group, version, kind }: GroupVersionKind, said: Operation): Tree {
  const answer = said.answer
    ? content(['application/json'], said.answer)
    : { content: { 'text/plain': { schema: { type: 'string' } } } }
  const responses = Object.fromEntries(
    (said.codes ?? [200]).map((code) => [code, { description: reasons[code] ?? '', ...answer }]),
  )
  const body = said.body
    ? { requestBody: { ...content(said.bodyTypes ?? ['*/*'], said.body), required: said.action !== 'delete' } }
    : {}
  return {
    parameters: said.parameters ?? [],
    ...body,
    responses,
    'x-kubernetes-action': said.action,
    'x-kubernetes-group-version-kind': { group, version, kind },
  }
}

const bracket = (name: string) => parameter(name, 'string', 'path')

export function resourcePaths(resource: Resource, root: string): Paths {
  const { plural, namespaced } = resource
  const own = typeName(resource)
  const place = namespaced ? `${root}/namespaces/{namespace}/${plural}` : `${root}/${plural}`
  const inPlace = [...(namespaced ? [bracket('namespace')] : []), ...texts('pretty')]
  const op = (said: Operation) => operation(resource, said)
  const list = op({ action: 'list', parameters: listParameters, answer: listName(resource) })
  const codes = [200, 201, 202]
  const collection: Tree = {
    get: list,
    post: op({ action: 'post', parameters: writeParameters, body: own, answer: own, codes }),
    ...(verbsOf(resource).includes('deletecollection')
      ? {
          delete: op({
            action: 'deletecollection',
            parameters: [...listParameters, ...deleteParameters],
            body: deleteOptions,
            answer: status,
          }),
        }
      : {}),
    parameters: inPlace,
  }
  const one: Tree = {
    get: op({ action: 'get', answer: own }),
    put: op({ action: 'put', parameters: writeParameters, body: own, answer: own, codes: [200, 201] }),
    patch: patchOperation(resource, resource, own),
    delete: op({
      action: 'delete',
      parameters: deleteParameters,
      body: deleteOptions,
      answer: status,
      codes: [200, 202],
    }),
    parameters: [bracket('name'), ...inPlace],
  }
  const everywhere: Paths = namespaced ? [[`${root}/${plural}`, { get: list, parameters: texts('pretty') }]] : []
  const below = subresourcesOf(resource).map(
    (sub) => [`${place}/{name}/${sub.name}`, subresourcePath(resource, sub, inPlace)] as const,
  )
  return [...everywhere, [place, collection], [`${place}/{name}`, one], ...below]
}

function patchOperation(resource: Resource, kind: GroupVersionKind, answer: string): Tree {
  const bodyTypes = resource.custom ? patchMediaTypes : [...patchMediaTypes, strategicType]
  return operation(kind, {
    action: 'patch',
    parameters: patchParameters,
    body: patch,
    bodyTypes,
    answer,
    codes: [200, 201],
  })
}

/** Full name of what a subresource takes and answers; undefined: text. */
export function subresourceType(resource: Resource, { type }: ServedSubresource): string | undefined {
  if (type === undefined) return undefined
  return type === 'own' ? typeName(resource) : schemaName(type)
}

function subresourcePath(resource: Resource, sub: ServedSubresource, parameters: readonly Tree[]): Tree {
  const type = subresourceType(resource, sub)
  const typed = type === undefined ? {} : { answer: type }
  const written = type === undefined ? {} : { body: type, answer: type }
  const codes = [200, 201]
  return {
    ...(sub.verbs.includes('get') ? { get: operation(sub, { action: 'get', ...typed }) } : {}),
    ...(sub.verbs.includes('create')
      ? { post: operation(sub, { action: 'post', parameters: writeParameters, ...written, codes }) }
      : {}),
    ...(sub.verbs.includes('update')
      ? { put: operation(sub, { action: 'put', parameters: writeParameters, ...written, codes }) }
      : {}),
    ...(sub.verbs.includes('patch') && type !== undefined ? { patch: patchOperation(resource, sub, type) } : {}),
    parameters: [bracket('name'), ...parameters],
  }
}

export function reviewPath(review: ReviewKind, root: string): Paths[number] {
  const { plural, namespaced } = review
  const type = schemaName(review.type)
  const post = operation(review, {
    action: 'post',
    parameters: writeParameters,
    body: type,
    answer: type,
    codes: [200, 201, 202],
  })
  const parameters = [...(namespaced ? [bracket('namespace')] : []), ...texts('pretty')]
  return [namespaced ? `${root}/namespaces/{namespace}/${plural}` : `${root}/${plural}`, { post, parameters }]
}
