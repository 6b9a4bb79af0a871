/** Service tokens: stored under HMACs only; a token, its accessor, its place among its parents and its end are one commit. */
import { createHmac } from 'node:crypto'
import { base62, type RandomBytes } from '../../lib/random.ts'
import type { LoginGrant } from '../contracts/auth.ts'
import { Refusal } from '../contracts/request.ts'
import type { Rows, SecretStorage, Tx } from '../contracts/secret-storage.ts'
import type { Due, DueIndex } from '../leases/due-index.ts'
import { type TokenRow, tokenRowJson, tokenRowSchema } from './token-row.ts'

export interface TokenStoreOptions {
  readonly rows: Rows
  readonly due: DueIndex
  readonly random: RandomBytes
}

export interface NewToken {
  /** A token chosen by the caller; else `hvs.` and 24 random characters. */
  readonly token?: string
  /** The id of the token that it dies with. */
  readonly parent?: string
  readonly policies: readonly string[]
  readonly path: string
  readonly meta: Readonly<Record<string, string>> | null
  readonly displayName: string
  readonly numUses: number
  /** 0: never expires. */
  readonly ttlMs: number
  readonly explicitMaxTtlMs: number
  readonly periodMs: number
  readonly renewable: boolean
  readonly entityId: string
  readonly boundCidrs: readonly string[]
  readonly noDefaultPolicy: boolean
  readonly mount: string
  readonly login?: LoginGrant
}

/** A tree deeper than this costs every request of its leaves too much. */
const maxDepth = 64
const saltSchema = field('key')
const accessorSchema = {
  parse: (value: unknown) => ({ id: field('id').parse(value), accessor: field('accessor').parse(value) }),
}
const usesSchema = {
  parse(value: unknown): number {
    if (typeof value === 'object' && value !== null && 'left' in value && typeof value.left === 'number')
      return value.left
    throw new Error('not a row of uses')
  },
}

export class TokenStore {
  readonly #options: TokenStoreOptions
  readonly #view: SecretStorage
  readonly ids: SecretStorage
  readonly accessors: SecretStorage
  readonly children: SecretStorage
  readonly uses: SecretStorage
  /** By the mount whose login made them. */
  readonly logins: SecretStorage
  #key: Buffer | undefined

  constructor(options: TokenStoreOptions) {
    this.#options = options
    this.#view = options.rows.view('ns/root/tokens/')
    this.ids = this.#view.at('id/')
    this.accessors = this.#view.at('accessor/')
    this.children = this.#view.at('child/')
    this.uses = this.#view.at('uses/')
    this.logins = this.#view.at('login/')
  }

  get ready(): boolean {
    return this.#key !== undefined
  }

  /** Reads (at first: makes) the key of the HMACs. To be awaited before `idOf`. */
  async open(): Promise<void> {
    const random = this.#options.random
    const text = await this.#view.transaction(async (tx) => {
      const found = await tx.get(this.#view, 'salt', saltSchema)
      if (found !== undefined) return found
      const made = Buffer.from(random(32)).toString('base64')
      tx.create(this.#view, 'salt', { key: made })
      return made
    })
    this.#key = Buffer.from(text, 'base64')
  }

  /** Forgets the key; called when the server seals. */
  close(): void {
    this.#key?.fill(0)
    this.#key = undefined
  }

