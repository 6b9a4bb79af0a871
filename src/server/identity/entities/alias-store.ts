/** Aliases of entities: who someone is to one mount. */
import { uuid } from '../../../lib/random.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Tx } from '../../contracts/secret-storage.ts'
import { checkCustomMetadata, checkName, sameMap } from '../given-names.ts'
import type { Vouching } from '../groups/vouching.ts'
import { aliasIdKey, aliasKey, type IdentityRows, isId, pointerSchema } from '../identity-rows.ts'
import { type AliasRow, type EntityRow, entityRowSchema, liveEntity, type StringMap } from './entity-row.ts'
import type { EntityStore } from './entity-store.ts'

export interface AliasChange {
  /** Empty or absent: found by mount and name, or made. */
  readonly id?: string | undefined
  readonly name?: string | undefined
  readonly mountAccessor?: string | undefined
  /** The entity; a new one when it is empty and the alias is new. */
  readonly canonicalId?: string | undefined
  readonly customMetadata?: StringMap | undefined
}

export interface AliasOf {
  readonly alias: AliasRow
  readonly entity: EntityRow
}

export class AliasStore {
  readonly #rows: IdentityRows
  readonly #entities: EntityStore
  readonly #vouching: Vouching

  constructor(rows: IdentityRows, entities: EntityStore, vouching: Vouching) {
    this.#rows = rows
    this.#entities = entities
    this.#vouching = vouching
  }

  async byId(id: string): Promise<AliasOf | undefined> {
    const entity = await this.#entities.byAliasId(id)
    const alias = entity?.aliases.find((one) => one.id === id)
    return entity && alias && { alias, entity }
  }

  async *all(after?: string): AsyncGenerator<AliasOf> {
    const view = this.#rows.view.at('alias-id/')
    for await (const ids of this.#rows.names(view, '', after)) {
      const pointers = await this.#rows.many(view, ids, pointerSchema)
      // A row that goes between the two reads leaves an id that nothing is found under.
      const keys = pointers.map((found) => found?.id ?? 'none')
      const entities = await this.#rows.many(this.#rows.entities, keys, entityRowSchema)
      for (const [i, row] of entities.entries()) {
        const entity = liveEntity(row)
        const alias = entity?.aliases.find((one) => one.id === ids[i])
        if (entity && alias) yield { alias, entity }
      }
    }
  }

