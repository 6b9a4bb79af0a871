/**
 * Authority rows that say "something of this kind changed in this namespace": bumped (put with any content; the version
 * counts; `audit` and `namespaces` only in root's: the one also stands for quotas, the other for the tree) in the commit that changes such a thing, read with every request. Same version = what was compiled still holds.
 */
export type Epoch = 'mounts' | 'policies' | 'groups' | 'audit' | 'namespaces'

/** The storage key (barrier prefix included) of a namespace's epoch row. */
export function epochKey(namespaceId: string, epoch: Epoch): string {
  return `ns/${namespaceId}/epoch/${epoch}`
}

export interface NamespaceInfo {
  /** 'root', else 6 or more base62 characters that are never used again: names its rows (`ns/<id>/`) and ends its tokens and lease ids. */
  readonly id: string
  /** '' for root, else with its trailing slash: "team/app/". */
  readonly path: string
}

export const rootNamespace: NamespaceInfo = { id: 'root', path: '' }
