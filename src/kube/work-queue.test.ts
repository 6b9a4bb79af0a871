import { describe, expect, it } from 'vitest'
import { FakeClock } from '../lib/fake-clock.ts'
import { silentLog } from '../lib/log.ts'
import { ApiError } from './client.ts'
import { WorkQueue, type WorkResult } from './work-queue.ts'

/** Chance that is always in the middle: delays are exact. */
const middle = (size: number) => new Uint8Array(size).fill(128, 0, 1)

function queueOf(work: (key: string, signal: AbortSignal) => Promise<WorkResult>, concurrency = 1) {
  const clock = new FakeClock()
  const queue = new WorkQueue({ clock, random: middle, log: silentLog, name: 'test', concurrency, work })
  const stop = new AbortController()
  const done = queue.run(stop.signal)
  const end = () => {
    stop.abort(new Error('stop'))
    return done
  }
  return { clock, queue, end }
}

/** Work that ends when told. */
function gated() {
  const started: string[] = []
  const gates = new Map<string, () => void>()
  const work = (key: string) =>
    new Promise<undefined>((resolve) => {
      started.push(key)
      gates.set(key, () => resolve(undefined))
    })
  return { started, work, finish: (key: string) => gates.get(key)?.() }
}

describe('work queue', () => {
  it('works on a key once however often it was added while it waited', async () => {
    const { started, work, finish } = gated()
    const { clock, queue, end } = queueOf(work)
    queue.add('a')
    for (let i = 0; i < 5; i++) queue.add('b')
    await clock.advance(0)
    expect([started, queue.depth]).toEqual([['a'], 1])
    finish('a')
    await clock.advance(0)
    finish('b')
    await clock.advance(0)
    expect(started).toEqual(['a', 'b'])
    await end()
  })

  it('a key is never worked on twice at once, and a change during its work is not lost', async () => {
    const { started, work, finish } = gated()
    const { clock, queue, end } = queueOf(work, 4)
    queue.add('a')
    await clock.advance(0)
    queue.add('a')
    queue.add('a')
    await clock.advance(0)
    expect(started).toEqual(['a'])
    finish('a')
    await clock.advance(0)
    expect(started).toEqual(['a', 'a'])
    finish('a')
    await clock.advance(0)
    expect([started.length, queue.working]).toEqual([2, 0])
    await end()
  })

  it('has at most as many workers as told', async () => {
    const { started, work, finish } = gated()
    const { clock, queue, end } = queueOf(work, 2)
    for (const key of ['a', 'b', 'c']) queue.add(key)
    await clock.advance(0)
    expect(started).toEqual(['a', 'b'])
    finish('b')
    await clock.advance(0)
    expect(started).toEqual(['a', 'b', 'c'])
    finish('a')
    finish('c')
    await end()
  })

  it('a key that fails comes again later and later, alone, and from the start after a success', async () => {
    const times: number[] = []
    let fails = 4
    const { clock, queue, end } = queueOf(async (key) => {
      if (key !== 'bad') return undefined
      times.push(clock.monotonic())
      if (fails-- > 0) throw new Error('no')
      return undefined
    })
    queue.add('bad')
    queue.add('good')
    await clock.advance(60_000)
    expect(times).toEqual([0, 200, 600, 1400, 3000])
    fails = 1
    queue.add('bad')
    await clock.advance(60_000)
    expect(times.slice(5)).toEqual([60_000, 60_200])
    await end()
  })

  it('waits as long as the server wants, up to the maximum', async () => {
    const times: number[] = []
    const asked = [5000, 86_400_000]
    const { clock, queue, end } = queueOf(async () => {
      times.push(clock.monotonic())
      const retryAfterMs = asked.shift()
      if (retryAfterMs !== undefined) throw new ApiError(429, 'TooManyRequests', 'later', retryAfterMs)
      return undefined
    })
    queue.add('a')
    await clock.advance(600_000)
    expect(times.length).toBe(3)
    expect(times[1]).toBeGreaterThanOrEqual(5000)
    expect(times[1]).toBeLessThanOrEqual(6250)
    expect((times[2] ?? 0) - (times[1] ?? 0)).toBe(300_000)
    await end()
  })

  it('delays have a maximum', async () => {
    let count = 0
    const { clock, queue, end } = queueOf(async () => {
      count += 1
      throw new Error('always')
    })
    queue.add('bad')
    await clock.advance(3_600_000)
    const before = count
    await clock.advance(3_600_000)
    // Each of 240 s, which leaves chance room up to the 300 s that it must not exceed.
    expect(count - before).toBe(15)
    await end()
  })

  it('of several delays the earliest counts, and a result replaces only what a result had set', async () => {
    const times: number[] = []
    const { clock, queue, end } = queueOf(async () => {
      times.push(clock.monotonic())
      return { requeueAfterMs: 10_000 }
    })
    queue.addAfter('a', 5000)
    queue.addAfter('a', 3000)
    queue.addAfter('a', 4000)
    await clock.advance(12_000)
    expect(times).toEqual([3000])
    queue.add('a')
    await clock.advance(5000)
    // At 13,000 the first result would have come due; the second replaced it.
    expect(times).toEqual([3000, 12_000])
    await clock.advance(5000)
    expect(times).toEqual([3000, 12_000, 22_000])
    queue.forget('a')
    await clock.advance(100_000)
    expect(times.length).toBe(3)
    await end()
  })

  it('stops when told: begun work ends, nothing else begins', async () => {
    const { started, work, finish } = gated()
    const { clock, queue, end } = queueOf(work)
    queue.add('a')
    queue.add('b')
    queue.addAfter('c', 10)
    await clock.advance(0)
    let ended = false
    const done = end().then(() => {
      ended = true
    })
    await clock.advance(1000)
    expect(ended).toBe(false)
    finish('a')
    await done
    queue.add('d')
    await clock.advance(1000)
    expect(started).toEqual(['a'])
  })
})
