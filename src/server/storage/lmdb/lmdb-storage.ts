import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { isKeyTooLong } from '../../contracts/row-size.ts'
import {
  type Change,
  type Check,
  type Commit,
  GenerationPassed,
  type ListPage,
  OutcomeUnknown,
  type ReadKey,
  type ReadResult,
  type StorageBackend,
  StorageDown,
  type Stored,
} from '../../contracts/storage.ts'
import type { ChangeFeed } from '../feed.ts'
import { Leadership } from '../leadership.ts'
import { checkClear, checkCommit, checkPage, checkRow, limits, listAfter, pastFolder, writtenKeys } from '../rules.ts'
import { type Database, firstKey, versionNumber, versionText } from './environment.ts'
import type { Holders } from './holders.ts'
import type { Peers } from './lmdb.ts'
import { sumBytes, withoutSum, withSum } from './row-sum.ts'
import type { Volume } from './volume.ts'

export interface LmdbStorageOptions {
  readonly db: Database
  /** Of the row that `db` has read last. */
  readonly lastVersion: () => number
  readonly file: string
  readonly volume: Volume
  readonly holders: Holders
  readonly feed: ChangeFeed
  readonly peers: Peers | undefined
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  readonly fatal: (error: StorageDown) => void
}

/** Rows that are removed or loaded in one LMDB transaction. */
const bulkRows = 1000
/** Loops over rows let other work in after this long. */
const sliceMs = 5

export class LmdbStorage implements StorageBackend {
  readonly type = 'lmdb'
  readonly limits = limits
  readonly #options: LmdbStorageOptions
  readonly #db: Database
  readonly #leadership: Leadership
  #down: StorageDown | undefined

  constructor(options: LmdbStorageOptions) {
    const { clock, random, holders } = options
    this.#options = options
    this.#db = options.db
    const alive = (holder: string) => holders.isAlive(holder)
    this.#leadership = new Leadership({ backend: this, clock, random, self: holders.self, alive })
  }

  async read(keys: readonly ReadKey[]): Promise<readonly ReadResult[]> {
    return this.readNow(keys)
  }

  readNow(keys: readonly ReadKey[]): readonly ReadResult[] {
    return this.#inSnapshot(() => keys.map((key) => this.#readOne(key)))
  }

