/** What only PostgreSQL can show: what is refused, who sees what when, and what stays out of logs and errors. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { FakeClock } from '../../src/lib/fake-clock.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { commitId } from '../../src/server/contracts/commit.ts'
import { type Change, type StorageBackend, StorageDown, StorageFull } from '../../src/server/contracts/storage.ts'
import { eventually, open, put, recordingLog, textOf } from './open-storage.ts'
import { freePort, type PostgresServer, passwordCanary, startPostgres } from './postgres-server.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.close())

const all = { depth: 'all', limit: 1000 } as const
const id = () => commitId(systemRandom)
const messageOf = (failing: Promise<unknown>): Promise<string> =>
  failing.then(
    () => expect.unreachable(),
    (error: Error) => error.message,
  )

/** A database of its own, one node, closed at the end. */
async function withStorage(
  work: (backend: StorageBackend, database: string) => Promise<void>,
  options: Parameters<typeof open>[1] = {},
): Promise<void> {
  const database = await server.newDatabase()
  const backend = await open(server.url(database), options)
  try {
    await work(backend, database)
  } finally {
    await backend.close()
  }
}

/** A connection of someone else, for holding transactions open. */
async function someone(database: string) {
  const { Client } = await import('pg')
  const client = new Client({ connectionString: server.url(database) })
  await client.connect()
  return client
}

/** Everything that is told, until it is stopped. */
function listen(backend: StorageBackend) {
  const abort = new AbortController()
  const heard: Change[] = []
  const run = (async () => {
    for await (const change of backend.changes(abort.signal)) heard.push(change)
  })()
  const stop = () => {
    abort.abort()
    return run
  }
  return { heard, stop }
}

describe('a database that would lose what it acknowledged', () => {
  it.each([
    ['synchronous_commit', 'off', 'has synchronous_commit = off for this user'],
    ['default_transaction_isolation', "'repeatable read'", 'has default_transaction_isolation = repeatable read'],
  ])('is refused: %s = %s', async (name, value, words) => {
    const database = await server.newDatabase()
    await server.sql(`ALTER DATABASE ${database} SET ${name} = ${value}`)
    await expect(open(server.url(database))).rejects.toThrow(StorageDown)
    expect(await messageOf(open(server.url(database)))).toContain(words)
  })

  it('is refused also when it becomes one while nodes are connected', async () => {
    await withStorage(async (backend) => {
      await backend.commit(put('a', 'before'))
      await server.sql('ALTER SYSTEM SET synchronous_commit = off')
      await server.sql('SELECT pg_reload_conf()')
      const refused = async () => {
        const failed = await backend.commit(put('b')).then(
          () => undefined,
          (error: Error) => error,
        )
        return failed
      }
      try {
        const error = await eventually(refused, 'a refusal')
        expect(error).toBeInstanceOf(StorageDown)
        expect(error.message).toContain('synchronous_commit = off')
        // What was refused is not there.
        await backend.commit(put('c')).catch(() => undefined)
        expect(await backend.list('c', all)).toEqual([])
      } finally {
        await server.sql('ALTER SYSTEM RESET synchronous_commit')
        await server.sql('SELECT pg_reload_conf()')
      }
      await eventually(
        () =>
          backend.commit(put('d')).then(
            (outcome) => outcome,
            () => undefined,
          ),
        'commits again',
      )
    })
  })
})

describe('tables', () => {
  it('are made once when many nodes start together, and found by the next one', async () => {
    const url = server.url(await server.newDatabase())
    const nodes = await Promise.all(Array.from({ length: 6 }, () => open(url)))
    expect(await nodes[0]?.commit(put('a', 'kept'))).toBe('ok')
    await Promise.all(nodes.map((node) => node.close()))
    const again = await open(url)
    expect(textOf((await again.read([{ key: 'a' }]))[0])).toBe('kept')
    await again.close()
  })

  it('of a newer program and of others are left alone', async () => {
    const database = await server.newDatabase()
    const url = server.url(database)
    await (await open(url)).close()
    await server.sql('UPDATE coffer_rows_meta SET format = 2', database)
    expect(await messageOf(open(url))).toBe('the tables have format 2 and this program knows format 1: run a newer one')
    await server.sql('CREATE TABLE vault_kv_store (path text)', database)
    expect(await messageOf(open(url, { table: 'vault_kv_store' }))).toContain('is not of this program')
    expect(await server.sql('SELECT count(*) FROM vault_kv_store', database)).toEqual(['0'])
  })

  it('may lie in a schema of their own, beside those of another cluster', async () => {
    const database = await server.newDatabase()
    await server.sql('CREATE SCHEMA "Two"', database)
    const one = await open(server.url(database), { table: 'same' })
    const two = await open(server.url(database), { table: 'Two.same' })
    await one.commit(put('a', 'one'))
    await two.commit(put('a', 'two'))
    expect([textOf((await one.read([{ key: 'a' }]))[0]), textOf((await two.read([{ key: 'a' }]))[0])]).toEqual([
      'one',
      'two',
    ])
    await Promise.all([one.close(), two.close()])
  })

  it('that were restored into another cluster, whose transactions count anew, tell no reset for ever', async () => {
    const database = await server.newDatabase()
    const url = server.url(database)
    await (await open(url)).close()
    await server.sql("UPDATE coffer_rows_meta SET trimmed = '99999999999'", database)
    await server.sql("INSERT INTO coffer_rows_changes VALUES ('99999999998', 1, 1, NULL)", database)
    const backend = await open(url)
    const { heard, stop } = listen(backend)
    await systemClock.sleep(500)
    await stop()
    expect(heard.filter((change) => change === 'reset')).toEqual([])
    await backend.close()
  })
})

