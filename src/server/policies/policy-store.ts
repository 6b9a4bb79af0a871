/** The policies of one namespace: rows, what is built in, and the ACLs compiled from them. */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../lib/clock.ts'
import { compareUtf8 } from '../../lib/json/stringify.ts'
import { type Epoch, epochKey } from '../contracts/epochs.ts'
import { Refusal } from '../contracts/request.ts'
import type { Rows, SecretStorage } from '../contracts/secret-storage.ts'
import { type Acl, compileAcl } from './acl.ts'
import { defaultPolicy, responseWrappingPolicy } from './builtin-policies.ts'
import { parsePolicy } from './parse-policy.ts'
import type { Policy } from './policy.ts'

export interface PolicyDocument {
  readonly name: string
  readonly text: string
  /** Counts the writes; 0 for what is built in and was never written. */
  readonly version: number
  /** Milliseconds since the epoch; 0 likewise. */
  readonly modifiedAt: number
}

interface PolicyRow {
  readonly format: 1
  readonly text: string
  readonly version: number
  readonly modifiedAt: number
}

const rowSchema = {
  parse(value: unknown): PolicyRow {
    const row = value as Partial<PolicyRow> | null
    if (row?.format !== 1 || typeof row.text !== 'string') throw new Error('not a policy row')
    return { format: 1, text: row.text, version: row.version ?? 1, modifiedAt: row.modifiedAt ?? 0 }
  },
}

/** Never written; `response-wrapping` is hidden from lists besides. */
const immutable: ReadonlyMap<string, string> = new Map([
  ['root', ''],
  ['response-wrapping', responseWrappingPolicy],
])
const pageSize = 1000

export class PolicyStore {
  readonly #rows: Rows
  readonly #clock: Clock
  readonly #view: SecretStorage
  readonly #epochs: SecretStorage
  readonly #epoch: Epoch = 'policies'
  readonly #acls: LRUCache<string, Promise<Acl>>
  /** Parsed policies by name with the version of the row they came from. */
  readonly #parsed: LRUCache<string, { version: string; policy: Policy }>

  constructor(options: { rows: Rows; namespaceId: string; clock: Clock; cachedAcls?: number }) {
    this.#rows = options.rows
    this.#clock = options.clock
    this.#view = options.rows.view(`ns/${options.namespaceId}/policy/`)
    const key = epochKey(options.namespaceId, this.#epoch)
    this.#epochs = options.rows.view(key.slice(0, -this.#epoch.length))
    this.#acls = new LRUCache({ max: options.cachedAcls ?? 1000 })
    this.#parsed = new LRUCache({ max: 2000 })
  }

  /** Names are lower-cased here and below. Undefined: no such policy. */
  async get(name: string): Promise<PolicyDocument | undefined> {
    const id = name.toLowerCase()
    const fixed = immutable.get(id)
    if (fixed !== undefined) return { name: id, text: fixed, version: 0, modifiedAt: 0 }
    const row = await this.#view.get(id, rowSchema)
    if (row) return { name: id, text: row.text, version: row.version, modifiedAt: row.modifiedAt }
    return id === 'default' ? { name: id, text: defaultPolicy, version: 0, modifiedAt: 0 } : undefined
  }

  /** `text` is HCL, JSON, or base64 of either. Refusal 400 when it is not, or the name is immutable. Answers the name as stored. */
  async put(name: string, text: string): Promise<string> {
    const id = name.toLowerCase()
    if (id === '') throw new Refusal(400, 'policy name must be provided')
    if (immutable.has(id)) throw new Refusal(400, `cannot update ${JSON.stringify(id)} policy`)
    if (text === '') throw new Refusal(400, "'policy' parameter not supplied or empty")
    const plain = decode(text)
    parsePolicy(id, plain)
    const modifiedAt = this.#clock.now()
    await this.#view.transaction(async (tx) => {
      const before = await tx.get(this.#view, id, rowSchema)
      const row: PolicyRow = { format: 1, text: plain, version: (before?.version ?? 0) + 1, modifiedAt }
      tx.put(this.#view, id, { ...row })
      tx.put(this.#epochs, this.#epoch, {})
    })
    return id
  }

  /** An absent policy is fine. */
  async delete(name: string): Promise<void> {
    const id = name.toLowerCase()
    if (immutable.has(id)) throw new Refusal(400, `cannot delete ${JSON.stringify(id)} policy`)
    if (id === 'default') throw new Refusal(400, 'cannot delete default policy')
    await this.#view.transaction(async (tx) => {
      if ((await tx.get(this.#view, id, rowSchema)) === undefined) return
      tx.remove(this.#view, id)
      tx.put(this.#epochs, this.#epoch, {})
    })
  }

  /** Sorted by bytes, with `default` and `root`. */
  async list(): Promise<string[]> {
    const names = new Set(['default', 'root'])
    let after: string | undefined
    for (;;) {
      const page = await this.#view.list('', { depth: 'all', limit: pageSize, ...(after !== undefined && { after }) })
      for (const name of page) names.add(name)
      after = page.at(-1)
      if (page.length < pageSize) return [...names].sort(compareUtf8)
    }
  }

  /**
   * What these policies permit together; unknown names grant nothing. `epochVersion` is the version of this namespace's
   * `policies` row that the caller has just read: while it stays, the compiled ACL is current.
   */
  acl(names: readonly string[], epochVersion: string): Promise<Acl> {
    const key = `${epochVersion}\0${names.join('\0')}`
    const known = this.#acls.get(key)
    if (known) return known
    const made = this.#compile(names)
    this.#acls.set(key, made)
    made.catch(() => this.#acls.delete(key))
    return made
  }

  async #compile(names: readonly string[]): Promise<Acl> {
    const ids = [...new Set(names.map((name) => name.toLowerCase()))]
    if (ids.includes('root')) return compileAcl(ids.map((name) => ({ name, rules: [] })))
    const stored = ids.filter((id) => !immutable.has(id))
    const known = stored.map((id) => this.#parsed.get(id))
    const rows = await this.#rows.read(
      stored.map((id, i) => {
        const version = known[i]?.version
        return { key: this.#view.prefix + id, ...(version !== undefined && { known: version }) }
      }),
    )
    const policies = ids.flatMap((id): Policy[] => {
      const fixed = immutable.get(id)
      if (fixed !== undefined) return [parsePolicy(id, fixed)]
      const i = stored.indexOf(id)
      const row = rows[i]
      const before = known[i]
      if (row === 'same' && before) return [before.policy]
      if (row === undefined || row === 'same') return id === 'default' ? [parsePolicy(id, defaultPolicy)] : []
      const policy = parsePolicy(id, rowSchema.parse(JSON.parse(Buffer.from(row.value).toString())).text)
      this.#parsed.set(id, { version: row.version, policy })
      return [policy]
    })
    return compileAcl(policies)
  }
}

/** Vault takes base64 too; HCL never looks like it. */
function decode(text: string): string {
  const compact = text.replace(/[\r\n]/g, '')
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) return text
  return Buffer.from(compact, 'base64').toString('utf8')
}
