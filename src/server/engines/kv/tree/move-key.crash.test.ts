import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../../lib/fake-clock.ts'
import { silentLog } from '../../../../lib/log.ts'
import { systemRandom } from '../../../../lib/random.ts'
import { Barrier, plainRows } from '../../../barrier/barrier.ts'
import type { StorageBackend } from '../../../contracts/storage.ts'
import { openMemory } from '../../../storage/memory/memory.ts'
import { crashing } from '../../../storage/test-crashing.ts'
import { start, TestKv } from '../test-kv.ts'

const rootKey = () => Buffer.alloc(32, 7)
const fence = { key: '', version: '' }

/** The engine over a real barrier, as one process has it. */
const open = async (backend: StorageBackend, clock: FakeClock) => {
  const barrier = new Barrier({ backend, clock, random: systemRandom, log: silentLog })
  if (!(await barrier.initialised())) {
    const plain = [
      { key: plainRows.sealConfig, value: Buffer.from('{}') },
      { key: plainRows.wrappedRootKey, value: Buffer.from('wrapped') },
    ]
    await barrier.initialise({ rootKey: rootKey(), plain })
  }
  await barrier.unseal(rootKey())
  return new TestKv({ clock, storage: barrier.view('mnt/u/') })
}

/** Writers that meet wait for each other by the clock. */
const driven = async <T>(clock: FakeClock, work: Promise<T>): Promise<T> => {
  const state = { done: false }
  const settled = work.finally(() => {
    state.done = true
  })
  settled.catch(() => undefined)
  while (!state.done) {
    await clock.advance(10)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return settled
}

/** After this process's commit number `at` (from 0) something else happens first. */
const interrupted = (backend: StorageBackend, at: number, happens: () => Promise<void>): StorageBackend => {
  let commits = 0
  return {
    type: backend.type,
    limits: backend.limits,
    read: (keys) => backend.read(keys),
    list: (prefix, page) => backend.list(prefix, page),
    commit: async (commit) => {
      const outcome = await backend.commit(commit)
      if (commits === at) await happens()
      commits += 1
      return outcome
    },
    clear: (prefix, limit) => backend.clear(prefix, limit),
    snapshot: (signal) => backend.snapshot(signal),
    load: (rows) => backend.load(rows),
    replace: (rows, bytes) => backend.replace(rows, bytes),
    now: () => backend.now(),
    changes: (signal) => backend.changes(signal),
    lead: (work, until) => backend.lead(work, until),
    announce: () => backend.announce(),
    isAtWork: (opening) => backend.isAtWork(opening),
    close: () => backend.close(),
  }
}

const versions = 230
const setUp = async () => {
  const clock = new FakeClock(start)
  const backend = openMemory({ clock, random: systemRandom })
  const kit = await open(backend, clock)
  await kit.show('update', 'config', { max_versions: 1000 })
  for (let v = 1; v <= versions; v += 1) await kit.write('big', { v })
  return { clock, backend, kit }
}

/** Every version is at exactly one of the paths. */
const whole = async (kit: TestKv, paths: readonly string[]): Promise<string> => {
  const found: string[] = []
  for (const path of paths) {
    if ((await kit.call('read', `data/${path}`)).kind === 'none') continue
    found.push(path)
    for (const v of [1, 2, 100, 101, 201, versions - 1, versions])
      expect((await kit.show('read', `data/${path}`, { version: v })).data?.data, `${path} ${v}`).toEqual({ v })
  }
  expect(found).toHaveLength(1)
  return found[0] ?? ''
}

const rowsOf = async (backend: StorageBackend, path: string) =>
  (await backend.list('mnt/u/', { depth: 'all', limit: 2000 })).filter((key) => key.split('/')[1] === path)

describe('a key with more versions than one commit holds', () => {
  it('moves whole, and leaves nothing behind', async () => {
    const { backend, kit } = await setUp()
    const { data } = await kit.show('update', 'coffer/move', { from: 'big', to: 'new' })
    expect(data).toMatchObject({ count: 1, versions })
    expect(await whole(kit, ['big', 'new'])).toBe('new')
    expect(await rowsOf(backend, 'big')).toEqual([])
    expect(await rowsOf(backend, 'new')).toHaveLength(versions)
  })

  for (const when of ['before', 'after'] as const) {
    it(`is whole at one of both paths when the process dies just ${when} any of the move's commits`, async () => {
      for (let at = 0; ; at += 1) {
        const { backend, clock } = await setUp()
        const dying = await open(crashing(backend, at, when), clock)
        const outcome = await dying.call('update', 'coffer/move', { from: 'big', to: 'new' }).catch((e: Error) => e)
        const next = await open(backend, clock)
        await whole(next, ['big', 'new'])
        // What is left is swept by any node, also when nobody moves on.
        if (at % 2 === 0) await next.call('update', 'coffer/move', { from: 'big', to: 'new' })
        await clock.advance(2 * 3_600_000)
        await next.mounted.tick?.(fence, new AbortController().signal)
        const path = await whole(next, ['big', 'new'])
        expect(await rowsOf(backend, path === 'new' ? 'big' : 'new')).toEqual([])
        expect(await rowsOf(backend, path)).toHaveLength(versions)
        if (!(outcome instanceof Error)) {
          expect(at).toBeGreaterThan(5)
          return
        }
      }
    }, 60_000)
  }

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])('that is written after commit %i of its move loses no version', async (at) => {
    const { backend, clock, kit } = await setUp()
    const write = async () => {
      for (const v of [1, 2]) await kit.write('big', { v: versions + v })
    }
    const moving = await open(interrupted(backend, at, write), clock)
    await moving.call('update', 'coffer/move', { from: 'big', to: 'new' })
    // Writes that came after the move began a key of their own.
    const seen: number[] = []
    for (const path of ['new', 'big']) {
      const { data } = await kit.show('read', `metadata/${path}`)
      for (let version = 1; version <= (data?.current_version ?? 0); version += 1) {
        seen.push((await kit.show('read', `data/${path}`, { version })).data.data?.v)
      }
    }
    expect(seen).toEqual(Array.from({ length: versions + 2 }, (_, i) => i + 1))
  })

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    'that meets a key made at its new path after commit %i overwrites nothing',
    async (at) => {
      const { backend, clock, kit } = await setUp()
      const make = async () => {
        for (const own of [1, 2, 3]) await kit.write('new', { own })
      }
      const moving = await open(interrupted(backend, at, make), clock)
      await moving.call('update', 'coffer/move', { from: 'big', to: 'new' })
      const dataOf = async (path: string, version: number) =>
        (await kit.show('read', `data/${path}`, { version })).data.data
      const moved = (await kit.call('read', 'data/big')).kind === 'none'
      for (const v of [1, 2, 3, 150, versions]) expect(await dataOf(moved ? 'new' : 'big', v)).toEqual({ v })
      for (const own of [1, 2, 3]) expect(await dataOf('new', moved ? versions + own : own)).toEqual({ own })
    },
  )

  const gone = ['is removed', 'moves on', 'is destroyed and removed'] as const
  it.each(gone.flatMap((how) => [0, 1, 2, 3].map((at) => [how, at] as const)))(
    'loses no version to a key at its new path that %s again, after commit %i',
    async (how, at) => {
      const { backend, clock, kit } = await setUp()
      const passThrough = async () => {
        for (const own of [1, 2, 3]) await kit.write('new', { own })
        if (how === 'is destroyed and removed') await kit.call('update', 'destroy/new', { versions: [1, 2] })
        if (how === 'moves on') await kit.call('update', 'coffer/move', { from: 'new', to: 'elsewhere' })
        else await kit.call('delete', 'metadata/new')
      }
      const moving = await open(interrupted(backend, at, passThrough), clock)
      await driven(clock, moving.call('update', 'coffer/move', { from: 'big', to: 'new' }))
      await whole(kit, ['big', 'new'])
    },
  )

  it('moves whole to where another such key was deleted, while what that one left is being swept', async () => {
    const { backend, clock, kit } = await setUp()
    for (let v = 1; v <= versions; v += 1) await kit.write('new', { own: v })
    const dying = await open(crashing(backend, 2, 'before'), clock)
    await expect(dying.call('delete', 'metadata/new')).rejects.toThrow('died')
    const other = await open(backend, clock)
    const sweeping = other.mounted.tick?.(fence, new AbortController().signal)
    await driven(clock, Promise.all([kit.call('update', 'coffer/move', { from: 'big', to: 'new' }), sweeping]))
    await other.mounted.tick?.(fence, new AbortController().signal)
    expect(await whole(kit, ['big', 'new'])).toBe('new')
    expect(await rowsOf(backend, 'new')).toHaveLength(versions)
  })

  it('deleted for good is gone at once; what a dead process left is swept, and a key made anew keeps its own', async () => {
    const { backend, clock } = await setUp()
    const dying = await open(crashing(backend, 1, 'before'), clock)
    await expect(dying.call('delete', 'metadata/big')).rejects.toThrow('died')
    const next = await open(backend, clock)
    expect((await next.call('read', 'data/big', { version: 5 })).kind).toBe('none')
    expect((await rowsOf(backend, 'big')).length).toBeGreaterThan(200)
    for (let v = 1; v <= 3; v += 1) await next.write('big', { anew: v })
    await next.mounted.tick?.(fence, new AbortController().signal)
    expect(await rowsOf(backend, 'big')).toHaveLength(3)
    for (let v = 1; v <= 3; v += 1)
      expect((await next.show('read', 'data/big', { version: v })).data.data).toEqual({ anew: v })
  })
})

