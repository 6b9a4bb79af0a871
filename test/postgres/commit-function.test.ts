/** The function that every commit calls: commits without checks that meet over rows which nobody had, and nodes of two versions. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemRandom } from '../../src/lib/random.ts'
import { commitId } from '../../src/server/contracts/commit.ts'
import type { Commit, StorageBackend } from '../../src/server/contracts/storage.ts'
import { lookText } from '../../src/server/storage/postgres/change-poll.ts'
import { commitCall } from '../../src/server/storage/postgres/commit-call.ts'
import { byteaArray, pack, plainArray, versionColumn } from '../../src/server/storage/postgres/encoding.ts'
import { tableNames } from '../../src/server/storage/postgres/table-names.ts'
import { eventually, open, textOf } from './open-storage.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.close())

const all = { depth: 'all', limit: 1000 } as const
const value = Buffer.from('x')
const id = () => commitId(systemRandom)
const names = tableNames('coffer_rows') ?? expect.unreachable('no names')

/** A database with one node, and a connection beside it that calls the functions by itself. */
async function withClient(
  work: (parts: { backend: StorageBackend; client: Client; database: string }) => Promise<void>,
): Promise<void> {
  const database = await server.newDatabase()
  const backend = await open(server.url(database))
  const client = new Client({ connectionString: server.url(database) })
  await client.connect()
  try {
    for (const version of [1, 2]) {
      await client.query(readFileSync(join(import.meta.dirname, `commit-${version}.sql`), 'utf8'))
    }
    await work({ backend, client, database })
  } finally {
    await client.end()
    await backend.close()
  }
}

async function call(client: Client, commit: Commit): Promise<unknown> {
  const { text, values } = commitCall(names, '7', commit)
  const { rows } = await client.query({ text, values: [...values], rowMode: 'array' })
  return rows[0]?.[0]
}

/** As the versions before called their functions, for commits without a generation and with puts in key order. */
async function formerCall(version: 1 | 2, client: Client, commit: Commit): Promise<unknown> {
  const { id, checks, create = [], put = [], remove = [] } = commit
  const bytes = (keys: readonly string[]) => byteaArray(keys.map((key) => Buffer.from(key)))
  const keysOf = (puts: readonly { key: string }[]) => puts.map(({ key }) => key)
  const packed = pack([...create, ...put].map(({ value }) => value))
  const [made, end] = [create.length, create.length + put.length]
  const written = [...keysOf(put), ...remove]
  const checked = keysOf(checks).filter((key) => !written.includes(key))
  const locks = [...checked, ...written].sort()
  const types =
    'bigint bigint bytea[] boolean[] bytea[] bigint[] bytea[] integer[] integer[] bytea[] integer[] integer[] bytea[] bytea[] bytea'
  const parameters = types.split(' ').map((type, i) => `$${i + 1}::${type}`)
  const { rows } = await client.query({
    text: `SELECT coffer_rows_commit_${version}(${parameters})`,
    rowMode: 'array',
    values: [
      ...[versionColumn(id), '7', bytes(locks), plainArray(locks.map((key) => written.includes(key)))],
      ...[bytes(keysOf(checks)), plainArray(checks.map((check) => versionColumn(check.version)))],
      ...[bytes(keysOf(create)), plainArray(packed.offsets.slice(0, made)), plainArray(packed.lengths.slice(0, made))],
      ...[bytes(keysOf(put)), plainArray(packed.offsets.slice(made, end)), plainArray(packed.lengths.slice(made, end))],
      ...[bytes(remove), bytes([...keysOf(create), ...written]), packed.bytes],
    ],
  })
  return rows[0]?.[0]
}

const waits = () =>
  eventually(async () => {
    const waiting = await server.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    return waiting[0] === '1' ? true : undefined
  }, 'a commit to wait')

/** One creates what the other removes; both put a row that nobody had, over which the remover waits. */
async function meet(
  { backend, client }: { backend: StorageBackend; client: Client },
  remover: (commit: Commit) => Promise<unknown>,
): Promise<string[]> {
  await client.query('BEGIN')
  const creates = { id: id(), checks: [], create: [{ key: 'removed', value }], put: [{ key: 'both', value }] }
  expect(await call(client, creates)).toBe('ok')
  const waiting = remover({ id: id(), checks: [], put: [{ key: 'both', value }], remove: ['removed'] })
  await waits()
  await client.query('COMMIT')
  expect(await waiting).toBe('ok')
  return backend.list('', all)
}

