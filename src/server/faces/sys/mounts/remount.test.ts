import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../../../pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

const move = async (from: string, to: string): Promise<string> => {
  const { status, body } = await server.call('POST', 'sys/remount', { from, to })
  expect(status).toBe(200)
  return body.data.migration_id
}
const statusOf = async (id: string) =>
  (await server.call('GET', `sys/remount/status/${id}`)).body.data.migration_info.status

describe('a mount that moves', () => {
  it('ends its leases and keeps what it stores', async () => {
    await server.call('POST', 'test/row/x', { n: 1 })
    await server.call('GET', 'test/creds/one')
    expect(await statusOf(await move('test', 'moved'))).toBe('success')
    expect(server.world.revoked).toEqual(['one'])
    expect((await server.call('GET', 'moved/row/x')).status).toBe(200)
  })

  it('leaves people who they are: an auth method that moves ends its tokens, not its aliases', async () => {
    await server.call('POST', 'sys/auth/door', { type: 'door' })
    server.world.grant = { alias: { name: 'bob', metadata: {} } }
    const before = (await server.call('POST', 'auth/door/login', { name: 'bob' }, '')).body.auth
    await move('auth/door', 'auth/gate')
    expect((await server.call('GET', 'auth/token/lookup-self', undefined, before.client_token)).status).toBe(403)
    const after = (await server.call('POST', 'auth/gate/login', { name: 'bob' }, '')).body.auth
    expect(after.entity_id).toBe(before.entity_id)
    const { aliases } = (await server.call('GET', `identity/entity/id/${after.entity_id}`)).body.data
    expect(aliases).toMatchObject([{ name: 'bob', mount_path: 'auth/gate/' }])
  })

  it('is moved although a lease can’t be revoked yet: the housekeeping goes on until it can', async () => {
    await server.call('GET', 'test/creds/one')
    server.world.failRevocations = 1
    const id = await move('test', 'moved')
    expect(await statusOf(id)).toBe('in-progress')
    for (let i = 0; i < 40 && (await statusOf(id)) !== 'success'; i += 1) await server.clock.advance(1000)
    expect(await statusOf(id)).toBe('success')
    expect(server.world.revoked).toEqual(['one'])
    expect((await server.call('LIST', 'sys/leases/lookup/test')).status).toBe(404)
  })

  it('has its loans ended by another node when the first one died', async () => {
    await server.call('GET', 'test/creds/one')
    // Dies between the commit that moves it and the end of the loans.
    const commit = server.backend.commit.bind(server.backend)
    let moved = false
    server.backend.commit = async (c) => {
      if (moved) throw new Error('died')
      const done = await commit(c)
      moved = [...(c.create ?? [])].some(({ key }) => key.startsWith('core/moves/'))
      return done
    }
    await server.call('POST', 'sys/remount', { from: 'test', to: 'moved' })
    server.backend.commit = commit
    const [id = ''] = await server.backend.list('core/moves/', { depth: 'all', limit: 2 })
    expect(await statusOf(id)).toBe('in-progress')
    expect(server.world.revoked).toEqual([])
    for (let i = 0; i < 40 && server.world.revoked.length === 0; i += 1) await server.clock.advance(1000)
    for (let i = 0; i < 5; i += 1) await server.clock.advance(1000)
    expect(server.world.revoked).toEqual(['one'])
    expect(await statusOf(id)).toBe('success')
  })
})