describe('a commit', () => {
  it('that waits for a guard sees what was created below it meanwhile', async () => {
    await withStorage(async (backend, database) => {
      const version = id()
      await backend.commit({ id: version, checks: [], put: [{ key: 'guard', value: Buffer.from('live') }] })
      const adder = await someone(database)
      await adder.query('BEGIN')
      await adder.query("SELECT FROM coffer_rows WHERE key = 'guard' FOR SHARE")
      const checks = [{ key: 'guard', version }]
      const removal = backend.commit({
        id: id(),
        checks,
        put: [{ key: 'guard', value: Buffer.from('dead') }],
        remove: ['guard/child'],
      })
      await eventually(async () => {
        const waiting = await server.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return waiting[0] === '1' ? true : undefined
      }, 'the removal to wait')
      await adder.query("INSERT INTO coffer_rows VALUES ('guard/child', 1, 'x')")
      await adder.query('COMMIT')
      expect(await removal).toBe('ok')
      expect(await backend.list('', all)).toEqual(['guard'])
      await adder.end()
    })
  })

  it('that only checks a row does not wait for others that do', async () => {
    await withStorage(async (backend, database) => {
      const version = id()
      await backend.commit({ id: version, checks: [], put: [{ key: 'guard', value: Buffer.from('live') }] })
      const other = await someone(database)
      await other.query('BEGIN')
      await other.query("SELECT FROM coffer_rows WHERE key = 'guard' FOR SHARE")
      const create = [{ key: 'child', value: Buffer.from('x') }]
      expect(await backend.commit({ id: id(), checks: [{ key: 'guard', version }], create })).toBe('ok')
      await other.query('ROLLBACK')
      await other.end()
    })
  })

  it('that changes a row comes to its turn although others check that row all the time', async () => {
    await withStorage(
      async (backend) => {
        let version = id()
        await backend.commit({ id: version, checks: [], put: [{ key: 'guard', value: Buffer.from('0') }] })
        let stop = false
        let checked = 0
        const checker = async (name: number) => {
          for (let i = 0; !stop; i += 1) {
            const checks = [{ key: 'guard', version }]
            const create = [{ key: `child/${name}/${i}`, value: Buffer.from('x') }]
            if ((await backend.commit({ id: id(), checks, create })) === 'ok') checked += 1
          }
        }
        const checkers = Array.from({ length: 12 }, (_, i) => checker(i))
        for (let i = 0; i < 20; i += 1) {
          const next = id()
          expect(
            await backend.commit({ id: next, checks: [], put: [{ key: 'guard', value: Buffer.from(`${i}`) }] }),
          ).toBe('ok')
          version = next
        }
        stop = true
        await Promise.all(checkers)
        expect(checked).toBeGreaterThan(0)
      },
      { maxParallel: 16 },
    )
  })

  it('of new rows in crossed order is run again and not refused', async () => {
    await withStorage(async (backend, database) => {
      const peer = await open(server.url(database))
      const value = Buffer.from('x')
      for (let i = 0; i < 30; i += 1) {
        const [a, b] = [`${i}/a`, `${i}/b`]
        const one = backend.commit({ id: id(), checks: [], create: [{ key: b, value }], put: [{ key: a, value }] })
        const two = peer.commit({ id: id(), checks: [], create: [{ key: a, value }], put: [{ key: b, value }] })
        const outcomes = await Promise.all([one, two])
        expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(1)
      }
      await peer.close()
    })
  })

  it('that finds the disk full says so, and nothing of it is there', async () => {
    await withStorage(async (backend, database) => {
      await server.sql(
        `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
          $$BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END$$`,
        database,
      )
      await server.sql(
        'CREATE TRIGGER full_disk BEFORE INSERT ON coffer_rows_changes FOR EACH ROW EXECUTE FUNCTION full_disk()',
        database,
      )
      await expect(backend.commit(put('a'))).rejects.toThrow(StorageFull)
      expect(await messageOf(backend.commit(put('a')))).toContain('has no room left on its disk')
      expect(await backend.list('', all)).toEqual([])
      await server.sql('DROP TRIGGER full_disk ON coffer_rows_changes', database)
      expect(await backend.commit(put('a'))).toBe('ok')
    })
  })
})