describe('a key whose versions are larger than one commit', () => {
  it('moves whole', async () => {
    const clock = new FakeClock(start)
    const backend = openMemory({ clock, random: systemRandom })
    const kit = await open(backend, clock)
    for (let v = 1; v <= 7; v += 1) await kit.write('fat', { v, filler: 'x'.repeat(900_000) })
    const { data } = await kit.show('update', 'coffer/move', { from: 'fat', to: 'new' })
    expect(data).toMatchObject({ count: 1, versions: 7 })
    for (let v = 1; v <= 7; v += 1) expect((await kit.show('read', 'data/new', { version: v })).data.data.v).toBe(v)
    expect(await rowsOf(backend, 'fat')).toEqual([])
  })
})

describe('a small key', () => {
  it('that is written and moved to and fro at the same time loses no version', async () => {
    const clock = new FakeClock(start)
    const kit = await open(openMemory({ clock, random: systemRandom }), clock)
    await kit.show('update', 'config', { max_versions: 100 })
    await kit.write('a', { v: 1 })
    const writes = Array.from({ length: 6 }, (_, i) => kit.write(i % 2 === 0 ? 'a' : 'b', { v: i + 2 }))
    const moves = Array.from({ length: 6 }, (_, i) =>
      kit.call('update', 'coffer/move', i % 2 === 0 ? { from: 'a', to: 'b' } : { from: 'b', to: 'a' }),
    )
    await driven(clock, Promise.all([...writes, ...moves]))
    const seen: number[] = []
    for (const path of ['a', 'b']) {
      const { data } = await kit.show('read', `metadata/${path}`)
      for (let version = 1; version <= (data?.current_version ?? 0); version += 1) {
        seen.push((await kit.show('read', `data/${path}`, { version })).data.data.v)
      }
    }
    expect(seen.sort()).toEqual([1, 2, 3, 4, 5, 6, 7])
  })
})
