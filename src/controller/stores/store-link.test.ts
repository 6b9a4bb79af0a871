import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { silentLog } from '../../lib/log.ts'
import { ProviderError, type StoreNotice, type StoreSession } from '../providers/provider.ts'
import { StoreLink } from './store-link.ts'

/** A store whose state the test sets. */
function setUp() {
  const clock = new FakeClock()
  const state = { up: true, denied: false, checks: 0, gets: 0, opens: 0, closed: 0 }
  const heard: string[] = []
  let push: (notice: StoreNotice) => void = () => {}
  const fail = () => {
    if (!state.up) throw new ProviderError('outage', 'connection refused')
    if (state.denied) throw new ProviderError('denied', 'permission denied')
  }
  const session: StoreSession = {
    reader: {
      locate: (ref) => ref.key,
      get: async () => {
        state.gets += 1
        fail()
        return Buffer.from('value')
      },
      async *watch(signal) {
        const queue: StoreNotice[] = []
        let wake = () => {}
        push = (notice) => {
          queue.push(notice)
          wake()
        }
        signal.addEventListener('abort', () => wake())
        while (!signal.aborted) {
          const next = queue.shift()
          if (next) yield next
          else
            await new Promise<void>((resolve) => {
              wake = resolve
            })
        }
      },
    },
    check: async () => {
      state.checks += 1
      fail()
      return 'ready'
    },
    close: async () => {
      state.closed += 1
    },
  }
  const link = new StoreLink({
    open: async () => {
      state.opens += 1
      return session
    },
    noticed: (notice) => heard.push(notice === 'reset' ? 'reset' : notice.location),
    healthChanged: () => heard.push(link.outage ? `down: ${link.outage.reason}` : 'up'),
    clock,
    random: () => new Uint8Array([255]),
    log: silentLog,
  })
  return { clock, state, heard, link, notify: (notice: StoreNotice) => push(notice) }
}

describe('the link to a store', () => {
  it('asks a store that is down by one probe, however many want to read', async () => {
    const { clock, state, link, heard } = setUp()
    await link.check()
    state.up = false
    await expect(link.get({ key: 'a' })).rejects.toThrow('connection refused')
    const startedAt = clock.now()
    expect(link.outage).toMatchObject({ reason: 'StoreUnreachable', sinceMs: startedAt })
    for (let i = 0; i < 100; i += 1) await expect(link.get({ key: 'a' })).rejects.toMatchObject({ code: 'outage' })
    await clock.advance(60_000)
    expect(state.gets).toBe(1)
    expect(state.checks).toBeGreaterThan(20)
    expect(state.checks).toBeLessThan(40)
    expect(link.outage?.sinceMs).toBe(startedAt)
    expect(heard).toEqual(['down: StoreUnreachable'])
    await link.close()
  })

  it('sees within two seconds that it is back, and has everything read again', async () => {
    const { clock, state, link, heard } = setUp()
    await link.check()
    state.up = false
    await link.get({ key: 'a' }).catch(() => undefined)
    await clock.advance(600_000)
    heard.length = 0
    state.up = true
    await clock.advance(2_000)
    expect(heard).toEqual(['reset', 'up'])
    expect(link.ready).toBe(true)
    expect(await link.get({ key: 'a' })).toBeDefined()
    await link.close()
  })

  it('asks at once when the stream of events is back', async () => {
    const { clock, state, link, heard, notify } = setUp()
    await link.check()
    state.up = false
    notify('lost')
    await clock.advance(5_000)
    expect(heard).toEqual(['down: StoreUnreachable'])
    state.up = true
    notify('reset')
    await clock.advance(1)
    expect(heard.slice(1)).toEqual(['reset', 'up'])
    await link.close()
  })

  it('a lost stream alone is no outage', async () => {
    const { clock, link, heard, notify } = setUp()
    await link.check()
    notify('lost')
    await clock.advance(10)
    notify('reset')
    notify({ location: 'secret/data/a' })
    await clock.advance(10)
    expect(heard).toEqual(['reset', 'secret/data/a'])
    await link.close()
  })

  it('a refusal is no outage, and ends one', async () => {
    const { clock, state, link, heard } = setUp()
    await link.check()
    state.denied = true
    await expect(link.get({ key: 'a' })).rejects.toMatchObject({ code: 'denied' })
    expect(link.outage).toBeUndefined()
    state.up = false
    await link.get({ key: 'a' }).catch(() => undefined)
    await clock.advance(1_000)
    state.up = true
    await clock.advance(2_000)
    expect(heard).toEqual(['down: StoreUnreachable', 'reset', 'up'])
    expect(link.ready).toBe(false)
    await link.close()
  })

  it('reads its references again during a long outage', async () => {
    const { clock, state, link } = setUp()
    await link.check()
    state.up = false
    await link.get({ key: 'a' }).catch(() => undefined)
    await clock.advance(60_000)
    expect(state.opens).toBeGreaterThan(2)
    expect(state.closed).toBe(state.opens - 1)
    await link.close()
    expect(state.closed).toBe(state.opens)
  })
})