describe('two nodes', () => {
  it('tell each other what they commit, once, and the clock of the database', async () => {
    await withStorage(async (backend, database) => {
      const peer = await open(server.url(database))
      const { heard, stop } = listen(backend)
      for (let i = 0; i < 50; i += 1) await peer.commit(put(`k${i}`))
      await peer.clear('none/', 10)
      const keys = () => heard.flatMap((change) => (change === 'reset' ? ['reset'] : change.keys))
      await eventually(() => (keys().includes('k49') ? true : undefined), 'the last key')
      expect(keys()).toEqual(Array.from({ length: 50 }, (_, i) => `k${i}`))
      const before = heard.length
      const beat = await eventually(
        () => heard.slice(before).find((change) => change !== 'reset' && change.keys.length === 0),
        'a beat',
      )
      const [now] = await server.sql('SELECT extract(epoch FROM clock_timestamp()) * 1000')
      expect(Math.abs(Number(now) - (beat === 'reset' ? 0 : beat.at))).toBeLessThan(5000)
      expect(Math.abs(Number(now) - (await backend.now()))).toBeLessThan(5000)
      await peer.replace([['a', { value: Buffer.from('x'), version: id() }]], 1)
      await eventually(() => (heard.includes('reset') ? true : undefined), 'the reset after a replacement')
      await stop()
      await peer.close()
    })
  })

  it('miss nothing while a long transaction holds the horizon back, also of ids below it', async () => {
    await withStorage(async (backend, database) => {
      const peer = await open(server.url(database))
      const other = await someone(database)
      await other.query('BEGIN')
      await other.query('SELECT pg_current_xact_id()')
      const { heard, stop } = listen(backend)
      await peer.commit(put('early'))
      const beats = heard.length
      await eventually(() => (heard.length > beats + 1 ? true : undefined), 'two beats')
      expect(heard.flatMap((change) => (change === 'reset' ? ['reset'] : change.keys))).toEqual([])
      await other.query("INSERT INTO coffer_rows_changes VALUES (pg_current_xact_id(), 1, 1, ARRAY['late'::bytea])")
      await other.query('COMMIT')
      const keys = () => heard.flatMap((change) => (change === 'reset' ? ['reset'] : change.keys))
      await eventually(() => (keys().length === 2 ? true : undefined), 'both')
      expect(keys()).toEqual(['late', 'early'])
      await stop()
      await other.end()
      await peer.close()
    })
  })

  it('are told to read anew when notices were thrown away before they saw them', async () => {
    await withStorage(async (backend, database) => {
      const { heard, stop } = listen(backend)
      await server.sql("UPDATE coffer_rows_meta SET trimmed = '99999999999'", database)
      await eventually(() => (heard.includes('reset') ? true : undefined), 'a reset')
      await stop()
    })
  })
})

describe('a machine', () => {
  it('whose clock is far from the database serves nothing and says by how much', async () => {
    const behind = new FakeClock(Date.now() - 120_000)
    const clock = { ...systemClock, now: () => behind.now() }
    const { log, lines } = recordingLog()
    await withStorage(
      async (backend) => {
        expect(await messageOf(backend.read([{ key: 'a' }]))).toMatch(/is 1(?:19|2\d) s behind that of the database/)
        await expect(backend.commit(put('a'))).rejects.toThrow(StorageDown)
        expect(lines.join('\n')).toContain('the clock of this machine is not that of the database')
        // The clock of the storage is the database's whatever the machine thinks.
        expect(Math.abs((await backend.now()) - Date.now())).toBeLessThan(5000)
      },
      { clock, log },
    )
  })
})

