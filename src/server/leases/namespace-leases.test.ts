import { beforeEach, describe, expect, it } from 'vitest'
import { Refusal } from '../contracts/request.ts'
import { type LeaseNode, LeaseWorld } from './test-leases.ts'

const minute = 60_000
const never = new AbortController().signal
const team = { id: 'Ab3dE6', path: 'team/' }
let world: LeaseWorld
let node: LeaseNode
beforeEach(async () => {
  world = await LeaseWorld.start()
  node = await world.node()
})

describe('leases of a namespace', () => {
  it('end in its id, lie below it, and are unknown everywhere else', async () => {
    const { id } = await node.issue('db', { namespace: team, tokenId: 't1' })
    const root = await node.issue('db')
    expect(id).toMatch(/^m1\/creds\/db\/[0-9A-Za-z]{24}\.Ab3dE6$/)
    expect(root.id).toMatch(/^m1\/creds\/db\/[0-9A-Za-z]{24}$/)
    const keys = await world.backend.list('ns/Ab3dE6/', { depth: 'all', limit: 10 })
    expect(keys).toEqual([`leases/id/${id}`])
    expect(await node.leases(team).get(id)).toMatchObject({ id, path: 'm1/creds/db' })
    expect(await node.leases().get(id)).toBeUndefined()
    expect(await node.leases(team).get(root.id)).toBeUndefined()
    await expect(node.leases().renew(id, 0, never)).rejects.toMatchObject({ status: 400, message: 'lease not found' })
    await node.leases().revoke(id, { later: false, signal: never })
    await node.leases().revokePrefix('', { force: true, signal: never })
    expect(await node.leases(team).get(id)).toBeDefined()
    expect(await node.leases().get(root.id)).toBeUndefined()
    await node.leases(team).revoke(id, { later: false, signal: never })
    expect(await world.rows()).toEqual([])
  })

  it('end when they are due, and with their token', async () => {
    await node.issue('a', { namespace: team, ttlMs: 1000 })
    await node.issue('b', { namespace: team, tokenId: 't1' })
    await node.issue('c', { namespace: team, tokenId: 't2' })
    await node.live(3000)
    expect(world.tries).toEqual(['a'])
    await node.store.revokeByToken('t1', never)
    expect(world.tries).toEqual(['a', 'b'])
    expect([...world.alive]).toEqual(['c'])
  })

  it('are withdrawn by their id alone', async () => {
    const { id } = await node.issue('a', { namespace: team })
    await node.store.withdraw(id, never)
    expect([world.alive.size, await world.rows()]).toEqual([0, []])
  })
})

describe('a lease of a batch token', () => {
  it('never outlives it and is not renewed past it', async () => {
    const end = world.clock.now() + 5 * minute
    const { id, ttlMs } = await node.issue('db', { notAfter: end, ttlMs: 60 * minute })
    expect(ttlMs).toBe(5 * minute)
    await world.clock.advance(2 * minute)
    const renewed = await node.leases().renew(id, 60 * minute, never)
    expect(renewed.lease.ttlMs).toBe(3 * minute)
    expect(renewed.warnings).toEqual([
      'TTL of "1h0m0s" exceeded the effective max_ttl of "3m0s"; TTL value is capped accordingly',
    ])
    await node.live(3 * minute + 2000)
    expect(await world.rows()).toEqual([])
  })
})

describe('a renewal', () => {
  it.each([
    ['of no lease', async () => 'm1/creds/nope', 'lease not found'],
    ['of a folder', async () => 'm1/creds/', 'lease not found'],
    ['of something with NUL', async () => 'm1/creds/\0', 'lease not found'],
    ['of an id longer than any', async () => 'x'.repeat(5000), 'lease not found'],
    [
      'of one that its engine can not renew',
      async () => (await node.issue('a', { handler: 'fixed' })).id,
      'lease is not renewable',
    ],
    [
      'of one that was issued so',
      async () => (await node.issue('a', { renewable: false })).id,
      'lease is not renewable',
    ],
    [
      'of one that is over',
      async () => {
        const { id } = await node.issue('a', { ttlMs: 1000 })
        await world.clock.advance(2000)
        return id
      },
      'lease expired',
    ],
  ])('%s is refused', async (_, id, message) => {
    await expect(node.leases().renew(await id(), 0, never)).rejects.toMatchObject({ status: 400, message })
  })

  it('of one that somebody is revoking is refused, also when that begins meanwhile', async () => {
    const { id } = await node.issue('a')
    world.wait = () => world.clock.sleep(5000)
    const revoking = node.leases().revoke(id, { later: false, signal: never })
    await world.clock.advance(10)
    const other = await world.node()
    await expect(other.leases().renew(id, 0, never)).rejects.toMatchObject({ message: 'lease not found' })
    await world.settle(revoking)
  })

  it('goes to the maximum and no further', async () => {
    const { id } = await node.issue('a', { ttlMs: 60 * minute, maxTtlMs: 90 * minute })
    await world.clock.advance(50 * minute)
    const { lease, warnings } = await node.leases().renew(id, 0, never)
    expect(lease.ttlMs).toBe(40 * minute)
    expect(warnings).toEqual([
      'TTL of "1h0m0s" exceeded the effective max_ttl of "1h30m0s"; TTL value is capped accordingly',
    ])
  })
})