  async list(prefix: string, page: ListPage): Promise<string[]> {
    checkPage(page)
    return this.#inSnapshot(() => {
      const names: string[] = []
      const after = listAfter(page)
      let from = after ? prefix + after.name : prefix
      let exclusive = after !== undefined
      if (after?.folder) {
        from = pastFolder(from)
        exclusive = false
      }
      for (let next: string | undefined = from; next !== undefined; exclusive = false) {
        next = this.#listRun(prefix, next, exclusive, page, names)
      }
      return names
    })
  }

  async commit(commit: Commit): Promise<'ok' | 'conflict'> {
    this.#assertUp()
    const bytes = checkCommit(commit)
    const ok = await this.#write(bytes, () => this.#submit(commit))
    if (!ok) return 'conflict'
    this.#announce(writtenKeys(commit))
    return 'ok'
  }

  async clear(prefix: string, limit: number, generation?: Check): Promise<number> {
    checkClear(prefix, limit)
    const { volume } = this.#options
    const reserved = await volume.reserve(0)
    try {
      return await this.#removeBelow(prefix, limit, generation)
    } finally {
      volume.release(reserved)
    }
  }

  /** Holds one LMDB snapshot open meanwhile, which keeps freed pages from being used again: end it in minutes. */
  async *snapshot(signal: AbortSignal): AsyncGenerator<readonly [string, Stored]> {
    this.#assertUp()
    this.#db.resetReadTxn()
    const transaction = this.#db.useReadTransaction()
    try {
      let sliceEnd = this.#options.clock.monotonic() + sliceMs
      for (const { key, value, version } of this.#db.getRange({ start: firstKey, versions: true, transaction })) {
        signal.throwIfAborted()
        yield [key, { value: withoutSum(value), version: versionText(version) }]
        if (this.#options.clock.monotonic() > sliceEnd) {
          await new Promise((resolve) => setImmediate(resolve))
          sliceEnd = this.#options.clock.monotonic() + sliceMs
        }
      }
    } finally {
      transaction.done()
    }
  }

  async load(rows: AsyncIterable<readonly [string, Stored]>): Promise<void> {
    const empty = this.#inSnapshot(() => [...this.#db.getKeys({ start: firstKey, limit: 1 })].length === 0)
    if (!empty) throw new RangeError('a snapshot is loaded into an empty storage only')
    let batch: (readonly [string, Stored])[] = []
    let bytes = 0
    const flush = async () => {
      await this.#write(bytes, () => [this.#db.batch(() => this.#putAll(batch))])
      batch = []
      bytes = 0
    }
    try {
      for await (const [key, row] of rows) {
        bytes += checkRow(key, row)
        batch.push([key, row])
        if (batch.length >= bulkRows || bytes >= limits.commitBytes) await flush()
      }
      await flush()
    } catch (error) {
      // All or nothing: half a snapshot looks like a whole one. (A process that dies here leaves a half: restore into a new folder then.)
      if (!this.#down) await this.#removeBelow('', Number.POSITIVE_INFINITY)
      throw error
    }
    this.#options.feed.announce('reset')
  }

  /**
   * One LMDB transaction on this thread, which nothing else runs in meanwhile: lmdb keeps one write transaction per process,
   * and whatever awaited inside would let other writes and reads of this process into it.
   */
  async replace(rows: Iterable<readonly [string, Stored]>, bytes: number): Promise<void> {
    this.#assertUp()
    const { volume } = this.#options
    // Pages of the old rows are free only afterwards.
    const reserved = await volume.reserve(bytes)
    try {
      // What is being committed goes first: it is part of what is replaced.
      await this.#db.committed
      await this.#fillFreeList()
      this.#assertUp()
      this.#replaceAll(rows)
    } finally {
      volume.release(reserved)
    }
    this.#options.feed.announce('reset')
  }

  /**
   * A transaction that frees many pages while LMDB's own table of free pages is empty ends the process: making that table's first
   * page, it looks for room in that very page (mdb_page_alloc below mdb_freelist_save, lmdb 3.5.6). So it is where
   * nothing was ever overwritten, and a replacement is the first commit of a process. Two commits that change nothing fill it.
   */
  async #fillFreeList(): Promise<void> {
    for (let i = 0; i < 2; i += 1) {
      const [key] = this.#db.getKeys({ start: firstKey, limit: 1 })
      const entry = key === undefined ? undefined : this.#db.getEntry(key)
      if (key === undefined || entry === undefined) return
      const { value, version = 0 } = entry
      await this.#committed(() => [this.#db.put(key, value, version)])
    }
  }

  #replaceAll(rows: Iterable<readonly [string, Stored]>): void {
    let written = false
    try {
      this.#db.transactionSync(() => {
        this.#db.clearSync()
        for (const [key, row] of rows) {
          checkRow(key, row)
          this.#db.putSync(key, withSum(key, row.version, row.value), versionNumber(row.version))
        }
        written = true
      })
    } catch (cause) {
      // Its own mistake or the source's: LMDB has taken everything back.
      if (!written) throw cause
      this.#fail(cause)
      throw new OutcomeUnknown('LMDB failed to commit: all rows were being replaced, which may have happened or not', {
        cause,
      })
    }
  }

  async now(): Promise<number> {
    return this.#options.clock.now()
  }

  changes(signal: AbortSignal): AsyncIterable<Change> {
    return this.#options.feed.subscribe(signal)
  }

  lead(work: (fence: Check, signal: AbortSignal) => Promise<void>, until: AbortSignal): Promise<void> {
    return this.#leadership.lead(work, until)
  }

  async announce(): Promise<string> {
    this.#assertUp()
    return this.#options.holders.self
  }

  async isAtWork(opening: string): Promise<boolean> {
    this.#assertUp()
    return this.#options.holders.isAlive(opening)
  }

  async close(): Promise<void> {
    const broken = this.#down !== undefined
    if (broken) return
    this.#down = new StorageDown('the storage is closed')
    this.#options.feed.close()
    await this.#db.close()
    await this.#options.holders.leave(this.#options.file)
  }

  /** Without a look at the room: what is left of a load that met a full disk must go. */
  async #removeBelow(prefix: string, limit: number, generation?: Check): Promise<number> {
    for (let removed = 0; ; ) {
      const room = Math.min(bulkRows, limit - removed)
      const keys = room > 0 ? this.#inSnapshot(() => this.#keysBelow(prefix, room)) : []
      if (keys.length === 0) return removed
      const removeAll = () => {
        for (const key of keys) this.#db.remove(key)
      }
      const done = await this.#committed(() => [
        generation
          ? this.#db.ifVersion(generation.key, versionNumber(generation.version), removeAll)
          : this.#db.batch(removeAll),
      ])
      if (!done) throw new GenerationPassed()
      removed += keys.length
      this.#announce(keys)
    }
  }

  #keysBelow(prefix: string, limit: number): string[] {
    const found: string[] = []
    for (const key of this.#db.getKeys({ start: prefix === '' ? firstKey : prefix, limit })) {
      if (!key.startsWith(prefix)) break
      found.push(key)
    }
    return found
  }

  #readOne({ key, known }: ReadKey): ReadResult {
    // A longer key can't have been written, and LMDB would look up its beginning.
    if (key.length === 0 || isKeyTooLong(key)) return undefined
    if (known !== undefined && this.#db.doesExist(key, versionNumber(known))) return 'same'
    // It lies where the next answer will lie, and only its own word for its length is true. To have lmdb copy it costs three times this.
    const found = this.#db.getBinaryFast(key)
    if (!found) return undefined
    const value = Buffer.from(found.subarray(sumBytes, found.length))
    return { value, version: versionText(this.#options.lastVersion()) }
  }

  /** Names from `from` on, up to and including the first folder; answers where to go on after it. */
  #listRun(prefix: string, from: string, exclusive: boolean, page: ListPage, names: string[]): string | undefined {
    for (const key of this.#db.getKeys({ start: from === '' ? firstKey : from, exclusiveStart: exclusive })) {
      if (names.length >= page.limit || !key.startsWith(prefix)) return undefined
      const name = key.slice(prefix.length)
      const slash = page.depth === 'children' ? name.indexOf('/') : -1
      if (slash >= 0) {
        names.push(name.slice(0, slash + 1))
        return names.length < page.limit ? pastFolder(prefix + name.slice(0, slash + 1)) : undefined
      }
      if (name !== '') names.push(name)
    }
    return undefined
  }

  /**
   * The conditions stand one inside the other around the writes, so LMDB's write thread either finds all of them true and
   * writes everything, or writes nothing.
   */
  #submit(commit: Commit): Promise<boolean>[] {
    const outcomes: Promise<boolean>[] = []
    const version = versionNumber(commit.id)
    const { create = [], put = [], remove = [] } = commit
    const checks = commit.generation ? [commit.generation, ...commit.checks] : commit.checks
    const nest = (i: number): void => {
      const check = checks[i]
      const absent = create[i - checks.length]
      if (check) outcomes.push(this.#db.ifVersion(check.key, versionNumber(check.version), () => nest(i + 1)))
      else if (absent) outcomes.push(this.#db.ifNoExists(absent.key, () => nest(i + 1)))
      else writeAll()
    }
    const writeAll = () => {
      for (const { key, value } of create) this.#db.put(key, withSum(key, commit.id, value), version)
      for (const { key, value } of put) this.#db.put(key, withSum(key, commit.id, value), version)
      for (const key of remove) this.#db.remove(key)
    }
    if (checks.length + create.length > 0) nest(0)
    else outcomes.push(this.#db.batch(writeAll))
    return outcomes
  }

  #putAll(rows: readonly (readonly [string, Stored])[]): void {
    for (const [key, row] of rows) this.#db.put(key, withSum(key, row.version, row.value), versionNumber(row.version))
  }

  /** Writes about `bytes` if there is room for them. True when every condition held. */
  async #write(bytes: number, submit: () => readonly Promise<boolean>[]): Promise<boolean> {
    const { volume } = this.#options
    const reserving = volume.reserve(bytes)
    const reserved = typeof reserving === 'number' ? reserving : await reserving
    try {
      this.#assertUp()
      return await this.#committed(submit)
    } finally {
      volume.release(reserved)
    }
  }

  async #committed(submit: () => readonly Promise<boolean>[]): Promise<boolean> {
    try {
      return (await Promise.all(submit())).every(Boolean)
    } catch (cause) {
      this.#fail(cause)
      throw new OutcomeUnknown('LMDB failed to commit: what was being written may be there or not', { cause })
    }
  }

  #fail(cause: unknown): void {
    // LMDB tells why in a promise of its own, one for each of its transactions, which would be an unhandled rejection.
    if (cause instanceof Error && 'commitError' in cause) Promise.resolve(cause.commitError).catch(() => undefined)
    if (this.#down) return
    const { file, log, fatal } = this.#options
    this.#down = new StorageDown(`LMDB failed to write ${file}: this process must end, a new one may open the file`, {
      cause,
    })
    log.error('storage failed', { file, reason: cause instanceof Error ? cause.message : String(cause) })
    fatal(this.#down)
  }

  /** Runs `look` on the newest snapshot: lmdb keeps one until the event loop turns, which hides what peers acknowledged. */
  #inSnapshot<T>(look: () => T): T {
    this.#assertUp()
    this.#db.resetReadTxn()
    try {
      return look()
    } catch (cause) {
      const { file, log } = this.#options
      log.error('storage can not be read', { file, reason: cause instanceof Error ? cause.message : String(cause) })
      throw new StorageDown(`LMDB failed to read ${file}: the file may be damaged`, { cause })
    }
  }

  #announce(keys: readonly string[]): void {
    this.#options.feed.publish(keys)
    this.#options.peers?.publish(keys)
  }

  #assertUp(): void {
    if (this.#down) throw this.#down
  }
}
