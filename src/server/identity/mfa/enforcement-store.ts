/** Which logins need a second factor. All of a namespace are kept at hand as long as their stamp stays the same. */
import { uuid } from '../../../lib/random.ts'
import type { MountInfo } from '../../contracts/request.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Tx } from '../../contracts/secret-storage.ts'
import type { MethodStore } from './method-store.ts'
import { countSchema, type EnforcementRow, enforcementSchema } from './mfa-rows.ts'
import { type MfaViews, namesIn } from './mfa-views.ts'

/** Absent lists stay as they are. */
export interface EnforcementChange {
  readonly methodIds?: readonly string[] | undefined
  readonly accessors?: readonly string[] | undefined
  readonly mountTypes?: readonly string[] | undefined
  readonly groupIds?: readonly string[] | undefined
  readonly entityIds?: readonly string[] | undefined
}

/** Who logs in, and how. */
export interface Subject {
  readonly mount: Pick<MountInfo, 'accessor' | 'type'>
  /** The entity and those that were merged into it; none when the method names nobody. */
  readonly entityIds: readonly string[]
  readonly groupIds: readonly string[]
}

const stamp = 'enforcements'
/** All of a namespace are looked at for each login. */
const maxRules = 1000
const maxListed = 1000
/** Each is touched in the same commit. */
const maxMethods = 100

export class EnforcementStore {
  readonly #views: MfaViews
  #known: { readonly version: string; readonly rules: readonly EnforcementRow[] } | undefined

  constructor(views: MfaViews) {
    this.#views = views
  }

  /** As of now, sorted by name: one read when nothing has changed. */
  async rules(): Promise<readonly EnforcementRow[]> {
    const key = this.#views.all.prefix + stamp
    for (;;) {
      const known = this.#known
      const [found] = await this.#views.rows.read([{ key, ...(known && { known: known.version }) }])
      if (found === undefined) return []
      if (found === 'same') return known?.rules ?? []
      const rules: EnforcementRow[] = []
      for await (const name of namesIn(this.#views.enforcements)) {
        const row = await this.#views.enforcements.get(name, enforcementSchema)
        if (row) rules.push(row)
      }
      const [after] = await this.#views.rows.read([{ key, known: found.version }])
      if (after === 'same') this.#known = { version: found.version, rules }
    }
  }

  async byName(name: string): Promise<EnforcementRow | undefined> {
    return isEnforcementName(name) ? this.#views.enforcements.get(name, enforcementSchema) : undefined
  }

  /** `sources`: where methods may come from: this namespace and those above it. */
  async put(name: string, change: EnforcementChange, sources: readonly MethodStore[]): Promise<void> {
    if (!isEnforcementName(name)) {
      throw new Refusal(
        400,
        'the name of a login enforcement has 1 to 128 letters, digits, "_", "-" or ".", and begins and ends with a letter, a digit or "_"',
      )
    }
    await this.#check(change)
    const { enforcements, options } = this.#views
    await enforcements.transaction(async (tx) => {
      const before = await tx.get(enforcements, name, enforcementSchema)
      const methodIds = await usable(tx, change.methodIds ?? [], sources)
      const row: EnforcementRow = {
        format: 1,
        id: before?.id ?? uuid(options.random),
        name,
        methodIds,
        accessors: change.accessors ?? before?.accessors ?? [],
        mountTypes: change.mountTypes ?? before?.mountTypes ?? [],
        groupIds: change.groupIds ?? before?.groupIds ?? [],
        entityIds: change.entityIds ?? before?.entityIds ?? [],
      }
      if (before) tx.put(enforcements, name, { ...row })
      else tx.create(enforcements, name, { ...row })
      await this.#count(tx, before ? 0 : 1)
    })
  }

  /** An absent one is fine. */
  async delete(name: string): Promise<void> {
    if (!isEnforcementName(name)) return
    const { enforcements } = this.#views
    await enforcements.transaction(async (tx) => {
      if (!(await tx.get(enforcements, name, enforcementSchema))) return
      tx.remove(enforcements, name)
      await this.#count(tx, -1)
    })
  }

  async #count(tx: Tx, more: number): Promise<void> {
    const { all } = this.#views
    const before = await tx.get(all, stamp, countSchema)
    const count = (before?.count ?? 0) + more
    if (count > maxRules) throw new Refusal(400, `a namespace has at most ${maxRules} login enforcements`)
    tx.put(all, stamp, { format: 1, count })
  }

  async #check(change: EnforcementChange): Promise<void> {
    const { methodIds, accessors, mountTypes, groupIds, entityIds } = change
    if (!methodIds || methodIds.length === 0) throw new Refusal(400, 'missing method ids')
    if (methodIds.length > maxMethods) throw new Refusal(400, `mfa_method_ids names at most ${maxMethods} methods`)
    for (const list of [accessors, mountTypes, groupIds, entityIds]) {
      if (list && list.length > maxListed)
        throw new Refusal(400, `a list names at most ${maxListed}, not ${list.length}`)
    }
    const { authMounts, identity } = this.#views.options
    const mounts = authMounts()
    const known = (what: string, list: readonly string[] | undefined, of: (mount: MountInfo) => string) => {
      if (list?.every((one) => mounts.some((mount) => of(mount) === one)) === false) {
        throw new Refusal(400, `one of the auth method ${what} provided is invalid`)
      }
    }
    known('accessors', accessors, (mount) => mount.accessor)
    known('types', mountTypes, (mount) => mount.type)
    for (const id of groupIds ?? []) {
      if (!(await identity.group(id))) throw new Refusal(400, "one of the provided group ids doesn't exist")
    }
    for (const id of entityIds ?? []) {
      const entity = await identity.entityOf(id)
      if (entity?.id !== id) throw new Refusal(400, "one of the provided entity ids doesn't exist")
    }
    if (!accessors && !mountTypes && !groupIds && !entityIds) {
      throw new Refusal(
        400,
        'One of auth_method_accessors, auth_method_types, identity_group_ids, identity_entity_ids must be specified',
      )
    }
  }
}

/** All but mount types are of one namespace, so that a rule from above counts by type alone. */
export function applies(rule: EnforcementRow, { mount, entityIds, groupIds }: Subject): boolean {
  return (
    rule.entityIds.some((id) => entityIds.includes(id)) ||
    rule.groupIds.some((id) => groupIds.includes(id)) ||
    rule.accessors.includes(mount.accessor) ||
    rule.mountTypes.includes(mount.type)
  )
}

const isEnforcementName = (name: string) => /^\w(?:[\w.-]{0,126}\w)?$/.test(name)

async function usable(tx: Tx, ids: readonly string[], sources: readonly MethodStore[]): Promise<string[]> {
  const distinct = [...new Set(ids)]
  for (const id of distinct) {
    let found = false
    for (const source of sources) found ||= (await source.touch(tx, id)) !== undefined
    if (!found) throw new Refusal(400, "one of the provided method ids doesn't exist")
  }
  return distinct
}
