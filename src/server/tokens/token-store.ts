/** Tokens: stored under HMACs only; a token, its accessor, its place among its parents and its end are one commit. */
import { createHmac } from 'node:crypto'
import { base62, type RandomBytes } from '../../lib/random.ts'
import type { LoginGrant } from '../contracts/access/auth.ts'
import type { EntitySource } from '../contracts/access/standing.ts'
import type { Due } from '../contracts/due-rows.ts'
import { epochKey } from '../contracts/epochs.ts'
import { Refusal } from '../contracts/request.ts'
import type { Rows, SecretStorage, Tx } from '../contracts/secret-storage.ts'
import type { DueIndex } from '../leases/due-index.ts'
import { BatchTokens, isBatchToken } from './batch/batch-tokens.ts'
import { namespaceOfAccessor, namespaceSuffix } from './namespace-suffix.ts'
import { type NewToken, newTokenRow } from './new-token.ts'
import { TokenRoles } from './roles/token-roles.ts'
import { accessorSchema, saltSchema, usesSchema } from './side-rows.ts'
import { type TokenRow, tokenRowJson, tokenRowSchema } from './token-row.ts'

export interface TokenStoreOptions {
  readonly rows: Rows
  readonly due: DueIndex
  readonly random: RandomBytes
}

export interface FoundToken {
  readonly id: string
  readonly row: TokenRow
}

/** A tree deeper than this costs every request of its leaves too much. */
const maxDepth = 64

/** One for all namespaces: ids are HMACs, which nobody can guess. Accessors are kept per namespace, as they are listed. */
export class TokenStore {
  readonly #options: TokenStoreOptions
  readonly #view: SecretStorage
  readonly #batch: BatchTokens
  readonly ids: SecretStorage
  readonly children: SecretStorage
  readonly uses: SecretStorage
  /** By the mount whose login made them. */
  readonly logins: SecretStorage
  #key: Buffer | undefined

  constructor(options: TokenStoreOptions) {
    this.#options = options
    this.#view = options.rows.view('ns/root/tokens/')
    this.#batch = new BatchTokens(this.#view, options.random)
    this.ids = this.#view.at('id/')
    this.children = this.#view.at('child/')
    this.uses = this.#view.at('uses/')
    this.logins = this.#view.at('login/')
  }

  get ready(): boolean {
    return this.#key !== undefined
  }

  /** Reads (at first: makes) the key of the HMACs and that of batch tokens. To be awaited before `idOf`. */
  async open(): Promise<void> {
    const random = this.#options.random
    const text = await this.#view.transaction(async (tx) => {
      const found = await tx.get(this.#view, 'salt', saltSchema)
      if (found !== undefined) return found
      const made = Buffer.from(random(32)).toString('base64')
      tx.create(this.#view, 'salt', { key: made })
      return made
    })
    await this.#batch.open()
    this.#key = Buffer.from(text, 'base64')
  }

  /** Forgets the keys; called when the server seals. */
  close(): void {
    this.#key?.fill(0)
    this.#key = undefined
    this.#batch.close()
  }

