import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../pipeline/test-server.ts'

let server: TestServer
const minute = 60_000
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

const issue = (name: string, ttl = '10m') => server.call('GET', `test/creds/${name}?ttl=${ttl}`)
const leaseRows = async () => (await server.backend.list('ns/root/leases/', { depth: 'all', limit: 100 })).length
const dueRows = async () =>
  (await server.backend.list('ns/root/due/', { depth: 'all', limit: 100 })).filter((key) => key.includes('/lease/'))
    .length

describe('a lease', () => {
  it('is in the envelope and can be looked up', async () => {
    const answer = await issue('db')
    expect(answer.body).toMatchObject({ lease_duration: 600, renewable: true, data: { name: 'db' } })
    expect(answer.body.lease_id).toMatch(/^test\/creds\/db\/[0-9A-Za-z]{24}$/)
    const looked = await server.call('PUT', 'sys/leases/lookup', { lease_id: answer.body.lease_id })
    expect(looked.body.data).toMatchObject({ id: answer.body.lease_id, last_renewal: null, renewable: true, ttl: 600 })
    const list = await server.call('LIST', 'sys/leases/lookup/test/creds/db')
    expect(list.body.data.keys).toEqual([answer.body.lease_id.split('/').pop()])
  })

  it('ends when it is due, with all its rows', async () => {
    await issue('db')
    await server.clock.advance(9 * minute)
    expect(server.world.alive).toEqual(new Set(['db']))
    await server.clock.advance(2 * minute)
    expect(server.world.revoked).toEqual(['db'])
    expect([await leaseRows(), await dueRows()]).toEqual([0, 0])
  })

  it('is renewed from now, never beyond its maximum', async () => {
    const { lease_id } = (await issue('db', '1h')).body
    await server.clock.advance(90 * minute - 40 * minute)
    const renewed = await server.call('PUT', 'sys/leases/renew', { lease_id, increment: 3600 })
    expect(renewed.body).toMatchObject({ lease_id, lease_duration: 3600, renewable: true, data: null })
    await server.clock.advance(30 * minute)
    const capped = await server.call('PUT', 'sys/leases/renew', { lease_id, increment: '2h' })
    expect(capped.body.lease_duration).toBe(40 * 60)
    expect(capped.body.warnings).toEqual([
      'TTL of "2h0m0s" exceeded the effective max_ttl of "2h0m0s"; TTL value is capped accordingly',
    ])
    await server.clock.advance(41 * minute)
    expect(server.world.revoked).toEqual(['db'])
  })

  it('that is lost is 400 with exactly one error', async () => {
    const { lease_id } = (await issue('db')).body
    expect((await server.call('PUT', 'sys/leases/revoke', { lease_id })).status).toBe(204)
    expect((await server.call('PUT', 'sys/leases/revoke', { lease_id })).status).toBe(204)
    const renew = await server.call('PUT', 'sys/leases/renew', { lease_id })
    expect(renew).toMatchObject({ status: 400, body: { errors: ['lease not found'] } })
    const lookup = await server.call('PUT', 'sys/leases/lookup', { lease_id })
    expect(lookup).toMatchObject({ status: 400, body: { errors: ['invalid lease'] } })
  })

  it('is not given by a mount that went away meanwhile', async () => {
    const { commit } = server.backend
    const other = await server.another()
    let raced = false
    server.backend.commit = async (c) => {
      if (!raced && c.create?.some(({ key }) => key.includes('leases/id/'))) {
        raced = true
        await other.call('DELETE', 'sys/mounts/test')
      }
      return commit.call(server.backend, c)
    }
    const lost = issue('db')
    await server.clock.advance(100)
    expect((await lost).status).toBe(404)
    expect([server.world.alive, await leaseRows(), await dueRows()]).toEqual([new Set(), 0, 0])
    await other.close()
  })

  it('is not touched when an older mount of its path is removed', async () => {
    await issue('old')
    server.world.failRevocations = 1
    expect((await server.call('DELETE', 'sys/mounts/test')).status).toBe(500)
    expect((await server.call('POST', 'sys/mounts/test', { type: 'test' })).status).toBe(204)
    const { lease_id } = (await issue('new')).body
    await server.clock.advance(3000)
    expect(server.world.revoked).toEqual(['old'])
    expect((await server.call('PUT', 'sys/leases/lookup', { lease_id })).status).toBe(200)
  })

  it('is revoked in time although a mount cannot be removed', async () => {
    await server.call('POST', 'sys/mounts/stuck', { type: 'test' })
    await server.call('GET', 'stuck/creds/held?ttl=1h')
    await issue('db', '1m')
    server.world.failFor = new Set(['held'])
    expect((await server.call('DELETE', 'sys/mounts/stuck')).status).toBe(500)
    await server.clock.advance(minute + 2000)
    expect(server.world.revoked).toEqual(['db'])
    server.world.failFor = new Set()
    await server.clock.advance(10 * minute)
    expect(server.world.revoked).toEqual(['db', 'held'])
  })

  it('ends with its token', async () => {
    await server.policy('rw', 'path "test/*" { capabilities = ["read"] }')
    const token = await server.token(['rw'])
    await server.call('GET', 'test/creds/db', undefined, token)
    await server.call('POST', 'auth/token/revoke', { token })
    expect(server.world.revoked).toEqual(['db'])
    expect(await leaseRows()).toBe(0)
  })

  it('ends with all below a prefix, and with its mount', async () => {
    await issue('a')
    await issue('b')
    await issue('b')
    expect((await server.call('PUT', 'sys/leases/revoke-prefix/test/creds/b')).status).toBe(204)
    expect(server.world.revoked).toEqual(['b', 'b'])
    expect((await server.call('DELETE', 'sys/mounts/test')).status).toBe(204)
    expect(server.world.revoked).toEqual(['b', 'b', 'a'])
    expect([await leaseRows(), await dueRows()]).toEqual([0, 0])
  })
})

