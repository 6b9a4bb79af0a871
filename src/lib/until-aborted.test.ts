import { describe, expect, it } from 'vitest'
import { orAborted, untilAborted } from './until-aborted.ts'

describe('untilAborted', () => {
  it('waits for the signal, and not for one that was given already', async () => {
    const stop = new AbortController()
    const waiting = untilAborted(stop.signal)
    expect(await Promise.race([waiting, Promise.resolve('not yet')])).toBe('not yet')
    stop.abort()
    expect(await waiting).toBeUndefined()
    expect(await untilAborted(stop.signal)).toBeUndefined()
  })
})

describe('orAborted', () => {
  it('answers what the work does', async () => {
    const { signal } = new AbortController()
    expect(await orAborted(async () => 1, signal)).toBe(1)
    await expect(orAborted(() => Promise.reject(new Error('its own')), signal)).rejects.toThrow('its own')
  })

  it('ends with the signal although the work does not', async () => {
    const stop = new AbortController()
    const waiting = orAborted(() => new Promise<never>(() => {}), stop.signal)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })

  it('begins nothing after the signal', async () => {
    let begun = false
    const work = async () => {
      begun = true
    }
    await expect(orAborted(work, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
    expect(begun).toBe(false)
  })
})