  idOf(token: string): string {
    if (!this.#key) throw new Error('the token store is not open')
    return createHmac('sha256', this.#key).update(token).digest('hex')
  }

  /** The storage key of a token's row. */
  rowKey(id: string): string {
    return `${this.ids.prefix}${id}`
  }

  accessors(namespaceId: string): SecretStorage {
    return this.#options.rows.view(`ns/${namespaceId}/tokens/accessor/`)
  }

  roles(namespaceId: string): TokenRoles {
    return new TokenRoles(this.#options.rows, namespaceId)
  }

  isBatch(token: string): boolean {
    return isBatchToken(token)
  }

  /** What a batch token says; undefined when it was not made here. Whether it is still alive is for the caller to find out. */
  openBatch(token: string): TokenRow | undefined {
    return this.#batch.unseal(token)
  }

  async create(wanted: NewToken): Promise<FoundToken & { readonly token: string }> {
    if (wanted.type === 'batch') return this.#createBatch(wanted)
    const { random, rows, due } = this.#options
    const suffix = namespaceSuffix(wanted.namespace)
    const token = wanted.token ?? `hvs.${base62(random, 24)}${suffix}`
    const id = this.idOf(token)
    const accessor = base62(random, 24) + suffix
    const now = await rows.now()
    const row = await this.#view.transaction(async (tx) => {
      if (wanted.token !== undefined && (await tx.get(this.ids, id, tokenRowSchema))) {
        throw new Refusal(400, 'cannot create a token with a duplicate ID')
      }
      const made = newTokenRow(wanted, accessor, now, await this.#ancestors(tx, wanted.parent))
      tx.create(this.ids, id, tokenRowJson(made))
      tx.create(this.accessors(made.namespace), this.accessorKey(accessor), { id, accessor })
      if (made.ancestors[0] !== undefined) tx.create(this.children, `${made.ancestors[0]}/${id}`, {})
      if (made.numUses > 0) tx.create(this.uses, id, { left: made.numUses })
      if (made.login) tx.create(this.logins, `${made.mount}/${id}`, {})
      if (made.expiresAt > 0) due.add(tx, dueOf(id, made))
      return made
    })
    return { id, token, row }
  }

  async #createBatch(wanted: NewToken): Promise<FoundToken & { readonly token: string }> {
    const now = await this.#options.rows.now()
    const row = await this.#view.transaction(async (tx) =>
      newTokenRow(wanted, '', now, await this.#ancestors(tx, wanted.parent)),
    )
    const token = this.#batch.seal(row)
    return { id: this.idOf(token), token, row }
  }

  /** The parent's row is among the checks, so nobody is born below a token that is being revoked. */
  async #ancestors(tx: Tx, parent: string | undefined): Promise<readonly string[]> {
    if (parent === undefined) return []
    const row = await tx.get(this.ids, parent, tokenRowSchema)
    if (!row || row.closing) throw new Refusal(403, 'permission denied')
    if (row.ancestors.length >= maxDepth) throw new Refusal(400, `tokens can be at most ${maxDepth} generations deep`)
    return [parent, ...row.ancestors]
  }

  /** A token of either kind that is alive. */
  async lookup(token: string): Promise<FoundToken | undefined> {
    if (token === '') return undefined
    const id = this.idOf(token)
    const row = isBatchToken(token) ? await this.#alive(this.openBatch(token)) : await this.find(id)
    return row && { id, row }
  }

  /** The row of a service token that is alive: not expired, not being closed, with all its ancestors. */
  async find(id: string): Promise<TokenRow | undefined> {
    return this.#alive(await this.ids.get(id, tokenRowSchema))
  }

