/** Who someone is across auth methods, in one namespace. */
import type { LRUCache } from 'lru-cache'
import { boundedCache } from '../../lib/bounded-cache.ts'
import { parseJson } from '../../lib/json/parse.ts'
import type { Logger } from '../../lib/log.ts'
import type { EntitySource, LoginAlias, Standing } from '../contracts/access/standing.ts'
import type { ReadKey, Stored } from '../contracts/storage.ts'
import { AliasStore } from './entities/alias-store.ts'
import { type EntityRow, entityRowSchema } from './entities/entity-row.ts'
import { EntityStore } from './entities/entity-store.ts'
import { Erasure } from './entities/erasure.ts'
import { type MergeRequest, mergeEntities } from './entities/merge.ts'
import { GroupAliases } from './groups/group-aliases.ts'
import { type Group, GroupIndex, type Memberships } from './groups/group-index.ts'
import { membersOf } from './groups/group-members.ts'
import { GroupStore } from './groups/group-store.ts'
import { Vouching } from './groups/vouching.ts'
import { type IdentityOptions, IdentityRows, type MountOfAccessor } from './identity-rows.ts'
import { Login } from './login.ts'
import { OidcStore } from './oidc/oidc-store.ts'
import { nobody, standingOf, vouchedGroups } from './standing.ts'

export interface IdentityStoreOptions extends IdentityOptions {
  readonly log: Logger
  /** Where clients reach this server ("https://vault:8200"), for the issuer of identity tokens. */
  readonly apiAddress?: () => string
  /** Entities whose standing is kept compiled. */
  readonly cached?: number
}

interface Cached {
  readonly version: string
  readonly groups: string
  readonly standing: Promise<Standing>
}

/** Merges of merges; more than anyone does. */
const maxHops = 64

export class IdentityStore implements EntitySource {
  readonly entities: EntityStore
  readonly aliases: AliasStore
  readonly groups: GroupStore
  readonly groupAliases: GroupAliases
  readonly oidc: OidcStore
  readonly #options: IdentityStoreOptions
  readonly #rows: IdentityRows
  readonly #index: GroupIndex
  readonly #vouching: Vouching
  readonly #erasure: Erasure
  readonly #login: Login
  readonly #standings: LRUCache<string, Cached>

  constructor(options: IdentityStoreOptions) {
    this.#options = options
    this.oidc = new OidcStore({ apiAddress: () => '', ...options })
    this.#rows = new IdentityRows(options)
    this.#index = new GroupIndex(this.#rows)
    this.#vouching = new Vouching(this.#rows)
    this.#erasure = new Erasure(this.#rows, this.#index)
    this.entities = new EntityStore(this.#rows, this.#erasure)
    this.aliases = new AliasStore(this.#rows, this.entities, this.#vouching)
    this.groups = new GroupStore(this.#rows, this.#index)
    this.groupAliases = new GroupAliases(this.#rows, this.#index, this.groups)
    this.#login = new Login(this.#rows, this.#index, this.entities, this.#vouching)
    this.#standings = boundedCache(options.cached ?? 10_000)
  }

  get namespaceId(): string {
    return this.#options.namespace.id
  }

  entityKey(entityId: string): string {
    return `${this.#rows.entities.prefix}${entityId}`
  }

  mountOf(accessor: string): MountOfAccessor | undefined {
    return this.#options.mountOf(accessor)
  }

  standing(entityId: string, row: Stored, groupsVersion: string): Promise<Standing> {
    const known = this.#standings.get(entityId)
    if (known && known.version === row.version && known.groups === groupsVersion) return known.standing
    const standing = this.#standing(row, groupsVersion)
    this.#standings.set(entityId, { version: row.version, groups: groupsVersion, standing })
    standing.then(
      // What rests on another entity's row changes without this one's version.
      (made) => made.depends.length > 0 && this.#forgetStanding(entityId, standing),
      () => this.#forgetStanding(entityId, standing),
    )
    return standing
  }

  /** The entity of a token, which may have been merged since it was made. */
  async entityOf(entityId: string): Promise<EntityRow | undefined> {
    let id = entityId
    for (let hops = 0; hops < maxHops; hops += 1) {
      if (id === '') return undefined
      const row = await this.#rows.entities.get(id, entityRowSchema)
      if (!row || !('mergedInto' in row)) return row
      id = row.mergedInto
    }
    throw new Error('merged entities lead in a circle')
  }

  login(alias: LoginAlias): Promise<string> {
    return this.#login.run(alias)
  }

  merge(request: MergeRequest): Promise<void> {
    return mergeEntities(this.#rows, this.#index, this.#vouching, request)
  }

  /** Groups of an entity as of now. */
  async membershipsOf(entity: EntityRow): Promise<Memberships> {
    const index = await this.#index.current()
    return index.memberships(entity.id, vouchedGroups(entity, index))
  }

  async group(id: string | undefined): Promise<Group | undefined> {
    if (id === undefined) return undefined
    return (await this.#index.current()).get(id)
  }

  async groupByAlias(accessor: string, name: string): Promise<string | undefined> {
    return (await this.#index.current()).external(accessor, name)
  }

  /** All groups, by id. */
  async allGroups(): Promise<Group[]> {
    const index = await this.#index.current()
    return index.ids().flatMap((id) => index.get(id) ?? [])
  }

  /** Member entities, of external groups those whose last login says so. */
  async membersOf(group: Group): Promise<string[]> {
    const { alias, type } = group.row
    if (type === 'internal') return membersOf(group)
    return alias ? this.#vouching.members(alias.mountAccessor, alias.name) : []
  }

  /** Of a group: those above it, and those in it. */
  async kinOf(id: string): Promise<{ parents: readonly string[]; children: readonly string[] }> {
    const index = await this.#index.current()
    return { parents: index.parentsOf(id), children: index.childrenOf(id) }
  }

  /** After an auth mount is gone: its accessor is never used again, and neither are its aliases. */
  async sweepMount(accessor: string, signal: AbortSignal): Promise<void> {
    await this.aliases.sweep(accessor, signal)
    await this.groupAliases.sweep(accessor, signal)
  }

  /** Housekeeping: finishes deletions that a node that died had begun, and rotates the keys of identity tokens. */
  async tick(signal: AbortSignal): Promise<void> {
    await this.#erasure.resume(signal)
    await this.oidc.tick(signal)
  }

  /** Called when the server seals. */
  forget(): void {
    this.#standings.clear()
    this.#index.forget()
  }

  #forgetStanding(entityId: string, standing: Promise<Standing>): void {
    if (this.#standings.peek(entityId)?.standing === standing) this.#standings.delete(entityId)
  }

  async #standing(row: Stored, groupsVersion: string): Promise<Standing> {
    const index = await this.#index.at(groupsVersion)
    const depends: Required<ReadKey>[] = []
    let found = entityRowSchema.parse(parseJson(row.value))
    while ('mergedInto' in found) {
      if (depends.length >= maxHops) throw new Error('merged entities lead in a circle')
      const key = this.entityKey(found.mergedInto)
      const [next] = await this.#rows.rows.read([{ key }])
      if (next === undefined || next === 'same') return nobody(depends)
      depends.push({ key, known: next.version })
      found = entityRowSchema.parse(parseJson(next.value))
    }
    return standingOf(found, index, depends)
  }
}
