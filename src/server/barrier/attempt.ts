import { stringifyJson } from '../../lib/json/stringify.ts'
import type { Json } from '../../lib/json/value.ts'
import { Refusal } from '../contracts/request.ts'
import { isKeyTooLong, maxKeyBytes, maxRowBytes, refuseHuge } from '../contracts/row-size.ts'
import type { Schema, SecretStorage, Tx } from '../contracts/secret-storage.ts'
import type { Check, ReadKey, Stored } from '../contracts/storage.ts'
import { parseRow } from './view.ts'

type Write =
  | { readonly kind: 'create' | 'put'; readonly value: Uint8Array; readonly format: number }
  | { readonly kind: 'remove' }

export interface AttemptOptions {
  readonly read: (key: string) => Promise<Stored | undefined>
  /** Storage keys that only the barrier itself writes. */
  readonly isReserved: (key: string) => boolean
  /** Rows read beforehand; they count as read by this attempt once it asks for them. */
  readonly seed: ReadonlyMap<string, Stored | undefined>
  /** Of the storage: rows of a newer one can't be written. */
  readonly format: number
}

/** A row to be written: its key, its plaintext, the format of that. */
export type Plain = readonly [key: string, value: Uint8Array, format: number]

/** One run of a transaction: what it read (plaintext, with versions) and what it wants to write. */
export class Attempt implements Tx {
  readonly #options: AttemptOptions
  readonly #reads = new Map<string, Stored | undefined>()
  readonly #writes = new Map<string, Write>()

  constructor(options: AttemptOptions) {
    this.#options = options
  }

  get format(): number {
    return this.#options.format
  }

  async get<T>(view: SecretStorage, key: string, schema: Schema<T>): Promise<T | undefined> {
    const bytes = await this.getBytes(view, key)
    return bytes && parseRow(view.prefix + key, bytes, schema)
  }

  /** No more than one promise where the row is at hand, which it is for nearly all. */
  getBytes(view: SecretStorage, key: string): Promise<Uint8Array | undefined> {
    const storageKey = view.prefix + key
    const write = this.#writes.get(storageKey)
    if (write) return Promise.resolve(write.kind === 'remove' ? undefined : write.value)
    const { seed } = this.#options
    if (!this.#reads.has(storageKey)) {
      if (!seed.has(storageKey)) return this.#fetch(storageKey)
      this.#reads.set(storageKey, seed.get(storageKey))
    }
    return Promise.resolve(this.#reads.get(storageKey)?.value)
  }

  create(view: SecretStorage, key: string, value: Json | Uint8Array, format?: number): void {
    const before = this.#writes.get(view.prefix + key)
    // A row that this transaction removed is there until the commit, so it can't be created by it.
    this.#write(view.prefix + key, { kind: before?.kind === 'remove' ? 'put' : 'create', ...encode(value, format) })
  }

  put(view: SecretStorage, key: string, value: Json | Uint8Array, format?: number): void {
    const before = this.#writes.get(view.prefix + key)
    this.#write(view.prefix + key, { kind: before?.kind === 'create' ? 'create' : 'put', ...encode(value, format) })
  }

  remove(view: SecretStorage, key: string): void {
    this.#write(view.prefix + key, { kind: 'remove' })
  }

  /** Rows that were read and exist. */
  checks(): Check[] {
    const checks: Check[] = []
    for (const [key, row] of this.#reads) if (row) checks.push({ key, version: row.version })
    return checks
  }

  /** All rows that were read, with the version that they had; without one those that were absent. */
  seen(): ReadKey[] {
    return [...this.#reads].map(([key, row]) => (row ? { key, known: row.version } : { key }))
  }

  #wasReadAbsent(key: string): boolean {
    return this.#reads.has(key) && this.#reads.get(key) === undefined
  }

  /** Writes to rows that were read absent create them, which is how absence is checked; nothing is left of removing such a row. */
  writes(): { create: Plain[]; put: Plain[]; remove: string[] } {
    const create: Plain[] = []
    const put: Plain[] = []
    const remove: string[] = []
    for (const [key, write] of this.#writes) {
      if (write.kind === 'remove') {
        if (!this.#wasReadAbsent(key)) remove.push(key)
      } else if (write.kind === 'create' || this.#wasReadAbsent(key)) {
        create.push([key, write.value, write.format])
      } else {
        put.push([key, write.value, write.format])
      }
    }
    return { create, put, remove }
  }

  /** Rows for which two transactions that run side by side would conflict. */
  contendedKeys(): string[] {
    const keys: string[] = []
    for (const [key, write] of this.#writes) if (write.kind === 'create' || this.#reads.has(key)) keys.push(key)
    return keys
  }

  async #fetch(key: string): Promise<Uint8Array | undefined> {
    const row = await this.#options.read(key)
    // Of two reads side by side the first to come back counts for both: one row has one version in a commit's checks.
    if (!this.#reads.has(key)) this.#reads.set(key, row)
    return this.#reads.get(key)?.value
  }

  #write(key: string, write: Write): void {
    if (isKeyTooLong(key)) {
      const bytes = Buffer.byteLength(key)
      throw new Refusal(400, `path too long: ${bytes} bytes in storage, the limit is ${maxKeyBytes}`)
    }
    if (key.includes('\0') || !key.isWellFormed()) throw new Refusal(400, 'path contains an invalid character')
    if (this.#options.isReserved(key)) throw new Error(`the row "${key}" belongs to the barrier`)
    if (write.kind !== 'remove' && write.value.length > maxRowBytes) {
      throw new Refusal(413, `value too large: ${write.value.length} bytes, the limit is ${maxRowBytes}`)
    }
    if (write.kind !== 'remove' && write.format > this.#options.format) {
      throw new Error(
        `a row of format ${write.format} can't be written into a storage of format ${this.#options.format}`,
      )
    }
    this.#writes.set(key, write)
  }
}

/** Bytes are copied: the caller may go on using its buffer. A document says its format itself. */
function encode(value: Json | Uint8Array, format?: number): { value: Uint8Array; format: number } {
  if (value instanceof Uint8Array) return { value: Buffer.from(value), format: format ?? 1 }
  refuseHuge(value)
  const said = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined
  return { value: Buffer.from(stringifyJson(value)), format: format ?? (typeof said === 'number' ? said : 1) }
}
