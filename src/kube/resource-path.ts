import type { ListOptions, Ref, ResourceType } from './client.ts'

export type Query = Readonly<Record<string, string | undefined>>

/** The path of a collection (no name), an object or its subresource. Throws when a namespaced type lacks its namespace. */
export function resourcePath(type: ResourceType, ref: { namespace?: string; name?: string }, subresource?: string) {
  if (type.namespaced && !ref.namespace) throw new Error(`a ${type.kind} needs a namespace`)
  const parts = [...groupParts(type), ...(type.namespaced ? ['namespaces', ref.namespace ?? ''] : []), type.plural]
  if (ref.name !== undefined) {
    if (ref.name === '' || ref.name === '.' || ref.name === '..') throw new Error(`a ${type.kind} needs a name`)
    parts.push(ref.name)
  }
  const path = `/${parts.map(encodeURIComponent).join('/')}`
  return subresource === undefined ? path : `${path}/${subresource.split('/').map(encodeURIComponent).join('/')}`
}

/** The path of a collection, across all namespaces when `options` names none. */
export function collectionPath(type: ResourceType, options: ListOptions): string {
  if (type.namespaced && options.namespace) return resourcePath(type, { namespace: options.namespace })
  return `/${[...groupParts(type), type.plural].map(encodeURIComponent).join('/')}`
}

export function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.append(name, value)
  return parameters.size === 0 ? path : `${path}?${parameters}`
}

export const selectors = (options: ListOptions): Query => ({
  labelSelector: options.labelSelector,
  fieldSelector: options.fieldSelector,
})

export const refOf = (object: { metadata: { namespace?: string; name?: string } }): Ref => ({
  ...(object.metadata.namespace ? { namespace: object.metadata.namespace } : {}),
  name: object.metadata.name ?? '',
})

const groupParts = (type: ResourceType) =>
  type.group === '' ? ['api', type.version] : ['apis', type.group, type.version]
