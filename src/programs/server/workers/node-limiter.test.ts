import { expect, it } from 'vitest'
import { type RateLimit, rateLimitSchema } from '../../../server/quotas/quota-row.ts'
import { RateLimiter } from '../../../server/quotas/rate-limiter.ts'
import type { RateAsk } from './messages.ts'
import { NodeLimiter } from './node-limiter.ts'

const quota: RateLimit = rateLimitSchema.parse({
  format: 1,
  ...{ name: 'few', namespace: '', mount: '', suffix: '', role: '', inheritable: false },
  ...{ rate: 5, intervalMs: 1000, blockMs: 0 },
})

it('two workers together admit what one would, and a turn’s questions are one message', async () => {
  const counting = new RateLimiter()
  const messages: number[] = []
  const ask = async (asks: readonly RateAsk[]) => {
    messages.push(asks.length)
    return asks.map((one) => counting.take(one.quota, one.address, 0))
  }
  const workers = [new NodeLimiter({ ask }), new NodeLimiter({ ask })]
  const taken = await Promise.all(Array.from({ length: 8 }, (_, i) => workers[i % 2]?.take(quota, '10.0.0.1')))
  expect(taken.filter((one) => one?.allowed).length).toBe(5)
  expect(taken.map((one) => one?.left)).toEqual([4, 0, 3, 0, 2, 0, 1, 0])
  expect(messages).toEqual([4, 4])
})

it('nobody is admitted whom the primary did not count', async () => {
  const limiter = new NodeLimiter({ ask: async () => [] })
  await expect(limiter.take(quota, 'a')).rejects.toThrow('did not count')
  const gone = new NodeLimiter({ ask: () => Promise.reject(new Error('gone')) })
  await expect(gone.take(quota, 'a')).rejects.toThrow('did not count')
})
