import { afterEach, describe, expect, it } from 'vitest'
import { systemRandom } from '../../../../lib/random.ts'
import type { Seal } from '../../../contracts/devices.ts'
import { type StorageBackend, StorageDown } from '../../../contracts/storage.ts'
import { staticSeal } from '../../../seal/static/static.ts'
import { crashing } from '../../../storage/test-crashing.ts'
import { SealServer } from './test-seal-server.ts'

const servers: SealServer[] = []
const track = (server: SealServer) => {
  servers.push(server)
  return server
}
afterEach(async () => {
  for (const each of servers.splice(0)) await each.close()
})

const keyed = (id: string, fill: number) => ({ id, key: Buffer.alloc(32, fill) })
const seal = (current = keyed('k1', 1), previous?: ReturnType<typeof keyed>) =>
  staticSeal({ current, random: systemRandom, ...(previous ? { previous } : {}) })
const transit: Seal = { ...seal(keyed('t', 7)), type: 'transit' }
const recovery = { recovery_shares: 3, recovery_threshold: 2 }
const one = { secret_shares: 1, secret_threshold: 1 }
const status = async (server: SealServer) => (await server.call('GET', 'sys/seal-status', undefined, '')).body

async function initialised(body: Record<string, unknown> = recovery) {
  const server = track(new SealServer({ seals: { current: seal() } }))
  const init = await server.init(body)
  return { server, init: init.body, keys: (init.body.recovery_keys ?? []) as string[] }
}

