import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from './clock.ts'

const day = 86_400_000

describe('the clock of the system', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('waits for longer than one timer of Node can', async () => {
    const done: string[] = []
    systemClock.after(60 * day, () => done.push('after'))
    systemClock.sleep(60 * day).then(
      () => done.push('sleep'),
      () => {},
    )
    await vi.advanceTimersByTimeAsync(60 * day - 1)
    expect(done).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(done.sort()).toEqual(['after', 'sleep'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is cancelled in whichever part of it', async () => {
    const stop = new AbortController()
    const cancel = systemClock.after(60 * day, () => expect.unreachable())
    const slept = systemClock.sleep(60 * day, stop.signal)
    await vi.advanceTimersByTimeAsync(40 * day)
    cancel()
    stop.abort(new Error('enough'))
    await expect(slept).rejects.toThrow('enough')
    expect(vi.getTimerCount()).toBe(0)
  })
})
