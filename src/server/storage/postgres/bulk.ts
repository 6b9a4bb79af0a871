/** What takes many rows at once. A transaction keeps one connection; poolers in transaction mode do the same. */
import type { RandomBytes } from '../../../lib/random.ts'
import { commitId } from '../../contracts/commit.ts'
import { type Check, GenerationPassed, OutcomeUnknown, type Stored } from '../../contracts/storage.ts'
import type { ChangeFeed } from '../feed.ts'
import { checkRow, limits } from '../rules.ts'
import { type Connections, toldAs } from './connection/connections.ts'
import { Cut, isTransient, Rejected } from './connection/failures.ts'
import type { Parameter, Row, Session } from './connection/session.ts'
import {
  byteaArray,
  bytesOf,
  keysOf,
  numberOf,
  pack,
  plainArray,
  prefixEnd,
  versionColumn,
  versionOf,
} from './encoding.ts'
import type { Names } from './table-names.ts'

export interface BulkOptions {
  readonly connections: Connections
  readonly names: Names
  readonly feed: ChangeFeed
  readonly random: RandomBytes
  readonly writer: string
}

type Entry = readonly [string, Stored]

const bulkRows = 1000
/** Of values, in one page of a snapshot. */
const pageBytes = 4 * 1024 * 1024
const statementMs = 10 * 60_000

export class Bulk {
  readonly #options: BulkOptions

  constructor(options: BulkOptions) {
    this.#options = options
  }

  async clear(prefix: string, limit: number, generation?: Check): Promise<number> {
    const { connections, names, feed, random, writer } = this.#options
    const start = Buffer.from(prefix)
    // No row has an empty key.
    const { key = '', version = '0' } = generation ?? {}
    const under = [Buffer.from(key), versionColumn(version)]
    for (let removed = 0, failures = 0; ; ) {
      const room = Math.min(bulkRows, limit - removed)
      if (room === 0) return removed
      const values = [start, prefixEnd(start) ?? start, String(room), versionColumn(commitId(random)), writer, ...under]
      try {
        const [row] = await connections.query(clearText(names), values, statementMs)
        if (row?.[2] !== 't') throw new GenerationPassed()
        const count = numberOf(row?.[0])
        if (count > 0) feed.publish(keysOf(row?.[1]))
        removed += count
        if (count < room) return removed
      } catch (error) {
        failures += 1
        if (failures > 5 || !(error instanceof Rejected && isTransient(error))) throw error
      }
    }
  }

