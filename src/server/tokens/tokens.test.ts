import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../pipeline/test-server.ts'

let server: TestServer
const hour = 3_600_000
beforeEach(async () => {
  server = await TestServer.start()
  await server.policy('rw', 'path "test/*" { capabilities = ["create", "read", "update", "list"] }')
  await server.policy('maker', 'path "auth/token/*" { capabilities = ["create", "read", "update"] }')
})
afterEach(() => server.close())

/** A token without root that may do anything at auth/token/. */
async function sudoer(): Promise<string> {
  await server.policy('sudoer', 'path "auth/token/*" { capabilities = ["create", "update", "sudo"] }')
  return server.token(['sudoer'])
}

const create = (body: unknown, token?: string) => server.call('POST', 'auth/token/create', body, token)
const alive = async (token: string) =>
  (await server.call('GET', 'auth/token/lookup-self', undefined, token)).status === 200

describe('a new token', () => {
  it('is hvs. and 24 characters, and storage never sees it', async () => {
    const answer = await create({ policies: ['rw'], meta: { k: 'v' }, display_name: 'my tok' })
    const { client_token: token, accessor } = answer.body.auth
    expect(token).toMatch(/^hvs\.[0-9A-Za-z]{24}$/)
    const keys = await server.backend.list('', { depth: 'all', limit: 1000 })
    expect(keys.filter((key) => key.includes(token) || key.includes(accessor))).toEqual([])
    expect(answer.body.auth).toMatchObject({
      policies: ['default', 'rw'],
      metadata: { k: 'v' },
      lease_duration: 2_764_800,
      renewable: true,
      entity_id: '',
      token_type: 'service',
      orphan: false,
      mfa_requirement: null,
      num_uses: 0,
    })
    const looked = await server.call('GET', 'auth/token/lookup-self', undefined, token)
    expect(looked.body.data).toMatchObject({ display_name: 'token-my-tok', id: token, path: 'auth/token/create' })
  })

  it.each([
    [{ policies: ['root'] }, 'child policies must be subset of parent'],
    [{ policies: ['rw'] }, 'child policies must be subset of parent'],
    [{ id: 'chosen' }, 'root or sudo privileges required to specify token id'],
    [{ no_parent: true }, 'root or sudo privileges required to create orphan token'],
    [{ period: '1h' }, 'root or sudo privileges required to create periodic token'],
    [{ num_uses: -1 }, 'number of uses cannot be negative'],
    [{ type: 'x' }, "invalid 'token_type' value"],
    [{ policies: 'response-wrapping' }, 'child policies must be subset of parent'],
    [{ entity_alias: 'x' }, "'entity_alias' is only allowed in combination with token role"],
    [{ ttl: 'soon' }, 'error converting input for field "ttl"'],
  ])('%j is refused for a token without sudo', async (body, error) => {
    const maker = await server.token(['maker'])
    const answer = await create(body, maker)
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0]).toContain(error)
  })

  it.each([
    [{ policies: ['root'] }, 'root tokens may not be created without parent token being root'],
    [{ policies: ['response-wrapping'] }, 'cannot assign policy "response-wrapping"'],
    [{ id: 'a b' }, 'custom token ID has characters that are not printable'],
    [{ id: 'hvs.made' }, "custom token ID cannot have a '.' in the value"],
    [{ id: 'x'.repeat(513) }, 'custom token ID has characters that are not printable'],
  ])('%j is refused even with sudo', async (body, error) => {
    const token = await sudoer()
    expect(await create(body, token)).toMatchObject({ status: 400, body: { errors: [error] } })
  })

  it.each([
    [{ policies: ['other', 'Other ', ''] }, ['default', 'other']],
    [{ policies: 'b,a' }, ['a', 'b', 'default']],
    [{ policies: ['other'], no_default_policy: true }, ['other']],
    [{ policies: ['default'], no_default_policy: true }, []],
  ])('with sudo may have any policies: %j', async (body, policies) => {
    const answer = await create(body, await sudoer())
    expect(answer.body.auth.policies).toEqual(policies)
  })

  it('with root among its policies has no others', async () => {
    expect((await create({ policies: ['b', 'root', 'a'] })).body.auth.policies).toEqual(['root'])
  })

  it('is named for its caller by what is safe in logs', async () => {
    const named = async (name: string) => {
      const made = await create({ display_name: name })
      return (await server.call('GET', 'auth/token/lookup-self', undefined, made.body.auth.client_token)).body.data
        .display_name
    }
    expect(await named('')).toBe('token')
    expect(await named('a b/c\u0000é!')).toBe('token-a-b-c--')
    expect(await named('a!')).toBe('token-a')
  })

  it('of a bound token is bound to the same addresses, an orphan is not', async () => {
    await server.call('POST', 'auth/token/roles/here', {
      token_bound_cidrs: '0.0.0.0/0,::/0',
      allowed_policies: 'sudoer',
    })
    await sudoer()
    const bound = (await server.call('POST', 'auth/token/create/here', {})).body.auth.client_token
    const cidrs = async (body: object) => {
      const made = await create(body, bound)
      return (await server.call('POST', 'auth/token/lookup', { token: made.body.auth.client_token })).body.data
        .bound_cidrs
    }
    expect(await cidrs({})).toEqual(['0.0.0.0/0', '::/0'])
    expect(await cidrs({ no_parent: true })).toBeUndefined()
  })

  it('of an orphan has that orphan as parent and dies with it', async () => {
    const orphan = await server.token(['maker'], { no_parent: true })
    const made = await create({}, orphan)
    expect(made.body.auth.orphan).toBe(false)
    await server.call('POST', 'auth/token/revoke', { token: orphan })
    expect(await alive(made.body.auth.client_token)).toBe(false)
  })

  it("inherits its parent's policies, and `default` only from one that has it", async () => {
    const bare = await server.token(['maker'], { no_default_policy: true })
    expect((await create({}, bare)).body.auth.policies).toEqual(['maker'])
    expect((await create({ policies: ['maker'] }, bare)).body.auth.policies).toEqual(['maker'])
    const usual = await server.token(['maker'])
    expect((await create({}, usual)).body.auth.policies).toEqual(['default', 'maker'])
    expect((await create({ no_default_policy: true }, usual)).body.auth.policies).toEqual(['maker'])
  })

  it('may be chosen by root, once and without a dot', async () => {
    expect((await create({ id: 'chosen', policies: ['rw'] })).body.auth.client_token).toBe('chosen')
    expect((await create({ id: 'chosen' })).body.errors).toEqual(['cannot create a token with a duplicate ID'])
    expect((await create({ id: 'a.b' })).body.errors).toEqual(["custom token ID cannot have a '.' in the value"])
  })

  it('warns of policies that do not exist and of a TTL that is cut', async () => {
    const answer = await create({ policies: ['none'], ttl: '9000h' })
    expect(answer.body.warnings).toEqual([
      'TTL of "9000h0m0s" exceeded the effective max_ttl of "768h0m0s"; TTL value is capped accordingly',
      'Policy "none" does not exist',
    ])
  })

  it('of an expiring root token expires too', async () => {
    const root = await server.token(['root'], { ttl: '1h' })
    expect((await create({}, root)).body.errors).toEqual([
      'expiring root tokens cannot create non-expiring root tokens',
    ])
    expect((await create({ ttl: '30m' }, root)).body.auth.lease_duration).toBe(1800)
    expect((await create({ period: '30m' }, root)).body.auth.lease_duration).toBe(1800)
  })

  it('of root lives as long as its explicit maximum says', async () => {
    const { auth, warnings } = (await create({ explicit_max_ttl: '2h' })).body
    expect(auth).toMatchObject({ policies: ['root'], lease_duration: 7200, renewable: true })
    expect(warnings).toBeNull()
  })
})

