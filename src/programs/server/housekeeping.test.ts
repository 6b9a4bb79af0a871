import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StorageDown } from '../../server/contracts/storage.ts'
import { TestServer } from '../../server/pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

describe('housekeeping', () => {
  it('ends leases although a revocation that was left half done can never be finished', async () => {
    const tokens = 'ns/root/tokens'
    const damaged = [`${tokens}/intent/gone`, `${tokens}/child/gone/child`, `${tokens}/id/child`]
    await server.backend.commit({
      id: '00000000000abc',
      checks: [],
      put: damaged.map((key) => ({ key, value: Buffer.from('damaged') })),
    })
    await server.call('GET', 'test/creds/one?ttl=2s')
    for (let i = 0; i < 10; i += 1) await server.clock.advance(1000)
    expect(server.world.revoked).toEqual(['one'])
  })

  it('goes on when the storage was away just as this node took the lead', async () => {
    const { backend } = server
    const { commit } = backend
    let refused = 0
    backend.commit = async (made) => {
      if (!made.put?.some(({ key }) => key === 'core/housekeeper') || refused === 2) return commit.call(backend, made)
      refused += 1
      throw new StorageDown('away')
    }
    await server.call('GET', 'test/creds/one?ttl=2s')
    await server.call('PUT', 'sys/step-down')
    for (let i = 0; i < 10; i += 1) await server.clock.advance(1000)
    expect(refused).toBe(2)
    expect(server.world.revoked).toEqual(['one'])
  })
})
