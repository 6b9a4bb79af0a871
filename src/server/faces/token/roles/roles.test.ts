import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../../../pipeline/test-server.ts'

let server: TestServer
const hour = 3_600_000

beforeEach(async () => {
  server = await TestServer.start()
  await server.policy('rw', 'path "test/*" { capabilities = ["create", "read", "update", "list"] }')
  await server.policy('maker', 'path "auth/token/create/*" { capabilities = ["create", "update"] }')
})
afterEach(() => server.close())

const write = (name: string, body: unknown, token?: string) =>
  server.call('POST', `auth/token/roles/${name}`, body, token)
const read = async (name: string) => (await server.call('GET', `auth/token/roles/${name}`)).body?.data
const create = (name: string, body: unknown = {}, token?: string) =>
  server.call('POST', `auth/token/create/${name}`, body, token)
const look = async (token: string) => (await server.call('POST', 'auth/token/lookup', { token })).body.data

describe('a token role', () => {
  it('is shown with every field', async () => {
    expect((await write('r1', {})).status).toBe(204)
    expect(await read('r1')).toEqual({
      allowed_entity_aliases: null,
      allowed_policies: [],
      allowed_policies_glob: [],
      disallowed_policies: [],
      disallowed_policies_glob: [],
      explicit_max_ttl: 0,
      name: 'r1',
      orphan: false,
      path_suffix: '',
      period: 0,
      renewable: true,
      token_explicit_max_ttl: 0,
      token_no_default_policy: false,
      token_period: 0,
      token_type: 'default-service',
    })
    await write('r1', {
      allowed_policies: 'B,a,b',
      allowed_policies_glob: ['x-*'],
      disallowed_policies: 'C',
      disallowed_policies_glob: ['y*'],
      allowed_entity_aliases: ['Web-*'],
      orphan: 'true',
      renewable: false,
      path_suffix: 'sfx',
      token_type: 'default-batch',
      token_period: '1h',
      token_explicit_max_ttl: 7200,
      token_bound_cidrs: ['10.0.0.0/8', '127.0.0.1'],
      token_num_uses: 3,
      token_no_default_policy: true,
    })
    expect(await read('r1')).toEqual({
      allowed_entity_aliases: ['web-*'],
      allowed_policies: ['a', 'b'],
      allowed_policies_glob: ['x-*'],
      disallowed_policies: ['c'],
      disallowed_policies_glob: ['y*'],
      explicit_max_ttl: 0,
      name: 'r1',
      orphan: true,
      path_suffix: 'sfx',
      period: 0,
      renewable: false,
      token_bound_cidrs: ['10.0.0.0/8', '127.0.0.1'],
      token_explicit_max_ttl: 7200,
      token_no_default_policy: true,
      token_num_uses: 3,
      token_period: 3600,
      token_type: 'default-batch',
    })
  })

  it('keeps what a later write does not name, and shows older names until the newer is used', async () => {
    await write('r', { period: '1h', explicit_max_ttl: '2h', bound_cidrs: '10.0.0.0/8', orphan: true })
    await write('r', { path_suffix: 'sfx' })
    expect(await read('r')).toMatchObject({
      orphan: true,
      path_suffix: 'sfx',
      period: 3600,
      token_period: 3600,
      explicit_max_ttl: 7200,
      token_explicit_max_ttl: 7200,
      bound_cidrs: ['10.0.0.0/8'],
      token_bound_cidrs: ['10.0.0.0/8'],
    })
    await write('r', { token_period: '3h' })
    expect(await read('r')).toMatchObject({ period: 0, token_period: 10_800, explicit_max_ttl: 7200 })
  })

  it('warns of values sent by both names, and of a maximum that the mount does not allow', async () => {
    const both = await write('r', { period: '1h', token_period: '2h', bound_cidrs: '::1', token_bound_cidrs: '::2' })
    expect(both).toMatchObject({
      status: 200,
      body: {
        warnings: [
          "Both 'token_period' and deprecated 'period' value supplied, ignoring the deprecated value",
          "Both 'token_bound_cidrs' and deprecated 'bound_cidrs' value supplied, ignoring the deprecated value",
        ],
      },
    })
    expect(await read('r')).toMatchObject({ token_period: 7200, token_bound_cidrs: ['::2'] })
    const long = await write('r', { token_explicit_max_ttl: '9000h' })
    expect(long.body.warnings[0]).toMatch(
      /^Given explicit max TTL of 32400000 is greater than system\/mount allowed value of 2764800 seconds/,
    )
  })

  it.each([
    [{ token_type: 'x' }, 'invalid \'token_type\' value "x"'],
    [{ token_type: 'batch' }, "'token_type' cannot be 'batch' when role is set to generate non-orphan tokens"],
    [
      { token_type: 'batch', orphan: true },
      "'token_type' cannot be 'batch' when role is set to generate renewable tokens",
    ],
    [
      { token_type: 'batch', orphan: true, renewable: false, token_period: 60 },
      "'token_type' cannot be 'batch' when role is set to generate periodic tokens",
    ],
    [
      { token_type: 'batch', orphan: true, renewable: false, token_explicit_max_ttl: 60 },
      "'token_type' cannot be 'batch' when role is set to generate tokens with an explicit max TTL",
    ],
    [
      { token_type: 'batch', orphan: true, renewable: false, token_num_uses: 1 },
      "'token_type' cannot be 'batch' when role is set to generate tokens with limited use count",
    ],
    [{ path_suffix: '/x' }, 'given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w'],
    [{ path_suffix: 'a..b' }, 'error registering path suffix: path cannot contain parent references'],
    [{ token_bound_cidrs: '10.0.0.0/33' }, 'error parsing bound_cidrs: "10.0.0.0/33" is no address or CIDR'],
    [{ token_num_uses: -1 }, "error parsing role fields: 'token_num_uses' cannot be negative"],
    [{ token_period: 'soon' }, 'error converting input for field "token_period"'],
    [{ allowed_policies: { a: 1 } }, 'error converting input for field "allowed_policies"'],
  ])('is not made of %j', async (body, error) => {
    const answer = await write('r', body)
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0]).toContain(error)
    expect(await read('r')).toBeUndefined()
  })

  it.each(['a%2Fb', '-x', 'x-', 'a%20b', '%C3%A9', 'x'.repeat(257)])('is not named %s', async (name) => {
    expect((await write(name, {})).status).toBe(404)
  })

  it('is listed, by pages too, and deleted', async () => {
    expect((await server.call('LIST', 'auth/token/roles')).status).toBe(404)
    for (const name of ['b', 'a', 'c']) await write(name, {})
    const keys = async (query = '') => (await server.call('LIST', `auth/token/roles${query}`)).body.data.keys
    expect(await keys()).toEqual(['a', 'b', 'c'])
    expect(await keys('?limit=2')).toEqual(['a', 'b'])
    expect(await keys('?after=a&limit=1')).toEqual(['b'])
    for (let i = 0; i < 2; i += 1) expect((await server.call('DELETE', 'auth/token/roles/a')).status).toBe(204)
    expect(await keys()).toEqual(['b', 'c'])
    expect(await server.call('GET', 'auth/token/roles/a')).toMatchObject({ status: 404, body: { errors: [] } })
  })

  it('needs create to be made and update to be changed', async () => {
    await server.policy('adder', 'path "auth/token/roles/*" { capabilities = ["create"] }')
    const adder = await server.token(['adder'])
    expect((await write('r', {}, adder)).status).toBe(204)
    expect((await write('r', {}, adder)).status).toBe(403)
  })
})

