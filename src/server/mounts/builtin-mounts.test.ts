import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

const tune = (body: unknown, headers: Record<string, string> = {}) =>
  server.call('POST', 'sys/auth/token/tune', body, undefined, headers)
const tuned = async (of = server, headers: Record<string, string> = {}) =>
  (await of.call('GET', 'sys/auth/token/tune', undefined, undefined, headers)).body.data
const lifetime = async (of = server, headers: Record<string, string> = {}) => {
  const made = await of.call('POST', 'auth/token/create', { policies: ['default'] }, undefined, headers)
  return made.body.auth.lease_duration
}

describe('auth/token/', () => {
  it('is tuned: tokens live as long as it says, on every node and after a restart', async () => {
    const other = await server.another()
    expect(await lifetime(other)).toBe(2_764_800)
    expect((await tune({ default_lease_ttl: '1h', max_lease_ttl: '2h', description: 'ours' })).status).toBe(204)
    const limits = { default_lease_ttl: 3600, max_lease_ttl: 7200, description: 'ours' }
    expect(await tuned()).toMatchObject(limits)
    expect(await tuned(other)).toMatchObject(limits)
    expect([await lifetime(), await lifetime(other)]).toEqual([3600, 3600])
    const long = await server.call('POST', 'auth/token/create', { policies: ['default'], ttl: '9h' })
    expect(long.body.auth.lease_duration).toBe(7200)
    await other.close()
    const third = await server.another()
    expect(await lifetime(third)).toBe(3600)
    await third.close()
  })

  it('that is tuned again keeps what is not spoken of', async () => {
    await tune({ default_lease_ttl: '1h', max_lease_ttl: '2h', audit_non_hmac_response_keys: 'a,b' })
    await tune({ description: 'ours', default_lease_ttl: '', max_lease_ttl: '', options: { a: 'b' } })
    expect(await tuned()).toMatchObject({
      default_lease_ttl: 3600,
      max_lease_ttl: 7200,
      description: 'ours',
      options: { a: 'b' },
      audit_non_hmac_response_keys: ['a', 'b'],
    })
    await tune({ default_lease_ttl: 'system', max_lease_ttl: 'system' })
    expect(await tuned()).toMatchObject({ default_lease_ttl: 2_764_800, max_lease_ttl: 2_764_800 })
  })

  it('of a namespace has limits of its own, which go with it', async () => {
    const within = { 'X-Vault-Namespace': 'team' }
    await server.call('POST', 'sys/namespaces/team')
    await tune({ default_lease_ttl: '1h' }, within)
    expect([await lifetime(server, within), await lifetime()]).toEqual([3600, 2_764_800])
    const rows = async () =>
      (await server.backend.list('', { depth: 'all', limit: 10_000 })).filter((key) => key.includes('/tuned/'))
    expect(await rows()).toHaveLength(1)
    await server.call('DELETE', 'sys/namespaces/team')
    await server.clock.advance(3000)
    expect(await rows()).toEqual([])
    await server.call('POST', 'sys/namespaces/team')
    expect(await lifetime(server, within)).toBe(2_764_800)
  })

  it('prolongs by the limits of today', async () => {
    const token = await server.token(['default'], { ttl: '10h' })
    await tune({ max_lease_ttl: '2h', default_lease_ttl: '1h' })
    const renewed = await server.call('POST', 'auth/token/renew-self', { increment: '9h' }, token)
    expect(renewed.body.auth.lease_duration).toBe(7200)
  })

  it.each([
    [{ token_type: 'batch' }, "'token_type' cannot be set for 'token' or 'ns_token' auth mounts"],
    [
      { user_lockout_config: { lockout_threshold: '3' } },
      'tuning of user lockout configuration for auth type "token" not allowed',
    ],
    [{ default_lease_ttl: '3h', max_lease_ttl: '2h' }, 'given default lease TTL greater than given max lease TTL'],
  ])('is not tuned to %j', async (body, error) => {
    expect(await tune(body)).toMatchObject({ status: 400, body: { errors: [error] } })
    expect((await server.call('POST', 'sys/mounts/auth/token/tune', body)).body.errors).toEqual([error])
    expect(await tuned()).toMatchObject({ default_lease_ttl: 2_764_800, token_type: 'default-service' })
  })

  it('tuned by two at once keeps what both said', async () => {
    const other = await server.another()
    const both = Promise.all([
      tune({ default_lease_ttl: '1h' }),
      other.call('POST', 'sys/auth/token/tune', { description: 'ours' }),
    ])
    await server.clock.advance(1000)
    expect((await both).map(({ status }) => status)).toEqual([204, 204])
    expect(await tuned()).toMatchObject({ default_lease_ttl: 3600, description: 'ours' })
    await other.close()
  })
})

describe('what else is there by itself', () => {
  it.each(['sys', 'cubbyhole', 'identity'])('%s/ is not tuned', async (path) => {
    const answer = await server.call('POST', `sys/mounts/${path}/tune`, { description: 'x' })
    expect(answer).toMatchObject({ status: 400, body: { errors: [`cannot tune "${path}/"`] } })
    expect((await server.call('GET', `sys/mounts/${path}/tune`)).status).toBe(200)
  })
})

it('an auth method that is not there is named with its whole path', async () => {
  const wrong = await server.call('POST', 'sys/auth/none/tune', { description: 'x' })
  expect(wrong.body.errors).toEqual(['tune of path "auth/none/" failed: no mount entry found'])
  const read = await server.call('GET', 'sys/auth/none/tune')
  expect(read.body.errors).toEqual(['cannot fetch sysview for path "auth/none/"'])
})