  /** Undefined when nothing changed. */
  async upsert(change: AliasChange): Promise<{ id: string; canonicalId: string } | undefined> {
    const { id = '', name = '', mountAccessor = '', customMetadata } = change
    checkName('alias name', name)
    if (customMetadata) checkCustomMetadata(customMetadata)
    if (id === '' && (mountAccessor === '' || name === '')) {
      throw new Refusal(400, "'id' or 'mount_accessor' and 'name' must be provided")
    }
    if (id === '') this.#checkMount(mountAccessor)
    const known = id === '' ? await this.#entities.byAlias(mountAccessor, name) : await this.#entities.byAliasId(id)
    const found = known?.aliases.find((one) => (id === '' ? one.mountAccessor === mountAccessor : one.id === id))
    if (id !== '' && !found) throw new Refusal(400, 'invalid alias ID provided')
    if (found) await this.#vouching.trim(found.id)
    return this.#rows.view.transaction(async (tx) => {
      const before = await this.#current(tx, change)
      if (before) return this.#update(tx, before, change)
      if (id !== '') throw new Refusal(400, 'invalid alias ID provided')
      return this.#create(tx, change)
    })
  }

  /** An absent one is fine. */
  async delete(id: string): Promise<void> {
    if (!isId(id)) return
    await this.#vouching.trim(id)
    await this.#rows.view.transaction(async (tx) => {
      const before = await this.#current(tx, { id })
      if (!before) return
      const { alias, entity } = before
      this.#unlink(tx, before)
      this.#rows.putEntity(tx, {
        ...entity,
        aliases: entity.aliases.filter((one) => one.id !== alias.id),
        updatedAt: this.#rows.now,
      })
    })
  }

  /** The aliases of a mount that is gone; its accessor is never used again. */
  async sweep(accessor: string, signal: AbortSignal): Promise<void> {
    const view = this.#rows.view.at(`alias/${accessor}/`)
    for await (const names of this.#rows.names(view, '')) {
      for (const found of await this.#rows.many(view, names, pointerSchema)) {
        if (signal.aborted) return
        if (found?.alias !== undefined) await this.delete(found.alias)
      }
    }
  }

  async #current(tx: Tx, { id = '', mountAccessor = '', name = '' }: AliasChange): Promise<AliasOf | undefined> {
    const key = id === '' ? aliasKey(mountAccessor, name) : aliasIdKey(id)
    const found = await this.#rows.pointer(tx, key)
    const entity = found && (await this.#rows.entity(tx, found.id))
    const alias = entity?.aliases.find((one) => one.id === found?.alias)
    return entity && alias && { alias, entity }
  }

  async #create(tx: Tx, change: AliasChange): Promise<{ id: string; canonicalId: string }> {
    const { name = '', mountAccessor = '', canonicalId = '', customMetadata = {} } = change
    const given = canonicalId === '' ? undefined : await this.#rows.entity(tx, canonicalId)
    if (canonicalId !== '' && !given) throw new Refusal(400, 'invalid canonical ID')
    const entity = given ?? (await this.#entities.create(tx))
    if (has(entity, mountAccessor)) {
      throw new Refusal(400, 'Alias already exists for requested entity and mount accessor')
    }
    const alias = newAlias(this.#rows, name, mountAccessor, customMetadata)
    this.#link(tx, entity, alias)
    const updatedAt = given ? this.#rows.now : entity.updatedAt
    this.#rows.putEntity(tx, { ...entity, aliases: [...entity.aliases, alias], updatedAt })
    return { id: alias.id, canonicalId: entity.id }
  }

  async #update(
    tx: Tx,
    before: AliasOf,
    change: AliasChange,
  ): Promise<{ id: string; canonicalId: string } | undefined> {
    const { alias, entity } = before
    const name = change.name || alias.name
    const mountAccessor = change.mountAccessor || alias.mountAccessor
    const customMetadata = change.customMetadata ?? alias.customMetadata
    const moves = change.canonicalId !== undefined && change.canonicalId !== '' && change.canonicalId !== entity.id
    const renamed = name !== alias.name || mountAccessor !== alias.mountAccessor
    if (!moves && !renamed && sameMap(customMetadata, alias.customMetadata)) return undefined
    if (renamed) await this.#checkFree(tx, before, name, mountAccessor, moves)
    const target = moves ? await this.#rows.entity(tx, change.canonicalId ?? '') : entity
    if (!target) throw new Refusal(400, "given 'canonical_id' is not associated with an entity")
    if (moves && has(target, mountAccessor)) {
      throw new Refusal(400, 'Alias cannot be updated as the given entity already has an alias for this mount ')
    }
    // What a login vouched for was vouched for under the old name, for the old entity.
    const groups = moves || renamed ? [] : alias.groups
    const next: AliasRow = { ...alias, name, mountAccessor, customMetadata, groups, updatedAt: this.#rows.now }
    if (moves || renamed) {
      this.#unlink(tx, before)
      this.#link(tx, target, next)
    }
    const others = target.aliases.filter((one) => one.id !== alias.id)
    if (moves) {
      this.#rows.putEntity(tx, { ...entity, aliases: entity.aliases.filter((one) => one.id !== alias.id) })
      this.#rows.putEntity(tx, { ...target, aliases: [...others, next] })
    } else {
      this.#rows.putEntity(tx, { ...entity, aliases: entity.aliases.map((one) => (one.id === alias.id ? next : one)) })
    }
    return { id: alias.id, canonicalId: target.id }
  }

  async #checkFree(tx: Tx, before: AliasOf, name: string, accessor: string, moves: boolean): Promise<void> {
    const { alias, entity } = before
    if (!moves && accessor !== alias.mountAccessor && has(entity, accessor)) {
      throw new Refusal(
        400,
        "Alias cannot be updated as the entity already has an alias for the given 'mount_accessor' ",
      )
    }
    this.#checkMount(accessor)
    const taken = await this.#rows.pointer(tx, aliasKey(accessor, name))
    if (taken && taken.alias !== alias.id) {
      throw new Refusal(400, 'alias with combination of mount accessor and name already exists')
    }
  }

  #checkMount(accessor: string): void {
    if (!this.#rows.options.mountOf(accessor)) {
      throw new Refusal(400, `invalid mount accessor ${JSON.stringify(accessor)}`)
    }
  }

  #link(tx: Tx, entity: EntityRow, alias: AliasRow): void {
    tx.create(this.#rows.view, aliasKey(alias.mountAccessor, alias.name), { id: entity.id, alias: alias.id })
    tx.create(this.#rows.view, aliasIdKey(alias.id), { id: entity.id, alias: alias.id })
  }

  #unlink(tx: Tx, { alias, entity }: AliasOf): void {
    tx.remove(this.#rows.view, aliasKey(alias.mountAccessor, alias.name))
    tx.remove(this.#rows.view, aliasIdKey(alias.id))
    this.#vouching.drop(tx, entity.id, alias)
  }
}

const has = (entity: EntityRow, accessor: string) => entity.aliases.some((one) => one.mountAccessor === accessor)

export function newAlias(rows: IdentityRows, name: string, mountAccessor: string, customMetadata: StringMap): AliasRow {
  const now = rows.now
  const id = uuid(rows.options.random)
  return {
    id,
    name,
    mountAccessor,
    metadata: {},
    customMetadata,
    mergedFrom: [],
    groups: [],
    createdAt: now,
    updatedAt: now,
  }
}