describe('the life of a token', () => {
  it('ends when it is over, before the sweep', async () => {
    const token = await server.token(['rw'], { ttl: '1h' })
    expect(await alive(token)).toBe(true)
    server.clock.stepWall(hour)
    expect(await alive(token)).toBe(false)
  })

  it('is prolonged from now, up to the maximum', async () => {
    const token = await server.token(['rw'], { ttl: '1h', explicit_max_ttl: '3h' })
    await server.clock.advance(hour / 2)
    const renewed = await server.call('POST', 'auth/token/renew-self', { increment: '1h' }, token)
    expect(renewed.body.auth).toMatchObject({ client_token: token, lease_duration: 3600 })
    await server.clock.advance(hour / 2)
    const capped = await server.call('POST', 'auth/token/renew', { token, increment: '5h' })
    expect(capped.body.auth.lease_duration).toBe(7200)
    expect(capped.body.warnings[0]).toContain('TTL of "5h0m0s" exceeded the effective max_ttl of "2h0m0s"')
    await server.clock.advance(2 * hour + 2000)
    expect(await alive(token)).toBe(false)
  })

  it('of a periodic token is its period whatever is asked', async () => {
    const token = await server.token(['rw'], { period: '24h' })
    const answer = await server.call('POST', 'auth/token/renew-self', { increment: '1m' }, token)
    expect(answer.body.auth.lease_duration).toBe(86_400)
  })

  it('that is not renewable, or root, is not renewed', async () => {
    const token = await server.token(['rw'], { renewable: false })
    for (const caller of [token, server.root]) {
      const answer = await server.call('POST', 'auth/token/renew-self', {}, caller)
      expect(answer).toMatchObject({ status: 400, body: { errors: ['lease is not renewable'] } })
    }
  })

  it('that ran out is swept with everything that names it', async () => {
    const keys = () => server.backend.list('ns/root/', { depth: 'all', limit: 1000 })
    const before = await keys()
    const parent = await server.token(['maker'], { ttl: '1h' })
    const child = await server.token(['maker'], { ttl: '2h' }, parent)
    expect((await keys()).length).toBeGreaterThan(before.length)
    await server.clock.advance(hour + 3000)
    expect(await alive(child)).toBe(false)
    expect(await keys()).toEqual(before)
  })
})