describe('a server that goes away', () => {
  it('is told as such, and found again, after which everything is read anew', async () => {
    const own = await startPostgres()
    try {
      const backend = await open(own.url())
      const { heard, stop } = listen(backend)
      await backend.commit(put('a', 'kept'))
      await own.stop()
      await expect(backend.read([{ key: 'a' }])).rejects.toThrow(StorageDown)
      await expect(backend.commit(put('b'))).rejects.toThrow(StorageDown)
      await own.start()
      const row = await eventually(() => backend.read([{ key: 'a' }]).catch(() => undefined), 'an answer')
      expect(textOf(row[0])).toBe('kept')
      await eventually(() => (heard.includes('reset') ? true : undefined), 'a reset')
      expect(await backend.commit(put('b'))).toBe('ok')
      await stop()
      await backend.close()
    } finally {
      await own.close()
    }
  })

  it('is looked for on each host, and a standby is none', async () => {
    const own = await startPostgres()
    const standby = await startPostgres()
    try {
      await standby.stop()
      writeFileSync(join(standby.folder, 'data', 'standby.signal'), '')
      await standby.start()
      expect(await standby.sql('SELECT pg_is_in_recovery()')).toEqual(['true'])
      expect(await messageOf(open(standby.url()))).toContain('is a standby')
      const nobody = await freePort()
      const hosts = `127.0.0.1:${nobody},127.0.0.1:${standby.port},127.0.0.1:${own.port}`
      const url = own.url().replace(`127.0.0.1:${own.port}`, hosts)
      const backend = await open(url)
      expect(await backend.commit(put('a'))).toBe('ok')
      await backend.close()
    } finally {
      await Promise.all([own.close(), standby.close()])
    }
  })
})

describe('the password', () => {
  it('is in no error, no log line and no answer, whatever goes wrong', async () => {
    const { log, lines } = recordingLog()
    const wrong = server.url().replace(encodeURIComponent(passwordCanary), 'canary-wrong-password')
    const refused = await messageOf(open(wrong, { log }))
    expect(refused).toContain('28P01')
    const closed = `postgres://coffer:${encodeURIComponent(passwordCanary)}@127.0.0.1:${await freePort()}/postgres`
    const away = await messageOf(open(closed, { log }))
    expect(away).toContain('does not answer')
    const missing = await messageOf(open(server.url('nodatabase'), { log }))
    expect(missing).toContain('3D000')
    const everything = [refused, away, missing, ...lines, server.log()].join('\n')
    expect(everything).not.toContain('canary')
    expect(lines.length).toBeGreaterThan(0)
  })
})

describe('many requests', () => {
  it('share few connections, and none is left when the storage is closed', async () => {
    const database = await server.newDatabase()
    const backend = await open(server.url(database), { maxParallel: 3 })
    await backend.commit(put('a', 'x'))
    const rows = await Promise.all(Array.from({ length: 300 }, () => backend.read([{ key: 'a' }])))
    expect(new Set(rows.map(([row]) => textOf(row)))).toEqual(new Set(['x']))
    const count = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'coffer' AND datname = '${database}'`
    expect(Number((await server.sql(count))[0])).toBeLessThanOrEqual(5)
    await backend.close()
    await eventually(
      async () => ((await server.sql(count))[0] === '0' ? true : undefined),
      'the end of the connections',
    )
  })

  it('read and list without a scan of the table', async () => {
    await withStorage(async (backend, database) => {
      await server.sql(
        "INSERT INTO coffer_rows SELECT convert_to('f' || i % 10 || '/' || i, 'UTF8'), 1, '' FROM generate_series(1, 200000) i",
        database,
      )
      await server.sql('ANALYZE coffer_rows', database)
      const begun = systemClock.monotonic()
      expect(await backend.list('', { depth: 'children', limit: 100 })).toEqual(
        Array.from({ length: 10 }, (_, i) => `f${i}/`),
      )
      // Reading 200,000 keys one by one takes seconds; ten seeks take milliseconds.
      expect(systemClock.monotonic() - begun).toBeLessThan(1000)
      const scans = (kind: 'seq_scan' | 'idx_scan') =>
        server
          .sql(`SELECT coalesce(sum(${kind}), 0) FROM pg_stat_user_tables WHERE relname = 'coffer_rows'`, database)
          .then(([count]) => Number(count))
      // Counts come late: closing the connections sends them. Making the index counts as a scan.
      await backend.close()
      await eventually(async () => ((await scans('seq_scan')) > 0 ? true : undefined), 'the counts of the start')
      const before = [await scans('seq_scan'), await scans('idx_scan')]
      const fresh = await open(server.url(database))
      for (let i = 0; i < 50; i += 1) {
        await fresh.read([{ key: 'f1/1' }, { key: 'f2/2' }])
        await fresh.commit(put('f1/1'))
        await fresh.list('f1/', { depth: 'all', limit: 10 })
      }
      await fresh.close()
      await eventually(
        async () => ((await scans('idx_scan')) > (before[1] ?? 0) + 200 ? true : undefined),
        'the counts',
      )
      expect(await scans('seq_scan')).toBe(before[0])
    })
  })
})
