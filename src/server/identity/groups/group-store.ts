/** Groups: made, changed, taken away; every change is one commit that checks and bumps the epoch of the groups. */
import { uuid } from '../../../lib/random.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Tx } from '../../contracts/secret-storage.ts'
import { entityRowSchema, liveEntity, type StringMap } from '../entities/entity-row.ts'
import { checkMetadata, checkName, cleanPolicies } from '../given-names.ts'
import { groupAliasIdKey, groupAliasKey, groupNameKey, type IdentityRows, isId } from '../identity-rows.ts'
import type { GroupIndex } from './group-index.ts'
import { membersOf, putGroup, withMembers } from './group-members.ts'
import { type GroupRow, maxMembers } from './group-row.ts'

export interface GroupChange {
  /** Empty or absent: found by name, or made. */
  readonly id?: string | undefined
  readonly name?: string | undefined
  readonly type?: string | undefined
  readonly policies?: readonly string[] | undefined
  readonly metadata?: StringMap | undefined
  readonly memberEntityIds?: readonly string[] | undefined
  readonly memberGroupIds?: readonly string[] | undefined
}

const maxMemberGroups = 5000
/** Groups whose lists are mended in the commit that takes one away; the others mend themselves when they are written. */
const parentsAtOnce = 100

export class GroupStore {
  readonly #rows: IdentityRows
  readonly #index: GroupIndex

  constructor(rows: IdentityRows, index: GroupIndex) {
    this.#rows = rows
    this.#index = index
  }

