import { afterEach, beforeEach, expect, it } from 'vitest'
import { TestServer } from '../../../server/pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

const gauges = async () => {
  const { body } = await server.call('GET', 'sys/metrics')
  const found = body.Gauges.filter(({ Name }: { Name: string }) =>
    /token\.count|num_leases|num_entities|entity\.count/.test(Name),
  )
  return Object.fromEntries(
    found.map(({ Name, Labels, Value }: { Name: string; Labels: { namespace?: string }; Value: number }) => [
      [Name.replace('vault.', ''), Labels.namespace ?? ''].join(' ').trim(),
      Value,
    ]),
  )
}

it('tokens, leases and entities are counted, per namespace where Vault does; a namespace that is gone is not shown', async () => {
  await server.token(['default'])
  await server.call('GET', 'test/creds/one')
  for (const name of ['a', 'b']) await server.call('POST', 'identity/entity', { name })
  await server.call('POST', 'sys/namespaces/team')
  await server.call('POST', 'team/identity/entity', { name: 'c' })
  expect(await gauges()).toEqual({
    'expire.num_leases': 1,
    'identity.num_entities': 3,
    'identity.entity.count root': 2,
    'identity.entity.count team/': 1,
    'token.count root': 2,
    'token.count team/': 0,
  })
  await server.call('DELETE', 'sys/namespaces/team')
  await server.clock.advance(61_000)
  const later = await gauges()
  expect(later).toMatchObject({ 'identity.num_entities': 2, 'token.count root': 2 })
  expect(Object.keys(later).filter((name) => name.includes('team'))).toEqual([])
})

it('a reading waits for no more than fifty pages: the next one goes on', async () => {
  const view = 'ns/root/tokens/accessor/'
  const put = Array.from({ length: 200 }, (_, i) => ({ key: `${view}${i}`, value: Buffer.from('x') }))
  for (let i = 0; i < 260; i += 1)
    await server.backend.commit({
      id: (i + 1).toString(16).padStart(14, '0'),
      checks: [],
      put: put.map(({ key, value }) => ({ key: `${key}-${i}`, value })),
    })
  expect((await gauges())['token.count root']).toBeUndefined()
  await server.clock.advance(6000)
  expect((await gauges())['token.count root']).toBe(260 * 200 + 1)
})

it('sys/internal/counters tells the same of the namespace that is asked', async () => {
  await server.call('POST', 'identity/entity', { name: 'a' })
  expect((await server.call('GET', 'sys/internal/counters/entities')).body.data).toEqual({
    counters: { entities: { total: 1 } },
  })
  expect((await server.call('GET', 'sys/internal/counters/tokens')).body.data).toEqual({
    counters: { service_tokens: { total: 1 } },
  })
})