describe('revocation', () => {
  it('takes children, grandchildren and what they hold', async () => {
    const parent = await server.token(['maker', 'rw'])
    const child = await server.token(['maker', 'rw'], {}, parent)
    const grandchild = await server.token(['rw'], {}, child)
    await server.call('GET', 'test/creds/db', undefined, grandchild)
    expect(server.world.alive).toEqual(new Set(['db']))
    expect((await server.call('POST', 'auth/token/revoke', { token: parent })).status).toBe(204)
    for (const token of [parent, child, grandchild]) expect(await alive(token)).toBe(false)
    expect(server.world.alive.size).toBe(0)
  })

  it('is effective for the whole tree from its first commit, and finished by another node after a crash', async () => {
    const parent = await server.token(['maker', 'rw'])
    const child = await server.token(['maker', 'rw'], {}, parent)
    const grandchild = await server.token(['rw'], {}, child)
    await server.call('GET', 'test/creds/db', undefined, grandchild)
    const { commit } = server.backend
    let commits = 0
    server.backend.commit = async (c) => {
      commits += 1
      if (commits > 1) throw new Error('the process dies here')
      return commit.call(server.backend, c)
    }
    expect((await server.call('POST', 'auth/token/revoke', { token: parent })).status).toBe(500)
    for (const token of [parent, child, grandchild]) expect(await alive(token)).toBe(false)
    server.backend.commit = commit
    await server.clock.advance(70_000)
    expect(server.world.revoked).toEqual(['db'])
    const left = await server.backend.list('ns/root/tokens/', { depth: 'all', limit: 100 })
    expect(left.filter((key) => key.startsWith('intent/') || key.startsWith('child/'))).toEqual([])
  })

  it('of a parent alone leaves its children as orphans', async () => {
    const parent = await server.token(['maker', 'rw'])
    const child = await server.token(['maker', 'rw'], {}, parent)
    const grandchild = await server.token(['rw'], {}, child)
    expect((await server.call('POST', 'auth/token/revoke-orphan', { token: parent })).status).toBe(204)
    expect(await alive(parent)).toBe(false)
    expect([await alive(child), await alive(grandchild)]).toEqual([true, true])
    expect((await server.call('POST', 'auth/token/lookup', { token: child })).body.data.orphan).toBe(true)
    await server.call('POST', 'auth/token/revoke', { token: child })
    expect(await alive(grandchild)).toBe(false)
  })

  it('by accessor and of oneself', async () => {
    const made = await create({ policies: ['rw'] })
    const { client_token: token, accessor } = made.body.auth
    const shown = await server.call('POST', 'auth/token/lookup-accessor', { accessor })
    expect(shown.body.data).toMatchObject({ id: '', accessor })
    expect((await server.call('POST', 'auth/token/revoke-accessor', { accessor })).status).toBe(204)
    expect(await alive(token)).toBe(false)
    const own = await server.token(['rw'])
    expect((await server.call('POST', 'auth/token/revoke-self', undefined, own)).status).toBe(204)
    expect(await alive(own)).toBe(false)
  })

  it.each([
    ['lookup', 403, 'bad token'],
    ['renew', 400, 'token not found'],
    ['revoke-orphan', 400, 'token to revoke not found'],
  ])('%s of a dead token: %i %s', async (path, status, error) => {
    const token = await server.token(['rw'])
    await server.call('POST', 'auth/token/revoke', { token })
    expect((await server.call('POST', 'auth/token/revoke', { token })).status).toBe(204)
    expect(await server.call('POST', `auth/token/${path}`, { token })).toMatchObject({
      status,
      body: { errors: [error] },
    })
  })

  it('racing with a birth leaves no child behind', async () => {
    const parent = await server.token(['maker'])
    const births = Array.from({ length: 10 }, () => create({}, parent))
    const revoked = server.call('POST', 'auth/token/revoke', { token: parent })
    const born = await Promise.all(births)
    await revoked
    for (const answer of born) {
      const token = answer.body.auth?.client_token
      if (token) expect(await alive(token)).toBe(false)
    }
  })
})

