import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { crashing } from '../../../../storage/test-crashing.ts'
import { SealServer } from '../test-seal-server.ts'

const servers: SealServer[] = []
const track = (server: SealServer) => {
  servers.push(server)
  return server
}
let server: SealServer
let keys: string[]
beforeEach(async () => {
  server = track(new SealServer())
  keys = (await server.init({ secret_shares: 3, secret_threshold: 2 })).body.keys
  await server.unseal(keys.slice(0, 2))
})
afterEach(async () => {
  for (const each of servers.splice(0)) await each.close()
})

const start = (body: Record<string, unknown> = { secret_shares: 2, secret_threshold: 2 }) =>
  server.call('PUT', 'sys/rekey/init', body, '')
const update = (key: string, nonce: string, on = server) => on.call('PUT', 'sys/rekey/update', { key, nonce }, '')
const status = (on = server) => on.call('GET', 'sys/rekey/init', undefined, '')

async function rekeyed(body?: Record<string, unknown>) {
  const { nonce } = (await start(body)).body
  await update(keys[0] ?? '', nonce)
  return (await update(keys[1] ?? '', nonce)).body
}

const idle = {
  nonce: '',
  started: false,
  t: 0,
  n: 0,
  progress: 0,
  required: 2,
  pgp_fingerprints: null,
  backup: false,
  verification_required: false,
}

describe('new unseal keys', () => {
  it('are made by a threshold of the present ones, with progress that every node shows', async () => {
    expect((await status()).body).toEqual(idle)
    const begun = (await start()).body
    expect(begun).toEqual({ ...idle, started: true, t: 2, n: 2, nonce: expect.stringMatching(/^[0-9a-f-]{36}$/) })
    expect((await update(keys[2] ?? '', begun.nonce)).body).toMatchObject({ progress: 1, started: true })
    const other = track(server.another())
    await other.unseal(keys.slice(0, 2))
    expect((await status(other)).body).toMatchObject({ progress: 1, nonce: begun.nonce })
    const done = (await update(keys[0] ?? '', begun.nonce, other)).body
    expect(done).toMatchObject({
      complete: true,
      nonce: begun.nonce,
      verification_required: false,
      pgp_fingerprints: null,
    })
    expect(done.keys).toHaveLength(2)
    expect(Buffer.from(done.keys[0], 'hex').toString('base64')).toBe(done.keys_base64[0])
    expect((await status()).body).toEqual(idle)
    expect((await server.call('GET', 'sys/seal-status', undefined, '')).body).toMatchObject({ t: 2, n: 2 })
    const next = track(server.another())
    await next.unseal(done.keys)
    expect(await next.sealed()).toBe(false)
    // The node that was not asked goes on, and follows a rotation under the new root key.
    expect((await server.call('PUT', 'sys/rotate')).status).toBe(204)
  })

  it('end the present ones once they have unsealed', async () => {
    const { keys: fresh } = await rekeyed()
    await track(server.another()).unseal(fresh)
    const late = track(server.another())
    expect((await late.unseal(keys.slice(0, 2))).status).toBe(400)
    expect(await late.sealed()).toBe(true)
  })

  it('end the present ones half a minute after they were handed out', async () => {
    await rekeyed()
    await server.clock.advance(31_000)
    const late = track(server.another())
    expect((await late.unseal(keys.slice(0, 2))).status).toBe(400)
  })

  it('may differ in number: those before open for as long as they count', async () => {
    const one = (await rekeyed({ secret_shares: 5, secret_threshold: 4 })).keys
    const before = track(server.another())
    await before.unseal(keys.slice(0, 2))
    expect(await before.sealed()).toBe(false)
    const after = track(server.another())
    await after.unseal(one.slice(0, 4))
    expect(await after.sealed()).toBe(false)
  })

  it('can be cancelled, and nothing has changed', async () => {
    const { nonce } = (await start()).body
    await update(keys[0] ?? '', nonce)
    expect((await server.call('DELETE', 'sys/rekey/init', undefined, '')).status).toBe(204)
    expect((await status()).body).toEqual(idle)
    expect((await update(keys[1] ?? '', nonce)).body).toEqual({ errors: ['no barrier rekey in progress'] })
  })

  it('are forgotten ten minutes after the last share', async () => {
    const { nonce } = (await start()).body
    await server.clock.advance(599_000)
    expect((await update(keys[0] ?? '', nonce)).body.progress).toBe(1)
    await server.clock.advance(601_000)
    expect((await status()).body).toEqual(idle)
    expect((await update(keys[1] ?? '', nonce)).status).toBe(400)
    expect((await start()).status).toBe(200)
  })

  it('leave no share in storage when nobody goes on', async () => {
    const { nonce } = (await start()).body
    await update(keys[0] ?? '', nonce)
    await server.call('PUT', 'sys/generate-root/attempt', {}, '')
    const rows = () => server.backend.list('core/', { depth: 'all', limit: 1000 })
    expect(await rows()).toEqual(expect.arrayContaining(['rekey/barrier', 'generate-root']))
    for (let i = 0; i < 13; i += 1) await server.clock.advance(60_000)
    expect(await rows()).not.toContain('rekey/barrier')
    expect(await rows()).not.toContain('generate-root')
  })
})

