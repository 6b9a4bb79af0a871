import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SealServer } from '../test-seal-server.ts'

let server: SealServer
let keys: string[]
beforeEach(async () => {
  server = new SealServer()
  keys = (await server.init({ secret_shares: 3, secret_threshold: 2 })).body.keys
  await server.unseal(keys.slice(0, 2))
})
afterEach(() => server.close())

const attempt = (method: string, body?: unknown) => server.call(method, 'sys/generate-root/attempt', body, '')
const update = (key: string, nonce: string) => server.call('PUT', 'sys/generate-root/update', { key, nonce }, '')
const idle = {
  nonce: '',
  started: false,
  progress: 0,
  required: 2,
  complete: false,
  encoded_token: '',
  encoded_root_token: '',
  pgp_fingerprint: '',
  otp: '',
  otp_length: 28,
}

describe('a new root token', () => {
  it('is made by a threshold of unseal keys, and only the one-time password shows it', async () => {
    expect((await attempt('GET')).body).toEqual(idle)
    const begun = (await attempt('PUT', {})).body
    expect(begun).toEqual({ ...idle, started: true, nonce: expect.any(String), otp: expect.stringMatching(/^\w{28}$/) })
    expect((await attempt('GET')).body.otp).toBe('')
    expect((await update(keys[0] ?? '', begun.nonce)).body).toMatchObject({ progress: 1, complete: false })
    const done = (await update(keys[2] ?? '', begun.nonce)).body
    expect(done).toMatchObject({ progress: 2, required: 2, complete: true, encoded_root_token: done.encoded_token })
    expect((await attempt('GET')).body).toEqual(idle)
    const decoded = await server.call(
      'POST',
      'sys/decode-token',
      { encoded_token: done.encoded_token, otp: begun.otp },
      '',
    )
    const { token } = decoded.body.data
    expect(token).toMatch(/^hvs\./)
    expect(done.encoded_token).not.toContain('=')
    const own = await server.call('GET', 'auth/token/lookup-self', undefined, token)
    expect(own.body.data).toMatchObject({ policies: ['root'], ttl: 0 })
    expect((await server.call('GET', 'auth/token/lookup-self')).status).toBe(200)
  })

  it('takes a password that the caller chose', async () => {
    const otp = 'x'.repeat(28)
    expect((await attempt('PUT', { otp })).body).toMatchObject({ started: true, otp: '' })
    expect((await attempt('PUT', { otp })).body.errors).toEqual(['root generation already in progress'])
    expect((await attempt('DELETE')).status).toBe(204)
    expect((await attempt('PUT', { otp: 'short' })).body.errors).toEqual(['OTP string is wrong length'])
    expect((await attempt('PUT', { pgp_key: 'AAAA' })).body.errors[0]).toContain(
      'error parsing given PGP key: this is no OpenPGP key',
    )
    expect((await attempt('GET')).body).toEqual(idle)
  })

  it('is refused to wrong shares, which begin anew', async () => {
    const { nonce } = (await attempt('PUT', {})).body
    await update(keys[0] ?? '', nonce)
    expect((await update(keys[0] ?? '', nonce)).body.errors).toEqual([
      'given key has already been provided during this generation operation',
    ])
    expect((await update('ab'.repeat(33), nonce)).body.errors).toEqual([
      'root generation aborted: root key verification failed',
    ])
    expect((await attempt('GET')).body.progress).toBe(0)
    expect((await update(keys[0] ?? '', 'x')).body.errors).toEqual([
      `incorrect nonce supplied; nonce for this root generation operation is "${nonce}"`,
    ])
    expect((await update('', nonce)).body.errors).toEqual(["'key' must be specified in request body as JSON"])
  })

  it('needs an operation that was begun less than ten minutes ago', async () => {
    expect((await update(keys[0] ?? '', 'x')).body.errors).toEqual(['no root generation in progress'])
    const { nonce } = (await attempt('PUT', {})).body
    await server.clock.advance(600_001)
    expect((await update(keys[0] ?? '', nonce)).body.errors).toEqual(['no root generation in progress'])
  })

  it('is to be had with sudo too, in an envelope', async () => {
    expect((await server.call('GET', 'sys/generate-root-token/attempt', undefined, '')).status).toBe(403)
    const begun = await server.call('PUT', 'sys/generate-root-token/attempt', {})
    expect(begun.body.data).toMatchObject({ started: true, otp_length: 28 })
  })
})

describe('decoding', () => {
  it.each([
    [{}, 'missing encoded_token'],
    [{ encoded_token: 'AAAA' }, 'missing otp'],
    [{ encoded_token: '!!', otp: 'a' }, "error decoding base64'd token"],
    [{ encoded_token: 'AAAA', otp: 'a' }, 'length of byte slices is not equivalent: 3 != 1'],
  ])('refuses %j', async (body, error) => {
    const answer = await server.call('POST', 'sys/decode-token', body, '')
    expect(answer).toMatchObject({ status: 400, body: { errors: [error] } })
  })
})
