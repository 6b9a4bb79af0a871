import { rootNamespace } from '../contracts/epochs.ts'

/** Ends the tokens and accessors of a namespace: they say where they belong. */
export const namespaceSuffix = (namespaceId: string) => (namespaceId === rootNamespace.id ? '' : `.${namespaceId}`)

/** The namespace that an accessor says it is of; undefined: it can't be one. */
export function namespaceOfAccessor(accessor: string): string | undefined {
  const found = /^[0-9A-Za-z]+(?:\.([0-9A-Za-z]+))?$/.exec(accessor)
  if (!found || found[1] === rootNamespace.id) return undefined
  return found[1] ?? rootNamespace.id
}
