import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { watchSeal } from './seal-watch.ts'

describe('the watch over a seal', () => {
  it('asks every ten minutes, tells once that it is away and once that it is back, and ends', async () => {
    const clock = new FakeClock()
    const lines: string[] = []
    const keep = (event: string, fields: object = {}) => void lines.push(`${event} ${JSON.stringify(fields)}`)
    const log = { ...silentLog, info: keep, error: keep }
    let checks = 0
    let away = false
    const check = async () => {
      checks += 1
      if (away) throw new Error('the key is disabled')
    }
    const stop = new AbortController()
    watchSeal({ seal: { type: 'awskms', check }, clock, log, signal: stop.signal })
    await clock.advance(600_000)
    expect([checks, lines]).toEqual([1, []])
    away = true
    await clock.advance(600_000)
    for (let i = 0; i < 3; i += 1) await clock.advance(60_000)
    expect(checks).toBe(5)
    expect(lines).toEqual([expect.stringMatching(/a restart would not unseal.*the key is disabled/)])
    away = false
    await clock.advance(60_000)
    expect(lines[1]).toContain('the seal works again')
    await clock.advance(599_000)
    expect(checks).toBe(6)
    stop.abort(new Error('over'))
    await clock.advance(3_600_000)
    expect(checks).toBe(6)
  })
})
