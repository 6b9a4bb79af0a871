import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import { Barrier } from '../../server/barrier/barrier.ts'
import { commitId } from '../../server/contracts/commit.ts'
import type { StorageBackend } from '../../server/contracts/storage.ts'
import { openLmdb } from '../../server/storage/lmdb/lmdb.ts'
import { openStorage } from '../server/storage.ts'
import { localStorage } from './local-storage.ts'
import { readMigration } from './migration-config.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-migrate-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let names = 0
const newPath = () => {
  names += 1
  return join(folder, String(names))
}

const parts = { clock: systemClock, random: systemRandom, log: silentLog }
const open = (path: string) =>
  openLmdb({
    path,
    ...parts,
    check: { command: ['false'] },
    minFreeBytes: 1024 * 1024,
    fatal: (error) => {
      throw error
    },
  })

const rootKey = Buffer.alloc(32, 9)

/** As a server that was initialised and used. */
async function fill(path: string): Promise<void> {
  const backend = await open(path)
  const barrier = new Barrier({ backend, ...parts })
  const plain = ['core/seal-config', 'core/root-key'].map((key) => ({ key, value: Buffer.from('{}') }))
  await barrier.initialise({ rootKey, plain })
  await barrier.unseal(rootKey)
  const view = barrier.view('mnt/1/')
  for (let i = 0; i < 20; i += 1) await view.transaction(async (tx) => tx.put(view, `row${i}`, { value: i }))
  await backend.close()
}

function config(source: string, destination: string): string {
  const file = newPath()
  const stanza = (name: string, path: string) => `${name} "lmdb" {\n  path = "${path}"\n  min_free = "1MiB"\n}\n`
  writeFileSync(file, stanza('storage_source', source) + stanza('storage_destination', destination))
  return file
}

async function migrating(source: string, destination: string) {
  const migration = await localStorage({}).openMigration(config(source, destination))
  return {
    ...migration,
    run: () => migration.run({ signal: new AbortController().signal, onProgress: () => undefined }),
  }
}

const serve = (path: string) => openStorage({ kind: 'lmdb', path, minFreeBytes: 1024 * 1024 }, { ...parts, env: {} })

async function secrets(backend: StorageBackend): Promise<unknown> {
  const barrier = new Barrier({ backend, ...parts })
  await barrier.unseal(rootKey)
  return barrier.view('mnt/1/').get('row19', { parse: (value) => value })
}

describe('a migration between files', () => {
  it('makes a storage that opens with the same keys, without a check and without anything else in its folder', async () => {
    const [source, destination] = [newPath(), newPath()]
    await fill(source)
    const done = await (await migrating(source, destination)).run()
    expect(done).toMatchObject({ rows: 25, from: `lmdb in ${source}`, to: `lmdb in ${destination}` })
    expect(readdirSync(destination).sort()).toEqual(['closed.json', 'coffer.mdb'])
    expect(statSync(join(destination, 'coffer.mdb')).mode & 0o777).toBe(0o600)
    for (const path of [destination, source]) {
      const backend = await open(path)
      expect(await secrets(backend)).toEqual({ value: 19 })
      await backend.close()
    }
  })

  it('is refused while a server has the source open, sealed or not', async () => {
    const [source, destination] = [newPath(), newPath()]
    await fill(source)
    const server = await open(source)
    await expect((await migrating(source, destination)).run()).rejects.toThrow(`a server has ${source} open`)
    expect(existsSync(join(destination, 'coffer.mdb'))).toBe(false)
    await server.close()
  })

  it('is refused into a folder that holds a storage, which stays as it is', async () => {
    const [source, destination] = [newPath(), newPath()]
    await fill(source)
    await fill(destination)
    const before = statSync(join(destination, 'coffer.mdb')).mtimeMs
    await expect((await migrating(source, destination)).run()).rejects.toThrow('storage_destination is not empty')
    expect(statSync(join(destination, 'coffer.mdb')).mtimeMs).toBe(before)
    await expect((await migrating(source, source)).run()).rejects.toThrow('storage_destination is not empty')
    const server = await serve(source)
    await server.close()
  })

  it('does not make a storage where the source should be', async () => {
    const source = newPath()
    await expect((await migrating(source, newPath())).run()).rejects.toThrow(
      `error mounting 'storage_source': there is no coffer.mdb in ${source}`,
    )
    expect(existsSync(source)).toBe(false)
  })

  it('that was killed keeps servers away until -reset, and is run again over what it left', async () => {
    const [source, destination] = [newPath(), newPath()]
    await fill(source)
    const backend = await open(source)
    const value = Buffer.from(JSON.stringify({ format: 1, start: '2026-01-02T03:04:05.000Z', role: 'source' }))
    await backend.commit({ id: commitId(systemRandom), checks: [], create: [{ key: 'core/migration', value }] })
    await backend.close()
    const left = await open(join(destination, 'migrating'))
    await left.close()
    await expect(serve(source)).rejects.toThrow('Storage migration in progress (started: 2026-01-02T03:04:05.000Z)')
    const migration = await migrating(source, destination)
    await expect(migration.run()).rejects.toThrow('storage migration in progress (started: 2026-01-02T03:04:05.000Z)')
    await migration.reset()
    await migration.run()
    expect(existsSync(join(destination, 'migrating'))).toBe(false)
    await (await serve(destination)).close()
  })
})

describe('the file of a migration', () => {
  it.each([
    ['storage_source "lmdb" { path = "/a" }', 'the block storage_destination is missing'],
    ['storage_destination "lmdb" { path = "/a" }', 'the block storage_source is missing'],
    ['storage_source "inmem" {}\nstorage_destination "lmdb" { path = "/a" }', 'storage_source "inmem" holds nothing'],
    ['storage_source "consul" {}\nstorage_destination "lmdb" { path = "/a" }', 'storage "consul" is not supported'],
    ['storage "lmdb" { path = "/a" }', 'unknown key "storage" in the configuration of a migration'],
  ])('%s is refused', (text, why) => {
    const file = newPath()
    writeFileSync(file, text)
    expect(() => readMigration(file)).toThrow(why)
  })

  it("warns of what of Vault's has no effect", () => {
    const file = newPath()
    writeFileSync(
      file,
      'storage_source "lmdb" { path = "/a" }\nstorage_destination "postgresql" { connection_url = "postgres://u@h/d" }\ncluster_addr = "https://a:8201"',
    )
    expect(readMigration(file)).toMatchObject({
      destination: { kind: 'postgresql' },
      warnings: [expect.stringContaining('"cluster_addr" in the configuration of a migration has no effect')],
    })
  })
})
