import type { LoginMfa } from '../../contracts/access/login-mfa.ts'
import type { EntitySource } from '../../contracts/access/standing.ts'
import type { NamespaceInfo } from '../../contracts/epochs.ts'
import type { MountTable } from '../../mounts/mount-table.ts'
import type { PolicyStore } from '../../policies/policy-store.ts'

/** What each namespace has of its own. */
export interface NamespaceNouns {
  readonly info: NamespaceInfo
  readonly mounts: MountTable
  readonly policies: PolicyStore
  readonly identity: EntitySource
  readonly mfa: LoginMfa
}

/** The nouns of a namespace: made when first asked for, the same ones from then on. */
export type NounsOf = (namespace: NamespaceInfo) => NamespaceNouns
