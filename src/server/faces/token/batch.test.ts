import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../../pipeline/test-server.ts'

let server: TestServer

beforeEach(async () => {
  server = await TestServer.start()
  await server.policy('rw', 'path "test/*" { capabilities = ["create", "read", "update", "list"] }')
  await server.policy('maker', 'path "auth/token/*" { capabilities = ["create", "read", "update"] }')
})
afterEach(() => server.close())

const create = (body: unknown, token?: string) => server.call('POST', 'auth/token/create', body, token)
const batch = async (body: object = {}, token?: string): Promise<string> =>
  (await create({ type: 'batch', policies: ['rw', 'maker'], ttl: '1h', ...body }, token)).body.auth.client_token
const status = async (token: string) => (await server.call('GET', 'test/row/none', undefined, token)).status
const alive = async (token: string) =>
  (await server.call('GET', 'auth/token/lookup-self', undefined, token)).status === 200

describe('a batch token', () => {
  it('is made without a row and does what its policies say', async () => {
    const keys = () => server.backend.list('ns/', { depth: 'all', limit: 1000 })
    const before = await keys()
    const answer = await create({ type: 'batch', policies: ['rw'], ttl: '1h', meta: { a: 'b' } })
    expect(answer.body.auth).toMatchObject({
      accessor: '',
      policies: ['default', 'rw'],
      metadata: { a: 'b' },
      lease_duration: 3600,
      renewable: false,
      token_type: 'batch',
      orphan: false,
      num_uses: 0,
    })
    expect(await keys()).toEqual(before)
    const token = answer.body.auth.client_token
    expect((await server.call('POST', 'test/row/a', { x: 1 }, token)).status).toBe(204)
    expect((await server.call('GET', 'test/row/a', undefined, token)).body.data).toEqual({ x: 1 })
    expect((await server.call('GET', 'sys/mounts', undefined, token)).status).toBe(403)
  })

  it('shows itself', async () => {
    const token = await batch()
    const looked = await server.call('GET', 'auth/token/lookup-self', undefined, token)
    expect(looked.body.data).toMatchObject({
      id: token,
      accessor: '',
      type: 'batch',
      ttl: 3600,
      renewable: false,
      expire_time: expect.stringMatching(/:\d\dZ$/),
      orphan: false,
    })
    const asked = await server.call('POST', 'auth/token/lookup', { token })
    expect(asked.body.data).toEqual(looked.body.data)
  })

  it.each([
    ['renew-self', {}, 'batch tokens cannot be renewed'],
    ['revoke-self', undefined, 'batch tokens cannot be revoked'],
    ['create', {}, 'batch tokens cannot create more tokens'],
  ])('%s of its own is refused', async (path, body, error) => {
    const answer = await server.call('POST', `auth/token/${path}`, body, await batch())
    expect(answer).toMatchObject({ status: 400, body: { errors: [error] } })
  })

  it.each([
    ['renew', 'batch tokens cannot be renewed'],
    ['revoke', 'batch tokens cannot be revoked'],
    ['revoke-orphan', 'batch tokens cannot be revoked'],
  ])('%s by another is refused', async (path, error) => {
    const answer = await server.call('POST', `auth/token/${path}`, { token: await batch() })
    expect(answer).toMatchObject({ status: 400, body: { errors: [error] } })
  })

  it.each([
    [{ num_uses: 1 }, 'batch tokens cannot have "num_uses" set'],
    [{ period: '1h' }, 'batch tokens cannot have "period" set'],
    [{ explicit_max_ttl: '1h' }, 'batch tokens cannot have "explicit_max_ttl" set'],
    [{ id: 'mine' }, 'batch tokens cannot have "id" set'],
    [{ policies: ['root'] }, 'batch tokens cannot be root tokens'],
    [{ meta: { long: 'x'.repeat(20_000) } }, /^batch token of \d+ characters is too long/],
  ])('%j is refused', async (more, error) => {
    const answer = await create({ type: 'batch', policies: ['rw'], ...more })
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0]).toMatch(error)
  })

  it('of root without policies would be root, and is refused', async () => {
    expect((await create({ type: 'batch' })).body.errors).toEqual(['batch tokens cannot be root tokens'])
  })

  it('ends with its time', async () => {
    const token = await batch({ ttl: '1h' })
    server.clock.stepWall(3_600_000 - 1)
    expect(await alive(token)).toBe(true)
    server.clock.stepWall(1)
    expect(await alive(token)).toBe(false)
    expect((await server.call('POST', 'auth/token/lookup', { token })).body.errors).toEqual(['bad token'])
  })

  it('ends with its parent, and an orphan does not', async () => {
    await server.policy('sudoer', 'path "auth/token/*" { capabilities = ["create", "update", "sudo"] }')
    const parent = await server.token(['maker', 'rw', 'sudoer'])
    const child = await batch({}, parent)
    const orphan = await batch({ no_parent: true }, parent)
    expect([await status(child), await status(orphan)]).toEqual([404, 404])
    await server.call('POST', 'auth/token/revoke', { token: parent })
    expect([await status(child), await status(orphan)]).toEqual([403, 404])
  })

  it('ends with its grandparent', async () => {
    const grandparent = await server.token(['maker', 'rw'])
    const parent = await server.token(['maker', 'rw'], {}, grandparent)
    const child = await batch({}, parent)
    await server.call('POST', 'auth/token/revoke', { token: grandparent })
    expect(await status(child)).toBe(403)
  })

  it('has leases, which end with its parent', async () => {
    const parent = await server.token(['maker', 'rw'])
    const child = await batch({}, parent)
    const leased = await server.call('GET', 'test/creds/db', undefined, child)
    expect(leased.body.lease_id).toMatch(/^test\/creds\/db\//)
    await server.call('POST', 'auth/token/revoke', { token: parent })
    expect(server.world.revoked).toEqual(['db'])
  })

  it('of an orphan has leases, which end with its time', async () => {
    const token = await batch({ no_parent: true, ttl: '10m' })
    const leased = await server.call('GET', 'test/creds/db?ttl=2h', undefined, token)
    expect(leased.body.lease_duration).toBe(600)
    await server.clock.advance(700_000)
    expect(server.world.revoked).toEqual(['db'])
  })

  it('whose parent is being revoked gets no lease', async () => {
    const parent = await server.token(['maker', 'rw'])
    const child = await batch({}, parent)
    server.world.during = async () => {
      await server.call('POST', 'auth/token/revoke', { token: parent })
    }
    const answer = await server.call('GET', 'test/creds/db', undefined, child)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    await server.clock.advance(400_000)
    expect(server.world.alive.size).toBe(0)
  })

  it('works on another node and after a restart', async () => {
    const token = await batch()
    const other = await server.another()
    expect((await other.call('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(200)
  })

  it('that was forged is refused like any other', async () => {
    const token = await batch()
    const forged = `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`
    expect(await server.call('GET', 'auth/token/lookup-self', undefined, forged)).toMatchObject({
      status: 403,
      body: { errors: ['permission denied'] },
    })
  })

  it('is not among the accessors', async () => {
    const before = (await server.call('LIST', 'auth/token/accessors')).body.data.keys
    await batch()
    expect((await server.call('LIST', 'auth/token/accessors')).body.data.keys).toEqual(before)
  })
})

describe('a login', () => {
  it('gives a batch token when its role says so, which ends with its mount', async () => {
    await server.call('POST', 'sys/auth/door', { type: 'door' })
    server.world.grant = { tokenType: 'batch' }
    const login = await server.call('POST', 'auth/door/login', { name: 'ann' }, '')
    expect(login.body.auth).toMatchObject({ token_type: 'batch', accessor: '', renewable: false, orphan: true })
    const token = login.body.auth.client_token
    expect(await alive(token)).toBe(true)
    await server.call('DELETE', 'sys/auth/door')
    expect(await alive(token)).toBe(false)
  })
})

describe('the capabilities of a batch token', () => {
  const asked = (token: string) =>
    server.call('POST', 'sys/capabilities', { token, paths: ['test/row/a', 'sys/mounts'] })

  it('are those of its policies, as long as it lives', async () => {
    await server.policy('reader', 'path "test/row/*" { capabilities = ["read"] }')
    const parent = await server.token(['reader', 'default'])
    const token = await server.token(['reader'], { type: 'batch', ttl: '1h' })
    expect((await asked(token)).body.data).toEqual({ 'test/row/a': ['read'], 'sys/mounts': ['deny'] })
    const own = await server.call('POST', 'sys/capabilities-self', { path: 'test/row/a' }, token)
    expect(own.body.data.capabilities).toEqual(['read'])
    expect((await asked(`${token.slice(0, -4)}AAAA`)).body.errors).toEqual(['1 error occurred:\n\t* invalid token\n\n'])
    await server.clock.advance(3_601_000)
    expect((await asked(token)).body.errors).toEqual(['1 error occurred:\n\t* invalid token\n\n'])
    expect((await asked(parent)).status).toBe(200)
  })
})