describe('what dies in between', () => {
  it('an effect whose process crashed is undone by the sweep of another', async () => {
    let crash = () => {}
    const crashed = new Promise<void>((resolve) => {
      crash = resolve
    })
    // The effect has happened, and its process never comes to activate the lease.
    server.world.during = () => {
      server.world.alive.add('db')
      crash()
      return new Promise(() => {})
    }
    void issue('db')
    await crashed
    const other = await server.another()
    server.world.during = async () => {}
    await server.clock.advance(4 * minute)
    expect(server.world.alive).toEqual(new Set(['db']))
    await server.clock.advance(2 * minute)
    expect(server.world.revoked).toEqual(['db'])
    expect([await leaseRows(), await dueRows()]).toEqual([0, 0])
    await other.close()
  })

  it('an effect that failed half way is undone soon', async () => {
    server.world.failEffects = true
    expect((await issue('db')).status).toBe(500)
    expect(server.world.alive).toEqual(new Set(['db']))
    await server.clock.advance(2000)
    expect(server.world.revoked).toEqual(['db'])
    expect(await leaseRows()).toBe(0)
  })

  it('a lease whose token was revoked during the effect is not given out', async () => {
    await server.policy('rw', 'path "test/*" { capabilities = ["read"] }')
    const token = await server.token(['rw'])
    server.world.during = async () => {
      await server.call('POST', 'auth/token/revoke', { token })
    }
    expect((await server.call('GET', 'test/creds/db', undefined, token)).status).toBe(500)
    expect(server.world.alive.size).toBe(0)
    expect(await leaseRows()).toBe(0)
  })

  it('leases survive a restart and end on time', async () => {
    const { lease_id } = (await issue('db')).body
    await server.close()
    const again = await server.another()
    expect((await again.call('PUT', 'sys/leases/lookup', { lease_id })).body.data.ttl).toBeGreaterThan(590)
    await server.clock.advance(11 * minute)
    expect(server.world.revoked).toEqual(['db'])
    await again.close()
  })

  it('two sweepers remove the row once', async () => {
    await issue('db')
    const other = await server.another()
    const removals: string[] = []
    const { commit } = server.backend
    server.backend.commit = async (c) => {
      const outcome = await commit.call(server.backend, c)
      const rows = (c.remove ?? []).filter((key) => key.startsWith('ns/root/leases/id/'))
      if (outcome === 'ok') removals.push(...rows)
      return outcome
    }
    const ids = [await issue('x'), await issue('y')].map((answer) => answer.body.lease_id)
    const revocations = ids.flatMap((lease_id) =>
      [server, other, server, other].map((node) => node.call('PUT', 'sys/leases/revoke', { lease_id })),
    )
    await server.clock.advance(1000)
    expect((await Promise.all(revocations)).map((answer) => answer.status)).toEqual(revocations.map(() => 204))
    expect(removals.length).toBe(2)
    await server.clock.advance(12 * minute)
    expect(removals.length).toBe(3)
    await other.close()
  })
})

describe('a revocation that fails', () => {
  it('is tried again after 10 s, 20 s, …', async () => {
    await issue('db')
    server.world.failRevocations = 2
    await server.clock.advance(10 * minute + 2000)
    expect(server.world.failRevocations).toBe(1)
    await server.clock.advance(11_000)
    expect(server.world.failRevocations).toBe(0)
    await server.clock.advance(10_000)
    expect(server.world.revoked).toEqual([])
    await server.clock.advance(13_000)
    expect(server.world.revoked).toEqual(['db'])
  })

  it('six times is kept as irrevocable until it is forgotten by force', async () => {
    const { lease_id } = (await issue('db')).body
    server.world.failRevocations = 1000
    await server.clock.advance(20 * minute)
    expect(server.world.failRevocations).toBe(994)
    // Its row, its two indexes, and its place among the irrevocable ones.
    expect(await leaseRows()).toBe(4)
    const renew = await server.call('PUT', 'sys/leases/renew', { lease_id })
    expect(renew.body.errors).toEqual(['lease is expired and has failed previous revocation attempts'])
    expect((await server.call('PUT', 'sys/leases/revoke-prefix/test')).status).toBe(500)
    expect((await server.call('PUT', 'sys/leases/revoke-force/test')).status).toBe(204)
    expect([await leaseRows(), await dueRows()]).toEqual([0, 0])
  })
})
