import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { Refusal } from '../contracts/request.ts'
import { crashing } from '../storage/test-crashing.ts'
import { LeaseWorld } from './test-leases.ts'

const minute = 60_000
const never = new AbortController().signal
let world: LeaseWorld
beforeEach(async () => {
  world = await LeaseWorld.start()
})

describe('a lease that many nodes revoke', () => {
  it('is undone by one at a time and its row removed once', async () => {
    const [a, b, c] = [await world.node(), await world.node(), await world.node()]
    const { id } = await a.issue('db')
    const removals: string[] = []
    const { commit } = world.backend
    world.backend.commit = async (one) => {
      const outcome = await commit.call(world.backend, one)
      if (outcome === 'ok') removals.push(...(one.remove ?? []).filter((key) => key.includes('/leases/id/')))
      return outcome
    }
    world.wait = () => world.clock.sleep(3000)
    const all = [a, b, c, a, b].map((node) => node.leases().revoke(id, { later: false, signal: never }))
    await world.settle(Promise.all(all))
    expect([world.most, world.tries, removals.length]).toEqual([1, ['db'], 1])
    expect(await world.rows()).toEqual([])
  })

  it('is taken over when its holder died', async () => {
    const a = await world.node(crashing(world.backend, 3, 'before'))
    const { id } = await a.issue('db')
    await expect(a.leases().revoke(id, { later: false, signal: never })).rejects.toThrow()
    const b = await world.node()
    await b.live(30_000)
    expect(world.tries).toEqual(['db'])
    await b.live(90_000)
    expect([world.tries, await world.rows()]).toEqual([['db', 'db'], []])
  })

  it.each(['asked for', 'due'])(
    "is taken over when its holder died before the storage's clock was set back: %s",
    async (how) => {
      const hourMs = 3_600_000
      const b = await world.node()
      const { id } = await b.issue('db', { ttlMs: 30_000 })
      const a = await world.node(crashing(world.backend, 1, 'before'))
      world.clock.stepWall(5 * hourMs)
      await expect(a.leases().revoke(id, { later: false, signal: never })).rejects.toThrow()
      world.clock.stepWall(-5 * hourMs)
      expect(world.tries).toEqual(['db'])
      if (how === 'due') await b.live(32_000)
      else await world.settle(b.leases().revoke(id, { later: false, signal: never }))
      expect([world.tries, await world.rows()]).toEqual([['db', 'db'], []])
    },
  )

  it('is not taken from a holder that began after another had asked for the time, however slow that one is', async () => {
    const [a, b] = [await world.node(), await world.node()]
    const { id } = await a.issue('db')
    const now = a.barrier.now.bind(a.barrier)
    const asked = { times: 0 }
    // Each answer takes four minutes to come to it.
    a.barrier.now = async () => {
      const time = await now()
      asked.times += 1
      await world.clock.sleep(240_000)
      return time
    }
    const first = a.leases().revoke(id, { later: false, signal: never })
    await world.clock.advance(239_000)
    world.wait = () => world.clock.sleep(50_000)
    const second = b.leases().revoke(id, { later: false, signal: never })
    await world.settle(Promise.all([first, second]))
    expect([asked.times > 0, world.most, world.tries]).toEqual([true, 1, ['db']])
  })

  it('is removed exactly once whatever order they come in', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ node: fc.nat(2), lease: fc.nat(3), waitMs: fc.nat(400) }), { maxLength: 12 }),
        async (steps) => {
          world = await LeaseWorld.start()
          const nodes = [await world.node(), await world.node(), await world.node()]
          const ids: string[] = []
          for (const name of ['w', 'x', 'y', 'z']) ids.push((await nodes[0]?.issue(name))?.id ?? '')
          const results = new Map<string, number>()
          const work = steps.map(async ({ node, lease, waitMs }) => {
            await world.clock.sleep(waitMs)
            const id = ids[lease] ?? ''
            if (await nodes[node]?.store.revoke(id, never)) results.set(id, (results.get(id) ?? 0) + 1)
          })
          world.wait = () => world.clock.sleep(100)
          await world.settle(Promise.all(work))
          expect(world.most).toBeLessThanOrEqual(1)
          const touched = new Set(steps.map(({ lease }) => ids[lease]))
          expect(world.alive.size).toBe(4 - touched.size)
          // Those of one process that ask together share the answer; the row itself went once, or a second try would have run.
          expect(world.tries.length).toBe(touched.size)
          expect(results.size).toBe(touched.size)
        },
      ),
      { numRuns: 25 },
    )
  })
})

describe('a crash between any two commits', () => {
  it.each(['before', 'after'] as const)('of issue and revoke leaves nothing lent and no row (%s)', async (when) => {
    for (let at = 0; at < 5; at += 1) {
      world = await LeaseWorld.start()
      const a = await world.node(crashing(world.backend, at, when))
      const life = async () => {
        const { id } = await a.issue('db')
        await a.leases().revoke(id, { later: false, signal: never })
      }
      await world.settle(life().catch(() => undefined))
      const b = await world.node()
      await b.live(12 * minute)
      expect([at, world.alive.size, await world.rows()]).toEqual([at, 0, []])
    }
  })

  it.each(['before', 'after'] as const)('of revoke-prefix is finished by another node (%s)', async (when) => {
    for (let at = 0; at < 10; at += 1) {
      world = await LeaseWorld.start()
      const first = await world.node()
      for (const name of ['a', 'b', 'c']) await first.issue(name, { ttlMs: 3_600_000 })
      const a = await world.node(crashing(world.backend, at, when))
      const outcome = await world.settle(
        a
          .leases()
          .revokePrefix('m1', { force: false, signal: never })
          .then(
            () => 'done',
            () => 'died',
          ),
      )
      const intended = outcome === 'done' || at > 0 || when === 'after'
      const b = await world.node()
      if (intended && outcome === 'died') {
        const [name] = await b.leases().list('m1/creds/a/', undefined, 1)
        if (name) expect(await b.leases().get(`m1/creds/a/${name}`)).toBeUndefined()
      }
      await b.live(5 * minute)
      expect([at, world.alive.size]).toEqual([at, intended ? 0 : 3])
      if (intended) expect(await world.rows()).toEqual([])
    }
  })
})

