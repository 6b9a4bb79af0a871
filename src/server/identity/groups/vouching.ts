/**
 * Memberships of external groups: what the last login by an alias vouched for. They lie with the alias, and in one row per
 * group and entity by which a group finds its members; both change in the same commit, and no group's row does: a login
 * invalidates no one else's access.
 */
import type { SecretStorage, Tx } from '../../contracts/secret-storage.ts'
import type { AliasRow, EntityRow } from '../entities/entity-row.ts'
import { aliasIdKey, hashOf, type IdentityRows, vouchedKey, vouchedPrefix } from '../identity-rows.ts'

/** More changes than this take several commits, what is lost before what is won. */
const changesAtOnce = 100
/** What other changes of an alias remove in their own commit. */
const kept = 50

export class Vouching {
  readonly #rows: IdentityRows

  constructor(rows: IdentityRows) {
    this.#rows = rows
  }

  /** Entities whose last login vouched for the group. */
  async members(accessor: string, name: string): Promise<string[]> {
    const out: string[] = []
    for await (const ids of this.#rows.names(this.#rows.view, vouchedPrefix(accessor, name))) out.push(...ids)
    return out
  }

  /** Brings an alias to these groups, each once. False when the alias is gone. */
  async set(aliasId: string, groups: readonly string[]): Promise<boolean> {
    for (;;) {
      const outcome = await this.#rows.view.transaction((tx) => this.#step(tx, aliasId, groups))
      if (outcome !== 'more') return outcome === 'done'
    }
  }

  /** Before a change that drops them in its own commit. */
  async trim(aliasId: string): Promise<void> {
    const found = await this.#rows.pointer(this.#rows.view, aliasIdKey(aliasId))
    const alias = found && aliasOf(await this.#rows.entity(this.#rows.view, found.id), aliasId)
    if (alias && alias.groups.length > kept) await this.set(aliasId, alias.groups.slice(0, kept))
  }

  /** Removes the rows by which the groups find this entity. */
  drop(tx: Tx, entityId: string, alias: AliasRow): void {
    for (const name of alias.groups) tx.remove(this.#rows.view, vouchedKey(alias.mountAccessor, name, entityId))
  }

  async #step(tx: Tx, aliasId: string, wanted: readonly string[]): Promise<'done' | 'more' | 'gone'> {
    const found = await this.#rows.pointer(tx, aliasIdKey(aliasId))
    const entity = found && (await this.#rows.entity(tx, found.id))
    const alias = aliasOf(entity, aliasId)
    if (!entity || !alias) return 'gone'
    const { lost, won } = difference(alias.groups, wanted)
    if (lost.length + won.length === 0) return 'done'
    const out = lost.slice(0, changesAtOnce)
    const come = won.slice(0, changesAtOnce - out.length)
    const view: SecretStorage = this.#rows.view
    for (const name of out) tx.remove(view, vouchedKey(alias.mountAccessor, name, entity.id))
    for (const name of come) tx.put(view, vouchedKey(alias.mountAccessor, name, entity.id), {})
    const next: AliasRow = { ...alias, groups: [...alias.groups.filter((name) => !out.includes(name)), ...come] }
    this.#rows.putEntity(tx, { ...entity, aliases: entity.aliases.map((one) => (one.id === aliasId ? next : one)) })
    return out.length < lost.length || come.length < won.length ? 'more' : 'done'
  }
}

const aliasOf = (entity: EntityRow | undefined, id: string) => entity?.aliases.find((one) => one.id === id)

/** Names count without case. */
export function difference(
  before: readonly string[],
  wanted: readonly string[],
): { lost: readonly string[]; won: readonly string[] } {
  const had = new Set(before.map(hashOf))
  const want = new Map(wanted.map((name) => [hashOf(name), name]))
  return {
    lost: before.filter((name) => !want.has(hashOf(name))),
    won: [...want].filter(([hash]) => !had.has(hash)).map(([, name]) => name),
  }
}
