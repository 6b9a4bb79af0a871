import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { systemRandom } from '../../lib/random.ts'
import { commitId } from '../contracts/commit.ts'
import type { StorageBackend, Stored } from '../contracts/storage.ts'
import { openMemory } from './memory/memory.ts'
import { type MigrationOptions, migrate, migrationKey, refuseWhileMigrating, unlockMigration } from './migration.ts'

const clock = new FakeClock()
const random = systemRandom
const memory = () => openMemory({ clock, random })

async function filled(count = 50): Promise<StorageBackend> {
  const backend = memory()
  await put(backend, 'core/keyring', 'k')
  for (let i = 0; i < count; i += 1) await put(backend, `mnt/${String(i).padStart(4, '0')}`, `value ${i}`)
  return backend
}

const put = (backend: StorageBackend, key: string, value: string) =>
  backend.commit({ id: commitId(random), checks: [], put: [{ key, value: Buffer.from(value) }] })

async function all(backend: StorageBackend): Promise<(readonly [string, Stored])[]> {
  const rows = []
  for await (const row of backend.snapshot(new AbortController().signal)) rows.push(row)
  return rows
}

const run = (from: StorageBackend, to: StorageBackend, more: Partial<MigrationOptions> = {}) =>
  migrate({ from, to, clock, random, signal: new AbortController().signal, ...more })

/** The same storage, but for one method. */
const withMethod = (backend: StorageBackend, own: Partial<StorageBackend>): StorageBackend =>
  new Proxy(backend, {
    get: (target, name) => {
      const value = Reflect.get(own, name) ?? Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

describe('a migration', () => {
  it('copies every row as it is, version included, and nothing about who runs', async () => {
    const [from, to] = [await filled(), memory()]
    const before = (await all(from)).filter(([key]) => key !== 'core/leader')
    const done = await run(from, to)
    expect(await all(to)).toEqual(before)
    expect(await all(from)).toEqual(before)
    expect(done.rows).toBe(51)
    expect(done.digest).toMatch(/^[0-9a-f]{64}$/)
  })

  it('is refused where another one leads, which is left alone', async () => {
    const [from, to] = [await filled(), memory()]
    const stop = new AbortController()
    let leads = () => {}
    const leading = new Promise<void>((resolve) => {
      leads = resolve
    })
    const server = from.lead(async (_, signal) => {
      leads()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }, stop.signal)
    await leading
    const refused = expect(run(from, to)).rejects.toThrow('a server is at work on storage_source')
    await clock.advance(20_000)
    await refused
    expect(await all(to)).toEqual([])
    stop.abort()
    await server
  })

  it('is refused for a source that was never initialised', async () => {
    await expect(run(memory(), memory())).rejects.toThrow('storage_source holds nothing')
  })

  it('is refused into a storage that holds something, which stays', async () => {
    const [from, to] = [await filled(), memory()]
    await put(to, 'a', 'mine')
    await expect(run(from, to)).rejects.toThrow('storage_destination is not empty')
    expect((await all(to)).map(([key]) => key)).toEqual(['a'])
    await refuseWhileMigrating(from)
  })

  it('keeps servers from both storages while it runs', async () => {
    const [from, to] = [await filled(), memory()]
    const seen: string[] = []
    await run(from, to, {
      beforeEnd: async () => {
        for (const backend of [from, to]) await refuseWhileMigrating(backend).catch(({ message }) => seen.push(message))
      },
    })
    expect(seen).toHaveLength(2)
    expect(seen[0]).toMatch(/^Storage migration in progress \(started: 20.*Use 'coffer operator migrate -reset'/)
    expect(seen[1]).toContain('run it again')
    await refuseWhileMigrating(from)
    await refuseWhileMigrating(to)
  })

  it.each([
    ['the source changes meanwhile', 'from', 'storage_source was changed meanwhile'],
    ['a row does not arrive', 'to', 'storage_destination does not hold what was written to it'],
  ])('leaves an empty destination when %s', async (_, side, why) => {
    const from = await filled()
    const to = memory()
    let told = false
    const onProgress = () => {
      if (!told && side === 'from') void put(from, 'mnt/0001', 'another')
      told = true
    }
    const lossy = withMethod(to, {
      load: async (rows: AsyncIterable<readonly [string, Stored]>) => {
        const kept = []
        for await (const row of rows) if (row[0] !== 'mnt/0007') kept.push(row)
        await to.replace(kept, 0)
      },
    })
    await expect(run(from, side === 'to' ? lossy : to, { onProgress })).rejects.toThrow(why)
    expect(await all(to)).toEqual([])
    await refuseWhileMigrating(from)
  })

  it('leaves an empty destination and no lock when it is stopped', async () => {
    const [from, to] = [await filled(), memory()]
    const stop = new AbortController()
    const stopped = run(from, to, {
      signal: stop.signal,
      onProgress: (_, rows) => rows === 20 && stop.abort(new Error('SIGINT')),
    })
    await expect(stopped).rejects.toThrow('SIGINT')
    expect(await all(to)).toEqual([])
    await refuseWhileMigrating(from)
  })

  it('is told from one that was killed, whose lock -reset takes away and whose copy is made anew', async () => {
    const [from, to] = [await filled(), memory()]
    const killed = { backend: from, copy: to }
    // As SIGKILL leaves them: both locked, the copy whole but not compared.
    await run(from, to, {
      beforeEnd: async () => {
        killed.backend = await copyOf(from)
        killed.copy = await copyOf(to)
      },
    })
    await expect(run(killed.backend, memory())).rejects.toThrow(/storage migration in progress \(started: 20.*-reset/)
    await expect(unlockMigration(killed.copy, random)).rejects.toThrow('it is the destination of a migration')
    await unlockMigration(killed.backend, random)
    await run(killed.backend, killed.copy)
    expect((await all(killed.copy)).length).toBe(51)
    await refuseWhileMigrating(killed.copy)
  })

  it('never empties the source of another one, whatever it is told to migrate into', async () => {
    const locked = await filled()
    await put(locked, migrationKey, JSON.stringify({ format: 1, start: new Date(0).toISOString(), role: 'source' }))
    const damaged = await filled()
    await put(damaged, migrationKey, '{"role"')
    for (const to of [locked, damaged]) {
      await expect(run(await filled(), to)).rejects.toThrow('not empty')
      expect((await all(to)).length).toBe(52)
    }
  })
})

async function copyOf(backend: StorageBackend): Promise<StorageBackend> {
  const copy = memory()
  const rows = (await all(backend)).filter(([key]) => key !== 'core/leader')
  await copy.replace(rows, 0)
  return copy
}