describe('a revocation that fails', () => {
  it('is tried six times, after 10 s, 20 s, 40 s …, then kept with a safe reason', async () => {
    const node = await world.node()
    const { id } = await node.issue('db', { ttlMs: 1000 })
    const secret = Object.assign(new Error('postgres://vault:hunter2@db failed'), { code: 'ECONNREFUSED' })
    world.fail = () => secret
    await node.live(2000)
    const times: number[] = []
    for (let second = 0; second < 400; second += 1) {
      const before = world.tries.length
      if (second === 0 || world.tries.length > times.length) times.push(world.clock.monotonic())
      await node.live(1000)
      if (world.tries.length === before && before === 6 && times.length === 6) break
    }
    expect(world.tries.length).toBe(6)
    const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0))
    for (const [i, wanted] of [10, 20, 40, 80, 160].entries()) {
      expect(gaps[i]).toBeGreaterThanOrEqual(wanted * 1000 - 1100)
      expect(gaps[i]).toBeLessThan(wanted * 1000 + 3000)
    }
    const kept = await node.leases().irrevocable(10)
    expect(kept).toMatchObject([{ id, mountAccessor: 'test_m1', lastError: 'Error (ECONNREFUSED)' }])
    expect(await node.leases().countIrrevocable()).toEqual(new Map([['test_m1', 1]]))
    expect(JSON.stringify([kept, world.lines])).not.toContain('hunter2')
    await expect(node.leases().renew(id, 0, never)).rejects.toMatchObject({
      status: 400,
      message: 'lease is expired and has failed previous revocation attempts',
    })
    await node.leases().revokePrefix(id, { force: true, signal: never })
    expect([await node.leases().irrevocable(10), await world.rows()]).toEqual([[], []])
  })

  it('says what a refusal says', async () => {
    const node = await world.node()
    const { id } = await node.issue('db')
    world.fail = () => new Refusal(500, 'the role is held by another session')
    const revoking = node.leases().revoke(id, { later: false, signal: never })
    await expect(revoking).rejects.toMatchObject({
      status: 500,
      errors: [`failed to revoke "${id}": the role is held by another session; it is tried again`],
    })
    await expect(node.leases().renew(id, 0, never)).rejects.toMatchObject({ message: 'lease expired' })
    world.fail = () => undefined
    await node.live(12_000)
    expect([world.alive.size, await world.rows()]).toEqual([0, []])
  })

  it('because its mount is gone is kept, and can be forgotten', async () => {
    const node = await world.node()
    const { id } = await node.issue('db', { mountUuid: 'gone-1', ttlMs: 1000 })
    await node.live(6 * minute)
    expect(await node.leases().irrevocable(10)).toMatchObject([
      { id, mountAccessor: 'mount-accessor-not-found', lastError: 'the mount has no handler "thing" for its leases' },
    ])
    await node.leases().revokePrefix('gone-1/', { force: true, signal: never })
    expect(await world.rows()).toEqual([])
  })

  it('by hanging counts after a minute', async () => {
    const node = await world.node()
    await node.issue('db', { ttlMs: 1000 })
    world.wait = () => new Promise(() => {})
    const failed = () => world.lines.some((line) => line.event === 'lease revocation failed')
    for (let second = 0; second < 70 && !failed(); second += 1) await node.live(1000)
    world.wait = async () => {}
    expect(world.lines.find((line) => line.event === 'lease revocation failed')?.fields).toMatchObject({
      attempts: 1,
      error: 'the revocation took longer than 60 s',
    })
    await node.live(15_000)
    expect(await world.rows()).toEqual([])
  })
})

describe('a database that hangs', () => {
  it('holds up no other, and gets one lane once it has failed', async () => {
    const node = await world.node()
    for (let i = 0; i < 40; i += 1) await node.issue(`dead${i}`, { mountUuid: 'dead', ttlMs: 1000 })
    for (let i = 0; i < 40; i += 1) await node.issue(`fine${i}`, { mountUuid: 'fine', ttlMs: 2000 })
    const hung = { most: 0, now: 0 }
    world.wait = async (mount) => {
      if (mount !== 'dead') return
      hung.now += 1
      hung.most = Math.max(hung.most, hung.now)
      await new Promise(() => {})
    }
    await node.live(5000)
    expect([...world.alive].filter((name) => name.startsWith('fine'))).toEqual([])
    expect(hung.most).toBe(4)
    const before = world.tries.length
    await node.live(60_000)
    // The four failed by then; only one at a time goes on.
    expect(world.tries.length - before).toBeLessThanOrEqual(2)
  })
})
