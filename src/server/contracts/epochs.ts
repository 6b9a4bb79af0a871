/**
 * Authority rows that say "something of this kind changed in this namespace": bumped (put with any content; the version
 * counts) in the commit that changes such a thing, read with every request. Same version = what was compiled still holds.
 */
export type Epoch = 'mounts' | 'policies' | 'groups' | 'audit'

/** The storage key (barrier prefix included) of a namespace's epoch row. */
export function epochKey(namespaceId: string, epoch: Epoch): string {
  return `ns/${namespaceId}/epoch/${epoch}`
}

export const rootNamespace = { id: 'root', path: '' } as const
