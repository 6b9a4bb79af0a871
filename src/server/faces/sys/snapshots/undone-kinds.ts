/** Which rows of a snapshot give somebody something that was taken away since, and by what name people know it. */
import { parseRow } from '../../../barrier/view.ts'
import { rootNamespace } from '../../../contracts/epochs.ts'
import { entityRowSchema, liveEntity } from '../../../identity/entities/entity-row.ts'
import { leaseRowSchema } from '../../../leases/lease-row.ts'
import { mountRowSchema } from '../../../mounts/mount-row.ts'
import { namespaceRowSchema } from '../../../namespaces/namespace-row.ts'
import { policyRowSchema } from '../../../policies/policy-store.ts'
import { tokenRowSchema } from '../../../tokens/token-row.ts'

/**
 * In the order in which they are told. `changed_…`: there before and after, and not the same. `not_compared`: neither the same nor
 * readable on both sides, so that nobody knows; named by the keys of their rows.
 */
export const undoneKinds = [
  'tokens',
  'leases',
  'mounts',
  'auth_rows',
  'namespaces',
  'policies',
  'changed_policies',
  'token_roles',
  'entities',
  'entity_aliases',
  'groups',
  'changed_groups',
  'not_compared',
] as const
export type UndoneKind = (typeof undoneKinds)[number]

interface Circumstances {
  /** By the storage's clock. */
  readonly now: number
  /** Of the snapshot; '' for root, else with its trailing slash. */
  namespacePath(id: string): string
}

export interface OpenedRow {
  readonly key: string
  readonly value: Uint8Array
  /** What the pattern of its kind found in its key. */
  readonly parts: readonly string[]
}

export interface RowKind {
  readonly key: RegExp
  readonly kind: UndoneKind
  /** The name of what a row stands for that the storage has not any more; undefined for what would have ended by itself. */
  removed(row: OpenedRow, circumstances: Circumstances): string | undefined
  /** Likewise of a row that the storage has otherwise; undefined when that took nothing from anyone. */
  changed?(row: OpenedRow, present: Uint8Array, circumstances: Circumstances): string | undefined
  /** Absent: `kind`. */
  readonly changedKind?: UndoneKind
}

export const namespaceRows: RowKind = {
  key: /^core\/namespaces\/([^/]+)$/,
  kind: 'namespaces',
  removed: ({ key, value }) => {
    const { deleting, path } = parseRow(key, value, namespaceRowSchema)
    return deleting ? undefined : path
  },
  changed: ({ key, value }, present) => {
    const then = parseRow(key, value, namespaceRowSchema)
    const now = parseRow(key, present, namespaceRowSchema)
    const locked = now.lock !== undefined && then.lock === undefined
    return (now.deleting && !then.deleting) || locked ? then.path : undefined
  },
}

export const mountRows: RowKind = {
  key: /^ns\/([^/]+)\/mounts\/([^/]+)$/,
  kind: 'mounts',
  removed: ({ key, value, parts: [namespace = ''] }, { namespacePath }) => {
    const { removing, path } = parseRow(key, value, mountRowSchema)
    return removing ? undefined : namespacePath(namespace) + path
  },
  changed(row, present, circumstances) {
    return parseRow(row.key, present, mountRowSchema).removing ? this.removed(row, circumstances) : undefined
  },
}

const policyRows: RowKind = {
  key: /^ns\/([^/]+)\/policy\/(.+)$/s,
  kind: 'policies',
  removed: ({ key, value, parts: [namespace = '', policy = ''] }, { now, namespacePath }) => {
    const { expiresAt } = parseRow(key, value, policyRowSchema)
    return expiresAt !== undefined && expiresAt <= now ? undefined : namespacePath(namespace) + policy
  },
  changed(row, present, circumstances) {
    const { text } = parseRow(row.key, row.value, policyRowSchema)
    return parseRow(row.key, present, policyRowSchema).text === text ? undefined : this.removed(row, circumstances)
  },
  changedKind: 'changed_policies',
}

const tokenRoleRows: RowKind = {
  key: /^ns\/([^/]+)\/tokens\/role\/(.+)$/s,
  kind: 'token_roles',
  removed: ({ parts: [namespace = '', role = ''] }, { namespacePath }) => namespacePath(namespace) + role,
}

const tokenRows: RowKind = {
  key: new RegExp(`^ns/${rootNamespace.id}/tokens/id/`),
  kind: 'tokens',
  removed: ({ key, value }, { now }) => {
    const { expiresAt, accessor } = parseRow(key, value, tokenRowSchema)
    return expiresAt !== 0 && expiresAt <= now ? undefined : accessor
  },
}

const leaseRows: RowKind = {
  key: /^ns\/[^/]+\/leases\/id\//,
  kind: 'leases',
  removed: ({ key, value }, { now }) => {
    const { expiresAt, id } = parseRow(key, value, leaseRowSchema)
    return expiresAt <= now ? undefined : id
  },
}

const entityIn = (key: string, bytes: Uint8Array) => liveEntity(parseRow(key, bytes, entityRowSchema))

const entityRows: RowKind = {
  key: /^ns\/[^/]+\/identity\/entity\/(.+)$/s,
  kind: 'entities',
  removed: ({ key, value }) => {
    const entity = entityIn(key, value)
    return entity && !entity.disabled ? entity.id : undefined
  },
  changed(row, present, circumstances) {
    const then = entityIn(row.key, row.value)
    const now = entityIn(row.key, present)
    const less = !now || now.disabled || then?.policies.some((policy) => !now.policies.includes(policy))
    return less ? this.removed(row, circumstances) : undefined
  },
}

const entityAliasRows: RowKind = {
  key: /^ns\/[^/]+\/identity\/alias-id\/(.+)$/s,
  kind: 'entity_aliases',
  removed: ({ parts: [id] }) => id,
}

const groupRows: RowKind = {
  key: /^ns\/[^/]+\/identity\/group\/(.+)$/s,
  kind: 'groups',
  removed: ({ parts: [id] }) => id,
  // Who joins or leaves changes the group's own row, too.
  changed: ({ parts: [id] }) => id,
  changedKind: 'changed_groups',
}

export const rowKinds: readonly RowKind[] = [
  namespaceRows,
  mountRows,
  policyRows,
  tokenRoleRows,
  tokenRows,
  leaseRows,
  entityRows,
  entityAliasRows,
  groupRows,
]
