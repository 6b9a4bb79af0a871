/** START HERE: the contracts of the server. This file: durable, untrusted, ordered bytes. */

/** The version of a row is the id of the commit that wrote it: random, so there is no ABA after delete and re-create. */
export type Stored = { readonly value: Uint8Array; readonly version: string }
export type ReadKey = { readonly key: string; readonly known?: string }
export type ReadResult = Stored | 'same' | undefined
export type Check = { readonly key: string; readonly version: string }
export type Put = { readonly key: string; readonly value: Uint8Array }
export type ListPage = { readonly depth: 'children' | 'all'; readonly after?: string; readonly limit: number }
export type Change = { readonly keys: readonly string[]; readonly at: number } | 'reset'

/** `id` comes from commitId (commit.ts). `create` fails the commit ('conflict') when the key exists: the only check of absence. `checks` compare versions. */
export type Commit = {
  readonly id: string
  readonly checks: readonly Check[]
  readonly create?: readonly Put[]
  readonly put?: readonly Put[]
  readonly remove?: readonly string[]
  /**
   * A row that every commit of a node may carry: compared as `checks` are, but nobody waits for anybody over it, and it is none
   * of the commit's rows. Exact beside `replace`: nothing that rests on the rows before it lands after it. Beside a commit that
   * changes the row, one that overlaps it may still land.
   */
  readonly generation?: Check
}

/**
 * Everything that arrives here is already encrypted; key names are not. Keys: 1..1,024 bytes of UTF-8 without NUL, in
 * byte order. Values up to limits.valueBytes; larger documents are split by their owner.
 */
export interface StorageBackend {
  readonly type: string
  readonly limits: { readonly valueBytes: number; readonly commitRows: number; readonly commitBytes: number }
  /**
   * One snapshot for all keys, not older than any commit acknowledged anywhere before the call.
   * `known`: answers 'same' instead of the value while the version still is this one.
   */
  read(keys: readonly ReadKey[]): Promise<readonly ReadResult[]>
  /** The same without a promise, for storage that is memory of this process. Throws what `read` rejects with. */
  readNow?(keys: readonly ReadKey[]): readonly ReadResult[]
  /** 'children': names below prefix up to and including the next '/', found by seeking, not by reading. Names are relative to prefix, in UTF-8 byte order. */
  list(prefix: string, page: ListPage): Promise<string[]>
  /** All or nothing. A version mismatch or an existing `create` key is 'conflict'. Throws OutcomeUnknown, StorageFull, StorageDown. */
  commit(c: Commit): Promise<'ok' | 'conflict'>
  /**
   * Idempotent, not atomic; only below prefixes that are dead and never reused (UUIDs). Returns how many rows it removed, at most limit.
   * Throws GenerationPassed, removing nothing more, when the row of `generation` has another version.
   */
  clear(prefix: string, limit: number, generation?: Check): Promise<number>
  snapshot(signal: AbortSignal): AsyncIterable<readonly [string, Stored]>
  /** Empty backend only. */
  load(rows: AsyncIterable<readonly [string, Stored]>): Promise<void>
  /**
   * Afterwards exactly these rows are there, versions included. All or nothing, whatever happens meanwhile: when `rows`
   * throws or the process is killed, nothing has changed. `rows` is read in one go; `bytes` says about how many they have.
   * Commits of other processes may come before or after. Throws as `commit`. Told as 'reset'.
   */
  replace(rows: Iterable<readonly [string, Stored]>, bytes: number): Promise<void>
  /** The storage's clock, ms since the epoch: leases are due by it. */
  now(): Promise<number>
  /** At least once, after the commit is visible, own commits included; a beat (no keys) each second; 'reset' after any doubt. */
  changes(signal: AbortSignal): AsyncIterable<Change>
  /** Runs `work` while this process leads; every housekeeping commit carries `fence` in its checks. */
  lead(work: (fence: Check, signal: AbortSignal) => Promise<void>, until: AbortSignal): Promise<void>
  /** Names this opening of the storage, another one after each restart. From now until it ends `isAtWork` of it is true for everyone. */
  announce(): Promise<string>
  /** Whether the opening of this name may still be at work; in doubt true. False some seconds after its process has ended. */
  isAtWork(opening: string): Promise<boolean>
  close(): Promise<void>
}

/** The connection was cut and the row could not be read back: the commit may or may not have happened. Answered with 503. */
export class OutcomeUnknown extends Error {
  override name = 'OutcomeUnknown'
}
/** All rows were replaced, or the format of the storage was raised, since the generation was read: nothing was written. */
export class GenerationPassed extends Error {
  override name = 'GenerationPassed'

  constructor() {
    super('what this was worked out from is of a generation of the storage that has passed')
  }
}
/** No room left; nothing was written. The message names the volume and what to do. */
export class StorageFull extends Error {
  override name = 'StorageFull'
}
/** The storage can't be reached or is damaged. Answered with 503, never with something from a cache. */
export class StorageDown extends Error {
  override name = 'StorageDown'
}