  async #alive(row: TokenRow | undefined): Promise<TokenRow | undefined> {
    const { rows } = this.#options
    if (!row || row.closing || (row.expiresAt > 0 && row.expiresAt <= (await rows.now()))) return undefined
    if (row.ancestors.length === 0) return row
    const found = await rows.read(row.ancestors.map((ancestor) => ({ key: this.rowKey(ancestor) })))
    return found.every((ancestor) => ancestor !== undefined) ? row : undefined
  }

  async findByAccessor(accessor: string): Promise<FoundToken | undefined> {
    const namespace = namespaceOfAccessor(accessor)
    if (namespace === undefined) return undefined
    const entry = await this.accessors(namespace).get(this.accessorKey(accessor), accessorSchema)
    const row = entry && (await this.find(entry.id))
    return row && { id: entry.id, row }
  }

  /** In the order of their HMACs; `after` is an accessor of the page before. `last`: where the next page begins; undefined at the end. */
  async listAccessors(
    namespaceId: string,
    after: string | undefined,
    limit: number,
  ): Promise<{ accessors: string[]; last?: string }> {
    const view = this.accessors(namespaceId)
    const from = after === undefined ? undefined : this.accessorKey(after)
    const names = await view.list('', { depth: 'all', after: from, limit })
    const rows = await Promise.all(names.map((name) => view.get(name, accessorSchema)))
    const accessors = rows.flatMap((row) => (row ? [row.accessor] : []))
    return names.length < limit ? { accessors } : { accessors, last: accessors.at(-1) }
  }

  /** What its entity adds to a token now; `identity` is that of its namespace. */
  async identityPolicies(row: TokenRow, identity: EntitySource): Promise<readonly string[]> {
    if (row.entityId === '') return []
    const keys = [identity.entityKey(row.entityId), epochKey(row.namespace, 'groups')]
    const [entity, groups] = await this.#options.rows.read(keys.map((key) => ({ key })))
    if (entity === undefined || entity === 'same') return []
    const version = groups === undefined || groups === 'same' ? '' : groups.version
    const standing = await identity.standing(row.entityId, entity, version)
    return standing.disabled ? [] : standing.policies
  }

  /** Uses left; undefined when they are not counted. */
  usesLeft(id: string): Promise<number | undefined> {
    return this.uses.get(id, usesSchema)
  }

  /** Takes one use; returns how many are left, undefined when there was none. */
  takeUse(id: string): Promise<number | undefined> {
    return this.uses.transaction(async (tx) => {
      const left = await tx.get(this.uses, id, usesSchema)
      if (left === undefined || left <= 0) return undefined
      tx.put(this.uses, id, { left: left - 1 })
      return left - 1
    })
  }

  /** Sets a new end and, for login tokens, today's grant. */
  renew(id: string, ttlMs: number, now: number, login?: LoginGrant): Promise<TokenRow> {
    const { due } = this.#options
    return this.ids.transaction(async (tx) => {
      const row = await tx.get(this.ids, id, tokenRowSchema)
      if (!row || row.closing || (row.expiresAt > 0 && row.expiresAt <= now)) throw new Refusal(400, 'token not found')
      const next: TokenRow = { ...row, expiresAt: now + ttlMs, renewedAt: now, ...(login ? { login } : {}) }
      tx.put(this.ids, id, tokenRowJson(next))
      if (row.expiresAt > 0) due.remove(tx, dueOf(id, row))
      due.add(tx, dueOf(id, next))
      return next
    })
  }

  /** Refuses (403) inside a transaction that depends on this token. */
  async check(tx: Tx, id: string): Promise<void> {
    const row = await tx.get(this.ids, id, tokenRowSchema)
    if (!row || row.closing) throw new Refusal(403, 'permission denied')
  }

  /** As `check`, for tokens of both kinds: a batch token has no row of its own and lives as long as its ancestors'. */
  async checkAlive(tx: Tx, { id, row }: FoundToken): Promise<void> {
    if (row.type === 'service') return this.check(tx, id)
    for (const ancestor of row.ancestors) await this.check(tx, ancestor)
  }

  /** The id of the token whose revocation ends a token's leases; '' when only their time does. */
  leaseHolder({ id, row }: FoundToken): string {
    return row.type === 'service' ? id : (row.ancestors[0] ?? '')
  }

  /** Takes the token and what points at it out of storage, in the caller's commit; its children stay. */
  erase(tx: Tx, id: string, row: TokenRow): void {
    tx.remove(this.ids, id)
    tx.remove(this.accessors(row.namespace), this.accessorKey(row.accessor))
    if (row.ancestors[0] !== undefined) tx.remove(this.children, `${row.ancestors[0]}/${id}`)
    if (row.numUses > 0) tx.remove(this.uses, id)
    if (row.login) tx.remove(this.logins, `${row.mount}/${id}`)
    if (row.expiresAt > 0) this.#options.due.remove(tx, dueOf(id, row))
  }

  accessorKey(accessor: string): string {
    return this.idOf(`accessor:${accessor}`)
  }
}

const dueOf = (id: string, row: TokenRow): Due => ({ at: row.expiresAt, kind: 'token', id })