describe('a server that unseals itself', () => {
  it('gives recovery keys instead of unseal keys and is open at once', async () => {
    const { server, init } = await initialised()
    expect(init).toMatchObject({ keys: [], keys_base64: [], root_token: expect.stringMatching(/^hvs\./) })
    expect(init.recovery_keys).toHaveLength(3)
    expect(await status(server)).toMatchObject({
      type: 'static',
      sealed: false,
      initialized: true,
      recovery_seal: true,
      recovery_seal_type: 'shamir',
      migration: false,
      t: 2,
      n: 3,
    })
  })

  it('says what it is before it is initialised', async () => {
    const server = track(new SealServer({ seals: { current: seal() } }))
    expect(await status(server)).toMatchObject({ type: 'static', initialized: false, recovery_seal: true })
    await server.core.seal.start()
    expect((await status(server)).sealed).toBe(true)
  })

  it.each([
    [
      { secret_shares: 1, secret_threshold: 1 },
      'parameters secret_shares,secret_threshold not applicable to seal type static',
    ],
    [
      { recovery_shares: 2, recovery_threshold: 1 },
      'invalid recovery configuration: threshold must be greater than one',
    ],
    [{ recovery_threshold: 1 }, 'invalid recovery configuration: shares must be at least one'],
  ])('refuses to be initialised with %j', async (body, error) => {
    const server = track(new SealServer({ seals: { current: seal() } }))
    const answer = await server.init(body)
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0]).toContain(error)
    expect((await status(server)).initialized).toBe(false)
  })

  it('opens when it starts again, and takes no unseal keys', async () => {
    const { server, keys } = await initialised()
    const next = track(server.another({ current: seal() }))
    const refused = await next.unseal(keys.slice(0, 1))
    expect(refused.status).toBe(400)
    await next.core.seal.start()
    expect(await next.sealed()).toBe(false)
    expect((await next.call('GET', 'auth/token/lookup-self')).status).toBe(200)
  })

  it('tries again, ever more seldom, while its seal is away', async () => {
    const { server } = await initialised()
    let attempts = 0
    let away = true
    const own = seal()
    const flaky: Seal = {
      ...own,
      unwrap: async (blob, id) => {
        attempts += 1
        if (away) throw new Error('connection refused')
        return own.unwrap(blob, id)
      },
    }
    const next = track(server.another({ current: flaky }))
    await next.core.seal.start()
    expect([attempts, await next.sealed()]).toEqual([1, true])
    await next.clock.advance(60_000)
    expect(attempts).toBeGreaterThan(4)
    expect(attempts).toBeLessThan(9)
    away = false
    await next.clock.advance(60_000)
    expect(await next.sealed()).toBe(false)
  })

  it('tries again when its storage was away after the seal had answered', async () => {
    const { server } = await initialised()
    let away = true
    const flaky: StorageBackend = {
      ...crashing(server.backend, -1, 'before'),
      list: async (prefix, page) => {
        if (away) throw new StorageDown('away')
        return server.backend.list(prefix, page)
      },
    }
    const next = track(server.another({ current: seal() }, flaky))
    await next.core.seal.start()
    expect(await next.sealed()).toBe(true)
    away = false
    await next.clock.advance(60_000)
    expect(await next.sealed()).toBe(false)
    expect((await next.call('GET', 'auth/token/lookup-self')).status).toBe(200)
  })

  it('hands out its keys although the seal is away right after it was initialised', async () => {
    let away = true
    const own = seal()
    const unwrap: Seal['unwrap'] = async (blob, id) => {
      if (away) throw new Error('connection refused')
      return own.unwrap(blob, id)
    }
    const server = track(new SealServer({ seals: { current: { ...own, unwrap } } }))
    const made = await server.init(recovery)
    expect(made).toMatchObject({ status: 200, body: { root_token: expect.stringMatching(/^hvs\./) } })
    expect(made.body.recovery_keys).toHaveLength(3)
    expect(await server.sealed()).toBe(true)
    away = false
    await server.clock.advance(10_000)
    expect(await server.sealed()).toBe(false)
    expect((await server.call('GET', 'auth/token/lookup-self')).status).toBe(200)
  })

  it('opens once another node was initialised', async () => {
    const one = track(new SealServer({ seals: { current: seal() } }))
    const two = track(one.another({ current: seal() }))
    await Promise.all([one.core.seal.start(), two.core.seal.start()])
    await one.clock.advance(20_000)
    expect(await two.sealed()).toBe(true)
    await one.init(recovery)
    await one.clock.advance(6000)
    expect([await one.sealed(), await two.sealed()]).toEqual([false, false])
    two.root = one.root
    expect((await two.call('GET', 'auth/token/lookup-self')).status).toBe(200)
  })

  it('forgets its keys when another node seals, although nobody asks it anything', async () => {
    const { server } = await initialised()
    const idle = track(server.another({ current: seal() }))
    await idle.core.seal.start()
    expect(idle.core.seal.sealed).toBe(false)
    await server.call('PUT', 'sys/seal')
    await server.clock.advance(10_000)
    expect([server.core.seal.sealed, idle.core.seal.sealed]).toEqual([true, true])
    // What the feed still tells of the sealing does not end what comes after it.
    await idle.core.seal.start()
    const next = track(server.another({ current: seal() }))
    await next.core.seal.start()
    await server.clock.advance(10_000)
    expect(next.core.seal.sealed).toBe(false)
  })

  it('stays sealed after sys/seal until it is started again', async () => {
    const { server } = await initialised()
    expect((await server.call('PUT', 'sys/seal')).status).toBe(204)
    await server.clock.advance(120_000)
    expect(await server.sealed()).toBe(true)
    const next = track(server.another({ current: seal() }))
    await next.core.seal.start()
    expect(await next.sealed()).toBe(false)
  })

  it('wraps its root key by the new key when the static key is changed', async () => {
    const { server } = await initialised()
    const changing = track(server.another({ current: seal(keyed('k2', 2), keyed('k1', 1)) }))
    await changing.core.seal.start()
    expect(await changing.sealed()).toBe(false)
    const only = track(server.another({ current: seal(keyed('k2', 2)) }))
    await only.core.seal.start()
    expect(await only.sealed()).toBe(false)
    const gone = track(server.another({ current: seal(keyed('k1', 1)) }))
    await gone.core.seal.start()
    expect(await gone.sealed()).toBe(true)
  })

  it('lets those with recovery keys make a root token', async () => {
    const { server, keys } = await initialised()
    const begun = (await server.call('PUT', 'sys/generate-root/attempt', {}, '')).body
    expect(begun.required).toBe(2)
    const body = (key: string | undefined) => ({ key, nonce: begun.nonce })
    await server.call('PUT', 'sys/generate-root/update', body(keys[0]), '')
    const done = await server.call('PUT', 'sys/generate-root/update', body(keys[1]), '')
    expect(done.body.complete).toBe(true)
  })
})

