import type { Clock } from '../../../lib/clock.ts'
import { commitIdForm } from '../../contracts/commit.ts'
import { isKeyTooLong } from '../../contracts/row-size.ts'
import {
  type Change,
  type Check,
  type Commit,
  type ListPage,
  OutcomeUnknown,
  type ReadKey,
  type ReadResult,
  type StorageBackend,
  StorageDown,
  type Stored,
} from '../../contracts/storage.ts'
import type { ChangeFeed } from '../feed.ts'
import { checkClear, checkCommit, checkPage, limits, writtenKeys } from '../rules.ts'
import type { Bulk } from './bulk.ts'
import type { Candidacy } from './candidacy.ts'
import type { ChangePoll } from './change-poll.ts'
import { commitCall, happenedText } from './commit-call.ts'
import { type Connections, toldAs } from './connection/connections.ts'
import { Cut, isDuplicate, isTransient, Rejected } from './connection/failures.ts'
import type { DatabaseClock } from './database-clock.ts'
import { byteaArray, bytesOf, numberOf, plainArray, versionColumn, versionOf } from './encoding.ts'
import { listNames } from './listing.ts'
import type { Names } from './table-names.ts'

export interface PostgresStorageOptions {
  readonly connections: Connections
  /** For what must go on while all of `connections` are busy. */
  readonly control: Connections
  readonly names: Names
  readonly feed: ChangeFeed
  readonly poll: ChangePoll
  readonly bulk: Bulk
  readonly clock: Clock
  readonly time: DatabaseClock
  readonly writer: string
  readonly candidacy: (storage: PostgresStorage) => Candidacy
}

const maxAttempts = 8
const maxAheadMs = 30_000
/** How long a cut commit is looked for while the database comes back. */
const searchMs = 10_000
const searchEveryMs = 200

export class PostgresStorage implements StorageBackend {
  readonly type = 'postgresql'
  readonly limits = limits
  readonly #options: PostgresStorageOptions
  readonly #candidacy: Candidacy
  #closed = false

  constructor(options: PostgresStorageOptions) {
    this.#options = options
    this.#candidacy = options.candidacy(this)
  }

  get closed(): boolean {
    return this.#closed
  }

  async read(keys: readonly ReadKey[]): Promise<readonly ReadResult[]> {
    this.#assertUp()
    if (keys.length === 0) return []
    const { connections, names } = this.#options
    // What is no version is known by nobody.
    const known = keys.map((key) => (commitIdForm.test(key.known ?? '') ? versionColumn(key.known ?? '') : null))
    // A key that can't have been written must not find another one whose bytes are the same.
    const wanted = keys.map(({ key }) => (canExist(key) ? Buffer.from(key) : Buffer.alloc(0)))
    const rows = await this.#told(connections.read(readText(names), [byteaArray(wanted), plainArray(known)]))
    const results: ReadResult[] = keys.map(() => undefined)
    for (const [ordinal, version, value, same, standby] of rows) {
      if (standby !== 'f') throw new StorageDown(`PostgreSQL at ${connections.where} has become a standby`)
      if (version === null) continue
      const row = same === 't' ? 'same' : { value: bytesOf(value), version: versionOf(version) }
      results[numberOf(ordinal) - 1] = row
    }
    return results
  }

  async list(prefix: string, page: ListPage): Promise<string[]> {
    checkPage(page)
    this.#assertUp()
    return this.#told(listNames(this.#options.connections, this.#options.names, prefix, page))
  }

  async commit(commit: Commit): Promise<'ok' | 'conflict'> {
    this.#assertUp()
    checkCommit(commit)
    const { names, writer, connections, feed, clock, poll } = this.#options
    const since = poll.horizon
    const { text, values } = commitCall(names, writer, commit)
    for (let attempt = 1; ; attempt += 1) {
      try {
        const [row] = await connections.query(text, values)
        if (row?.[0] === 'conflict') return 'conflict'
        if (row?.[0] !== 'ok') throw new StorageDown(`PostgreSQL at ${connections.where} ${unsound}`)
        feed.publish(writtenKeys(commit))
        return 'ok'
      } catch (error) {
        if (error instanceof Cut) return await this.#search(commit, since, error)
        if (error instanceof Rejected && isDuplicate(error)) return 'conflict'
        if (!(error instanceof Rejected) || !isTransient(error) || attempt === maxAttempts) {
          throw toldAs(error, connections.where)
        }
        await clock.sleep(attempt * 10)
      }
    }
  }

