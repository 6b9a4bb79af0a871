import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../../../pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())
const issue = async (name: string, headers = {}): Promise<string> =>
  (await server.call('GET', `test/creds/${name}?ttl=10m`, undefined, undefined, headers)).body.lease_id

describe('sys/leases', () => {
  it('shows a lease with its path, and lists page by page', async () => {
    const id = await issue('a')
    const looked = await server.call('PUT', 'sys/leases/lookup', { lease_id: id })
    expect(Object.keys(looked.body.data).sort()).toEqual([
      'expire_time',
      'id',
      'issue_time',
      'last_renewal',
      'path',
      'renewable',
      'ttl',
    ])
    expect(looked.body.data.path).toBe('test/creds/a')
    for (const name of ['b', 'c']) await issue(name)
    const page = await server.call('LIST', 'sys/leases/lookup/test/creds?limit=2')
    expect(page.body.data.keys).toEqual(['a/', 'b/'])
    const rest = await server.call('LIST', 'sys/leases/lookup/test/creds?after=b/&limit=2')
    expect(rest.body.data.keys).toEqual(['c/'])
  })

  it.each([
    ['leases/revoke', (id: string) => ({ lease_id: id })],
    ['revoke', (id: string) => ({ url_lease_id: id })],
  ])('%s takes the id from body or path', async (path, body) => {
    const [a, b] = [await issue('a'), await issue('b')]
    expect((await server.call('PUT', `sys/${path}`, body(a))).status).toBe(204)
    expect((await server.call('PUT', `sys/${path}/${b}`)).status).toBe(204)
    expect(server.world.alive.size).toBe(0)
  })

  it('revokes what is not waited for soon after', async () => {
    const id = await issue('a')
    expect((await server.call('PUT', 'sys/leases/revoke', { lease_id: id, sync: false })).status).toBe(202)
    expect((await server.call('PUT', 'sys/leases/renew', { lease_id: id })).body.errors).toEqual(['lease expired'])
    await server.clock.advance(2000)
    expect(server.world.revoked).toEqual(['a'])
  })

  it('names those that can not be revoked, with a safe reason, below namespaces only when asked', async () => {
    await server.call('POST', 'sys/namespaces/team')
    const team = { 'X-Vault-Namespace': 'team' }
    expect((await server.call('POST', 'sys/mounts/test', { type: 'test' }, undefined, team)).status).toBe(204)
    const id = await issue('a', team)
    expect(id).toMatch(/^test\/creds\/a\/[0-9A-Za-z]{24}\.[0-9A-Za-z]{6}$/)
    expect((await server.call('PUT', 'sys/leases/lookup', { lease_id: id })).status).toBe(400)
    server.world.failFor = new Set(['a'])
    await server.clock.advance(20 * 60_000)
    const own = await server.call('GET', 'sys/leases?type=irrevocable')
    expect(own.body.data).toEqual({ lease_count: 0, leases: [] })
    const all = await server.call('GET', 'sys/leases?type=irrevocable&include_child_namespaces=true')
    expect(all.body.data.leases).toMatchObject([{ lease_id: id, error: 'Error' }])
    const accessor = all.body.data.leases[0].mount_id
    expect(
      (await server.call('GET', 'sys/leases/count?type=irrevocable', undefined, undefined, team)).body.data,
    ).toEqual({
      counts: { [accessor]: 1 },
      lease_count: 1,
    })
    expect((await server.call('PUT', 'sys/leases/revoke-force/test', undefined, undefined, team)).status).toBe(204)
    const none = await server.call('GET', 'sys/leases/count?type=irrevocable&include_child_namespaces=true')
    expect(none.body.data.lease_count).toBe(0)
  })
})
