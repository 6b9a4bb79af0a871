import { parseJson } from '../../lib/json/parse.ts'
import type { Schema, SecretStorage, Tx } from '../contracts/secret-storage.ts'
import type { ListPage, Stored } from '../contracts/storage.ts'

export interface ViewBarrier {
  readRow(key: string): Promise<Stored | undefined>
  list(prefix: string, page: ListPage): Promise<string[]>
  transact<T>(run: (tx: Tx) => Promise<T>, seed: ReadonlyMap<string, Stored | undefined>): Promise<T>
}

const nothingRead: ReadonlyMap<string, Stored | undefined> = new Map()

/** A prefix of the barrier; with `known`, rows that were read already are not asked for again. */
export class View implements SecretStorage {
  readonly prefix: string
  readonly #barrier: ViewBarrier
  readonly #known: ReadonlyMap<string, Stored | undefined>

  constructor(barrier: ViewBarrier, prefix: string, known = nothingRead) {
    this.#barrier = barrier
    this.prefix = prefix
    this.#known = known
  }

  async get<T>(key: string, schema: Schema<T>): Promise<T | undefined> {
    const bytes = await this.getBytes(key)
    return bytes && parseRow(this.prefix + key, bytes, schema)
  }

  async getBytes(key: string): Promise<Uint8Array | undefined> {
    const storageKey = this.prefix + key
    if (this.#known.has(storageKey)) return this.#known.get(storageKey)?.value
    return (await this.#barrier.readRow(storageKey))?.value
  }

  list(prefix: string, page: ListPage): Promise<string[]> {
    return this.#barrier.list(this.prefix + prefix, page)
  }

  at(prefix: string): SecretStorage {
    return new View(this.#barrier, this.prefix + prefix, this.#known)
  }

  transaction<T>(run: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#barrier.transact(run, this.#known)
  }
}

/** What the row says, or an error that names it and never its content. */
export function parseRow<T>(storageKey: string, bytes: Uint8Array, schema: Schema<T>): T {
  try {
    return schema.parse(parseJson(bytes))
  } catch (cause) {
    throw new Error(`the stored row "${storageKey}" does not have the expected form`, { cause })
  }
}