  /** Of one moment: a transaction that is open until the last row is read, so read on without long pauses. */
  async *snapshot(signal: AbortSignal): AsyncGenerator<Entry> {
    const lease = await this.#begin('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    try {
      for (let after: Buffer = Buffer.alloc(0); ; ) {
        signal.throwIfAborted()
        const page = await lease.run(pageText(this.#options.names), [after])
        for (const [key, version, value] of page) {
          signal.throwIfAborted()
          after = bytesOf(key)
          yield [after.toString(), { value: bytesOf(value), version: versionOf(version) }]
        }
        if (page.length === 0) return
      }
    } finally {
      await lease.end()
    }
  }

  async load(rows: AsyncIterable<Entry>): Promise<void> {
    await this.#rewrite(async (lease) => {
      const [found] = await lease.run(`SELECT 1 FROM ${this.#options.names.rows} LIMIT 1`, [])
      if (found) throw new RangeError('a snapshot is loaded into an empty storage only')
      for await (const batch of batches(rows)) await this.#insert(lease, batch)
    })
  }

  async replace(rows: Iterable<Entry>): Promise<void> {
    await this.#rewrite(async (lease) => {
      // Not TRUNCATE: who reads meanwhile would find nothing.
      await lease.run(`DELETE FROM ${this.#options.names.rows}`, [])
      for await (const batch of batches(rows)) await this.#insert(lease, batch)
    })
  }

  /** One transaction, in which nobody else writes. */
  async #rewrite(work: (lease: Lease) => Promise<void>): Promise<void> {
    const { names, random, writer, connections } = this.#options
    const lease = await this.#begin('BEGIN ISOLATION LEVEL READ COMMITTED')
    try {
      await lease.run(`LOCK TABLE ${names.rows} IN EXCLUSIVE MODE`, [])
      await work(lease)
      const told = `INSERT INTO ${names.changes} (xid, writer, id, keys) VALUES (pg_current_xact_id(), $1, $2, NULL)`
      await lease.run(told, [writer, versionColumn(commitId(random))])
      await lease.run('COMMIT', []).catch((error: unknown) => {
        if (!(error instanceof Cut)) throw error
        throw new OutcomeUnknown(
          `the connection to PostgreSQL at ${connections.where} broke while all rows were being replaced: they may be the old ones or the new ones`,
        )
      })
    } finally {
      await lease.end()
    }
  }

  async #insert(lease: Lease, batch: readonly Entry[]): Promise<void> {
    const packed = pack(batch.map(([, { value }]) => value))
    const text = `INSERT INTO ${this.#options.names.rows} (key, version, value)
      SELECT w.key, w.version, substring($5::bytea FROM w.at FOR w.size)
      FROM unnest($1::bytea[], $2::bigint[], $3::integer[], $4::integer[]) AS w(key, version, at, size)
      ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value`
    await lease.run(text, [
      byteaArray(batch.map(([key]) => Buffer.from(key))),
      plainArray(batch.map(([, { version }]) => versionColumn(version))),
      plainArray(packed.offsets),
      plainArray(packed.lengths),
      packed.bytes,
    ])
  }

  /** A connection for as long as the transaction lasts. */
  async #begin(begin: string): Promise<Lease> {
    const { connections } = this.#options
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const session = await new Promise<Session>((resolve, reject) => {
      connections
        .use((taken) => {
          resolve(taken)
          return released
        })
        .catch(reject)
    })
    const lease: Lease = {
      run: async (text, values) => {
        try {
          return await session.query(text, values, statementMs)
        } catch (error) {
          throw error instanceof Cut && text === 'COMMIT' ? error : toldAs(error, connections.where)
        }
      },
      end: async () => {
        // After COMMIT it does nothing but a warning there.
        await session.query('ROLLBACK', [], 5000).catch(() => session.destroy())
        release()
      },
    }
    try {
      await lease.run(begin, [])
      return lease
    } catch (error) {
      release()
      throw error
    }
  }
}

interface Lease {
  run(text: string, values: readonly Parameter[]): Promise<Row[]>
  end(): Promise<void>
}

/** Checked, by number and by size. A key that comes twice is the last one's, and never twice in one batch. */
async function* batches(rows: AsyncIterable<Entry> | Iterable<Entry>): AsyncGenerator<Entry[]> {
  let batch = new Map<string, Entry>()
  let bytes = 0
  for await (const [key, row] of rows) {
    bytes += checkRow(key, row)
    batch.set(key, [key, row])
    if (batch.size < bulkRows && bytes < limits.commitBytes) continue
    yield [...batch.values()]
    batch = new Map()
    bytes = 0
  }
  if (batch.size > 0) yield [...batch.values()]
}

const clearText = ({ rows, changes }: Names) => `
  WITH verdict AS MATERIALIZED (
    SELECT $6::bytea = '' OR EXISTS (SELECT FROM ${rows} WHERE key = $6::bytea AND version = $7::bigint) AS current
  ), dead AS MATERIALIZED (
    SELECT key FROM ${rows} WHERE key >= $1::bytea AND key < $2::bytea AND (SELECT current FROM verdict)
    ORDER BY key LIMIT $3::bigint FOR UPDATE
  ), gone AS (
    DELETE FROM ${rows} WHERE key = ANY (ARRAY(SELECT key FROM dead)) RETURNING key
  ), keys AS MATERIALIZED (
    SELECT array_agg(key ORDER BY key) AS list FROM gone
  ), told AS (
    INSERT INTO ${changes} (xid, writer, id, keys)
    SELECT pg_current_xact_id(), $5::bigint, $4::bigint, k.list FROM keys k WHERE k.list IS NOT NULL
  )
  SELECT coalesce(cardinality(k.list), 0), k.list, v.current FROM keys k CROSS JOIN verdict v`

const pageText = ({ rows }: Names) => `
  SELECT key, version, value FROM (
    SELECT key, version, value, sum(octet_length(value)) OVER (ORDER BY key) - octet_length(value) AS before
    FROM (SELECT key, version, value FROM ${rows} WHERE key > $1::bytea ORDER BY key LIMIT ${bulkRows}) page
  ) sized WHERE before < ${pageBytes} ORDER BY key`
