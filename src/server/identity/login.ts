/** From an alias that an auth method proved to its entity. A login that finds everything as it was writes nothing. */

import type { LoginAlias } from '../contracts/access/standing.ts'
import { Refusal } from '../contracts/request.ts'
import type { Tx } from '../contracts/secret-storage.ts'
import { newAlias } from './entities/alias-store.ts'
import type { AliasRow, EntityRow } from './entities/entity-row.ts'
import type { EntityStore } from './entities/entity-store.ts'
import { sameMap } from './given-names.ts'
import type { GroupIndex } from './groups/group-index.ts'
import { difference, type Vouching } from './groups/vouching.ts'
import { aliasIdKey, aliasKey, type IdentityRows } from './identity-rows.ts'

interface Found {
  readonly entity: EntityRow
  readonly alias: AliasRow
}

export class Login {
  readonly #rows: IdentityRows
  readonly #index: GroupIndex
  readonly #entities: EntityStore
  readonly #vouching: Vouching

  constructor(rows: IdentityRows, index: GroupIndex, entities: EntityStore, vouching: Vouching) {
    this.#rows = rows
    this.#index = index
    this.#entities = entities
    this.#vouching = vouching
  }

  async run(login: LoginAlias): Promise<string> {
    for (;;) {
      const known = await this.#find(undefined, login)
      const found = known && sameMap(known.alias.metadata, login.metadata) ? known : await this.#refresh(login)
      if (found.entity.disabled) throw new Refusal(403, 'permission denied')
      if (!login.groups) return found.entity.id
      const groups = await this.#known(login.mountAccessor, login.groups)
      const { lost, won } = difference(found.alias.groups, groups)
      if (lost.length + won.length === 0) return found.entity.id
      // An alias that was taken away in the meantime is looked for, or made, again.
      if (await this.#vouching.set(found.alias.id, groups)) return found.entity.id
    }
  }

  /** Groups that are called so here; of what else a directory knows nothing is kept. */
  async #known(accessor: string, names: readonly string[]): Promise<string[]> {
    const index = await this.#index.current()
    return names.filter((name) => index.external(accessor, name) !== undefined)
  }

  async #find(tx: Tx | undefined, login: LoginAlias): Promise<Found | undefined> {
    const source = tx ?? this.#rows.view
    const pointer = await this.#rows.pointer(source, aliasKey(login.mountAccessor, login.name))
    const entity = pointer && (await this.#rows.entity(source, pointer.id))
    const alias = entity?.aliases.find((one) => one.id === pointer?.alias)
    return entity && alias && { entity, alias }
  }

  /** The row that names the alias is created: of two first logins one finds what the other made. */
  #refresh(login: LoginAlias): Promise<Found> {
    return this.#rows.view.transaction(async (tx) => {
      const before = await this.#find(tx, login)
      // A disabled entity is refused above and stays as it is.
      if (before && (before.entity.disabled || sameMap(before.alias.metadata, login.metadata))) return before
      const entity = before?.entity ?? (await this.#entities.create(tx))
      const made = before?.alias ?? newAlias(this.#rows, login.name, login.mountAccessor, {})
      const alias: AliasRow = { ...made, metadata: login.metadata, updatedAt: this.#rows.now }
      if (!before) {
        tx.put(this.#rows.view, aliasKey(login.mountAccessor, login.name), { id: entity.id, alias: alias.id })
        tx.create(this.#rows.view, aliasIdKey(alias.id), { id: entity.id, alias: alias.id })
      }
      const aliases = before ? entity.aliases.map((one) => (one.id === alias.id ? alias : one)) : [alias]
      const row = { ...entity, aliases }
      this.#rows.putEntity(tx, row)
      return { entity: row, alias }
    })
  }
}