  async clear(prefix: string, limit: number, generation?: Check): Promise<number> {
    checkClear(prefix, limit)
    this.#assertUp()
    return this.#told(this.#options.bulk.clear(prefix, limit, generation))
  }

  async *snapshot(signal: AbortSignal): AsyncGenerator<readonly [string, Stored]> {
    this.#assertUp()
    try {
      yield* this.#options.bulk.snapshot(signal)
    } catch (error) {
      signal.throwIfAborted()
      throw toldAs(error, this.#options.connections.where)
    }
  }

  async load(rows: AsyncIterable<readonly [string, Stored]>): Promise<void> {
    this.#assertUp()
    await this.#told(this.#options.bulk.load(rows))
    this.#options.feed.announce('reset')
  }

  async replace(rows: Iterable<readonly [string, Stored]>, _bytes: number): Promise<void> {
    this.#assertUp()
    await this.#told(this.#options.bulk.replace(rows))
    this.#options.feed.announce('reset')
  }

  async now(): Promise<number> {
    const { time, control, clock } = this.#options
    if (this.#closed || !time.fresh) {
      const sent = clock.monotonic()
      const [row] = await this.#told(control.read('SELECT extract(epoch FROM clock_timestamp()) * 1000', []))
      time.observe(numberOf(row?.[0]), sent, clock.monotonic())
    }
    return time.now()
  }

  changes(signal: AbortSignal): AsyncIterable<Change> {
    return this.#options.feed.subscribe(signal)
  }

  lead(work: (fence: Check, signal: AbortSignal) => Promise<void>, until: AbortSignal): Promise<void> {
    return this.#candidacy.lead(work, until)
  }

  announce(): Promise<string> {
    this.#assertUp()
    return this.#candidacy.announce()
  }

  async isAtWork(opening: string): Promise<boolean> {
    this.#assertUp()
    return this.#candidacy.isAlive(opening)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#candidacy.stop()
    const { feed, poll, connections, control } = this.#options
    feed.close()
    await poll.stop()
    await Promise.all([connections.close(), control.close()])
  }

  /** The version of every row that a commit writes is its id, and so is that of its notice: one of them shows that it happened. */
  async #search(commit: Commit, since: string, cut: Cut): Promise<'ok'> {
    const { control, names, clock, poll, feed, writer } = this.#options
    const keys = writtenKeys(commit)
    const [first] = [...(commit.create ?? []), ...(commit.put ?? [])]
    const values = [byteaArray(first ? [Buffer.from(first.key)] : []), versionColumn(commit.id), writer, since]
    for (const until = clock.monotonic() + searchMs; !this.#closed; ) {
      try {
        const [row] = await control.query(happenedText(names), values)
        if (row?.[0] !== 't') break
        feed.publish(keys)
        return 'ok'
      } catch {
        if (clock.monotonic() > until) break
        await clock.sleep(searchEveryMs)
      }
    }
    poll.doubt(commit.id, keys)
    throw new OutcomeUnknown(`the connection to PostgreSQL broke during a commit: ${cut.message}`)
  }

  async #told<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      throw toldAs(error, this.#options.connections.where)
    }
  }

  #assertUp(): void {
    if (this.#closed) throw new StorageDown('the storage is closed')
    const { aheadMs } = this.#options.time
    if (Math.abs(aheadMs) <= maxAheadMs) return
    const way = aheadMs > 0 ? 'ahead of' : 'behind'
    throw new StorageDown(
      `the clock of this machine is ${Math.round(Math.abs(aheadMs) / 1000)} s ${way} that of the database, and ${maxAheadMs / 1000} s are accepted: set it right`,
    )
  }
}

const unsound =
  'has synchronous_commit = off or another isolation than read committed now: nothing was written; set them right'

const canExist = (key: string) => key.length > 0 && !isKeyTooLong(key) && key.isWellFormed()

const readText = ({ rows }: Names) => `
  SELECT k.ordinal, r.version, CASE WHEN r.version = k.known THEN NULL ELSE r.value END, r.version = k.known, pg_is_in_recovery()
  FROM unnest($1::bytea[], $2::bigint[]) WITH ORDINALITY AS k(key, known, ordinal) LEFT JOIN ${rows} r ON r.key = k.key`