describe('keys of a server that unseals itself', () => {
  it('another root key is made at once with sudo', async () => {
    const { server } = await initialised()
    expect((await server.call('PUT', 'sys/rotate/root', undefined, '')).status).toBe(403)
    expect((await server.call('PUT', 'sys/rotate/root')).status).toBe(204)
    const next = track(server.another({ current: seal() }))
    await next.core.seal.start()
    expect(await next.sealed()).toBe(false)
    expect((await server.call('PUT', 'sys/rotate')).status).toBe(204)
  })

  it('another root key is made by those with recovery keys, who get no keys for it', async () => {
    const { server, keys } = await initialised()
    const { nonce } = (await server.call('PUT', 'sys/rekey/init', {}, '')).body
    await server.call('PUT', 'sys/rekey/update', { key: keys[0], nonce }, '')
    const done = await server.call('PUT', 'sys/rekey/update', { key: keys[2], nonce }, '')
    expect(done.body).toMatchObject({ complete: true, keys: [] })
    for (const more of [{ require_verification: true }, { backup: true }]) {
      const refused = await server.call('PUT', 'sys/rekey/init', more, '')
      expect(refused.body.errors[0]).toContain('not supported when rekeying the barrier key with recovery keys')
    }
  })

  it('recovery keys are changed by recovery keys', async () => {
    const { server, keys } = await initialised()
    const path = 'sys/rekey-recovery-key'
    const begun = (await server.call('PUT', `${path}/init`, { secret_shares: 1, secret_threshold: 1 }, '')).body
    await server.call('PUT', `${path}/update`, { key: keys[0], nonce: begun.nonce }, '')
    const done = (await server.call('PUT', `${path}/update`, { key: keys[1], nonce: begun.nonce }, '')).body
    expect(done.keys).toHaveLength(1)
    expect(await status(server)).toMatchObject({ t: 1, n: 1 })
    const root = (await server.call('PUT', 'sys/generate-root/attempt', {}, '')).body
    const answer = (key: string | undefined) =>
      server.call('PUT', 'sys/generate-root/update', { key, nonce: root.nonce }, '')
    expect((await answer(keys[0])).body.errors).toEqual(['root generation aborted: recovery key verification failed'])
    expect((await answer(done.keys[0])).body.complete).toBe(true)
  })

  it('the first recovery keys are made with sudo, at once, and not by anybody else', async () => {
    const { server } = await initialised({})
    const body = { secret_shares: 2, secret_threshold: 2 }
    expect((await server.call('PUT', 'sys/rekey-recovery-key/init', body, '')).status).toBe(400)
    expect((await server.call('PUT', 'sys/rotate/recovery/init', body, '')).status).toBe(403)
    const made = (await server.call('PUT', 'sys/rotate/recovery/init', body)).body.data
    expect(made).toMatchObject({ complete: true, t: 2, n: 2 })
    expect(made.keys).toHaveLength(2)
    expect(await status(server)).toMatchObject({ t: 2, n: 2 })
  })
})

