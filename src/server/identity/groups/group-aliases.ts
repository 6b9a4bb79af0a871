/** Aliases of external groups: what an auth method calls them. A group has at most one. */
import { uuid } from '../../../lib/random.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Tx } from '../../contracts/secret-storage.ts'
import { checkName } from '../given-names.ts'
import { groupAliasIdKey, groupAliasKey, type IdentityRows, isId } from '../identity-rows.ts'
import type { GroupIndex } from './group-index.ts'
import { putGroup } from './group-members.ts'
import type { GroupAliasRow, GroupRow } from './group-row.ts'
import type { GroupStore } from './group-store.ts'

export interface GroupAliasChange {
  /** Empty or absent: a new one. */
  readonly id?: string | undefined
  readonly name: string
  readonly mountAccessor: string
  /** The group; a new one when it is empty and the alias is new. */
  readonly canonicalId: string
}

interface AliasedGroup {
  readonly alias: GroupAliasRow
  readonly group: GroupRow
}

export class GroupAliases {
  readonly #rows: IdentityRows
  readonly #index: GroupIndex
  readonly #groups: GroupStore

  constructor(rows: IdentityRows, index: GroupIndex, groups: GroupStore) {
    this.#rows = rows
    this.#index = index
    this.#groups = groups
  }

  /** Undefined when nothing changed. */
  async upsert(change: GroupAliasChange): Promise<{ id: string; canonicalId: string } | undefined> {
    return this.#rows.view.transaction(async (tx) => {
      const before = change.id ? await this.#current(tx, change.id) : undefined
      if (change.id && !before) throw new Refusal(400, 'invalid group alias ID')
      checkAlias(change)
      if (before && isSame(before, change)) return undefined
      const index = await this.#index.current(tx)
      const { canonicalId } = change
      const wanted = canonicalId === '' ? undefined : checkTarget(index.get(canonicalId)?.row)
      await this.#checkFree(tx, before?.alias.id, change)
      return this.#put(tx, before, wanted ?? before?.group ?? this.#groups.made(tx, 'external', ''), change)
    })
  }

  #put(
    tx: Tx,
    before: AliasedGroup | undefined,
    target: GroupRow,
    { name, mountAccessor }: GroupAliasChange,
  ): { id: string; canonicalId: string } {
    const now = this.#rows.now
    const alias: GroupAliasRow = {
      ...(before?.alias ?? { id: uuid(this.#rows.options.random), createdAt: now }),
      name,
      mountAccessor,
      updatedAt: now,
    }
    if (before) {
      this.#unlink(tx, before.alias)
      if (before.group.id !== target.id) putGroup(this.#rows, tx, { ...before.group, alias: undefined })
    }
    // A group has one alias: the one that it had makes way.
    if (target.alias && target.alias.id !== alias.id) this.#unlink(tx, target.alias)
    this.#link(tx, target.id, alias)
    putGroup(this.#rows, tx, { ...target, alias })
    return { id: alias.id, canonicalId: target.id }
  }

  /** An absent one is fine. */
  async delete(id: string): Promise<void> {
    if (!isId(id)) return
    await this.#rows.view.transaction(async (tx) => {
      const before = await this.#current(tx, id)
      if (!before) return
      this.#unlink(tx, before.alias)
      putGroup(this.#rows, tx, { ...before.group, alias: undefined })
    })
  }

  /** The group aliases of a mount that is gone. */
  async sweep(accessor: string, signal: AbortSignal): Promise<void> {
    const index = await this.#index.current()
    for (const id of index.ids()) {
      const alias = index.get(id)?.row.alias
      if (signal.aborted) return
      if (alias?.mountAccessor === accessor) await this.delete(alias.id)
    }
  }

  async #current(tx: Tx, id: string): Promise<AliasedGroup | undefined> {
    const index = await this.#index.current(tx)
    const found = isId(id) ? await this.#rows.pointer(tx, groupAliasIdKey(id)) : undefined
    const group = found && index.get(found.id)?.row
    return group?.alias && group.alias.id === id ? { alias: group.alias, group } : undefined
  }

  async #checkFree(tx: Tx, id: string | undefined, { name, mountAccessor }: GroupAliasChange): Promise<void> {
    if (!this.#rows.options.mountOf(mountAccessor)) {
      throw new Refusal(400, `invalid mount accessor ${JSON.stringify(mountAccessor)}`)
    }
    const taken = await this.#rows.pointer(tx, groupAliasKey(mountAccessor, name))
    if (taken && taken.alias !== id) {
      throw new Refusal(400, 'combination of mount and group alias name is already in use')
    }
  }

  #link(tx: Tx, groupId: string, alias: GroupAliasRow): void {
    tx.create(this.#rows.view, groupAliasKey(alias.mountAccessor, alias.name), { id: groupId, alias: alias.id })
    tx.create(this.#rows.view, groupAliasIdKey(alias.id), { id: groupId, alias: alias.id })
  }

  #unlink(tx: Tx, alias: GroupAliasRow): void {
    tx.remove(this.#rows.view, groupAliasKey(alias.mountAccessor, alias.name))
    tx.remove(this.#rows.view, groupAliasIdKey(alias.id))
  }
}

function checkAlias({ name, mountAccessor }: GroupAliasChange): void {
  if (name === '') throw new Refusal(400, 'missing alias name')
  if (mountAccessor === '') throw new Refusal(400, 'missing mount_accessor')
  checkName('alias name', name)
}

function isSame({ alias, group }: AliasedGroup, change: GroupAliasChange): boolean {
  const stays = change.canonicalId === '' || change.canonicalId === group.id
  return stays && alias.name === change.name && alias.mountAccessor === change.mountAccessor
}

function checkTarget(group: GroupRow | undefined): GroupRow {
  if (!group) throw new Refusal(400, "invalid group ID given in 'canonical_id'")
  if (group.type !== 'external') throw new Refusal(400, "alias can't be set on an internal group")
  return group
}
