import { afterEach, beforeEach, expect, it } from 'vitest'
import { TestServer } from '../../../pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
  await server.call('PUT', 'sys/audit/test', { type: 'test' })
})
afterEach(() => server.close())

const over = async () => {
  for (let i = 0; i < 3; i += 1) await server.call('GET', 'test/row/a')
  return server.call('GET', 'test/row/a')
}
const audited = () =>
  server.device.lines.filter((line) => JSON.stringify(line).includes('rate limit quota exceeded')).length

it('a request that a rate limit refuses is in the audit only when that is wanted', async () => {
  await server.call('POST', 'sys/quotas/rate-limit/q', { path: 'test', rate: 2, interval: '1m' })
  expect((await over()).status).toBe(429)
  expect(audited()).toBe(0)
  await server.call('POST', 'sys/quotas/config', { enable_rate_limit_audit_logging: true })
  const refused = await over()
  expect([refused.status, refused.headers['X-Ratelimit-Limit'], refused.headers['Retry-After']]).toEqual([
    429,
    undefined,
    '60',
  ])
  expect(audited()).toBeGreaterThan(0)
})

it('the answer to a request that passes says what is left, when that is wanted', async () => {
  await server.call('POST', 'sys/quotas/rate-limit/q', { path: 'test', rate: 2, interval: '1m' })
  await server.call('POST', 'sys/quotas/config', { enable_rate_limit_response_headers: true })
  const { headers } = await server.call('GET', 'test/row/a')
  expect([headers['X-Ratelimit-Limit'], headers['X-Ratelimit-Remaining'], headers['X-Ratelimit-Reset']]).toEqual([
    '2',
    '1',
    '60',
  ])
})

it('another process knows a quota after its next request', async () => {
  const other = await server.another()
  await server.call('POST', 'sys/quotas/rate-limit/q', { path: 'test', rate: 1, interval: '1m' })
  await other.call('GET', 'test/row/a')
  await other.call('GET', 'test/row/a')
  expect((await other.call('GET', 'test/row/a')).status).toBe(429)
  await other.close()
})

it('a lease that is one too many is not given, and what it stood for is not made', async () => {
  await server.call('POST', 'sys/quotas/lease-count/q', { path: 'test/creds/*', max_leases: 2 })
  const statuses = []
  for (const name of ['a', 'b', 'c']) statuses.push((await server.call('GET', `test/creds/${name}`)).status)
  expect(statuses).toEqual([200, 200, 429])
  expect(server.world.alive).toEqual(new Set(['a', 'b']))
  await server.call('PUT', 'sys/leases/revoke-prefix/test/creds/a')
  expect((await server.call('GET', 'test/creds/c')).status).toBe(200)
})
