import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

const enable = (path: string, body: unknown = { type: 'test' }) => server.call('POST', `sys/mounts/${path}`, body)

describe('a mount', () => {
  it('is listed under data and beside it, with every member that Vault shows', async () => {
    const answer = await server.call('GET', 'sys/mounts')
    expect(answer.body['test/']).toEqual(answer.body.data['test/'])
    expect(answer.body.data['test/']).toEqual({
      accessor: expect.stringMatching(/^test_[0-9a-f]{8}$/),
      config: { default_lease_ttl: 0, force_no_cache: false, max_lease_ttl: 0 },
      deprecation_status: 'supported',
      description: '',
      external_entropy_access: false,
      local: false,
      options: null,
      plugin_version: '',
      running_plugin_version: 'v1',
      running_sha256: '',
      seal_wrap: false,
      type: 'test',
      uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
  })

  it.each([
    ['test', 'path is already in use at test/'],
    ['test/inside', 'path is already in use at test/'],
    ['sys', 'cannot mount "sys/"', 403],
    ['auth/x', 'cannot mount "auth/x/"', 403],
    ['identity', 'cannot mount "identity/"', 403],
    ['a%20b', 'invalid mount path "a b/"'],
    ['a*', 'invalid mount path "a*/"'],
  ])('cannot be made at %j', async (path, error, status = 400) => {
    expect(await enable(path)).toMatchObject({ status, body: { errors: [error] } })
  })

  it('cannot be made around another', async () => {
    await enable('deep/er')
    expect((await enable('deep')).body.errors).toEqual(['path is already in use at deep/er/'])
  })

  it.each([
    [{ type: 'nope' }, 'plugin not found in the catalog: nope'],
    [{}, 'backend type must be specified as a string'],
    [
      { type: 'test', config: { default_lease_ttl: '2h', max_lease_ttl: '1h' } },
      'given default lease TTL greater than given max lease TTL',
    ],
    [{ type: 'test', config: { default_lease_ttl: 'soon' } }, 'unable to parse default_lease_ttl of "soon"'],
    [{ type: 'test', config: { listing_visibility: 'all' } }, 'invalid listing_visibility "all"'],
    [{ type: 'test', config: { token_type: 'service' } }, "'token_type' can only be modified on auth mounts"],
  ])('is refused as %j', async (body, error) => {
    expect(await enable('new', body)).toMatchObject({ status: 400, body: { errors: [error] } })
    expect((await server.call('GET', 'sys/mounts/new')).status).toBe(400)
  })

  it('made twice at once exists once', async () => {
    const other = await server.another()
    const answers = Promise.all([
      enable('same'),
      enable('same'),
      other.call('POST', 'sys/mounts/same', { type: 'test' }),
      other.call('POST', 'sys/mounts/same/below', { type: 'test' }),
    ])
    await server.clock.advance(2000)
    expect((await answers).filter((answer) => answer.status === 204).length).toBe(1)
    await other.close()
  })

  it('is known to the other node with its next request', async () => {
    const other = await server.another()
    await enable('new')
    expect((await other.call('POST', 'new/row/a', { n: 1 })).status).toBe(204)
    await server.call('DELETE', 'sys/mounts/new')
    expect((await other.call('GET', 'new/row/a')).body.errors).toEqual([
      'no handler for route "new/row/a". route entry not found.',
    ])
    await other.close()
  })

  it('tells whoever listens on a node that was never asked for it what changed', async () => {
    const other = await server.another()
    const heard: string[] = []
    other.core.events.subscribe(({ dataPath }) => heard.push(dataPath))
    await enable('new')
    for (const path of ['test/row/a', 'new/row/b']) await server.call('POST', path, { n: 1 })
    for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve))
    expect(heard).toEqual(['test/row/a', 'new/row/b'])
    await other.close()
  })

  it('sets the headers of its answers that it was tuned to set, and no others', async () => {
    await server.call('POST', 'test/row/a', { n: 1 })
    const before = await server.call('GET', 'test/row/a')
    expect(before.status).toBe(200)
    expect(Object.keys(before.headers).join().toLowerCase()).not.toContain('x-')
    await server.call('POST', 'sys/mounts/test/tune', { allowed_response_headers: 'x-row, Cache-Control' })
    const { headers } = await server.call('GET', 'test/row/a')
    expect(headers).toMatchObject({ 'X-Row': 'yes' })
    expect(headers).not.toHaveProperty('X-Other')
  })

  it('that is gone leaves nothing, and its path is free', async () => {
    await enable('new')
    await server.call('POST', 'new/row/a', { n: 1 })
    const { uuid } = (await server.call('GET', 'sys/mounts/new')).body.data
    expect((await server.call('DELETE', 'sys/mounts/new')).status).toBe(204)
    expect((await server.call('DELETE', 'sys/mounts/new')).status).toBe(204)
    expect(await server.backend.list(`mnt/${uuid}/`, { depth: 'all', limit: 10 })).toEqual([])
    await enable('new')
    expect((await server.call('GET', 'new/row/a')).status).toBe(404)
  })

  it('whose removal was cut off is removed by the next leader', async () => {
    await server.call('POST', 'test/row/a', { n: 1 })
    const { uuid } = (await server.call('GET', 'sys/mounts/test')).body.data
    await server.call('GET', 'test/creds/db')
    server.world.failRevocations = 1
    expect((await server.call('DELETE', 'sys/mounts/test')).status).toBe(500)
    expect((await server.call('GET', 'test/row/a')).status).toBe(404)
    await server.clock.advance(3000)
    expect(server.world.revoked).toEqual(['db'])
    expect(await server.backend.list(`mnt/${uuid}/`, { depth: 'all', limit: 10 })).toEqual([])
  })

  it('can be tuned, and shows what is in force', async () => {
    const before = await server.call('GET', 'sys/mounts/test/tune')
    expect(before.body.data).toMatchObject({ default_lease_ttl: 2_764_800, max_lease_ttl: 2_764_800 })
    const tuned = await server.call('POST', 'sys/mounts/test/tune', {
      default_lease_ttl: '1h',
      max_lease_ttl: 7200,
      description: 'two',
    })
    expect(tuned.status).toBe(204)
    const after = await server.call('GET', 'sys/mounts/test/tune')
    expect(after.body.data).toMatchObject({ default_lease_ttl: 3600, max_lease_ttl: 7200, description: 'two' })
    expect((await server.call('GET', 'test/creds/db')).body.lease_duration).toBe(3600)
    const wrong = await server.call('POST', 'sys/mounts/none/tune', { description: 'x' })
    expect(wrong.body.errors).toEqual(['tune of path "none/" failed: no mount entry found'])
  })
})