describe('a token of a role', () => {
  it('has what the role says', async () => {
    await write('r', {
      allowed_policies: 'rw',
      orphan: true,
      period: '1h',
      path_suffix: 'sfx',
      token_num_uses: 5,
      token_bound_cidrs: '127.0.0.0/8',
    })
    const maker = await server.token(['maker'])
    const made = await create('r', {}, maker)
    expect(made.body.auth).toMatchObject({
      policies: ['default', 'rw'],
      orphan: true,
      lease_duration: 3600,
      num_uses: 5,
    })
    expect(await look(made.body.auth.client_token)).toMatchObject({
      role: 'r',
      path: 'auth/token/create/r/sfx',
      bound_cidrs: ['127.0.0.0/8'],
      num_uses: 5,
      period: 3600,
    })
  })

  it.each([
    ['none', {}, 'unknown role none'],
    ['r', { policies: 'root' }, "must be subset of the role's allowed policies"],
    ['r', { id: 'x' }, 'root or sudo privileges required to specify token id'],
    ['r', { period: '1h' }, 'root or sudo privileges required to create periodic token'],
    ['r', { entity_alias: 'bob' }, "invalid 'entity_alias' value"],
    ['r', { type: 'x' }, "invalid 'token_type' value"],
    ['rooted', {}, 'root tokens may not be created without parent token being root'],
    ['wrapping', {}, 'cannot assign policy "response-wrapping"'],
  ])('%s with %j is refused', async (name, body, error) => {
    await write('r', { allowed_policies: 'rw', allowed_entity_aliases: 'web-*' })
    await write('rooted', { allowed_policies: 'root' })
    await write('wrapping', { allowed_policies: 'response-wrapping' })
    const answer = await create(name, body, await server.token(['maker']))
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0]).toContain(error)
  })

  it.each([
    ['service', 'batch', 'service'],
    ['default-service', '', 'service'],
    ['default-service', 'batch', 'batch'],
    ['default-batch', '', 'batch'],
    ['default-batch', 'service', 'service'],
    ['batch', 'service', 'batch'],
  ])('of type %s, asked for as "%s", is a %s token', async (token_type, type, made) => {
    await write('r', { token_type, allowed_policies: 'rw', orphan: true, renewable: false })
    expect((await create('r', { type })).body.auth.token_type).toBe(made)
  })

  it('takes the lesser of role and request, and says so', async () => {
    await write('r', { allowed_policies: 'rw', token_explicit_max_ttl: '2h', token_num_uses: 5 })
    const longer = await create('r', { explicit_max_ttl: '3h', num_uses: 9, ttl: '1h' })
    expect(longer.body).toMatchObject({
      auth: { num_uses: 5, lease_duration: 3600 },
      warnings: [
        'Explicit max TTL specified both during creation call and in role; using the lesser value of 7200 seconds',
      ],
    })
    const shorter = await create('r', { explicit_max_ttl: '1h', num_uses: 2 })
    expect(shorter.body.auth).toMatchObject({ num_uses: 2, lease_duration: 3600 })
    await write('p', { allowed_policies: 'rw', token_period: '2h' })
    expect((await create('p', { period: '1h' })).body).toMatchObject({
      auth: { lease_duration: 3600 },
      warnings: ['Period specified both during creation call and in role; using the lesser value of 3600 seconds'],
    })
  })

  it('is not renewable when the role or the request says so', async () => {
    await write('r', { allowed_policies: 'rw', renewable: false })
    expect((await create('r', { renewable: true })).body.auth.renewable).toBe(false)
    await write('r', { renewable: true })
    expect((await create('r', { renewable: false })).body.auth.renewable).toBe(false)
  })

  it('does not get the default policy from a role that says so', async () => {
    await write('r', { token_no_default_policy: true })
    expect((await create('r', { policies: ['rw'] })).body.auth.policies).toEqual(['rw'])
  })

  it('is renewed by what the role says then, and not without it', async () => {
    await write('r', { allowed_policies: 'rw', token_period: '1h' })
    const { client_token: token } = (await create('r')).body.auth
    const renew = () => server.call('POST', 'auth/token/renew', { token, increment: '5m' })
    await write('r', { token_period: '2h' })
    expect((await renew()).body.auth.lease_duration).toBe(7200)
    await write('r', { token_explicit_max_ttl: '90m' })
    await server.clock.advance(hour)
    expect((await renew()).body.auth.lease_duration).toBe(1800)
    await server.call('DELETE', 'auth/token/roles/r')
    expect(await renew()).toMatchObject({
      status: 400,
      body: { errors: ['original token role "r" could not be found, not renewing'] },
    })
  })
})
