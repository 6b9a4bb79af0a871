/** Storage in memory: for tests and for `coffer server -dev`; everything is gone with the process. */
import type { Clock } from '../../../lib/clock.ts'
import { compareUtf8 } from '../../../lib/json/stringify.ts'
import { type RandomBytes, uuid } from '../../../lib/random.ts'
import {
  type Change,
  type Check,
  type Commit,
  GenerationPassed,
  type ListPage,
  type ReadKey,
  type ReadResult,
  type StorageBackend,
  StorageDown,
  type Stored,
} from '../../contracts/storage.ts'
import { ChangeFeed } from '../feed.ts'
import { Leadership } from '../leadership.ts'
import { checkClear, checkCommit, checkPage, checkRow, limits, listAfter, pastFolder, writtenKeys } from '../rules.ts'

export interface MemoryOptions {
  readonly clock: Clock
  readonly random: RandomBytes
}

export function openMemory(options: MemoryOptions): StorageBackend {
  return new MemoryStorage(options)
}

class MemoryStorage implements StorageBackend {
  readonly type = 'inmem'
  readonly limits = limits
  readonly #clock: Clock
  readonly #feed: ChangeFeed
  readonly #leadership: Leadership
  readonly #self: string
  readonly #rows = new Map<string, Stored>()
  /** The keys of `#rows` in UTF-8 order. */
  #keys: string[] = []
  #open = true

  constructor({ clock, random }: MemoryOptions) {
    this.#clock = clock
    this.#feed = new ChangeFeed({ clock })
    this.#self = uuid(random)
    const alive = async () => false
    this.#leadership = new Leadership({ backend: this, clock, random, self: this.#self, alive })
  }

  async read(keys: readonly ReadKey[]): Promise<readonly ReadResult[]> {
    this.#assertOpen()
    return keys.map(({ key, known }) => {
      const row = this.#rows.get(key)
      if (row && row.version === known) return 'same'
      return row && { value: Uint8Array.from(row.value), version: row.version }
    })
  }

  async list(prefix: string, page: ListPage): Promise<string[]> {
    this.#assertOpen()
    checkPage(page)
    const names: string[] = []
    const after = listAfter(page)
    let at = this.#seek(prefix)
    if (after?.folder) at = this.#seek(pastFolder(prefix + after.name))
    else if (after) at = this.#seek(prefix + after.name, true)
    while (names.length < page.limit) {
      const key = this.#keys[at]
      if (key === undefined || !key.startsWith(prefix)) break
      const name = key.slice(prefix.length)
      const slash = page.depth === 'children' ? name.indexOf('/') : -1
      if (slash >= 0) {
        names.push(name.slice(0, slash + 1))
        at = this.#seek(pastFolder(prefix + name.slice(0, slash + 1)))
      } else {
        if (name !== '') names.push(name)
        at += 1
      }
    }
    return names
  }

  async commit(commit: Commit): Promise<'ok' | 'conflict'> {
    this.#assertOpen()
    checkCommit(commit)
    for (const { key, version } of commit.checks) {
      if (this.#rows.get(key)?.version !== version) return 'conflict'
    }
    const { generation } = commit
    if (generation && this.#rows.get(generation.key)?.version !== generation.version) return 'conflict'
    for (const { key } of commit.create ?? []) {
      if (this.#rows.has(key)) return 'conflict'
    }
    for (const put of [...(commit.create ?? []), ...(commit.put ?? [])]) {
      this.#set(put.key, { value: Uint8Array.from(put.value), version: commit.id })
    }
    for (const key of commit.remove ?? []) this.#delete(key)
    this.#feed.publish(writtenKeys(commit))
    return 'ok'
  }

  async clear(prefix: string, limit: number, generation?: Check): Promise<number> {
    this.#assertOpen()
    checkClear(prefix, limit)
    if (generation && this.#rows.get(generation.key)?.version !== generation.version) throw new GenerationPassed()
    const start = this.#seek(prefix)
    let end = start
    while (end - start < limit && this.#keys[end]?.startsWith(prefix)) end += 1
    const removed = this.#keys.splice(start, end - start)
    for (const key of removed) this.#rows.delete(key)
    if (removed.length > 0) this.#feed.publish(removed)
    return removed.length
  }

  async *snapshot(signal: AbortSignal): AsyncGenerator<readonly [string, Stored]> {
    this.#assertOpen()
    // Rows are replaced, never changed, so their references are the snapshot.
    const rows = this.#keys.map((key) => [key, this.#rows.get(key)] as const)
    for (const [key, row] of rows) {
      signal.throwIfAborted()
      if (row) yield [key, row]
    }
  }

  async load(rows: AsyncIterable<readonly [string, Stored]>): Promise<void> {
    this.#assertOpen()
    if (this.#keys.length > 0) throw new RangeError('a snapshot is loaded into an empty storage only')
    const loaded = new Map<string, Stored>()
    for await (const [key, row] of rows) {
      checkRow(key, row)
      loaded.set(key, { value: Uint8Array.from(row.value), version: row.version })
    }
    for (const [key, row] of loaded) this.#rows.set(key, row)
    this.#keys = [...loaded.keys()].sort(compareUtf8)
    this.#feed.announce('reset')
  }

  async replace(rows: Iterable<readonly [string, Stored]>, _bytes: number): Promise<void> {
    this.#assertOpen()
    const next = new Map<string, Stored>()
    for (const [key, row] of rows) {
      checkRow(key, row)
      next.set(key, { value: Uint8Array.from(row.value), version: row.version })
    }
    this.#rows.clear()
    for (const [key, row] of next) this.#rows.set(key, row)
    this.#keys = [...next.keys()].sort(compareUtf8)
    this.#feed.announce('reset')
  }

  async now(): Promise<number> {
    return this.#clock.now()
  }

  changes(signal: AbortSignal): AsyncIterable<Change> {
    return this.#feed.subscribe(signal)
  }

  lead(work: (fence: Check, signal: AbortSignal) => Promise<void>, until: AbortSignal): Promise<void> {
    return this.#leadership.lead(work, until)
  }

  async announce(): Promise<string> {
    this.#assertOpen()
    return this.#self
  }

  async isAtWork(opening: string): Promise<boolean> {
    this.#assertOpen()
    return opening === this.#self
  }

  async close(): Promise<void> {
    this.#open = false
    this.#feed.close()
  }

  #assertOpen(): void {
    if (!this.#open) throw new StorageDown('the storage is closed')
  }

  #set(key: string, row: Stored): void {
    if (!this.#rows.has(key)) this.#keys.splice(this.#seek(key), 0, key)
    this.#rows.set(key, row)
  }

  #delete(key: string): void {
    if (this.#rows.delete(key)) this.#keys.splice(this.#seek(key), 1)
  }

  /** The index of the first key that is not before `key` (or, with `past`, that is after it). */
  #seek(key: string, past = false): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const order = compareUtf8(this.#keys[middle] ?? '', key)
      if (order < 0 || (past && order === 0)) low = middle + 1
      else high = middle
    }
    return low
  }
}
