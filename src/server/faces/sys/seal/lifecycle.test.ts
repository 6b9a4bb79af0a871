import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StorageDown } from '../../../contracts/storage.ts'
import { TestServer } from '../../../pipeline/test-server.ts'

let server: TestServer
beforeEach(() => {
  server = new TestServer()
})
afterEach(() => server.close())

const init = (secret_shares = 3, secret_threshold = 2) =>
  server.call('PUT', 'sys/init', { secret_shares, secret_threshold }, '')
const unseal = (body: unknown) => server.call('PUT', 'sys/unseal', body, '')

describe('before initialisation', () => {
  it('everything says so', async () => {
    expect((await server.call('GET', 'sys/init', undefined, '')).body).toEqual({ initialized: false })
    expect((await server.call('GET', 'sys/health', undefined, '')).status).toBe(501)
    expect((await server.call('GET', 'sys/health?uninitcode=204', undefined, '')).status).toBe(204)
    const status = await server.call('GET', 'sys/seal-status', undefined, '')
    expect(status).toMatchObject({
      status: 200,
      body: { initialized: false, sealed: true, t: 0, n: 0, progress: 0, nonce: '' },
    })
    expect(await server.call('GET', 'sys/mounts', undefined, '')).toMatchObject({
      status: 503,
      body: { errors: ['Vault is sealed'] },
    })
  })

  it.each([
    [{}, 'invalid seal configuration: shares must be at least one'],
    [{ secret_shares: 1 }, 'invalid seal configuration: threshold must be at least one'],
    [
      { secret_shares: 3, secret_threshold: 1 },
      'invalid seal configuration: threshold must be greater than one for multiple shares',
    ],
    [{ secret_shares: 2, secret_threshold: 3 }, 'invalid seal configuration: threshold cannot be larger than shares'],
    [{ secret_shares: 256, secret_threshold: 3 }, 'invalid seal configuration: shares must be less than 256'],
    [{ secret_shares: 1, secret_threshold: 1, pgp_keys: ['x'] }, 'error parsing given PGP key: it is neither base64'],
    [
      { secret_shares: 1, secret_threshold: 1, recovery_shares: 1 },
      'parameters recovery_shares not applicable to seal type shamir',
    ],
  ])('%j is refused', async (body, error) => {
    const answer = await server.call('PUT', 'sys/init', body, '')
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0]).toContain(error)
    expect((await server.call('GET', 'sys/init', undefined, '')).body).toEqual({ initialized: false })
  })
})

describe('initialisation', () => {
  it('gives shares in hex and base64 and a root token, once, and leaves the server sealed', async () => {
    const { body } = await init()
    expect(body.keys).toHaveLength(3)
    expect(body.keys[0]).toMatch(/^[0-9a-f]{66}$/)
    expect(body.keys.map((key: string) => Buffer.from(key, 'hex').toString('base64'))).toEqual(body.keys_base64)
    expect(body.root_token).toMatch(/^hvs\./)
    expect((await server.call('GET', 'sys/health', undefined, '')).status).toBe(503)
    expect(await init()).toMatchObject({ status: 400, body: { errors: ['Vault is already initialized'] } })
  })
})

