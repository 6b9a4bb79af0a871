/** Assignments: the entities and groups that may log in to a client. */
import { Refusal } from '../../../contracts/request.ts'
import type { Tx } from '../../../contracts/secret-storage.ts'
import type { EntityRow } from '../../entities/entity-row.ts'
import { checkName } from '../../given-names.ts'
import { refuseWhileUsed } from '../key-users.ts'
import { allNames } from '../oidc-store.ts'
import { type AssignmentRow, assignmentSchema } from './provider-rows.ts'
import { checkedList, type ProviderViews, withName, withoutName } from './provider-views.ts'

export interface AssignmentChange {
  readonly entityIds?: readonly string[] | undefined
  readonly groupIds?: readonly string[] | undefined
}

/** Is always there and says that everyone may. */
export const allowAll = 'allow_all'
const everyone: AssignmentRow = { format: 1, entityIds: ['*'], groupIds: ['*'], clients: [] }
const most = { items: 5000, bytes: 64 }
const maxClients = 500

export class AssignmentStore {
  readonly #views: ProviderViews

  constructor(views: ProviderViews) {
    this.#views = views
  }

  async get(name: string): Promise<AssignmentRow | undefined> {
    return name === allowAll ? everyone : this.#views.assignments.get(name, assignmentSchema)
  }

  async names(): Promise<string[]> {
    return withName(await allNames(this.#views.assignments), allowAll)
  }

  async put(name: string, change: AssignmentChange): Promise<void> {
    if (name === allowAll) throw new Refusal(400, `modification of assignment "${allowAll}" not allowed`)
    checkName('assignment name', name)
    const [entityIds, groupIds] = (['entityIds', 'groupIds'] as const).map((member) => {
      const given = change[member]
      const what = member === 'entityIds' ? 'entity_ids' : 'group_ids'
      const ids = given?.map((id) => id.toLowerCase())
      return ids && checkedList(what, ids, most)
    })
    const { assignments } = this.#views
    await assignments.transaction(async (tx) => {
      const before = await tx.get(assignments, name, assignmentSchema)
      tx.put(assignments, name, {
        ...(before ?? { format: 1, clients: [] }),
        entityIds: entityIds ?? before?.entityIds ?? [],
        groupIds: groupIds ?? before?.groupIds ?? [],
      })
    })
  }

  /** An absent assignment is fine. */
  async delete(name: string): Promise<void> {
    if (name === allowAll) throw new Refusal(400, `deletion of assignment "${allowAll}" not allowed`)
    const { assignments } = this.#views
    await assignments.transaction(async (tx) => {
      const row = await tx.get(assignments, name, assignmentSchema)
      if (!row) return
      const by = row.clients.map((client) => ({ name: client }))
      refuseWhileUsed(`assignment ${JSON.stringify(name)}`, 'clients', by)
      tx.remove(assignments, name)
    })
  }

  /** In the commit that stores the client. Refuses (400) an assignment that is not there. */
  async link(tx: Tx, name: string, client: string): Promise<void> {
    if (name === allowAll) return
    const row = await tx.get(this.#views.assignments, name, assignmentSchema)
    if (!row) throw new Refusal(400, `assignment ${JSON.stringify(name)} does not exist`)
    const clients = withName(row.clients, client)
    if (clients.length > maxClients) throw new Refusal(400, `at most ${maxClients} clients name one assignment`)
    tx.put(this.#views.assignments, name, { ...row, clients })
  }

  async unlink(tx: Tx, name: string, client: string): Promise<void> {
    const row = await tx.get(this.#views.assignments, name, assignmentSchema)
    if (row) tx.put(this.#views.assignments, name, { ...row, clients: withoutName(row.clients, client) })
  }

  /** Whether one of the assignments is for the entity, which must not be disabled. */
  async admit(entity: EntityRow, names: readonly string[]): Promise<boolean> {
    if (entity.disabled) return false
    if (names.includes(allowAll)) return true
    const { direct, inherited } = await this.#views.options.identity.membershipsOf(entity)
    const groups = new Set([...direct, ...inherited].map((group) => group.id))
    const ids = new Set([entity.id, ...entity.mergedIds])
    for (const name of names) {
      const row = await this.get(name)
      if (row?.entityIds.some((id) => ids.has(id)) || row?.groupIds.some((id) => groups.has(id))) return true
    }
    return false
  }
}
