/** A network that cuts, delays and falls silent between any two bytes of a commit. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemRandom } from '../../src/lib/random.ts'
import { commitId } from '../../src/server/contracts/commit.ts'
import { OutcomeUnknown, type StorageBackend, StorageDown } from '../../src/server/contracts/storage.ts'
import { type CuttingProxy, startProxy } from './cutting-proxy.ts'
import { eventually, open, put, textOf } from './open-storage.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

let server: PostgresServer
let proxy: CuttingProxy
beforeAll(async () => {
  server = await startPostgres()
  proxy = await startProxy(server.port)
})
afterAll(async () => {
  await proxy?.close()
  await server?.close()
})

const throughProxy = (database: string) => server.url(database).replace(`:${server.port}/`, `:${proxy.port}/`)

type Outcome = 'ok' | 'conflict' | 'unknown' | 'down'
const outcomeOf = (commit: Promise<'ok' | 'conflict'>): Promise<Outcome> =>
  commit.catch((error: unknown) => {
    if (error instanceof OutcomeUnknown) return 'unknown'
    if (error instanceof StorageDown) return 'down'
    throw error
  })

/** A node whose connections run through the proxy, and one that looks at the truth. */
async function withBoth(
  work: (cut: StorageBackend, direct: StorageBackend) => Promise<void>,
  deadlineMs?: number,
): Promise<void> {
  const database = await server.newDatabase()
  const direct = await open(server.url(database))
  const cut = await open(throughProxy(database), deadlineMs === undefined ? {} : { deadlineMs })
  try {
    await work(cut, direct)
  } finally {
    proxy.arm(undefined)
    proxy.delay(0)
    await cut.close()
    await direct.close()
  }
}

describe('a commit that is cut', () => {
  it.each(['up', 'down'] as const)(
    'at any byte (%s) is acknowledged only if it is there, and never half',
    async (direction) => {
      await withBoth(async (cut, direct) => {
        const seen = new Map<Outcome, number>()
        let version = commitId(systemRandom)
        await direct.commit({ id: version, checks: [], put: [{ key: 'counter', value: Buffer.from('0') }] })
        for (let after = 0, count = 0, missed = 0; missed < 3; after += direction === 'up' ? 23 : 5, count += 1) {
          // A connection that is open already: what is cut is the commit.
          await eventually(() => cut.read([{ key: 'counter' }]).catch(() => undefined), 'a connection')
          const id = commitId(systemRandom)
          const rows = [`${count}/left`, `${count}/right`].map((key) => ({ key, value: Buffer.from(`${count}`) }))
          proxy.arm({ kind: 'cut', direction, after })
          const counter = { key: 'counter', value: Buffer.from(String(count)) }
          const outcome = await outcomeOf(
            cut.commit({ id, checks: [{ key: 'counter', version }], create: rows, put: [counter] }),
          )
          // The poll's statements run through the same proxy, so it may have taken the blow instead.
          const { struck } = proxy
          proxy.arm(undefined)
          missed = struck ? 0 : missed + 1
          seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
          const settled = async () => {
            const busy = `SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%_commit_3(%' AND pid <> pg_backend_pid()`
            return (await server.sql(busy))[0] === '0' ? true : undefined
          }
          if (outcome !== 'ok') await eventually(settled, 'the end of what was sent')
          const found = await direct.read([...rows, { key: 'counter' }].map(({ key }) => ({ key })))
          const there = found.map((row) => typeof row === 'object' && row.version === id)
          expect(new Set(there).size).toBe(1)
          if (outcome === 'ok') expect(there).toEqual([true, true, true])
          if (outcome === 'down' || outcome === 'conflict') expect(there).toEqual([false, false, false])
          if (there[0]) version = id
        }
        expect(seen.get('ok') ?? 0).toBeGreaterThan(0)
        expect([...seen.values()].reduce((a, b) => a + b)).toBeGreaterThan(10)
      })
    },
  )

  it('after it took effect is found to have, by one row read back', async () => {
    await withBoth(async (cut, direct) => {
      await cut.read([{ key: 'a' }])
      // Nothing of the answer comes through.
      proxy.arm({ kind: 'cut', direction: 'down', after: 1 })
      expect(await outcomeOf(cut.commit(put('a', 'one')))).toBe('ok')
      expect(textOf((await direct.read([{ key: 'a' }]))[0])).toBe('one')
      proxy.arm(undefined)
      await cut.read([{ key: 'a' }])
      // Nothing is left of what it removes: its notice shows it.
      proxy.arm({ kind: 'cut', direction: 'down', after: 1 })
      expect(await outcomeOf(cut.commit({ id: commitId(systemRandom), checks: [], remove: ['a'] }))).toBe('ok')
      expect(await direct.read([{ key: 'a' }])).toEqual([undefined])
    })
  })

  it('is told to the listeners of its own node if it takes effect later', async () => {
    await withBoth(async (cut, direct) => {
      const abort = new AbortController()
      const heard: string[] = []
      const listening = (async () => {
        for await (const change of cut.changes(abort.signal))
          heard.push(...(change === 'reset' ? ['reset'] : change.keys))
      })()
      await cut.read([{ key: 'a' }])
      for (let i = 0; i < 5; i += 1) {
        proxy.arm({ kind: 'cut', direction: i % 2 ? 'up' : 'down', after: 300 + i })
        await outcomeOf(cut.commit(put(`k${i}`)))
        proxy.arm(undefined)
        await eventually(() => cut.read([{ key: 'a' }]).catch(() => undefined), 'a connection')
      }
      await eventually(async () => {
        const there = await direct.list('', { depth: 'all', limit: 10 })
        return heard.includes('reset') || there.every((key) => heard.includes(key)) ? true : undefined
      }, 'notices of all')
      abort.abort()
      await listening
    })
  })
})