describe('two commits without checks', () => {
  it('that meet over a new row come one after the other: what the later one removes is gone', async () => {
    await withClient(async (parts) => {
      expect(await meet(parts, (commit) => parts.backend.commit(commit))).toEqual(['both'])
    })
  })

  it('did not with the function of version 1, which this test would have found', async () => {
    await withClient(async (parts) => {
      const second = new Client({ connectionString: server.url(parts.database) })
      await second.connect()
      expect(await meet(parts, (commit) => formerCall(1, second, commit))).toEqual(['both', 'removed'])
      await second.end()
    })
  })

  it('of which each removes what the other makes leave one of the two rows', async () => {
    await withClient(async ({ backend, database }) => {
      const peer = await open(server.url(database))
      for (let i = 0; i < 40; i += 1) {
        const [a, b] = [`${i}/a`, `${i}/b`]
        const one = backend.commit({ id: id(), checks: [], put: [{ key: a, value }], remove: [b] })
        const two = peer.commit({ id: id(), checks: [], put: [{ key: b, value }], remove: [a] })
        expect(await Promise.all([one, two])).toEqual(['ok', 'ok'])
        expect(await backend.list(`${i}/`, all)).toHaveLength(1)
      }
      await peer.close()
    })
  })

  it('wait over a row that one removes and that is not there, until it is known who comes first', async () => {
    await withClient(async ({ backend, client }) => {
      await client.query('BEGIN')
      expect(await call(client, { id: id(), checks: [], put: [{ key: 'a', value }], remove: ['b'] })).toBe('ok')
      const creating = backend.commit({ id: id(), checks: [], create: [{ key: 'b', value }] })
      await waits()
      await client.query('COMMIT')
      expect(await creating).toBe('ok')
      expect(await backend.list('', all)).toEqual(['a', 'b'])
    })
  })

  it('leave nothing of a row that is removed and was never there', async () => {
    await withClient(async ({ backend, database }) => {
      expect(await backend.commit({ id: id(), checks: [], remove: ['never'] })).toBe('ok')
      expect(await backend.read([{ key: 'never' }])).toEqual([undefined])
      expect(await server.sql('SELECT count(*) FROM coffer_rows', database)).toEqual(['0'])
    })
  })

  it('that conflicts removes nothing', async () => {
    await withClient(async ({ backend }) => {
      await backend.commit({ id: id(), checks: [], put: [{ key: 'a', value }] })
      const checks = [{ key: 'a', version: id() }]
      expect(await backend.commit({ id: id(), checks, remove: ['a', 'b'] })).toBe('conflict')
      expect(await backend.list('', all)).toEqual(['a'])
    })
  })
})

describe('a commit that can never hold', () => {
  it.each([
    [
      'two versions of one row',
      (version: string) => ({ checks: [version, id()].map((v) => ({ key: 'a', version: v })) }),
    ],
    [
      'a row that it creates',
      (version: string) => ({ checks: [{ key: 'a', version }], create: [{ key: 'a', value }] }),
    ],
    ['two versions of a row that never was', () => ({ checks: [id(), id()].map((v) => ({ key: 'b', version: v })) })],
    ['a row that never was', () => ({ checks: [{ key: 'b', version: id() }], put: [{ key: 'b', value }] })],
  ])('because it checks %s is a conflict', async (_what, commit) => {
    await withClient(async ({ backend }) => {
      const version = id()
      await backend.commit({ id: version, checks: [], put: [{ key: 'a', value }] })
      expect(await backend.commit({ id: id(), put: [{ key: 'c', value }], ...commit(version) })).toBe('conflict')
      expect(await backend.list('', all)).toEqual(['a'])
    })
  })
})

describe('a commit that waits for another one', () => {
  it.each([
    ['changes', 'puts', { put: [{ key: 'a', value }] }, { put: [{ key: 'a', value }] }],
    ['changes', 'only checks', { put: [{ key: 'a', value }] }, { put: [{ key: 'b', value }] }],
    ['removes', 'puts', { remove: ['a'] }, { put: [{ key: 'a', value }] }],
    ['removes', 'only checks', { remove: ['a'] }, { put: [{ key: 'b', value }] }],
    ['removes and makes anew', 'removes', { put: [{ key: 'a', value }] }, { remove: ['a'] }],
  ] as const)('which %s what it checks and %s is a conflict, and writes nothing', async (how, _what, theirs, ours) => {
    await withClient(async ({ backend, client }) => {
      const version = id()
      await backend.commit({ id: version, checks: [], put: [{ key: 'a', value }] })
      await client.query('BEGIN')
      if (how === 'removes and makes anew') await call(client, { id: id(), checks: [], remove: ['a'] })
      expect(await call(client, { id: id(), checks: [], ...theirs })).toBe('ok')
      const before = await backend.list('', all)
      const waiting = backend.commit({ id: id(), checks: [{ key: 'a', version }], ...ours })
      await waits()
      await client.query('COMMIT')
      expect(await waiting).toBe('conflict')
      expect(await backend.list('', all)).toEqual(how === 'removes' ? [] : before)
    })
  })

  it('and goes on when the other one gives up', async () => {
    await withClient(async ({ backend, client }) => {
      const version = id()
      await backend.commit({ id: version, checks: [], put: [{ key: 'a', value }] })
      await client.query('BEGIN')
      expect(await call(client, { id: id(), checks: [{ key: 'a', version }], remove: ['a'] })).toBe('ok')
      const waiting = backend.commit({ id: id(), checks: [{ key: 'a', version }], put: [{ key: 'b', value }] })
      await waits()
      await client.query('ROLLBACK')
      expect(await waiting).toBe('ok')
      expect(await backend.list('', all)).toEqual(['a', 'b'])
    })
  })
})