describe('a revocation by prefix', () => {
  it('makes all below unusable from its intent on, while the sweep still runs', async () => {
    const { id } = await node.issue('a')
    const beside = await node.issue('ab')
    world.wait = () => world.clock.sleep(20_000)
    const other = await world.node()
    const revoking = node.leases().revokePrefix('m1/creds/a', { force: false, signal: never })
    await world.clock.advance(10)
    expect(await other.leases().get(id)).toBeUndefined()
    expect(await other.leases().get(beside.id)).toBeDefined()
    await expect(other.leases().renew(id, 0, never)).rejects.toMatchObject({ message: 'lease not found' })
    await world.settle(revoking)
    expect([...world.alive]).toEqual(['ab'])
  })

  it('that is not waited for is done by whoever leads, and means only what was there', async () => {
    await node.issue('a')
    await world.clock.advance(1)
    await node.leases().revokePrefix('m1', { force: false, signal: never, later: true })
    await world.clock.advance(1)
    await node.issue('b')
    expect(world.tries).toEqual([])
    await node.live(3000)
    expect([...world.alive]).toEqual(['b'])
  })

  it('goes on after a failure, says so, and lets the sweep try again', async () => {
    for (const name of ['a', 'b', 'c']) await node.issue(name)
    world.fail = (_, name) => (name === 'b' ? new Error('no') : undefined)
    const revoking = node.leases().revokePrefix('m1', { force: false, signal: never })
    await expect(revoking).rejects.toMatchObject({
      status: 500,
      message: '1 lease below "m1/" could not be revoked: Error',
    })
    expect([...world.alive]).toEqual(['b'])
    world.fail = () => undefined
    await node.live(12_000)
    expect(await world.rows()).toEqual([])
  })

  it('by force removes the rows whatever the engine says', async () => {
    for (const name of ['a', 'b']) await node.issue(name)
    world.fail = () => new Error('no')
    await node.leases().revokePrefix('m1', { force: true, signal: never })
    expect(await world.rows()).toEqual([])
  })

  it('of more than one page revokes them all', async () => {
    for (let i = 0; i < 600; i += 1) await node.issue(`n${i}`)
    await world.settle(node.leases().revokePrefix('m1', { force: false, signal: never }))
    expect([world.alive.size, world.tries.length, await world.rows()]).toEqual([0, 600, []])
  })
})

describe('issuing', () => {
  it('counts the lease before its effect and leaves nothing when there are too many', async () => {
    const limited = await world.node(world.backend, (self) => ({
      admitLease: async (_, mount) => {
        if ((await self.leases().count(mount, 3)) > 2) throw new Refusal(429, 'too many')
      },
    }))
    const all = await Promise.allSettled(['a', 'b', 'c', 'd'].map((name) => limited.issue(name)))
    expect(all.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(2)
    expect(world.alive.size).toBe(all.filter(({ status }) => status === 'fulfilled').length)
    expect((await world.rows()).filter((key) => key.includes('/id/')).length).toBe(world.alive.size)
  })
})

describe('tidy', () => {
  it('drops index rows without a lease, finds leases without an index, and leaves the rest', async () => {
    const { id } = await node.issue('a', { tokenId: 't1', ttlMs: minute })
    const lost = await node.issue('b', { ttlMs: minute })
    const view = node.barrier.view('ns/root/')
    await view.transaction(async (tx) => {
      tx.put(view, 'leases/at/dangling', { id: 'm1/creds/x/dangling' })
      tx.put(view, 'leases/token/t9/dangling', { id: 'm1/creds/x/dangling' })
      tx.put(view, 'leases/irrevocable/m1/dangling', { id: 'm1/creds/x/dangling' })
      tx.put(view, 'leases/at/other', { id: 'm1/creds/x/other', namespace: team.id })
      tx.remove(view, `leases/at/${lost.id.split('/').pop()}`)
      for (const key of await view.list('due/', { depth: 'all', limit: 10 })) {
        if (key.endsWith(lost.id.split('/').pop() ?? '')) tx.remove(view, `due/${key}`)
      }
    })
    await node.leases().tidy()
    await node.live(2000)
    expect(world.lines.at(-1)).toEqual({
      event: 'leases tidied',
      fields: { namespace: 'root', leases: 2, removed: 3, mended: 1 },
    })
    expect((await world.rows()).filter((key) => key.includes('dangling'))).toEqual([])
    expect((await world.rows()).filter((key) => key.includes('/at/other')).length).toBe(1)
    expect(await node.leases().get(id)).toBeDefined()
    await node.live(2 * minute)
    expect(world.alive.size).toBe(0)
  })
})
