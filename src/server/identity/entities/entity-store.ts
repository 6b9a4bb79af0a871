/** Entities: made, changed, listed, and taken away with all that names them. */
import { uuid } from '../../../lib/random.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Tx } from '../../contracts/secret-storage.ts'
import { checkMetadata, checkName, cleanPolicies } from '../given-names.ts'
import { aliasIdKey, aliasKey, entityNameKey, type IdentityRows, isId } from '../identity-rows.ts'
import { type EntityRow, entityRowSchema, liveEntity, type StringMap } from './entity-row.ts'
import type { Erasure } from './erasure.ts'

export interface EntityChange {
  /** Empty or absent: found by name, or made. */
  readonly id?: string | undefined
  readonly name?: string | undefined
  readonly metadata?: StringMap | undefined
  readonly policies?: readonly string[] | undefined
  readonly disabled?: boolean | undefined
}

export class EntityStore {
  readonly #rows: IdentityRows
  readonly #erasure: Erasure

  constructor(rows: IdentityRows, erasure: Erasure) {
    this.#rows = rows
    this.#erasure = erasure
  }

  byId(id: string): Promise<EntityRow | undefined> {
    return this.#rows.entity(this.#rows.view, id)
  }

  async byName(name: string): Promise<EntityRow | undefined> {
    const found = await this.#rows.pointer(this.#rows.view, entityNameKey(name))
    return found && this.byId(found.id)
  }

  async byAliasId(aliasId: string): Promise<EntityRow | undefined> {
    const found = isId(aliasId) ? await this.#rows.pointer(this.#rows.view, aliasIdKey(aliasId)) : undefined
    return found && this.byId(found.id)
  }

  async byAlias(accessor: string, name: string): Promise<EntityRow | undefined> {
    if (!/^[\w-]{1,200}$/.test(accessor)) return undefined
    const found = await this.#rows.pointer(this.#rows.view, aliasKey(accessor, name))
    return found && this.byId(found.id)
  }

  /** By id, page by page; merged ones are left out. */
  async *all(after?: string): AsyncGenerator<EntityRow> {
    for await (const names of this.#rows.names(this.#rows.entities, '', after)) {
      for (const row of await this.#rows.many(this.#rows.entities, names, entityRowSchema)) {
        const entity = liveEntity(row)
        if (entity) yield entity
      }
    }
  }

  /** The entity when it was made, undefined when one was changed. */
  async upsert(change: EntityChange): Promise<EntityRow | undefined> {
    const { name = '', metadata, disabled } = change
    checkName('entity name', name)
    if (metadata) checkMetadata('entity', metadata)
    const policies = change.policies && cleanPolicies(change.policies, false)
    return this.#rows.view.transaction(async (tx) => {
      const before = await this.#subject(tx, change.id ?? '', name)
      const made = before ? undefined : await this.#made(tx, name)
      const base = before ?? made
      if (!base) throw new Error('neither found nor made')
      const row: EntityRow = {
        ...base,
        ...(name !== '' && { name }),
        ...(metadata && { metadata }),
        ...(policies && { policies }),
        ...(disabled !== undefined && { disabled }),
        updatedAt: made ? base.createdAt : this.#rows.now,
      }
      if (before && entityNameKey(before.name) !== entityNameKey(row.name)) {
        tx.remove(this.#rows.view, entityNameKey(before.name))
        tx.create(this.#rows.view, entityNameKey(row.name), { id: row.id })
      }
      this.#rows.putEntity(tx, row)
      return made && row
    })
  }

  /** A new entity with a free name, put by this; the caller may put it again with more. */
  async create(tx: Tx): Promise<EntityRow> {
    const row = await this.#made(tx, '')
    this.#rows.putEntity(tx, row)
    return row
  }

  delete(id: string): Promise<void> {
    return this.#erasure.entity(id)
  }

  async #subject(tx: Tx, id: string, name: string): Promise<EntityRow | undefined> {
    const byId = id === '' ? undefined : await this.#rows.entity(tx, id)
    if (id !== '' && !byId) throw new Refusal(400, 'entity not found from id')
    const owner = name === '' ? undefined : await this.#rows.pointer(tx, entityNameKey(name))
    if (!owner) return byId
    if (byId && owner.id !== byId.id) throw new Refusal(400, 'entity name is already in use')
    return byId ?? this.#rows.entity(tx, owner.id)
  }

  async #made(tx: Tx, wanted: string): Promise<EntityRow> {
    const { random, namespace } = this.#rows.options
    const name = wanted === '' ? `entity_${Buffer.from(random(4)).toString('hex')}.${namespace.id}` : wanted
    const id = uuid(random)
    const now = this.#rows.now
    tx.create(this.#rows.view, entityNameKey(name), { id })
    return {
      format: 1,
      id,
      name,
      policies: [],
      metadata: {},
      disabled: false,
      aliases: [],
      mergedIds: [],
      createdAt: now,
      updatedAt: now,
    }
  }
}