  idOf(token: string): string {
    if (!this.#key) throw new Error('the token store is not open')
    return createHmac('sha256', this.#key).update(token).digest('hex')
  }

  /** The storage key of a token's row. */
  rowKey(id: string): string {
    return `${this.ids.prefix}${id}`
  }

  async create(wanted: NewToken): Promise<{ id: string; token: string; row: TokenRow }> {
    const { random, rows } = this.#options
    const token = wanted.token ?? `hvs.${base62(random, 24)}`
    const id = this.idOf(token)
    const accessor = base62(random, 24)
    const now = await rows.now()
    const row = await this.#view.transaction(async (tx) => {
      if (wanted.token !== undefined && (await tx.get(this.ids, id, tokenRowSchema))) {
        throw new Refusal(400, 'cannot create a token with a duplicate ID')
      }
      const made = rowOf(wanted, accessor, now, await this.#ancestors(tx, wanted.parent))
      tx.create(this.ids, id, tokenRowJson(made))
      tx.create(this.accessors, this.#accessorKey(accessor), { id, accessor })
      if (made.ancestors[0] !== undefined) tx.create(this.children, `${made.ancestors[0]}/${id}`, {})
      if (made.numUses > 0) tx.create(this.uses, id, { left: made.numUses })
      if (made.login) tx.create(this.logins, `${made.mount}/${id}`, {})
      if (made.expiresAt > 0) this.#options.due.add(tx, dueOf(id, made))
      return made
    })
    return { id, token, row }
  }

  /** The parent's row is among the checks, so nobody is born below a token that is being revoked. */
  async #ancestors(tx: Tx, parent: string | undefined): Promise<readonly string[]> {
    if (parent === undefined) return []
    const row = await tx.get(this.ids, parent, tokenRowSchema)
    if (!row || row.closing) throw new Refusal(403, 'permission denied')
    if (row.ancestors.length >= maxDepth) throw new Refusal(400, `tokens can be at most ${maxDepth} generations deep`)
    return [parent, ...row.ancestors]
  }

  /** The row of a token that is alive: not expired, not being closed, with all its ancestors. */
  async find(id: string): Promise<TokenRow | undefined> {
    const row = await this.ids.get(id, tokenRowSchema)
    if (!row || row.closing || (row.expiresAt > 0 && row.expiresAt <= (await this.#options.rows.now())))
      return undefined
    if (row.ancestors.length === 0) return row
    const found = await this.#options.rows.read(row.ancestors.map((ancestor) => ({ key: this.rowKey(ancestor) })))
    return found.every((ancestor) => ancestor !== undefined) ? row : undefined
  }

  async findByAccessor(accessor: string): Promise<{ id: string; row: TokenRow } | undefined> {
    if (accessor === '') return undefined
    const entry = await this.accessors.get(this.#accessorKey(accessor), accessorSchema)
    const row = entry && (await this.find(entry.id))
    return row && { id: entry.id, row }
  }

  /** `last` is where the next page begins; undefined at the end. */
  async listAccessors(after: string | undefined, limit: number): Promise<{ accessors: string[]; last?: string }> {
    const names = await this.accessors.list('', { depth: 'all', after, limit })
    const rows = await Promise.all(names.map((name) => this.accessors.get(name, accessorSchema)))
    const accessors = rows.flatMap((row) => (row ? [row.accessor] : []))
    return names.length < limit ? { accessors } : { accessors, last: names.at(-1) }
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
    return this.ids.transaction(async (tx) => {
      const row = await tx.get(this.ids, id, tokenRowSchema)
      if (!row || row.closing) throw new Refusal(400, 'token not found')
      const next: TokenRow = { ...row, expiresAt: now + ttlMs, renewedAt: now, ...(login ? { login } : {}) }
      tx.put(this.ids, id, tokenRowJson(next))
      if (row.expiresAt > 0) this.#options.due.remove(tx, dueOf(id, row))
      this.#options.due.add(tx, dueOf(id, next))
      return next
    })
  }

  /** Refuses (403) inside a transaction that depends on this token. */
  async check(tx: Tx, id: string): Promise<void> {
    const row = await tx.get(this.ids, id, tokenRowSchema)
    if (!row || row.closing) throw new Refusal(403, 'permission denied')
  }

  /** Takes the token and what points at it out of storage, in the caller's commit; its children stay. */
  erase(tx: Tx, id: string, row: TokenRow): void {
    tx.remove(this.ids, id)
    tx.remove(this.accessors, this.#accessorKey(row.accessor))
    if (row.ancestors[0] !== undefined) tx.remove(this.children, `${row.ancestors[0]}/${id}`)
    if (row.numUses > 0) tx.remove(this.uses, id)
    if (row.login) tx.remove(this.logins, `${row.mount}/${id}`)
    if (row.expiresAt > 0) this.#options.due.remove(tx, dueOf(id, row))
  }

  #accessorKey(accessor: string): string {
    return this.idOf(`accessor:${accessor}`)
  }
}

function rowOf(wanted: NewToken, accessor: string, now: number, ancestors: readonly string[]): TokenRow {
  return {
    format: 1,
    accessor,
    ancestors,
    policies: wanted.policies,
    path: wanted.path,
    meta: wanted.meta,
    displayName: wanted.displayName,
    numUses: wanted.numUses,
    createdAt: now,
    creationTtlMs: wanted.ttlMs,
    expiresAt: wanted.ttlMs > 0 ? now + wanted.ttlMs : 0,
    explicitMaxTtlMs: wanted.explicitMaxTtlMs,
    periodMs: wanted.periodMs,
    renewable: wanted.renewable && wanted.ttlMs > 0,
    renewedAt: 0,
    entityId: wanted.entityId,
    type: 'service',
    boundCidrs: wanted.boundCidrs,
    noDefaultPolicy: wanted.noDefaultPolicy,
    mount: wanted.mount,
    ...(wanted.login ? { login: wanted.login } : {}),
  }
}

const dueOf = (id: string, row: TokenRow): Due => ({ at: row.expiresAt, kind: 'token', id })

function field(name: string) {
  return {
    parse(value: unknown): string {
      const text: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
      if (typeof text !== 'string') throw new Error(`no ${name}`)
      return text
    },
  }
}