describe('verification', () => {
  const verify = (key: string, nonce: string) => server.call('PUT', 'sys/rekey/verify', { key, nonce }, '')

  it('keeps the present keys until the new ones were shown', async () => {
    const made = await rekeyed({ secret_shares: 3, secret_threshold: 2, require_verification: true })
    expect(made).toMatchObject({ complete: true, verification_required: true, verification_nonce: expect.any(String) })
    const old = track(server.another())
    await old.unseal(keys.slice(1))
    expect(await old.sealed()).toBe(false)
    expect((await track(server.another()).unseal(made.keys.slice(0, 2))).status).toBe(400)
    expect((await verify(made.keys[0], made.verification_nonce)).body).toEqual({
      nonce: made.verification_nonce,
      started: true,
      t: 2,
      n: 3,
      progress: 1,
    })
    expect((await verify(made.keys[2], made.verification_nonce)).body).toEqual({
      nonce: made.verification_nonce,
      complete: true,
    })
    const next = track(server.another())
    await next.unseal(made.keys.slice(0, 2))
    expect(await next.sealed()).toBe(false)
    expect((await track(server.another()).unseal(keys.slice(0, 2))).status).toBe(400)
  })

  it('begins anew with another nonce after wrong shares or a restart', async () => {
    const made = await rekeyed({ secret_shares: 3, secret_threshold: 2, require_verification: true })
    await verify(keys[0] ?? '', made.verification_nonce)
    expect(await verify(keys[1] ?? '', made.verification_nonce)).toMatchObject({
      status: 400,
      body: { errors: ['rekey verification failed; incorrect key shares supplied'] },
    })
    const now = (await server.call('GET', 'sys/rekey/verify', undefined, '')).body
    expect(now).toMatchObject({ progress: 0, started: true })
    expect(now.nonce).not.toBe(made.verification_nonce)
    expect((await verify(made.keys[0], made.verification_nonce)).body.errors[0]).toBe(
      `incorrect nonce supplied; nonce for this verify operation is "${now.nonce}"`,
    )
    await verify(made.keys[0], now.nonce)
    expect((await verify(made.keys[0], now.nonce)).body.errors).toEqual([
      'given key has already been provided during this verify operation',
    ])
    const again = (await server.call('DELETE', 'sys/rekey/verify', undefined, '')).body
    expect(again).toMatchObject({ progress: 0 })
    await verify(made.keys[0], again.nonce)
    expect((await verify(made.keys[1], again.nonce)).body.complete).toBe(true)
  })

  it('takes no more shares of the present keys', async () => {
    const made = await rekeyed({ secret_shares: 3, secret_threshold: 2, require_verification: true })
    expect((await update(keys[0] ?? '', made.nonce)).body.errors[0]).toBe(
      `rekey operation already finished; verification must be performed; nonce for the verification operation is "${made.verification_nonce}"`,
    )
  })

  it('without anything to verify is refused', async () => {
    expect((await server.call('GET', 'sys/rekey/verify', undefined, '')).body.errors).toEqual([
      'no rekey configuration found',
    ])
    expect((await verify(keys[0] ?? '', 'x')).body.errors).toEqual(['no rekey in progress'])
    await start()
    expect((await verify(keys[0] ?? '', 'x')).body.errors).toEqual(['no rekey verification in progress'])
  })
})

describe('a rekeying refuses', () => {
  it.each([
    [{}, 'invalid rekey seal configuration: shares must be at least one'],
    [{ secret_shares: 3, secret_threshold: 1 }, 'invalid rekey seal configuration: threshold must be greater than one'],
    [{ secret_shares: 1, secret_threshold: 1, backup: true }, 'cannot request a backup of the new keys without'],
    [
      { secret_shares: 1, secret_threshold: 1, pgp_keys: ['AAAA'] },
      'error parsing given PGP key: this is no OpenPGP key',
    ],
    [{ secret_shares: 1, secret_threshold: 1, pgp_keys: 'a,b' }, 'incorrect number of PGP keys for rekey'],
    [{ secret_shares: 'many' }, 'secret_shares'],
  ])('%j', async (body, error) => {
    const answer = await start(body)
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0]).toContain(error)
    expect((await status()).body).toEqual(idle)
  })

  it('a second one', async () => {
    await start()
    expect((await start()).body).toEqual({ errors: ['rekey already in progress'] })
  })

  it('what is no share, the same share twice, another nonce', async () => {
    const { nonce } = (await start()).body
    const errors = async (key: string, given = nonce) => (await update(key, given)).body.errors
    expect(await errors('')).toEqual(["'key' must be specified in request body as JSON"])
    expect(await errors('zz!')).toEqual(["'key' must be a valid hex or base64 string"])
    expect(await errors('AAAA')).toEqual(['key is shorter than minimum 16 bytes'])
    expect(await errors(keys[0] ?? '', 'x')).toEqual([
      `incorrect nonce supplied; nonce for this rekey operation is "${nonce}"`,
    ])
    await update(keys[0] ?? '', nonce)
    expect(await errors(keys[0] ?? '')).toEqual([
      'given key has already been provided during this generation operation',
    ])
  })

  it('wrong shares, and begins to count anew', async () => {
    const { nonce } = (await start()).body
    await update(keys[0] ?? '', nonce)
    expect(await update('ab'.repeat(33), nonce)).toMatchObject({
      status: 400,
      body: { errors: ['root key verification failed'] },
    })
    expect((await status()).body.progress).toBe(0)
  })

  it('recovery keys where there are none', async () => {
    const answer = await server.call('GET', 'sys/rekey-recovery-key/init', undefined, '')
    expect(answer).toMatchObject({ status: 400, body: { errors: ['recovery rekeying not supported'] } })
  })

  it('everything while sealed', async () => {
    const other = track(server.another())
    expect((await status(other)).status).toBe(503)
  })
})