describe('a network that', () => {
  it('falls silent is given up after the deadline, and the outcome is looked up', async () => {
    await withBoth(async (cut, direct) => {
      await cut.read([{ key: 'a' }])
      proxy.arm({ kind: 'silence', direction: 'down', after: 0 })
      expect(await outcomeOf(cut.commit(put('a', 'one')))).toBe('ok')
      expect(textOf((await direct.read([{ key: 'a' }]))[0])).toBe('one')
      proxy.arm({ kind: 'silence', direction: 'up', after: 10 })
      const outcome = await outcomeOf(cut.commit(put('b', 'two')))
      const [row] = await direct.read([{ key: 'b' }])
      // The poll may have fallen silent in its place.
      expect(outcome === 'ok' ? textOf(row) : row).toBe(outcome === 'ok' ? 'two' : undefined)
      proxy.arm(undefined)
      expect(await eventually(() => cut.commit(put('c')).catch(() => undefined), 'a commit')).toBe('ok')
    }, 1000)
  })

  it('delays is waited for', async () => {
    await withBoth(async (cut) => {
      proxy.delay(50)
      const commits = Array.from({ length: 20 }, (_, i) => cut.commit(put(`k${i}`)))
      expect(new Set(await Promise.all(commits))).toEqual(new Set(['ok']))
      expect((await cut.read([{ key: 'k0' }])).map(textOf)).toEqual(['v'])
    })
  })

  it('cuts a read loses nothing: it is asked again', async () => {
    await withBoth(async (cut, direct) => {
      await direct.commit(put('a', 'x'.repeat(1000)))
      for (let after = 0; after < 2200; after += 300) {
        await eventually(() => cut.read([{ key: 'a' }]).catch(() => undefined), 'a connection')
        proxy.arm({ kind: 'cut', direction: 'down', after })
        expect((await cut.read([{ key: 'a' }])).map(textOf)).toEqual(['x'.repeat(1000)])
        proxy.arm(undefined)
      }
    })
  })
})
