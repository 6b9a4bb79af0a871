import { parseJson } from '../../lib/json/parse.ts'
import { compareUtf8, stringifyJson } from '../../lib/json/stringify.ts'
import type { Json } from '../../lib/json/value.ts'
import { Refusal } from './request.ts'
import type { Rows, Schema, SecretStorage, Tx } from './secret-storage.ts'
import type { ListPage, ReadKey, ReadResult, Stored } from './storage.ts'

/** For tests: `Rows` over a map, without encryption, with real versions, checks and conflicts. */
export class FakeRows implements Rows {
  readonly rows = new Map<string, Stored>()
  /** Calls of `read` and single reads outside transactions: what a test of "one query" counts. */
  reads = 0
  commits = 0
  /** Set to make each commit fail. */
  failing: Error | undefined
  #version = 0

  async read(keys: readonly ReadKey[]): Promise<readonly ReadResult[]> {
    this.reads += 1
    return keys.map(({ key, known }) => {
      const row = this.rows.get(key)
      return row !== undefined && row.version === known ? 'same' : row
    })
  }

  view(prefix: string): SecretStorage {
    return new FakeView(this, prefix, new Map())
  }

  overlay(view: SecretStorage, rows: ReadonlyMap<string, Stored | undefined>): SecretStorage {
    return new FakeView(this, view.prefix, rows)
  }

  async now(): Promise<number> {
    return 0
  }

  commit(
    checks: ReadonlyMap<string, string | undefined>,
    writes: ReadonlyMap<string, Uint8Array | undefined>,
  ): boolean {
    if (this.failing) throw this.failing
    for (const [key, version] of checks) if (this.rows.get(key)?.version !== version) return false
    this.#version += 1
    this.commits += 1
    for (const [key, value] of writes) {
      if (value) this.rows.set(key, { value, version: `v${this.#version}` })
      else this.rows.delete(key)
    }
    return true
  }
}

class FakeView implements SecretStorage {
  readonly prefix: string
  readonly #rows: FakeRows
  readonly #overlay: ReadonlyMap<string, Stored | undefined>

  constructor(rows: FakeRows, prefix: string, overlay: ReadonlyMap<string, Stored | undefined>) {
    this.#rows = rows
    this.prefix = prefix
    this.#overlay = overlay
  }

  async getBytes(key: string): Promise<Uint8Array | undefined> {
    const full = this.prefix + key
    if (this.#overlay.has(full)) return this.#overlay.get(full)?.value
    this.#rows.reads += 1
    return this.#rows.rows.get(full)?.value
  }

  async get<T>(key: string, schema: Schema<T>): Promise<T | undefined> {
    const bytes = await this.getBytes(key)
    return bytes && schema.parse(parseJson(bytes))
  }

  async list(prefix: string, page: ListPage): Promise<string[]> {
    const start = this.prefix + prefix
    const names = new Set<string>()
    for (const key of this.#rows.rows.keys()) {
      if (!key.startsWith(start)) continue
      const below = key.slice(start.length)
      const name = page.depth === 'all' ? below : below.replace(/\/.*$/s, '/')
      if (page.after === undefined || compareUtf8(name, page.after) > 0) names.add(name)
    }
    return [...names].sort(compareUtf8).slice(0, page.limit)
  }

  at(prefix: string): SecretStorage {
    return new FakeView(this.#rows, this.prefix + prefix, this.#overlay)
  }

  async transaction<T>(run: (tx: Tx) => Promise<T>): Promise<T> {
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const tx = new FakeTx(this.#rows, attempt === 0 ? this.#overlay : new Map())
      const result = await run(tx)
      if (this.#rows.commit(tx.checks, tx.writes)) return result
    }
    throw new Refusal(503, 'too much contention')
  }
}

class FakeTx implements Tx {
  readonly format = 1
  readonly checks = new Map<string, string | undefined>()
  readonly writes = new Map<string, Uint8Array | undefined>()
  readonly #rows: FakeRows
  readonly #overlay: ReadonlyMap<string, Stored | undefined>

  constructor(rows: FakeRows, overlay: ReadonlyMap<string, Stored | undefined>) {
    this.#rows = rows
    this.#overlay = overlay
  }

  async getBytes(view: SecretStorage, key: string): Promise<Uint8Array | undefined> {
    const full = view.prefix + key
    if (this.writes.has(full)) return this.writes.get(full)
    const row = this.#overlay.has(full) ? this.#overlay.get(full) : this.#rows.rows.get(full)
    this.checks.set(full, row?.version)
    return row?.value
  }

  async get<T>(view: SecretStorage, key: string, schema: Schema<T>): Promise<T | undefined> {
    const bytes = await this.getBytes(view, key)
    return bytes && schema.parse(parseJson(bytes))
  }

  create(view: SecretStorage, key: string, value: Json | Uint8Array): void {
    this.checks.set(view.prefix + key, undefined)
    this.put(view, key, value)
  }

  put(view: SecretStorage, key: string, value: Json | Uint8Array): void {
    this.writes.set(view.prefix + key, value instanceof Uint8Array ? value : Buffer.from(stringifyJson(value)))
  }

  remove(view: SecretStorage, key: string): void {
    this.writes.set(view.prefix + key, undefined)
  }
}