describe('what a commit asks of PostgreSQL', () => {
  it('is found by the index in a table that was empty when the plans were made', async () => {
    const database = await server.newDatabase()
    const backend = await open(server.url(database), { maxParallel: 1 })
    const some = async (prefix: string) => {
      for (let i = 0; i < 8; i += 1) {
        const [made, next] = [id(), id()]
        const [key, other] = [`${prefix}/${i}`, `${prefix}/other/${i}`]
        const generation = { key, version: made }
        expect(await backend.commit({ id: made, checks: [], create: [{ key, value }] })).toBe('ok')
        const checks = [{ key, version: made }]
        expect(await backend.commit({ id: next, checks, generation, put: [{ key: other, value }] })).toBe('ok')
        expect(await backend.commit({ id: id(), checks: [{ key: other, version: next }], remove: [key] })).toBe('ok')
      }
    }
    await some('empty')
    await server.sql(
      "INSERT INTO coffer_rows SELECT convert_to('z/' || n, 'UTF8'), 1, '\\x00' FROM generate_series(1, 20000) n",
      database,
    )
    const counted = async (what: 'seq_tup_read' | 'idx_tup_fetch' | 'idx_scan') =>
      Number((await server.sql(`SELECT ${what} FROM pg_stat_user_tables WHERE relname = 'coffer_rows'`, database))[0])
    await some('large')
    await backend.close()
    // A connection tells what it did at its end, at the latest.
    await eventually(async () => ((await counted('idx_scan')) > 100 ? true : undefined), 'the counts of the connection')
    expect(await counted('seq_tup_read')).toBe(0)
    expect(await counted('idx_tup_fetch')).toBeLessThan(2000)
  })

  it('is not looked for by a plan so dear that it is compiled, ten times a second', async () => {
    await withClient(async ({ client }) => {
      await client.query(
        `INSERT INTO coffer_rows_changes SELECT pg_current_xact_id(), 1, n, ARRAY['\\x00'::bytea] FROM generate_series(1, 20000) n`,
      )
      const { rows } = await client.query({
        text: `EXPLAIN (FORMAT JSON) ${lookText(names)}`,
        values: ['0', '7', '{}'],
        rowMode: 'array',
      })
      expect(rows[0]?.[0]?.[0]?.Plan?.['Total Cost']).toBeLessThan(50_000)
    })
  })
})

it('a database from which PL/pgSQL was dropped is refused, and it says what is missing', async () => {
  const database = await server.newDatabase()
  await server.sql('DROP EXTENSION plpgsql', database)
  await expect(open(server.url(database))).rejects.toThrow('language "plpgsql" does not exist')
  await server.sql('CREATE EXTENSION plpgsql', database)
  const backend = await open(server.url(database))
  await backend.close()
})

describe('a node of the version before', () => {
  it('goes on with its own function beside a newer one, and nothing is lost', async () => {
    await withClient(async ({ backend, client }) => {
      const key = 'counter'
      await backend.commit({ id: id(), checks: [], put: [{ key, value: Buffer.from('0') }] })
      const count = async (commit: (commit: Commit) => Promise<unknown>) => {
        for (let done = 0; done < 25; ) {
          const [row] = await backend.read([{ key }])
          if (row === undefined || row === 'same') expect.unreachable()
          const next = { key, value: Buffer.from(`${Number(textOf(row)) + 1}`) }
          if ((await commit({ id: id(), checks: [{ key, version: row.version }], put: [next] })) === 'ok') done += 1
        }
      }
      await Promise.all([count((commit) => backend.commit(commit)), count((commit) => formerCall(2, client, commit))])
      expect(textOf((await backend.read([{ key }]))[0])).toBe('50')
    })
  })

  it('has made the tables: a newer one makes its function and leaves the other', async () => {
    await withClient(async ({ backend, client, database }) => {
      await backend.commit({ id: id(), checks: [], put: [{ key: 'a', value }] })
      await client.query('DROP FUNCTION coffer_rows_commit_3')
      const newer = await open(server.url(database))
      expect(await newer.commit({ id: id(), checks: [], put: [{ key: 'b', value }] })).toBe('ok')
      expect(await newer.list('', all)).toEqual(['a', 'b'])
      expect(await formerCall(2, client, { id: id(), checks: [], put: [{ key: 'c', value }] })).toBe('ok')
      await newer.close()
    })
  })

  it("is no reason to take another role's function of the new name for ours", async () => {
    await withClient(async ({ client, database }) => {
      await client.query('CREATE ROLE planter')
      await client.query('ALTER FUNCTION coffer_rows_commit_3 OWNER TO planter')
      await expect(open(server.url(database))).rejects.toThrow(
        'the function "coffer_rows_commit_3" belongs to another role, so it is not of this program',
      )
    })
  })
})
