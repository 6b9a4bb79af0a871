/** All groups of a namespace in memory, current by the version of the epoch row `groups`: answers who is in what, at once. */
import { setImmediate } from 'node:timers/promises'
import { parseJson } from '../../../lib/json/parse.ts'
import type { Tx } from '../../contracts/secret-storage.ts'
import { groupAliasKey, type IdentityRows } from '../identity-rows.ts'
import { type GroupRow, groupRowSchema, memberRowSchema } from './group-row.ts'

export interface Group {
  readonly row: GroupRow
  /** The rows after the first, by their number. */
  readonly more: readonly (readonly string[])[]
}

/** Direct ones first, then those that have one of them among their members, directly or not. */
export interface Memberships {
  readonly direct: readonly GroupRow[]
  readonly inherited: readonly GroupRow[]
}

interface Known<T> {
  readonly version: string
  readonly value: T
}

const readAtOnce = 250

export class GroupIndex {
  readonly #rows: IdentityRows
  readonly #groupRows = new Map<string, Known<GroupRow>>()
  /** By `<group>/<n>`. */
  readonly #memberRows = new Map<string, Known<readonly string[]>>()
  readonly #ofEntity = new Map<string, Set<string>>()
  readonly #parents = new Map<string, Set<string>>()
  readonly #byAlias = new Map<string, string>()
  #stamp: string | undefined
  #version: string | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(rows: IdentityRows) {
    this.#rows = rows
  }

  /** Brings the index to the epoch row's version ('' while there is none) or a later one; synchronous when it is there. */
  at(version: string): this | Promise<this> {
    return version === this.#version ? this : this.#reach(version)
  }

  /** The groups as of now, which the commit of `tx` checks. */
  async current(tx?: Tx): Promise<this> {
    const stamp = await this.#rows.groupsStamp(tx)
    // A row that is absent is checked by creating it.
    if (tx && stamp === undefined) this.#rows.bumpGroups(tx)
    if (this.#version === undefined || stamp !== this.#stamp) await this.#reach(undefined)
    return this
  }

  forget(): void {
    this.#version = undefined
    this.#stamp = undefined
    for (const map of [this.#groupRows, this.#memberRows, this.#ofEntity, this.#parents, this.#byAlias]) map.clear()
  }

  get(id: string): Group | undefined {
    const row = this.#groupRows.get(id)?.value
    if (!row) return undefined
    const more = Array.from({ length: row.more }, (_, n) => this.#memberRows.get(`${id}/${n}`)?.value ?? [])
    return { row, more }
  }

  /** Sorted by id. */
  ids(): string[] {
    return [...this.#groupRows.keys()].sort()
  }

  /** Internal groups that the entity is a member of, itself. */
  directOf(entityId: string): string[] {
    return [...(this.#ofEntity.get(entityId) ?? [])].sort()
  }

  parentsOf(id: string): string[] {
    return [...(this.#parents.get(id) ?? [])].sort()
  }

  /** Member groups that exist. */
  childrenOf(id: string): string[] {
    return (this.#groupRows.get(id)?.value.groups ?? []).filter((child) => this.#groupRows.has(child))
  }

  external(accessor: string, name: string): string | undefined {
    return this.#byAlias.get(groupAliasKey(accessor, name))
  }

  memberships(entityId: string, vouched: readonly string[]): Memberships {
    const direct = [...new Set([...this.directOf(entityId), ...vouched])].filter((id) => this.#groupRows.has(id))
    const seen = new Set(direct)
    // A set grows while it is walked: parents of parents are found on the way.
    for (const id of seen) for (const parent of this.parentsOf(id)) seen.add(parent)
    const rowsOf = (ids: readonly string[]) => ids.flatMap((id) => this.#groupRows.get(id)?.value ?? [])
    return { direct: rowsOf(direct), inherited: rowsOf([...seen].slice(direct.length)) }
  }

  /** Whether `from` is `to` or has it among its members, directly or not. */
  reaches(from: string, to: string): boolean {
    const seen = new Set([from])
    for (const id of seen) {
      if (id === to) return true
      for (const child of this.childrenOf(id)) seen.add(child)
    }
    return false
  }

  /** One after the other, so that who comes with a newer version is not answered by a load that began before it. */
  #reach(version: string | undefined): Promise<this> {
    const run = this.#last.then(async () => {
      if (version === undefined || version !== this.#version) await this.#load()
      return this
    })
    this.#last = run.catch(() => undefined)
    return run
  }

  async #load(): Promise<void> {
    for (;;) {
      const before = await this.#epochVersion()
      const stamp = await this.#rows.groupsStamp(undefined)
      const { groups, members } = this.#rows
      const groupRows = await this.#read(groups, this.#groupRows, (value) => groupRowSchema.parse(value))
      const memberRows = await this.#read(members, this.#memberRows, (value) => memberRowSchema.parse(value).members)
      if ((await this.#epochVersion()) !== before) continue
      this.#apply(groupRows, memberRows)
      this.#stamp = stamp
      this.#version = before
      return
    }
  }

  /** Rows that are still what they were come back as the same object. */
  async #read<T>(
    view: IdentityRows['view'],
    known: ReadonlyMap<string, Known<T>>,
    parse: (value: unknown) => T,
  ): Promise<Map<string, Known<T>>> {
    const out = new Map<string, Known<T>>()
    for await (const names of this.#rows.names(view, '')) {
      for (let i = 0; i < names.length; i += readAtOnce) {
        const batch = names.slice(i, i + readAtOnce)
        const found = await this.#rows.rows.read(
          batch.map((name) => {
            const version = known.get(name)?.version
            return { key: view.prefix + name, ...(version !== undefined && { known: version }) }
          }),
        )
        batch.forEach((name, at) => {
          const row = found[at]
          const before = known.get(name)
          if (row === 'same' && before) out.set(name, before)
          else if (row && row !== 'same') out.set(name, { version: row.version, value: parse(parseJson(row.value)) })
        })
        await setImmediate()
      }
    }
    return out
  }

  /** At once: nobody sees half of it. Costs what changed. All that goes before anything comes: a member may have changed rows. */
  #apply(groupRows: Map<string, Known<GroupRow>>, memberRows: Map<string, Known<readonly string[]>>): void {
    takeOut(this.#groupRows, groupRows, (id, row) => this.#linkGroup(id, row, false))
    takeOut(this.#memberRows, memberRows, (name, members) => this.#linkMembers(name, members, false))
    putIn(this.#groupRows, groupRows, (id, row) => this.#linkGroup(id, row, true))
    putIn(this.#memberRows, memberRows, (name, members) => this.#linkMembers(name, members, true))
  }

  #linkGroup(id: string, row: GroupRow, add: boolean): void {
    for (const entity of row.members) link(this.#ofEntity, entity, id, add)
    for (const child of row.groups) link(this.#parents, child, id, add)
    if (!row.alias) return
    const key = groupAliasKey(row.alias.mountAccessor, row.alias.name)
    if (add) this.#byAlias.set(key, id)
    else this.#byAlias.delete(key)
  }

  #linkMembers(name: string, members: readonly string[], add: boolean): void {
    const [id = ''] = name.split('/')
    for (const entity of members) link(this.#ofEntity, entity, id, add)
  }

  async #epochVersion(): Promise<string> {
    const [row] = await this.#rows.rows.read([{ key: this.#rows.groupsEpoch }])
    return row === undefined || row === 'same' ? '' : row.version
  }
}

type Each<T> = (key: string, value: T) => void

function takeOut<T>(known: Map<string, Known<T>>, next: ReadonlyMap<string, Known<T>>, each: Each<T>): void {
  for (const [key, row] of [...known]) {
    if (next.get(key) === row) continue
    each(key, row.value)
    known.delete(key)
  }
}

function putIn<T>(known: Map<string, Known<T>>, next: ReadonlyMap<string, Known<T>>, each: Each<T>): void {
  for (const [key, row] of next) {
    if (known.get(key) === row) continue
    each(key, row.value)
    known.set(key, row)
  }
}

function link(map: Map<string, Set<string>>, from: string, to: string, add: boolean): void {
  const set = map.get(from)
  if (!add) {
    set?.delete(to)
    if (set?.size === 0) map.delete(from)
  } else if (set) set.add(to)
  else map.set(from, new Set([to]))
}
