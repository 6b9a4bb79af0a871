import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../test-server.ts'

let server: TestServer
const hour = 3_600_000
beforeEach(async () => {
  server = await TestServer.start()
  await server.policy('rw', 'path "test/*" { capabilities = ["create", "read", "update"] }')
  await server.call('POST', 'sys/auth/door', { type: 'door' })
  await server.call('POST', 'test/row/a', { n: 1 })
})
afterEach(() => server.close())

const login = (body: unknown = { name: 'anna' }) => server.call('POST', 'auth/door/login', body, '')
const reads = async (token: string) => (await server.call('GET', 'test/row/a', undefined, token)).status

describe('a login', () => {
  it('gives a token with what it earned', async () => {
    const answer = await login()
    expect(answer.body).toMatchObject({ data: null, lease_id: '', warnings: null })
    expect(answer.body.auth).toEqual({
      client_token: expect.stringMatching(/^hvs\./),
      accessor: expect.any(String),
      policies: ['default', 'rw'],
      token_policies: ['default', 'rw'],
      metadata: { role: 'r' },
      lease_duration: 3600,
      renewable: true,
      entity_id: '',
      token_type: 'service',
      orphan: true,
      mfa_requirement: null,
      num_uses: 0,
    })
    const token = answer.body.auth.client_token
    expect(await reads(token)).toBe(200)
    const shown = await server.call('GET', 'auth/token/lookup-self', undefined, token)
    expect(shown.body.data).toMatchObject({ display_name: 'door-anna', path: 'auth/door/login', meta: { role: 'r' } })
  })

  it('works with a token that is no good, and without rights', async () => {
    expect((await server.call('POST', 'auth/door/login', { name: 'anna' }, 'wrong')).status).toBe(200)
  })

  it('that is refused makes nothing', async () => {
    const before = await server.backend.list('ns/root/tokens/', { depth: 'all', limit: 100 })
    expect(await login({})).toMatchObject({ status: 400, body: { errors: ['missing name'] } })
    expect(await server.backend.list('ns/root/tokens/', { depth: 'all', limit: 100 })).toEqual(before)
  })

  it.each([
    [{ policies: ['root'] }, 'auth methods cannot create root tokens'],
    [{ tokenType: 'batch' as const, numUses: 1 }, 'batch tokens have no use limit'],
    [{ tokenType: 'default-batch' as const, periodMs: 1000 }, 'batch tokens have no use limit'],
  ])('cannot earn %j', async (grant, error) => {
    server.world.grant = grant
    const answer = await login()
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0]).toContain(error)
  })

  it.each([
    ['default', 'default-service', 'service'],
    ['default', 'default-batch', 'batch'],
    ['default-batch', 'default-service', 'batch'],
    ['default-service', 'default-batch', 'service'],
    ['batch', 'default-service', 'batch'],
    ['service', 'default-batch', 'service'],
    ['batch', 'service', 'service'],
    ['service', 'batch', 'batch'],
  ] as const)('of a role of %j on a mount of %j earns a %s token', async (tokenType, mount, expected) => {
    server.world.grant = { tokenType }
    await server.call('POST', 'sys/auth/door/tune', { token_type: mount })
    expect((await login()).body.auth.token_type).toBe(expected)
  })

  it('is bound to addresses', async () => {
    server.world.grant = { boundCidrs: ['10.0.0.0/8'] }
    expect(await reads((await login()).body.auth.client_token)).toBe(403)
    server.world.grant = { boundCidrs: ['127.0.0.0/8', '::1/128'] }
    expect(await reads((await login()).body.auth.client_token)).toBe(200)
  })

  it('has its token revoked when the audit refuses the answer', async () => {
    await server.call('POST', 'sys/audit/t', { type: 'test' })
    server.device.refuse = (line) => line['type'] === 'response'
    expect((await login()).status).toBe(500)
    server.device.refuse = () => false
    expect(await server.backend.list('ns/root/tokens/login/', { depth: 'all', limit: 10 })).toEqual([])
  })
})

describe('the token of a login', () => {
  it('is renewed within what its role allows today', async () => {
    const token = (await login()).body.auth.client_token
    await server.clock.advance(hour / 2)
    const renewed = await server.call('POST', 'auth/token/renew-self', {}, token)
    expect(renewed.body.auth.lease_duration).toBe(3600)
    server.world.grant = { maxTtlMs: hour }
    const capped = await server.call('POST', 'auth/token/renew-self', {}, token)
    expect(capped.body.auth.lease_duration).toBe(1800)
    server.world.grant = undefined
    const refused = await server.call('POST', 'auth/token/renew-self', {}, token)
    expect(refused).toMatchObject({ status: 403, body: { errors: ['the role is gone'] } })
  })

  it('ends with its mount', async () => {
    const token = (await login()).body.auth.client_token
    await server.call('GET', 'test/creds/db', undefined, token)
    expect((await server.call('DELETE', 'sys/auth/door')).status).toBe(204)
    expect(await reads(token)).toBe(403)
    expect(server.world.revoked).toEqual(['db'])
    expect(await server.backend.list('ns/root/tokens/login/', { depth: 'all', limit: 10 })).toEqual([])
  })
})
