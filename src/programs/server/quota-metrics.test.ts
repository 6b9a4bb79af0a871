import { afterEach, beforeEach, expect, it } from 'vitest'
import { TestServer } from '../../server/pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

const metric = async (name: string) => {
  const { body } = await server.call('GET', 'sys/metrics')
  const counters: readonly { Name: string; Count: number }[] = body.Counters
  return counters.find((counter) => counter.Name === name)?.Count ?? 0
}

it('requests that a rate limit refuses are counted', async () => {
  await server.call('POST', 'sys/quotas/rate-limit/q', { path: 'test/', rate: 1 })
  const statuses: number[] = []
  for (let i = 0; i < 4; i += 1) statuses.push((await server.call('GET', 'test/row/a')).status)
  const refused = statuses.filter((status) => status === 429).length
  expect(refused).toBeGreaterThan(0)
  expect(await metric('vault.quota.rate_limit.violation')).toBe(refused)
})

it('leases that a quota refuses are counted', async () => {
  await server.call('POST', 'sys/quotas/lease-count/q', { path: 'test/', max_leases: 1 })
  const first = await server.call('GET', 'test/creds/a')
  const second = await server.call('GET', 'test/creds/b')
  expect([first.status, second.status]).toEqual([200, 429])
  expect(await metric('vault.quota.lease_count.violation')).toBe(1)
})
