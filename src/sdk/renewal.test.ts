import { describe, expect, it } from 'vitest'
import { FakeClock } from '../lib/fake-clock.ts'
import { VaultClient } from './client.ts'
import { envelopeOf, fakeTransport } from './fake-transport.ts'
import { type WatchedLease, watchLifetime, watchToken } from './renewal.ts'

const start = (
  renew: (n: number) => WatchedLease | Error,
  lease: WatchedLease = { leaseDuration: 100, renewable: true },
) => {
  const clock = new FakeClock()
  const startedAt = clock.now()
  const at: number[] = []
  let end: string | undefined
  const stop = new AbortController()
  const watching = watchLifetime({
    lease,
    clock,
    signal: stop.signal,
    random: () => new Uint8Array([128]),
    renew: async () => {
      at.push((clock.now() - startedAt) / 1000)
      const answer = renew(at.length)
      if (answer instanceof Error) throw answer
      return answer
    },
  })
  watching.then(
    (how) => {
      end = `${how} at ${(clock.now() - startedAt) / 1000}`
    },
    () => {
      end = 'stopped'
    },
  )
  return { clock, at, stop, ended: () => end }
}

describe('the lifetime of a lease', () => {
  it('is renewed at once, then after two thirds and a third of the grace', async () => {
    const run = start(() => ({ leaseDuration: 100, renewable: true }))
    await run.clock.advance(150_000)
    expect(run.at[0]).toBe(0)
    expect(run.at[1]).toBeCloseTo(71.67, 1)
    expect(run.at[2]).toBeCloseTo(143.33, 1)
    run.stop.abort(new Error('stop'))
    await run.clock.advance(0)
    expect(run.ended()).toBe('stopped')
  })

  it('ends inside the grace when the server gives no more time', async () => {
    let left = 100
    const run = start(() => {
      left -= 40
      return { leaseDuration: left, renewable: true }
    })
    await run.clock.advance(200_000)
    expect(run.ended()).toMatch(/^expiring/)
  })

  it('sleeps between failed tries and ends before the lease does', async () => {
    const run = start(() => new Error('connection refused'))
    await run.clock.advance(200_000)
    expect(run.at.length).toBeGreaterThan(2)
    expect(run.at.length).toBeLessThan(10)
    expect(run.ended()).toBe('expiring at 85')
  })

  it('that cannot be renewed is left alone until the grace', async () => {
    const run = start(() => new Error('never called'), { leaseDuration: 1000, renewable: false })
    await run.clock.advance(2_000_000)
    expect(run.at).toEqual([])
    expect(run.ended()).toBe('expiring at 850')
  })

  it('of 32 days does not overflow a timer', async () => {
    const run = start(() => ({ leaseDuration: 2_764_800, renewable: true }), {
      leaseDuration: 2_764_800,
      renewable: true,
    })
    await run.clock.advance(3_600_000)
    expect(run.at).toEqual([0])
    run.stop.abort(new Error('stop'))
  })

  it('without end is watched until it is stopped', async () => {
    const run = start(() => new Error('never called'), { leaseDuration: 0, renewable: false })
    await run.clock.advance(1_000_000_000)
    expect(run.ended()).toBeUndefined()
    run.stop.abort(new Error('stop'))
    await run.clock.advance(0)
    expect(run.ended()).toBe('stopped')
  })
})

describe('the lifetime of a token', () => {
  it('is renewed with the token itself', async () => {
    const clock = new FakeClock()
    const transport = fakeTransport(() => envelopeOf({ auth: { lease_duration: 100, renewable: true } }))
    const stop = new AbortController()
    const watching = watchToken({
      client: new VaultClient({ transport, clock, token: 'hvs.other' }),
      auth: { client_token: 'hvs.mine', lease_duration: 100, renewable: true },
      clock,
      random: () => new Uint8Array([0]),
      signal: stop.signal,
    }).catch(() => 'stopped')
    await clock.advance(1000)
    stop.abort(new Error('stop'))
    expect(await watching).toBe('stopped')
    expect(transport.requests[0]).toMatchObject({
      path: '/v1/auth/token/renew-self',
      headers: { 'X-Vault-Token': 'hvs.mine' },
    })
  })

  it('that may not renew itself is used until the grace', async () => {
    const clock = new FakeClock()
    const body = JSON.stringify({ errors: ['1 error occurred:\n\t* permission denied\n\n'] })
    const transport = fakeTransport(() => ({ status: 403, body }))
    let end = ''
    const failures: number[] = []
    const watching = watchToken({
      client: new VaultClient({ transport, clock }),
      auth: { client_token: 'hvs.mine', lease_duration: 100, renewable: true },
      clock,
      random: () => new Uint8Array([0]),
      signal: new AbortController().signal,
      onError: (_, retryMs) => failures.push(retryMs),
    }).then((how) => {
      end = how
    })
    await clock.advance(89_000)
    expect(end).toBe('')
    await clock.advance(2000)
    await watching
    expect(end).toBe('expiring')
    expect(transport.requests).toHaveLength(1)
    expect(failures).toEqual([90_000])
  })

  it('ends at once when the server no longer knows it', async () => {
    const clock = new FakeClock()
    const transport = fakeTransport(() => ({ status: 403, body: '{"errors":["permission denied"]}' }))
    const end = await watchToken({
      client: new VaultClient({ transport, clock }),
      auth: { client_token: 'hvs.mine', lease_duration: 100, renewable: true },
      clock,
      random: () => new Uint8Array([0]),
      signal: new AbortController().signal,
    })
    expect(end).toBe('lost')
  })
})