describe('migration', () => {
  it('from unseal keys: they go on as recovery keys', async () => {
    const server = track(new SealServer())
    const { keys } = (await server.init({ secret_shares: 3, secret_threshold: 2 })).body
    const next = track(server.another({ current: seal() }))
    await next.core.seal.start()
    expect(await status(next)).toMatchObject({ type: 'shamir', migration: true, sealed: true })
    expect((await next.unseal(keys.slice(0, 1))).body).toEqual({
      errors: ['migrate option not provided and seal migration is pending'],
    })
    await next.unseal(keys.slice(0, 2), true)
    expect(await status(next)).toMatchObject({ type: 'static', migration: false, sealed: false, t: 2, n: 3 })
    const later = track(server.another({ current: seal() }))
    await later.core.seal.start()
    expect(await later.sealed()).toBe(false)
    const { nonce } = (await later.call('PUT', 'sys/generate-root/attempt', {}, '')).body
    await later.call('PUT', 'sys/generate-root/update', { key: keys[0], nonce }, '')
    const done = await later.call('PUT', 'sys/generate-root/update', { key: keys[1], nonce }, '')
    expect(done.body.complete).toBe(true)
  })

  it('to unseal keys: the recovery keys unseal from then on', async () => {
    const { server, keys } = await initialised()
    const next = track(server.another({ from: seal() }))
    await next.core.seal.start()
    expect((await status(next)).migration).toBe(true)
    expect((await next.unseal(['ab'.repeat(33), 'cd'.repeat(33)], true)).body).toEqual({
      errors: ['unseal failed, invalid key'],
    })
    expect(await next.sealed()).toBe(true)
    await next.unseal(keys.slice(0, 2), true)
    expect(await status(next)).toMatchObject({ type: 'shamir', sealed: false, recovery_seal: false })
    const later = track(server.another())
    await later.unseal(keys.slice(1))
    expect(await later.sealed()).toBe(false)
  })

  it('to another seal of this kind: the recovery keys agree to it and stay', async () => {
    const { server, keys } = await initialised()
    const other: Seal = { ...seal(keyed('t', 7)), type: 'transit' }
    const next = track(server.another({ current: other, from: seal() }))
    await next.core.seal.start()
    await next.unseal(keys.slice(0, 2), true)
    expect(await status(next)).toMatchObject({ type: 'transit', sealed: false, t: 2, n: 3, recovery_seal: true })
    const later = track(server.another({ current: other }))
    await later.core.seal.start()
    expect(await later.sealed()).toBe(false)
    const gone = track(server.another({ current: seal() }))
    await expect(gone.core.seal.start()).rejects.toThrow('cannot seal migrate from "transit" to "static"')
  })

  it('without recovery keys is refused at once, and says how to get them', async () => {
    const { server } = await initialised({})
    const moving = track(server.another({ from: seal() }))
    const answer = await moving.unseal(['ab'.repeat(33)], true)
    expect(answer).toMatchObject({
      status: 400,
      body: { errors: [expect.stringContaining('sys/rotate/recovery/init')] },
    })
    expect((await status(moving)).progress).toBe(0)
  })

  it('ends what was begun with the keys of the seal before', async () => {
    const server = track(new SealServer())
    const { keys } = (await server.init({ secret_shares: 1, secret_threshold: 1 })).body
    await server.unseal(keys)
    const body = { secret_shares: 1, secret_threshold: 1, require_verification: true }
    const { nonce } = (await server.call('PUT', 'sys/rekey/init', body, '')).body
    const made = (await server.call('PUT', 'sys/rekey/update', { key: keys[0], nonce }, '')).body
    const moving = track(server.another({ current: seal() }))
    await moving.unseal(keys, true)
    expect(await moving.sealed()).toBe(false)
    const proof = { key: made.keys[0], nonce: made.verification_nonce }
    expect((await moving.call('PUT', 'sys/rekey/verify', proof, '')).body.errors).toEqual(['no rekey in progress'])
    const next = track(moving.another({ current: seal() }))
    await next.core.seal.start()
    expect(await next.sealed()).toBe(false)
  })

  it('is refused without the seal to migrate from, and where there is none', async () => {
    const { server, keys } = await initialised()
    const next = track(server.another())
    await expect(next.core.seal.start()).rejects.toThrow(
      'cannot seal migrate from "static" to Shamir, no disabled seal in configuration',
    )
    const plain = track(new SealServer())
    await plain.init({ secret_shares: 1, secret_threshold: 1 })
    expect((await plain.unseal(keys.slice(0, 1), true)).body).toEqual({
      errors: ["can't perform a seal migration, no migration seal found"],
    })
  })

  const moves = [
    { what: 'from unseal keys to a seal', before: {}, after: { current: seal() } },
    { what: 'from a seal to unseal keys', before: { current: seal() }, after: { from: seal() } },
    {
      what: 'from a seal to one of another kind',
      before: { current: seal() },
      after: { current: transit, from: seal() },
    },
  ]
  it.each(
    moves.flatMap((move) => [
      { ...move, when: 'before' as const },
      { ...move, when: 'after' as const },
    ]),
  )('$what leaves one of the two when the process dies $when any of its commits', async ({ before, after, when }) => {
    for (let at = 0; ; at += 1) {
      const server = track(new SealServer({ seals: before }))
      const counts = 'current' in before ? { recovery_shares: 1, recovery_threshold: 1 } : one
      const made = (await server.init(counts)).body
      const keys: string[] = made.recovery_keys ?? made.keys
      const dying = track(server.another(after, crashing(server.backend, at, when)))
      const done = (await dying.unseal(keys, true)).status === 200
      const next = track(server.another(after))
      if ((await status(next)).migration) await next.unseal(keys, true)
      else if ('current' in after) await next.core.seal.start()
      else await next.unseal(keys)
      expect(await next.sealed(), `commit ${at}`).toBe(false)
      expect((await next.call('GET', 'auth/token/lookup-self')).status).toBe(200)
      if (done) {
        expect(at).toBeGreaterThan(0)
        break
      }
    }
  })
})
