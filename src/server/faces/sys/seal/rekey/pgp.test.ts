import { afterEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../../../lib/fake-clock.ts'
import type { Logger } from '../../../../../lib/log.ts'
import fixtures from '../../../../../lib/openpgp/gpg-keys.json' with { type: 'json' }
import { decrypt } from '../../../../../lib/openpgp/test-decrypt.ts'
import { systemRandom } from '../../../../../lib/random.ts'
import { staticSeal } from '../../../../seal/static/static.ts'
import { crashing } from '../../../../storage/test-crashing.ts'
import { SealServer, type SealServerOptions } from '../test-seal-server.ts'

const { curve25519, rsa, p256, expired, revoked } = fixtures.keys
const pgp_keys = [curve25519.public, rsa.public, p256.public]
const holders = [curve25519, rsa, p256]
const fingerprints = [
  'd6e714515ee4e0b0a0a6bea82ea827d5a3d2fc0f',
  'f417c8e794708bf9e1d1f94b23af0250e123b2fa',
  '0efe76e22c7102eda3a76138c44847b56237149d',
]
/** What the holder of each message reads. */
const opened = (messages: string[], by = holders) =>
  messages.map((message, i) => decrypt(Buffer.from(message, 'hex'), by[i]?.secret ?? ''))
const openedToken = (message: string, by = rsa) => decrypt(Buffer.from(message, 'base64'), by.secret)

const servers: SealServer[] = []
const track = (server: SealServer) => {
  servers.push(server)
  return server
}
afterEach(async () => {
  for (const each of servers.splice(0)) await each.close()
})

const current = staticSeal({ current: { id: 'k1', key: Buffer.alloc(32, 1) }, random: systemRandom })
const fresh = (options?: SealServerOptions) => track(new SealServer(options))
const threeOfTwo = { secret_shares: 3, secret_threshold: 2 }

/** Unsealed by bare shares, which it gives. */
async function started(options?: SealServerOptions) {
  const server = fresh(options)
  const { keys } = (await server.init({ secret_shares: 2, secret_threshold: 2 })).body
  await server.unseal(keys)
  return { server, keys: keys as string[] }
}

async function agree(server: SealServer, path: string, keys: readonly string[], nonce: string) {
  let last = { status: 0, body: undefined as Awaited<ReturnType<SealServer['call']>>['body'] }
  for (const key of keys) last = await server.call('PUT', `sys/${path}/update`, { key, nonce })
  return last
}

describe('initialisation to PGP keys', () => {
  it('gives each share to its holder only: the hex of it, encrypted', async () => {
    const server = fresh()
    const { body } = await server.init({ ...threeOfTwo, pgp_keys })
    expect(body.keys.map((key: string) => Buffer.from(key, 'hex').toString('base64'))).toEqual(body.keys_base64)
    const shares = opened(body.keys)
    for (const share of shares) expect(share).toMatch(/^[0-9a-f]{66}$/)
    expect(new Set(shares).size).toBe(3)
    expect(body.root_token).toMatch(/^hvs\./)
    await server.unseal(shares.slice(1))
    expect(await server.sealed()).toBe(false)
    expect(() => decrypt(Buffer.from(body.keys[0], 'hex'), rsa.secret)).toThrow('no private key')
  })

  it('encrypts the only share, recovery keys and the root token, too', async () => {
    const one = fresh()
    const single = (await one.init({ secret_shares: 1, secret_threshold: 1, pgp_keys: rsa.public })).body
    expect((await one.unseal(opened(single.keys, [rsa]))).status).toBe(200)
    expect(await one.sealed()).toBe(false)
    const server = fresh({ seals: { current } })
    const answer = await server.init({
      recovery_shares: 3,
      recovery_threshold: 2,
      recovery_pgp_keys: pgp_keys,
      root_token_pgp_key: rsa.public,
    })
    const { body } = answer
    expect(body.keys).toEqual([])
    const token = openedToken(body.root_token)
    expect(token).toMatch(/^hvs\.\w{24}$/)
    expect((await server.call('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(200)
    const recovery = opened(body.recovery_keys)
    const { nonce } = (await server.call('PUT', 'sys/generate-root/attempt', {})).body
    expect((await agree(server, 'generate-root', recovery.slice(0, 2), nonce)).body.complete).toBe(true)
  })

  it.each([
    [
      { ...threeOfTwo, pgp_keys: pgp_keys.slice(1) },
      'invalid seal configuration: count mismatch between number of provided PGP keys and number of shares',
    ],
    [
      { ...threeOfTwo, pgp_keys: [rsa.public, revoked.public, rsa.public] },
      'invalid seal configuration: error parsing given PGP key: key 2: it was revoked',
    ],
    [
      { ...threeOfTwo, pgp_keys: [rsa.public, rsa.public, 'keybase:x'] },
      'invalid seal configuration: error parsing given PGP key: key 3: keybase is not asked: give the public key itself, in base64',
    ],
    [
      { ...threeOfTwo, pgp_keys: [rsa.secret, rsa.public, rsa.public] },
      'invalid seal configuration: error parsing given PGP key: key 1: this is a private key: give the public key, and to nobody the private one',
    ],
    [
      { ...threeOfTwo, root_token_pgp_key: 'AAAA' },
      'root_token_pgp_key: error parsing given PGP key: this is no OpenPGP key: it has no packet where one must begin',
    ],
    [{ secret_shares: 0, pgp_keys }, 'invalid seal configuration: shares must be at least one'],
  ])('is refused, and nothing is initialised (%#)', async (body, error) => {
    const server = fresh()
    expect(await server.init(body)).toMatchObject({ status: 400, body: { errors: [error] } })
    expect((await server.call('GET', 'sys/init', undefined, '')).body).toEqual({ initialized: false })
  })

  it('is refused for recovery keys of another number', async () => {
    const server = fresh({ seals: { current } })
    const counts = { recovery_shares: 2, recovery_threshold: 2 }
    expect((await server.init({ ...counts, recovery_pgp_keys: pgp_keys })).body.errors).toEqual([
      'invalid recovery configuration: count mismatch between number of provided PGP keys and number of shares',
    ])
    expect((await server.init({ ...counts, pgp_keys })).body.errors).toEqual([
      'parameters pgp_keys not applicable to seal type static',
    ])
  })
})

describe('new unseal keys to PGP keys', () => {
  it('are encrypted, with the fingerprints of who can read them, whichever node finishes', async () => {
    const { server, keys } = await started()
    const begun = (await server.call('PUT', 'sys/rekey/init', { ...threeOfTwo, pgp_keys })).body
    expect(begun).toMatchObject({ pgp_fingerprints: fingerprints, backup: false })
    const other = track(server.another())
    await other.unseal(keys)
    const { body } = await agree(other, 'rekey', keys, begun.nonce)
    expect(body).toMatchObject({ complete: true, pgp_fingerprints: fingerprints, backup: false })
    const next = track(server.another())
    await next.unseal(opened(body.keys).slice(0, 2))
    expect(await next.sealed()).toBe(false)
    expect((await server.call('GET', 'sys/rekey/backup')).body.errors).toEqual(['no backed-up keys found'])
  })

  it('are kept for the backup until that is deleted, by fingerprint, several of one holder together', async () => {
    const { server, keys } = await started()
    const given = { ...threeOfTwo, pgp_keys: [rsa.public, curve25519.public, rsa.public], backup: true }
    const begun = (await server.call('PUT', 'sys/rekey/init', given)).body
    expect(begun.backup).toBe(true)
    const { body } = await agree(server, 'rekey', keys, begun.nonce)
    expect(body.backup).toBe(true)
    const [first, second, third] = body.keys
    const kept = await server.call('GET', 'sys/rekey/backup')
    const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64')
    const [curve = '', rsa2048 = ''] = fingerprints
    expect(kept.body.data).toEqual({
      nonce: begun.nonce,
      keys: { [rsa2048]: [first, third], [curve]: [second] },
      keys_base64: { [rsa2048]: [base64(first), base64(third)], [curve]: [base64(second)] },
    })
    expect((await server.call('GET', 'sys/rotate/root/backup')).body.data).toEqual(kept.body.data)
    expect((await server.call('GET', 'sys/rekey/backup', undefined, '')).status).toBe(403)
    expect((await server.call('GET', 'sys/rekey/recovery-key-backup')).status).toBe(400)
    expect((await server.call('DELETE', 'sys/rekey/backup')).status).toBe(204)
    expect((await server.call('GET', 'sys/rekey/backup')).body.errors).toEqual(['no backed-up keys found'])
    expect((await server.call('DELETE', 'sys/rekey/backup')).status).toBe(204)
  })

  it('count once their holders have shown them, when that was asked', async () => {
    const { server, keys } = await started()
    const given = { ...threeOfTwo, pgp_keys, backup: true, require_verification: true }
    const { nonce } = (await server.call('PUT', 'sys/rekey/init', given)).body
    const { body } = await agree(server, 'rekey', keys, nonce)
    expect(body).toMatchObject({ verification_required: true, pgp_fingerprints: fingerprints, backup: true })
    const shares = opened(body.keys)
    const kept = (await server.call('GET', 'sys/rekey/backup')).body.data
    expect(Object.values(kept.keys).flat()).toEqual(body.keys)
    const show = (key = '') => server.call('PUT', 'sys/rekey/verify', { key, nonce: body.verification_nonce })
    await show(shares[0])
    expect((await show(shares[2])).body.complete).toBe(true)
  })

  it('are refused to keys that are wrong when it begins; those that expire later are still used', async () => {
    const { server, keys } = await started({ clock: new FakeClock(Date.UTC(2026, 2, 1, 11, 59)) })
    const init = (body: object) => server.call('PUT', 'sys/rekey/init', body)
    const one = { secret_shares: 1, secret_threshold: 1 }
    expect((await init({ ...one, pgp_keys })).body.errors).toEqual(['incorrect number of PGP keys for rekey'])
    expect((await init({ ...one, pgp_keys: [revoked.public] })).body.errors).toEqual([
      'error parsing given PGP key: it was revoked',
    ])
    expect((await init({ ...one, backup: true })).body.errors[0]).toContain('without providing PGP keys')
    const { nonce } = (await init({ ...one, pgp_keys: [expired.public] })).body
    await server.clock.advance(120_000)
    expect((await agree(server, 'rekey', keys, nonce)).body).toMatchObject({ complete: true })
    expect((await init({ ...one, pgp_keys: [expired.public] })).body.errors[0]).toContain('expired on 2026-03-01')
  })

  it('leave, wherever the process dies, keys that open', async () => {
    let deaths = 0
    for (const when of ['before', 'after'] as const) {
      for (let at = 0; ; at += 1) {
        const { server, keys: old } = await started()
        const dying = track(server.another(undefined, crashing(server.backend, at, when)))
        let shares: string[] = []
        try {
          await dying.unseal(old)
          const body = { secret_shares: 1, secret_threshold: 1, pgp_keys: [curve25519.public], backup: true }
          const { nonce } = (await dying.call('PUT', 'sys/rekey/init', body)).body
          shares = opened((await agree(dying, 'rekey', old, nonce)).body.keys ?? [])
        } catch {
          // Dead: what was answered before is what people have.
        }
        const next = track(server.another())
        await next.unseal(old)
        const other = track(server.another())
        if (shares.length > 0) await other.unseal(shares)
        expect(!(await next.sealed()) || !(await other.sealed()), `commit ${at}, ${when}`).toBe(true)
        if (shares.length > 0) break
        deaths += 1
      }
    }
    expect(deaths).toBeGreaterThan(6)
  })
})

describe('new recovery keys to PGP keys', () => {
  it('are encrypted and kept, with and without any before', async () => {
    const server = fresh({ seals: { current } })
    await server.init({ recovery_shares: 0, recovery_threshold: 0 })
    const given = { ...threeOfTwo, pgp_keys, backup: true }
    const first = (await server.call('PUT', 'sys/rotate/recovery/init', given)).body.data
    expect(first).toMatchObject({ complete: true, pgp_fingerprints: fingerprints, backup: true })
    const held = opened(first.keys)
    const { nonce } = (await server.call('PUT', 'sys/rekey-recovery-key/init', given)).body
    const { body } = await agree(server, 'rekey-recovery-key', held.slice(0, 2), nonce)
    expect(body).toMatchObject({ complete: true, pgp_fingerprints: fingerprints })
    const kept = (await server.call('GET', 'sys/rekey/recovery-key-backup')).body.data
    expect(kept.nonce).toBe(nonce)
    expect((await server.call('GET', 'sys/rotate/recovery/backup')).body.data).toEqual(kept)
    expect(opened(body.keys)).not.toEqual(held)
  })
})

describe('a root token to a PGP key', () => {
  it('is encrypted instead of combined with a password', async () => {
    const { server, keys } = await started()
    const attempt = (body: object) => server.call('PUT', 'sys/generate-root/attempt', body)
    expect((await attempt({ pgp_key: rsa.public, otp: 'x'.repeat(28) })).body.errors).toEqual([
      'only one of otp and pgp_key may be given',
    ])
    expect((await attempt({ pgp_key: revoked.public })).body.errors).toEqual([
      'error parsing given PGP key: it was revoked',
    ])
    const begun = (await attempt({ pgp_key: rsa.public })).body
    expect(begun).toMatchObject({ started: true, otp: '', pgp_fingerprint: fingerprints[1] })
    expect((await server.call('GET', 'sys/generate-root/attempt')).body.pgp_fingerprint).toBe(fingerprints[1])
    const { body } = await agree(server, 'generate-root', keys, begun.nonce)
    expect(body).toMatchObject({ complete: true, pgp_fingerprint: fingerprints[1] })
    expect(body.encoded_root_token).toBe(body.encoded_token)
    const token = openedToken(body.encoded_token)
    const own = await server.call('GET', 'auth/token/lookup-self', undefined, token)
    expect(own.body.data).toMatchObject({ policies: ['root'] })
    const again = (await attempt({ otp: '' })).body
    expect(again).toMatchObject({ pgp_fingerprint: '', otp: expect.stringMatching(/^\w{28}$/) })
  })
})

describe('what goes out encrypted', () => {
  it('is nowhere in the clear: not in storage, answers or the log', async () => {
    const lines: string[] = []
    const write = (event: string, fields?: object) => lines.push(`${event} ${JSON.stringify(fields)}`)
    const log: Logger = { debug: write, info: write, warn: write, error: write, with: () => log }
    const server = fresh({ log })
    const init = await server.init({ ...threeOfTwo, pgp_keys, root_token_pgp_key: rsa.public })
    const [shares, token] = [opened(init.body.keys), openedToken(init.body.root_token)]
    await server.unseal(shares.slice(0, 2))
    server.root = token
    const given = { ...threeOfTwo, pgp_keys, backup: true, require_verification: true }
    const { nonce } = (await server.call('PUT', 'sys/rekey/init', given)).body
    const made = await agree(server, 'rekey', shares.slice(0, 2), nonce)
    const begun = await server.call('PUT', 'sys/generate-root/attempt', { pgp_key: p256.public })
    const root = await agree(server, 'generate-root', shares.slice(0, 2), begun.body.nonce)
    const secrets = [...shares, ...opened(made.body.keys), token, openedToken(root.body.encoded_token, p256)]
    const answers = JSON.stringify([
      init.body,
      made.body,
      root.body,
      (await server.call('GET', 'sys/rekey/backup')).body,
    ])
    const stored: string[] = []
    for await (const [key, { value }] of server.backend.snapshot(new AbortController().signal)) {
      stored.push(`${key} ${Buffer.from(value).toString('latin1')}`)
    }
    expect(lines.length).toBeGreaterThan(3)
    expect(stored.length).toBeGreaterThan(3)
    for (const secret of secrets) {
      const raw = Buffer.from(secret, secret.startsWith('hvs.') ? 'utf8' : 'hex')
      for (const form of [secret, raw.toString('base64'), raw.toString('latin1')]) {
        for (const text of [answers, ...lines, ...stored]) expect(text.includes(form)).toBe(false)
      }
    }
  })
})