describe('accessors', () => {
  const list = (query = '') => server.call('LIST', `auth/token/accessors${query}`)

  it('are listed whole and by pages, for sudo only', async () => {
    for (let i = 0; i < 5; i += 1) await create({ policies: ['rw'] })
    const all: string[] = (await list()).body.data.keys
    expect(all.length).toBe(6)
    const first: string[] = (await list('?limit=4')).body.data.keys
    const rest: string[] = (await list(`?after=${first.at(-1)}&limit=4`)).body.data.keys
    expect([...first, ...rest]).toEqual(all)
    await server.policy('lister', 'path "auth/token/accessors/*" { capabilities = ["list"] }')
    const lister = await server.token(['lister'])
    expect((await server.call('LIST', 'auth/token/accessors', undefined, lister)).status).toBe(403)
  })

  it.each(['', 'nobody', '../../x', 'a.b.c', 'x.root', 'a/b', 'a\u0000'])('%j is nobody', async (accessor) => {
    const error = (text: string) => `1 error occurred:\n\t* ${accessor === '' ? 'missing accessor' : text}\n\n`
    const ask = (what: string) => server.call('POST', `auth/token/${what}-accessor`, { accessor })
    expect((await ask('lookup')).body.errors).toEqual([error('invalid accessor')])
    expect(await ask('renew')).toMatchObject({ status: 400, body: { errors: [error('invalid accessor')] } })
    const revoked = await ask('revoke')
    if (accessor === '') expect(revoked).toMatchObject({ status: 400, body: { errors: [error('')] } })
    else expect(revoked).toMatchObject({ status: 200, body: { warnings: ['No token found with this accessor'] } })
  })
})

describe('a request that takes its own token away', () => {
  it('gets no lease for it', async () => {
    const token = await server.token(['rw'])
    server.world.during = async () => {
      await server.call('POST', 'auth/token/revoke', { token })
    }
    const answer = await server.call('GET', 'test/creds/db', undefined, token)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    await server.clock.advance(400_000)
    expect(server.world.alive.size).toBe(0)
  })
})

describe('a token with counted uses', () => {
  it('works so often and no more, and is gone then', async () => {
    await server.call('POST', 'test/row/a', { x: 1 })
    const made = await create({ policies: ['rw'], num_uses: 2 })
    const { client_token: token, accessor } = made.body.auth
    expect((await server.call('GET', 'test/row/a', undefined, token)).status).toBe(200)
    const shown = await server.call('POST', 'auth/token/lookup-accessor', { accessor })
    expect(shown.body.data.num_uses).toBe(1)
    expect((await server.call('GET', 'test/row/a', undefined, token)).status).toBe(200)
    expect((await server.call('GET', 'test/row/a', undefined, token)).body.errors).toEqual(['permission denied'])
    expect((await server.call('POST', 'auth/token/lookup', { token })).body.errors).toEqual(['bad token'])
  })

  it('has no children', async () => {
    const token = await server.token(['maker'], { num_uses: 5 })
    expect((await create({}, token)).body.errors).toEqual(['restricted use token cannot generate child tokens'])
  })

  it('gets no lease with its last use', async () => {
    const token = await server.token(['rw'], { num_uses: 1 })
    const answer = await server.call('GET', 'test/creds/db', undefined, token)
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0]).toContain('token had one use left')
    expect(server.world.alive.size).toBe(0)
  })

  it('is counted once by two at the same time', async () => {
    await server.call('POST', 'test/row/a', { x: 1 })
    const token = await server.token(['rw'], { num_uses: 1 })
    const both = await Promise.all([1, 2, 3].map(() => server.call('GET', 'test/row/a', undefined, token)))
    expect(both.filter((answer) => answer.status === 200).length).toBe(1)
  })
})
