import type { Json } from '../../lib/json/value.ts'
import type { ListPage, ReadKey, ReadResult, Stored } from './storage.ts'

/** Turns stored bytes (already JSON) into a trusted value or throws. zod schemas fit; hot rows use hand-written ones. */
export interface Schema<T> {
  parse(value: unknown): T
}

/** What the barrier hands out: plaintext, confined to one prefix, validated on read. */
export interface SecretStorage {
  /** The full storage prefix of this view; `prefix + key` is the storage key that `Operation.reads` names. */
  readonly prefix: string
  get<T>(key: string, schema: Schema<T>): Promise<T | undefined>
  getBytes(key: string): Promise<Uint8Array | undefined>
  list(prefix: string, page: ListPage): Promise<string[]>
  at(prefix: string): SecretStorage
  /**
   * Several views, one commit. Every row that `tx` found is checked at commit; that a row is absent is checked only by
   * creating it (a put of a row that was read absent creates it). `run` runs again on conflict (at most 8
   * times with jitter, then Refusal 503), so it has no effects but through `tx`. There is no list inside.
   */
  transaction<T>(run: (tx: Tx) => Promise<T>): Promise<T>
}

/** One attempt of a transaction. Reads see its own writes. */
export interface Tx {
  /**
   * The storage's format: that of the newest rows which every live node knows. A row whose form came with a newer one is not
   * written in it yet: `tx.put(view, key, tx.format >= 2 ? { format: 2, … } : { format: 1, … })`. Reading is not bound by it.
   */
  readonly format: number
  get<T>(view: SecretStorage, key: string, schema: Schema<T>): Promise<T | undefined>
  getBytes(view: SecretStorage, key: string): Promise<Uint8Array | undefined>
  /** The commit conflicts if the key exists by then. */
  create(view: SecretStorage, key: string, value: Json | Uint8Array, format?: number): void
  /** `format`: of bytes whose form came with a newer one than 1; a document says it in its member "format". */
  put(view: SecretStorage, key: string, value: Json | Uint8Array, format?: number): void
  remove(view: SecretStorage, key: string): void
}

/** The barrier as the pipeline and the nouns see it. */
export interface Rows {
  /** Many rows, one snapshot, one storage query, decrypted; `known` versions answer 'same'. Storage keys as in SecretStorage.prefix + key. */
  read(keys: readonly ReadKey[]): Promise<readonly ReadResult[]>
  /** The same without a promise, on the path of each request. Undefined: it must be waited for, so `read` has to be asked. */
  readNow?(keys: readonly ReadKey[]): readonly ReadResult[] | undefined
  view(prefix: string): SecretStorage
  /**
   * A view that answers these rows (undefined = absent) from what was read, without a further query; its transactions
   * start from them on their first attempt, checks included, and read anew on conflict.
   */
  overlay(view: SecretStorage, rows: ReadonlyMap<string, Stored | undefined>): SecretStorage
  /** The storage's clock (StorageBackend.now). */
  now(): Promise<number>
}