describe('unsealing', () => {
  it('before there is anything to unseal is refused, and does not get in the way of the first', async () => {
    expect(await unseal({ key: 'ab'.repeat(33) })).toMatchObject({
      status: 400,
      body: { errors: ['Vault is not initialized'] },
    })
    const { keys } = (await init()).body
    await unseal({ key: keys[0] })
    expect((await unseal({ key: keys[1] })).body.sealed).toBe(false)
  })

  it('takes shares in hex or base64 until there are enough', async () => {
    const { keys, keys_base64, root_token } = (await init()).body
    const first = await unseal({ key: keys[0] })
    expect(first.body).toMatchObject({ sealed: true, progress: 1, t: 2, n: 3 })
    expect(first.body.nonce).not.toBe('')
    expect((await unseal({ key: keys[0] })).body.progress).toBe(1)
    const second = await unseal({ key: keys_base64[2] })
    expect(second.body).toMatchObject({ sealed: false, progress: 0, nonce: '', cluster_name: expect.any(String) })
    expect((await server.call('GET', 'auth/token/lookup-self', undefined, root_token)).body.data).toMatchObject({
      display_name: 'root',
      expire_time: null,
      path: 'auth/token/root',
      policies: ['root'],
      ttl: 0,
    })
  })

  it('with shares of another server is refused and begins anew', async () => {
    const { keys } = (await init()).body
    const other = new TestServer()
    const foreign = (await other.call('PUT', 'sys/init', { secret_shares: 3, secret_threshold: 2 }, '')).body.keys
    await other.close()
    await unseal({ key: keys[0] })
    expect(await unseal({ key: foreign[1] })).toMatchObject({
      status: 400,
      body: { errors: ['unseal failed, invalid key'] },
    })
    expect((await server.call('GET', 'sys/seal-status', undefined, '')).body).toMatchObject({
      sealed: true,
      progress: 0,
    })
    await unseal({ key: keys[0] })
    expect((await unseal({ key: keys[1] })).body.sealed).toBe(false)
  })

  it('can begin anew', async () => {
    const { keys } = (await init()).body
    await unseal({ key: keys[0] })
    expect((await unseal({ reset: true })).body.progress).toBe(0)
  })

  it.each([
    [{}, "'key' must be specified in request body as JSON, or 'reset' set to true"],
    [{ key: 'zz!' }, "'key' must be a valid hex or base64 string"],
    [{ key: 'AAAA' }, 'invalid key: key is shorter than minimum 16 bytes'],
  ])('%j is refused', async (body, error) => {
    await init()
    expect(await unseal(body)).toMatchObject({ status: 400, body: { errors: [error] } })
  })
})

describe('sealing', () => {
  it('ends every node, and each can be unsealed again with everything there', async () => {
    server = await TestServer.start()
    await server.call('POST', 'test/row/a', { n: 1 })
    const other = await server.another()
    expect((await other.call('GET', 'test/row/a')).status).toBe(200)
    expect((await server.call('PUT', 'sys/seal')).status).toBe(204)
    for (const node of [server, other]) {
      const answer = await node.call('GET', 'test/row/a')
      expect(answer).toMatchObject({ status: 503, body: { errors: ['Vault is sealed'] } })
    }
    await server.clock.advance(10)
    for (const node of [server, other]) {
      expect((await node.call('GET', 'sys/seal-status', undefined, '')).body.sealed).toBe(true)
      expect((await node.call('PUT', 'sys/unseal', { key: server.key }, '')).body.sealed).toBe(false)
      expect((await node.call('GET', 'test/row/a')).body.data).toEqual({ n: 1 })
    }
    await other.close()
  })

  it('follows an unsealing that could not finish', async () => {
    const { keys } = (await init(1, 1)).body
    const { read } = server.backend
    server.backend.read = async (wanted) => {
      if (wanted.some(({ key }) => key === 'core/sealed')) throw new StorageDown('gone')
      return read.call(server.backend, wanted)
    }
    expect((await unseal({ key: keys[0] })).status).toBe(503)
    server.backend.read = read
    await server.clock.advance(10)
    expect((await server.call('GET', 'sys/seal-status', undefined, '')).body.sealed).toBe(true)
    expect((await unseal({ key: keys[0] })).body.sealed).toBe(false)
  })

  it('needs sudo', async () => {
    server = await TestServer.start()
    await server.policy('p', 'path "sys/seal" { capabilities = ["update"] }')
    const token = await server.token(['p'])
    expect((await server.call('PUT', 'sys/seal', undefined, token)).status).toBe(403)
    expect((await server.call('GET', 'sys/health', undefined, '')).status).toBe(200)
  })
})

describe('health', () => {
  it('has codes that the caller chooses, also for HEAD', async () => {
    server = await TestServer.start()
    expect((await server.call('GET', 'sys/health?activecode=299', undefined, '')).status).toBe(299)
    expect(await server.call('HEAD', 'sys/health', undefined, '')).toMatchObject({ status: 200, text: '' })
    for (const query of ['activecode=x', 'standbycode=9', 'sealedcode=-1']) {
      expect(await server.call('GET', `sys/health?${query}`, undefined, '')).toMatchObject({
        status: 400,
        body: { errors: [] },
      })
    }
    expect(await server.call('POST', 'sys/health', {}, '')).toMatchObject({ status: 405, body: { errors: [] } })
  })

  it('is 503 from the moment that the process was asked to stop', async () => {
    server = await TestServer.start()
    server.core.stop()
    expect((await server.call('GET', 'sys/health', undefined, '')).status).toBe(503)
    expect((await server.call('GET', 'test/row/none')).status).toBe(404)
  })
})
