/** The function that every commit calls: commits without checks that meet over rows which nobody had, and nodes of two versions. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemRandom } from '../../src/lib/random.ts'
import { commitId } from '../../src/server/contracts/commit.ts'
import type { Commit, StorageBackend } from '../../src/server/contracts/storage.ts'
import { commitCall } from '../../src/server/storage/postgres/commit-call.ts'
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
const former = { ...names, commit: 'coffer_rows_commit_1' }

/** A database with one node, and a connection beside it that calls the functions by itself. */
async function withClient(
  work: (parts: { backend: StorageBackend; client: Client; database: string }) => Promise<void>,
): Promise<void> {
  const database = await server.newDatabase()
  const backend = await open(server.url(database))
  const client = new Client({ connectionString: server.url(database) })
  await client.connect()
  try {
    await client.query(readFileSync(join(import.meta.dirname, 'commit-1.sql'), 'utf8'))
    await work({ backend, client, database })
  } finally {
    await client.end()
    await backend.close()
  }
}

async function call(client: Client, commit: Commit, version = names): Promise<unknown> {
  const { text, values } = commitCall(version, '7', commit)
  const { rows } = await client.query({ text, values: [...values], rowMode: 'array' })
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
      expect(await meet(parts, (commit) => call(second, commit, former))).toEqual(['both', 'removed'])
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
      await Promise.all([count((commit) => backend.commit(commit)), count((commit) => call(client, commit, former))])
      expect(textOf((await backend.read([{ key }]))[0])).toBe('50')
    })
  })

  it('has made the tables: a newer one makes its function and leaves the other', async () => {
    await withClient(async ({ backend, client, database }) => {
      await backend.commit({ id: id(), checks: [], put: [{ key: 'a', value }] })
      await client.query('DROP FUNCTION coffer_rows_commit_2')
      const newer = await open(server.url(database))
      expect(await newer.commit({ id: id(), checks: [], put: [{ key: 'b', value }] })).toBe('ok')
      expect(await newer.list('', all)).toEqual(['a', 'b'])
      expect(await call(client, { id: id(), checks: [], put: [{ key: 'c', value }] }, former)).toBe('ok')
      await newer.close()
    })
  })

  it("is no reason to take another role's function of the new name for ours", async () => {
    await withClient(async ({ client, database }) => {
      await client.query('CREATE ROLE planter')
      await client.query('ALTER FUNCTION coffer_rows_commit_2 OWNER TO planter')
      await expect(open(server.url(database))).rejects.toThrow(
        'the function "coffer_rows_commit_2" belongs to another role, so it is not of this program',
      )
    })
  })
})
