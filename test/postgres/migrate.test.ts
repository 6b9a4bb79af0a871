/** From a file to PostgreSQL and back: the way to grow, and the way out. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { localStorage } from '../../src/programs/storage/local-storage.ts'
import { Barrier } from '../../src/server/barrier/barrier.ts'
import { commitId } from '../../src/server/contracts/commit.ts'
import type { StorageBackend } from '../../src/server/contracts/storage.ts'
import { openLmdb } from '../../src/server/storage/lmdb/lmdb.ts'
import { open } from './open-storage.ts'
import { type PostgresServer, passwordCanary, startPostgres } from './postgres-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-migrate-pg-'))
let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  await server?.close()
  rmSync(folder, { recursive: true, force: true })
})

const parts = { clock: systemClock, random: systemRandom, log: silentLog }
const rootKey = Buffer.alloc(32, 9)
const number = { parse: Number }

const openFile = (path: string) =>
  openLmdb({
    path,
    ...parts,
    check: { command: ['false'] },
    minFreeBytes: 1024 * 1024,
    fatal: (error) => {
      throw error
    },
  })

async function fill(backend: StorageBackend, rows: number): Promise<void> {
  const barrier = new Barrier({ backend, ...parts })
  const plain = ['core/seal-config', 'core/root-key'].map((key) => ({ key, value: Buffer.from('{}') }))
  await barrier.initialise({ rootKey, plain })
  await barrier.unseal(rootKey)
  const view = barrier.view('mnt/1/')
  for (let i = 0; i < rows; i += 100) {
    await view.transaction(async (tx) => {
      for (let j = i; j < i + 100; j += 1) tx.put(view, `row${j}`, j)
    })
  }
  await backend.close()
}

async function last(backend: StorageBackend, row: number): Promise<number | undefined> {
  const barrier = new Barrier({ backend, ...parts })
  try {
    await barrier.unseal(rootKey)
    return await barrier.view('mnt/1/').get(`row${row}`, number)
  } finally {
    await backend.close()
  }
}

async function migrating(name: string, source: string, destination: string) {
  const file = join(folder, `${name}.hcl`)
  writeFileSync(file, `storage_source ${source}\nstorage_destination ${destination}\n`)
  return localStorage({}).openMigration(file)
}

const run = async (name: string, source: string, destination: string) =>
  (await migrating(name, source, destination)).run({
    signal: new AbortController().signal,
    onProgress: () => undefined,
  })

const fileStanza = (path: string) => `"lmdb" {\n  path = "${path}"\n  min_free = "1MiB"\n}`
const databaseStanza = (database: string) => `"postgresql" {\n  connection_url = "${server.url(database)}"\n}`

describe('a migration', () => {
  it('brings a file to PostgreSQL and back, and each of them opens with the same keys', async () => {
    const [first, second] = [join(folder, 'first'), join(folder, 'second')]
    await fill(await openFile(first), 5000)
    const database = await server.newDatabase()
    const there = await run('there', fileStanza(first), databaseStanza(database))
    expect(there).toMatchObject({ rows: 5006, to: 'postgresql, table coffer_rows' })
    expect(JSON.stringify(there)).not.toContain(passwordCanary)
    expect(await last(await open(server.url(database)), 4999)).toBe(4999)
    const back = await run('back', databaseStanza(database), fileStanza(second))
    expect(back).toMatchObject({ rows: 5006, digest: there.digest })
    expect(await last(await openFile(second), 4999)).toBe(4999)
  })

  it('is refused while a server leads on the database', async () => {
    const database = await server.newDatabase()
    await fill(await open(server.url(database)), 100)
    const node = await open(server.url(database))
    const stop = new AbortController()
    let leads = () => {}
    const leading = new Promise<void>((resolve) => {
      leads = resolve
    })
    const lead = node.lead(async (_, signal) => {
      leads()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }, stop.signal)
    await leading
    const destination = join(folder, 'refused')
    await expect(run('busy', databaseStanza(database), fileStanza(destination))).rejects.toThrow(
      'a server is at work on storage_source',
    )
    expect(readdirSync(destination)).toEqual([])
    stop.abort(new Error('enough'))
    await lead
    await node.close()
  })

  it('leaves a database empty when it is stopped midway, and one that holds something as it was', async () => {
    const source = join(folder, 'stopped')
    await fill(await openFile(source), 3000)
    const database = await server.newDatabase()
    const stop = new AbortController()
    const migration = await migrating('stopped', fileStanza(source), databaseStanza(database))
    await expect(
      migration.run({ signal: stop.signal, onProgress: (_, rows) => rows > 1500 && stop.abort(new Error('SIGINT')) }),
    ).rejects.toThrow('SIGINT')
    expect(await server.sql('SELECT count(*) FROM coffer_rows', database)).toEqual(['0'])
    const backend = await open(server.url(database))
    await backend.commit({ id: commitId(systemRandom), checks: [], create: [{ key: 'a', value: Buffer.from('b') }] })
    await backend.close()
    await expect(run('full', fileStanza(source), databaseStanza(database))).rejects.toThrow(
      'storage_destination is not empty',
    )
    expect(await server.sql('SELECT count(*) FROM coffer_rows', database)).toEqual(['1'])
  })
})

describe('operator storage check', () => {
  const check = async (name: string, database: string) => {
    const file = join(folder, `${name}.hcl`)
    writeFileSync(
      file,
      `storage ${databaseStanza(database)}\nlistener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}\n`,
    )
    return localStorage({}).check({ configs: [file], signal: new AbortController().signal })
  }

  it('finds a database whole, one without a row it needs damaged, and can say nothing of an empty one', async () => {
    const database = await server.newDatabase()
    expect(await check('whole', database)).toMatchObject({ verdict: 'unknown' })
    await fill(await open(server.url(database)), 100)
    expect(await check('whole', database)).toMatchObject({ verdict: 'whole', rows: 105, problems: [] })
    await server.sql(`DELETE FROM coffer_rows WHERE key = 'core/root-key' RETURNING 1`, database)
    const report = await check('whole', database)
    expect(report).toMatchObject({ verdict: 'damaged', advice: expect.stringContaining('snapshot') })
    expect(report.problems).toEqual(['the row "core/root-key" is missing: nothing can be unsealed without it'])
  })

  it('can say nothing of a database that is away, and does not name its password', async () => {
    const report = await check('away', 'no_such_database')
    expect(report.verdict).toBe('unknown')
    expect(JSON.stringify(report)).not.toContain(passwordCanary)
  })
})
