import { describe, expect, it } from 'vitest'
import { FakeClock } from '../lib/fake-clock.ts'
import { fakeTransport } from './fake-transport.ts'
import { limitRate, parseRate } from './rate-limit.ts'

const request = { method: 'GET', path: '/v1/a', headers: {} }

describe('a rate limit', () => {
  it.each([
    ['10', { perSecond: 10, burst: 10 }],
    ['0.5', { perSecond: 0.5, burst: 1 }],
    [' 10:20 ', { perSecond: 10, burst: 20 }],
    ['0', undefined],
    ['10:0', undefined],
    ['-1', undefined],
    ['fast', undefined],
    ['', undefined],
  ])('%j is %j', (text, rate) => {
    expect(parseRate(text)).toEqual(rate)
  })

  it('lets a burst through at once, then one each interval, and fills up again', async () => {
    const clock = new FakeClock()
    const inner = fakeTransport(() => ({}))
    const limited = limitRate(inner, { perSecond: 10, burst: 2 }, clock)
    const all = Promise.all(Array.from({ length: 4 }, () => limited.send(request)))
    await clock.advance(0)
    expect(inner.requests).toHaveLength(2)
    await clock.advance(99)
    expect(inner.requests).toHaveLength(2)
    await clock.advance(1)
    expect(inner.requests).toHaveLength(3)
    await clock.advance(100)
    await all
    await clock.advance(10_000)
    const more = Promise.all(Array.from({ length: 3 }, () => limited.send(request)))
    await clock.advance(0)
    expect(inner.requests).toHaveLength(6)
    await clock.advance(100)
    await more
  })

  it('gives up waiting when the signal aborts, and sends nothing', async () => {
    const clock = new FakeClock()
    const inner = fakeTransport(() => ({}))
    const limited = limitRate(inner, { perSecond: 1, burst: 1 }, clock)
    await limited.send(request)
    const stop = new AbortController()
    const waiting = limited.send(request, stop.signal)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    expect(inner.requests).toHaveLength(1)
  })
})