describe('the preflight', () => {
  it('answers for any path in the mount, to whom policy lets in', async () => {
    await server.policy('p', 'path "test/row/a" { capabilities = ["read"] }')
    const token = await server.token(['p'])
    const answer = await server.call('GET', 'sys/internal/ui/mounts/test/some/deep/path', undefined, token)
    expect(answer.body.data).toMatchObject({ path: 'test/', type: 'test' })
    const all = await server.call('GET', 'sys/internal/ui/mounts', undefined, token)
    expect(Object.keys(all.body.data.secret)).toContain('test/')
  })

  it.each(['test/x', 'none/x', 'none'])('%s: neither access nor mount is 403', async (path) => {
    const token = await server.token(['default'])
    const answer = await server.call('GET', `sys/internal/ui/mounts/${path}`, undefined, token)
    expect(answer.status).toBe(403)
    expect(answer.body.errors).toEqual([
      `preflight capability check returned 403, please ensure client's policies grant access to path "${path}/"`,
    ])
  })

  it('shows nothing to nobody but what is meant for everyone', async () => {
    expect((await server.call('GET', 'sys/internal/ui/mounts', undefined, '')).body.data).toEqual({
      auth: {},
      secret: {},
    })
    await server.call('POST', 'sys/mounts/test/tune', { listing_visibility: 'unauth' })
    expect((await server.call('GET', 'sys/internal/ui/mounts', undefined, '')).body.data.secret).toEqual({
      'test/': { description: '', options: {}, type: 'test' },
    })
    expect((await server.call('GET', 'sys/internal/ui/mounts/test', undefined, '')).status).toBe(403)
  })
})
