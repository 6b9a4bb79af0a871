/**
 * Where the rows of a namespace's identity lie, below `ns/<id>/identity/`:
 *
 *     entity/<id>                          the entity with its aliases, or where it was merged into
 *     entity-name/<h(name)>                -> entity           names count without case, as Vault's do; h is a hash, so that any
 *     alias/<accessor>/<h(name)>           -> entity, alias    name makes a key of bounded length
 *     alias-id/<id>                        -> entity, alias
 *     vouched/<accessor>/<h(name)>/<id>    the entity's last login by that mount vouched for that external group
 *     group/<id>, members/<id>/<n>         see group-row.ts
 *     group-name/<h(name)>, group-alias/<accessor>/<h(name)>, group-alias-id/<id>   -> group
 *     guard                                changes whenever an entity goes: who adds members checks it
 *     erase/<entity>                       what a deletion too large for one commit has still to remove
 *     oidc/                                identity tokens, see oidc/oidc-store.ts
 *     mfa/                                 second factors, see mfa/mfa-rows.ts
 *
 * The epoch row `groups` changes in each commit that changes a group, and is checked by all that rest on the groups as they are.
 */
import { createHash } from 'node:crypto'
import * as z from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { parseJson } from '../../lib/json/parse.ts'
import { base62, type RandomBytes } from '../../lib/random.ts'
import { epochKey, type NamespaceInfo } from '../contracts/epochs.ts'
import type { Rows, Schema, SecretStorage, Tx } from '../contracts/secret-storage.ts'
import { type EntityRow, entityRowSchema, liveEntity } from './entities/entity-row.ts'

export interface MountOfAccessor {
  readonly path: string
  readonly type: string
  readonly accessor: string
}

export interface IdentityOptions {
  readonly rows: Rows
  readonly namespace: NamespaceInfo
  readonly clock: Clock
  readonly random: RandomBytes
  /** The mount of this namespace that has the accessor. */
  readonly mountOf: (accessor: string) => MountOfAccessor | undefined
}

export const pointerSchema: Schema<Pointer> = z.looseObject({ id: z.string(), alias: z.string().optional() })
/** What an index row says. */
export interface Pointer {
  readonly id: string
  readonly alias?: string | undefined
}

const stampSchema: Schema<{ at: string }> = z.looseObject({ at: z.string() })
const readAtOnce = 250

/** Names count without case. */
export const hashOf = (name: string): string => createHash('sha256').update(name.toLowerCase()).digest('hex')

export class IdentityRows {
  readonly options: IdentityOptions
  readonly rows: Rows
  readonly view: SecretStorage
  readonly entities: SecretStorage
  readonly groups: SecretStorage
  readonly members: SecretStorage
  readonly erasing: SecretStorage
  readonly #epochs: SecretStorage
  readonly groupsEpoch: string

  constructor(options: IdentityOptions) {
    const { rows, namespace } = options
    this.options = options
    this.rows = rows
    this.view = rows.view(`ns/${namespace.id}/identity/`)
    this.entities = this.view.at('entity/')
    this.groups = this.view.at('group/')
    this.members = this.view.at('members/')
    this.erasing = this.view.at('erase/')
    this.groupsEpoch = epochKey(namespace.id, 'groups')
    this.#epochs = rows.view(this.groupsEpoch.slice(0, -'groups'.length))
  }

  get now(): number {
    return this.options.clock.now()
  }

  async entity(source: SecretStorage | Tx, id: string): Promise<EntityRow | undefined> {
    if (!isId(id)) return undefined
    const row =
      'list' in source ? this.entities.get(id, entityRowSchema) : source.get(this.entities, id, entityRowSchema)
    return liveEntity(await row)
  }

  pointer(source: SecretStorage | Tx, key: string): Promise<Pointer | undefined> {
    return 'list' in source ? source.get(key, pointerSchema) : source.get(this.view, key, pointerSchema)
  }

  putEntity(tx: Tx, row: EntityRow): void {
    tx.put(this.entities, row.id, { ...row })
  }

  /** The content of the epoch row, for comparison; read through a transaction it is among the checks. */
  async groupsStamp(source: Tx | undefined): Promise<string | undefined> {
    const row = source ? source.get(this.#epochs, 'groups', stampSchema) : this.#epochs.get('groups', stampSchema)
    return (await row)?.at
  }

  bumpGroups(tx: Tx): void {
    tx.put(this.#epochs, 'groups', { at: base62(this.options.random, 16) })
  }

  async guard(source: Tx | undefined): Promise<string | undefined> {
    const row = source ? source.get(this.view, 'guard', stampSchema) : this.view.get('guard', stampSchema)
    return (await row)?.at
  }

  /** Read first: the put of a row that was absent creates it, so that two who see none don't both pass. */
  async bumpGuard(tx: Tx): Promise<void> {
    await this.guard(tx)
    tx.put(this.view, 'guard', { at: base62(this.options.random, 16) })
  }

  /** Rows of one view in batches of one query each; absent ones are undefined. */
  async many<T>(view: SecretStorage, keys: readonly string[], schema: Schema<T>): Promise<(T | undefined)[]> {
    const out: (T | undefined)[] = []
    for (let i = 0; i < keys.length; i += readAtOnce) {
      const batch = keys.slice(i, i + readAtOnce).map((key) => ({ key: view.prefix + key }))
      for (const row of await this.rows.read(batch)) {
        out.push(row === undefined || row === 'same' ? undefined : schema.parse(parseJson(row.value)))
      }
    }
    return out
  }

  /** All names below a prefix, page by page. */
  async *names(view: SecretStorage, prefix: string, after?: string): AsyncGenerator<readonly string[]> {
    let last = after
    for (;;) {
      const page = await view.list(prefix, {
        depth: 'all',
        limit: readAtOnce,
        ...(last !== undefined && last !== '' && { after: last }),
      })
      if (page.length > 0) yield page
      if (page.length < readAtOnce) return
      last = page.at(-1)
    }
  }
}

/** Ids come from clients: only what could be one becomes part of a storage key. */
export const isId = (id: string): boolean => /^[\w-]{1,64}$/.test(id)

export const entityNameKey = (name: string) => `entity-name/${hashOf(name)}`
export const aliasKey = (accessor: string, name: string) => `alias/${accessor}/${hashOf(name)}`
export const aliasIdKey = (id: string) => `alias-id/${id}`
export const vouchedPrefix = (accessor: string, name: string) => `vouched/${accessor}/${hashOf(name)}/`
export const vouchedKey = (accessor: string, name: string, entityId: string) =>
  `${vouchedPrefix(accessor, name)}${entityId}`
export const groupNameKey = (name: string) => `group-name/${hashOf(name)}`
export const groupAliasKey = (accessor: string, name: string) => `group-alias/${accessor}/${hashOf(name)}`
export const groupAliasIdKey = (id: string) => `group-alias-id/${id}`
/** `name`: "<entity>/<method>". */
export const mfaSecretKey = (name: string) => `mfa/secret/${name}`
/** The same by method, for its deletion. */
export const mfaHolderKey = (name: string) => `mfa/holder/${name.split('/').reverse().join('/')}`