  async byName(name: string): Promise<string | undefined> {
    return (await this.#rows.pointer(this.#rows.view, groupNameKey(name)))?.id
  }

  async byAliasId(id: string): Promise<string | undefined> {
    return isId(id) ? (await this.#rows.pointer(this.#rows.view, groupAliasIdKey(id)))?.id : undefined
  }

  /** The group when it was made, undefined when one was changed. */
  async upsert(change: GroupChange): Promise<GroupRow | undefined> {
    const clean = checkChange(change)
    for (;;) {
      const guard = await this.#rows.guard(undefined)
      await this.#checkMembers(clean)
      const outcome = await this.#rows.view.transaction(async (tx) => {
        if (clean.memberEntityIds) {
          // An entity that went since the look at the members has changed the guard.
          if ((await this.#rows.guard(tx)) !== guard) return 'moved'
          if (guard === undefined) await this.#rows.bumpGuard(tx)
        }
        return this.#change(tx, clean)
      })
      if (outcome !== 'moved') return outcome
    }
  }

  /** An absent group is fine. */
  async delete(id: string): Promise<void> {
    await this.#rows.view.transaction(async (tx) => {
      const index = await this.#index.current(tx)
      const group = index.get(id)
      if (!group) return
      const { row } = group
      for (const parent of index.parentsOf(id).slice(0, parentsAtOnce)) {
        const above = index.get(parent)?.row
        if (above) putGroup(this.#rows, tx, { ...above, groups: above.groups.filter((child) => child !== id) })
      }
      withMembers(this.#rows, tx, row, [])
      tx.remove(this.#rows.groups, id)
      tx.remove(this.#rows.view, groupNameKey(row.name))
      if (row.alias) {
        tx.remove(this.#rows.view, groupAliasKey(row.alias.mountAccessor, row.alias.name))
        tx.remove(this.#rows.view, groupAliasIdKey(row.alias.id))
      }
      this.#rows.bumpGroups(tx)
    })
  }

  /** A new group in the caller's commit, for the caller to put. */
  made(tx: Tx, type: GroupRow['type'], wanted: string): GroupRow {
    const { random, namespace } = this.#rows.options
    const name = wanted === '' ? `group_${Buffer.from(random(4)).toString('hex')}.${namespace.id}` : wanted
    const id = uuid(random)
    const now = this.#rows.now
    tx.create(this.#rows.view, groupNameKey(name), { id })
    return {
      format: 1,
      id,
      name,
      type,
      policies: [],
      metadata: {},
      members: [],
      more: 0,
      groups: [],
      createdAt: now,
      updatedAt: now,
      modifyIndex: 0,
    }
  }

  async #change(tx: Tx, change: GroupChange): Promise<GroupRow | undefined> {
    const { name = '', type = '' } = change
    const index = await this.#index.current(tx)
    const before = await this.#subject(tx, index, change)
    checkType(change, before?.type ?? (type || 'internal'))
    checkCycle(index, before?.id, change.memberGroupIds)
    const made = before ? undefined : this.made(tx, type === 'external' ? 'external' : 'internal', name)
    const base = before ?? made
    if (!base) throw new Error('neither found nor made')
    if (name !== '' && groupNameKey(name) !== groupNameKey(base.name)) {
      tx.remove(this.#rows.view, groupNameKey(base.name))
      tx.create(this.#rows.view, groupNameKey(name), { id: base.id })
    }
    const row: GroupRow = {
      ...base,
      ...(name !== '' && { name }),
      ...(change.policies && { policies: change.policies }),
      ...(change.metadata && { metadata: change.metadata }),
      groups: change.memberGroupIds ?? base.groups.filter((child) => index.get(child) !== undefined),
    }
    const members = change.memberEntityIds
    const stored = putGroup(this.#rows, tx, members ? withMembers(this.#rows, tx, row, members) : row)
    return made && stored
  }

  async #subject(tx: Tx, index: GroupIndex, { id, name = '', type = '' }: GroupChange): Promise<GroupRow | undefined> {
    const owner = name === '' ? undefined : await this.#rows.pointer(tx, groupNameKey(name))
    const before = index.get(id || owner?.id || '')?.row
    if (id && !before) throw new Refusal(400, 'invalid group ID')
    if (before && owner && owner.id !== before.id) throw new Refusal(400, 'group name is already in use')
    if (before && type !== '' && type !== before.type) throw new Refusal(400, 'group type cannot be changed')
    return before
  }

  /** Outside the transaction, whose checks they would be too many for; the guard speaks for them there. */
  async #checkMembers({ id, name = '', memberEntityIds }: GroupChange): Promise<void> {
    if (!memberEntityIds || memberEntityIds.length === 0) return
    const index = await this.#index.current()
    const group = index.get(id || (name !== '' && (await this.byName(name))) || '')
    const known = new Set(group && membersOf(group))
    const fresh = memberEntityIds.filter((member) => !known.has(member))
    const bad = fresh.find((member) => !isId(member))
    if (bad !== undefined) throw new Refusal(400, `invalid entity ID ${JSON.stringify(bad)}`)
    const rows = await this.#rows.many(this.#rows.entities, fresh, entityRowSchema)
    const missing = rows.findIndex((row) => liveEntity(row) === undefined)
    if (missing >= 0) throw new Refusal(400, `invalid entity ID ${JSON.stringify(fresh[missing])}`)
  }
}

function checkChange(change: GroupChange): GroupChange {
  checkName('group name', change.name ?? '')
  if (change.metadata) checkMetadata('group', change.metadata)
  const { type = '', memberEntityIds, memberGroupIds } = change
  if (type !== '' && type !== 'internal' && type !== 'external') {
    throw new Refusal(400, `invalid group type ${JSON.stringify(type)}`)
  }
  const members = memberEntityIds && ids(memberEntityIds)
  const groups = memberGroupIds && ids(memberGroupIds)
  if (members && members.length > maxMembers) {
    throw new Refusal(400, `a group has at most ${maxMembers} member entities, not ${members.length}`)
  }
  if (groups && groups.length > maxMemberGroups) {
    throw new Refusal(400, `a group has at most ${maxMemberGroups} member groups, not ${groups.length}`)
  }
  return {
    ...change,
    policies: change.policies && cleanPolicies(change.policies, true),
    memberEntityIds: members,
    memberGroupIds: groups,
  }
}

/** Sorted, without blanks and duplicates. */
const ids = (given: readonly string[]) => [...new Set(given)].filter((id) => id !== '').sort()

function checkType(change: GroupChange, type: string): void {
  if (type !== 'external') return
  if (change.memberEntityIds) throw new Refusal(400, "member entities can't be set manually for external groups")
  if (change.memberGroupIds) throw new Refusal(400, "member groups can't be set for external groups")
}

function checkCycle(index: GroupIndex, id: string | undefined, children: readonly string[] | undefined): void {
  for (const child of children ?? []) {
    const name = JSON.stringify(child)
    if (child === id) throw new Refusal(400, `member group ID ${name} is same as the ID of the group`)
    if (!index.get(child)) throw new Refusal(400, `invalid member group ID ${name}`)
    if (id !== undefined && index.reaches(child, id)) {
      throw new Refusal(400, `cyclic relationship detected for member group ID ${name}`)
    }
  }
}
