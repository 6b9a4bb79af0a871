import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import { VaultClient } from '../../../sdk/client.ts'
import { envelopeOf, fakeTransport } from '../../../sdk/fake-transport.ts'
import { renewSealToken, transitSeal } from './transit.ts'

/** A transit engine whose encryption is base64 twice. */
function other(failures = 0) {
  const clock = new FakeClock()
  let left = failures
  const state = { version: 1, denied: '' }
  const transport = fakeTransport((request) => {
    if (left > 0) {
      left -= 1
      return { status: 503, body: '{"errors":["Vault is sealed"]}' }
    }
    const body = JSON.parse(request.body ?? '{}')
    if (request.path.includes(state.denied || 'nothing')) {
      return { status: 403, body: '{"errors":["permission denied"]}' }
    }
    if (request.path === '/v1/transit/encrypt/root') {
      return envelopeOf({ data: { ciphertext: `vault:v${state.version}:${body.plaintext}` } })
    }
    if (request.path === '/v1/transit/decrypt/root') {
      return envelopeOf({ data: { plaintext: String(body.ciphertext).replace(/^vault:v\d+:/, '') } })
    }
    return { status: 403, body: '{"errors":["permission denied"]}' }
  })
  const client = new VaultClient({ transport, clock, token: 't', maxRetries: 2 })
  return { client, transport, clock, state }
}

describe('the transit seal', () => {
  it('lets the other server wrap and open', async () => {
    const { client, transport } = other()
    const seal = transitSeal({ client, mountPath: '/transit/', keyName: 'root' })
    const key = systemRandom(32)
    const { blob, keyId } = await seal.wrap(key)
    expect([keyId, seal.keyId(), seal.type, seal.automatic]).toEqual([
      'transit/root:v1',
      'transit/root:v1',
      'transit',
      true,
    ])
    expect(Buffer.from(blob).toString()).toMatch(/^vault:v1:/)
    expect(Buffer.from(await seal.unwrap(blob, keyId))).toEqual(Buffer.from(key))
    await seal.check()
    expect(transport.requests.every(({ headers }) => headers['X-Vault-Token'] === 't')).toBe(true)
  })

  it('asks again when the other server was not ready', async () => {
    const { client, clock } = other(2)
    const wrapping = transitSeal({ client, mountPath: 'transit', keyName: 'root' }).wrap(systemRandom(32))
    await clock.advance(10_000)
    expect((await wrapping).keyId).toBe('transit/root:v1')
  })

  it('says when the key has another version by now, for the root key to be wrapped anew', async () => {
    const { client, state } = other()
    const { blob, keyId } = await transitSeal({ client, mountPath: 'transit', keyName: 'root' }).wrap(systemRandom(32))
    const seal = transitSeal({ client, mountPath: 'transit', keyName: 'root' })
    await seal.unwrap(blob, keyId)
    expect(seal.keyId()).toBe(keyId)
    state.version = 2
    await seal.unwrap(blob, keyId)
    expect(seal.keyId()).toBe('transit/root:v2')
    state.denied = 'encrypt'
    await seal.unwrap(blob, keyId)
    expect(seal.keyId()).toBe(keyId)
  })

  it.each(['encrypt', 'decrypt'])('does not work when its token may not %s', async (denied) => {
    const { client, state } = other()
    const seal = transitSeal({ client, mountPath: 'transit', keyName: 'root' })
    await seal.check()
    state.denied = denied
    await expect(seal.check()).rejects.toThrow('permission denied')
    await expect(seal.wrap(systemRandom(32))).rejects.toThrow('permission denied')
  })

  it('is waited for no longer than the server runs', async () => {
    const stop = new AbortController()
    const { client } = other(1)
    const seal = transitSeal({ client, mountPath: 'transit', keyName: 'root', signal: stop.signal })
    const wrapping = seal.wrap(systemRandom(32))
    stop.abort(new Error('the server is stopping'))
    await expect(wrapping).rejects.toThrow('the server is stopping')
  })

  it('passes on a refusal, and an answer without what was asked for', async () => {
    const { client } = other()
    await expect(transitSeal({ client, mountPath: 'transit', keyName: 'no' }).check()).rejects.toThrow(
      'permission denied',
    )
    const empty = new VaultClient({ transport: fakeTransport(() => envelopeOf({ data: {} })), clock: new FakeClock() })
    const seal = transitSeal({ client: empty, mountPath: 'transit', keyName: 'root' })
    await expect(seal.unwrap(Buffer.from('vault:v1:x'), '')).rejects.toThrow('gave no plaintext')
  })
})

describe('its token', () => {
  function renewing(ttl: number, renewable: boolean) {
    const clock = new FakeClock()
    const transport = fakeTransport(({ path }) =>
      path.endsWith('lookup-self')
        ? envelopeOf({ data: { ttl, renewable } })
        : envelopeOf({ auth: { client_token: 't', accessor: 'a', policies: [], lease_duration: ttl, renewable } }),
    )
    const client = new VaultClient({ transport, clock, token: 't' })
    const stop = new AbortController()
    const done = renewSealToken({ client, clock, random: systemRandom, log: silentLog, signal: stop.signal })
    return { clock, transport, stop, done }
  }

  it('is renewed before it ends, for as long as the server runs', async () => {
    const { clock, transport, stop, done } = renewing(3600, true)
    for (let i = 0; i < 8; i += 1) await clock.advance(1_800_000)
    const renewals = transport.requests.filter(({ path }) => path.endsWith('renew-self'))
    expect(renewals.length).toBeGreaterThan(4)
    expect(renewals.every(({ headers }) => headers['X-Vault-Token'] === 't')).toBe(true)
    stop.abort(new Error('over'))
    await expect(done).rejects.toThrow('over')
  })

  it.each([
    [0, false],
    [3600, false],
  ])('is left alone with ttl %s, renewable %s', async (ttl, renewable) => {
    const { transport, done } = renewing(ttl, renewable)
    await done
    expect(transport.requests).toHaveLength(1)
  })
})