describe('disable_unauthed_rekey_endpoints', () => {
  it('turns off what needs no token, and leaves what needs sudo', async () => {
    const closed = track(new SealServer({ unauthenticatedRekey: () => false }))
    await closed.unseal((await closed.init({ secret_shares: 1, secret_threshold: 1 })).body.keys)
    for (const path of ['sys/rekey/init', 'sys/rekey/verify', 'sys/generate-root/attempt']) {
      const answer = await closed.call('GET', path)
      expect(answer).toMatchObject({ status: 405, body: { errors: ['unsupported operation'] } })
    }
    const body = { key: 'ab'.repeat(33), nonce: 'x' }
    expect((await closed.call('PUT', 'sys/rekey/update', body)).status).toBe(405)
    expect((await closed.call('PUT', 'sys/generate-root/update', body)).status).toBe(405)
    expect((await closed.call('GET', 'sys/rotate/root/init')).status).toBe(200)
    expect((await closed.call('GET', 'sys/generate-root-token/attempt')).status).toBe(200)
  })
})

describe('sys/rotate/root', () => {
  it('is the same for those with sudo, in envelopes', async () => {
    expect((await server.call('GET', 'sys/rotate/root/init', undefined, '')).status).toBe(403)
    const begun = await server.call('PUT', 'sys/rotate/root/init', { secret_shares: 1, secret_threshold: 1 })
    const { nonce } = begun.body.data
    expect(begun.body.data).toMatchObject({ started: true, required: 2, t: 1, n: 1 })
    expect((await server.call('PUT', 'sys/rotate/root/update', { key: keys[0] })).body.errors).toEqual([
      "missing required field 'nonce'",
    ])
    await server.call('PUT', 'sys/rotate/root/update', { key: keys[0], nonce })
    expect((await server.call('PUT', 'sys/rotate/root/update', { key: keys[0], nonce })).body.errors).toEqual([
      'given key has already been provided during this rotation',
    ])
    const done = (await server.call('PUT', 'sys/rotate/root/update', { key: keys[1], nonce })).body.data
    expect(done).toMatchObject({ complete: true, nonce })
    const next = track(server.another())
    await next.unseal(done.keys)
    expect(await next.sealed()).toBe(false)
  })

  it('at once, without shares, is refused where people hold the keys', async () => {
    const answer = await server.call('PUT', 'sys/rotate/root')
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0]).toContain('sys/rotate/root/init')
    expect((await server.call('GET', 'sys/rotate/root/backup')).body.errors).toEqual(['no backed-up keys found'])
  })
})

describe('a process that dies during a rekeying', () => {
  it.each([false, true])(
    'leaves the old unseal keys or the new ones (verified: %s)',
    async (verified) => {
      let deaths = 0
      for (const when of ['before', 'after'] as const) {
        for (let at = 0; ; at += 1) {
          const fresh = track(new SealServer())
          const old: string[] = (await fresh.init({ secret_shares: 1, secret_threshold: 1 })).body.keys
          const dying = track(fresh.another(undefined, crashing(fresh.backend, at, when)))
          let shown: string[] = []
          let finished = false
          try {
            await dying.unseal(old)
            const body = { secret_shares: 1, secret_threshold: 1, require_verification: verified }
            const { nonce } = (await dying.call('PUT', 'sys/rekey/init', body, '')).body
            const made = (await dying.call('PUT', 'sys/rekey/update', { key: old[0], nonce }, '')).body
            shown = made.keys ?? []
            const nonceNow = made.verification_nonce
            const proof = { key: shown[0], nonce: nonceNow }
            const last = verified ? (await dying.call('PUT', 'sys/rekey/verify', proof, '')).body : made
            finished = last.complete === true
          } catch {
            // Dead: what was answered before is what people have.
          }
          const next = track(fresh.another())
          const byOld = (await next.unseal(old)).status === 200 && !(await next.sealed())
          const other = track(fresh.another())
          const byNew = shown.length > 0 && (await other.unseal(shown)).status === 200 && !(await other.sealed())
          expect(byOld || byNew, `commit ${at}, ${when}`).toBe(true)
          if (finished) expect(byNew).toBe(true)
          if (finished) break
          deaths += 1
        }
      }
      expect(deaths).toBeGreaterThan(5)
    },
    60_000,
  )
})
