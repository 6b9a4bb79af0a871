import { createHash } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inject } from '../../../http/handler.ts'
import { type Answer, TestServer } from '../../../pipeline/test-server.ts'

const base = 'identity/oidc'
const provider = `${base}/provider/default`
const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
const callback = 'https://app.example/cb'
const verifier = 'canary-verifier-0123456789-0123456789-0123456789'
const s256 = createHash('sha256').update(verifier).digest('base64url')
const basic = (id: string, secret: string) => ({
  Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
})

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
  await server.call('POST', 'sys/auth/door', { type: 'door' })
})
afterEach(() => server.close())

const post = (path: string, body?: unknown, token?: string) => server.call('POST', path, body, token)
const get = (path: string, token?: string) => server.call('GET', path, undefined, token)

async function logIn(name: string): Promise<{ token: string; entityId: string }> {
  server.world.grant = { policies: [], alias: { name, metadata: { team: 'red' } } }
  const { auth } = (await post('auth/door/login', { name }, '')).body
  return { token: auth.client_token, entityId: auth.entity_id }
}

interface Client {
  readonly client_id: string
  readonly client_secret: string
}
async function client(name: string, more: object = {}): Promise<Client> {
  const key = await post(`${base}/key/es`, { algorithm: 'ES256', allowed_client_ids: '*' })
  expect(key.status).toBe(204)
  const made = await post(`${base}/client/${name}`, {
    key: 'es',
    redirect_uris: callback,
    assignments: 'allow_all',
    ...more,
  })
  expect(made.text).toBe('')
  return (await get(`${base}/client/${name}`)).body.data
}

const ask = (token: string, params: Record<string, string>, from: Pick<TestServer, 'call'> = server) =>
  from.call(
    'GET',
    `${params['provider'] ?? provider}/authorize?${new URLSearchParams({
      scope: 'openid',
      response_type: 'code',
      redirect_uri: callback,
      state: 'st',
      ...params,
    })}`,
    undefined,
    token,
  )

const exchange = (
  params: Record<string, string>,
  headers: Record<string, string> = {},
  from: Pick<TestServer, 'call'> = server,
) =>
  from.call(
    'POST',
    `${params['provider'] ?? provider}/token`,
    `${new URLSearchParams({ grant_type: 'authorization_code', redirect_uri: callback, ...params })}`,
    '',
    { ...form, ...headers },
  )

const userInfo = (token: string, path = provider, from = server) =>
  from.call('GET', `${path}/userinfo`, undefined, '', { Authorization: `Bearer ${token}` })

const problem = (answer: Answer) => [answer.status, answer.body.error, answer.body.error_description]

describe('a login at another application', () => {
  it('works on any node: discovery, code, tokens that the published keys verify, userinfo', async () => {
    const other = await server.another()
    await post('identity/group', { name: 'devs' })
    await post(`${base}/scope/team`, { template: '{"team": {{identity.entity.metadata.team}}, "at": {{time.now}}}' })
    await post(`${base}/scope/unasked`, { template: '{"more": "x"}' })
    await post(provider, { scopes_supported: 'team,unasked', issuer: 'https://vault.example:8200' })
    const app = await client('app')
    const { token, entityId } = await logIn('anna')
    await post(`identity/entity/id/${entityId}`, { metadata: { team: 'red' } })

    const found = (await get(`${provider}/.well-known/openid-configuration`, '')).body
    const issuer = 'https://vault.example:8200/v1/identity/oidc/provider/default'
    expect(found).toMatchObject({
      issuer,
      token_endpoint: `${issuer}/token`,
      authorization_endpoint: 'https://vault.example:8200/ui/vault/identity/oidc/provider/default/authorize',
      scopes_supported: ['team', 'unasked', 'openid'],
    })
    const asked = { client_id: app.client_id, scope: 'openid team nothing', nonce: 'n-1', max_age: '600' }
    server.clock.stepWall(60_000)
    const authorized = await ask(token, asked)
    expect(authorized.body).toEqual({ code: expect.stringMatching(/^\w{32}$/), state: 'st' })
    const { code } = authorized.body

    const made = await exchange({ code }, basic(app.client_id, app.client_secret), other)
    expect(made.status).toBe(200)
    expect(made.headers).toMatchObject({ 'Cache-Control': 'no-store', Pragma: 'no-cache' })
    expect(made.body).toMatchObject({ token_type: 'Bearer', expires_in: 86_400 })

    const jwks = (await get(`${provider}/.well-known/keys`, '')).body
    const { payload } = await jwtVerify(made.body.id_token, createLocalJWKSet(jwks), {
      issuer,
      audience: app.client_id,
      currentDate: new Date(server.clock.now()),
    })
    const half = (text: string) => createHash('sha256').update(text).digest().subarray(0, 16).toString('base64url')
    const now = Math.floor(server.clock.now() / 1000)
    expect(payload).toEqual({
      iss: issuer,
      aud: app.client_id,
      sub: entityId,
      namespace: 'root',
      iat: now,
      exp: now + 86_400,
      nonce: 'n-1',
      auth_time: now - 60,
      at_hash: half(made.body.access_token),
      c_hash: half(code),
      team: 'red',
      at: now,
    })

    const info = await userInfo(made.body.access_token, provider, other)
    expect([info.status, info.body]).toEqual([200, { sub: entityId, team: 'red', at: now }])
    await other.close()
  })

  it('of a public client needs PKCE and no secret', async () => {
    const app = await client('spa', { client_type: 'public' })
    expect(app.client_secret).toBeUndefined()
    const { token } = await logIn('anna')
    const { client_id } = app
    expect(problem(await ask(token, { client_id }))).toEqual([
      400,
      'invalid_request',
      'PKCE is required for public clients',
    ])
    for (const [method, challenge] of [
      ['S256', s256],
      ['plain', verifier],
    ] as const) {
      const { code } = (await ask(token, { client_id, code_challenge: challenge, code_challenge_method: method })).body
      const wrong = await exchange({ code, client_id, code_verifier: `${verifier}x` })
      expect(problem(wrong)).toEqual([400, 'invalid_grant', 'invalid code_verifier for token exchange'])
      // The first attempt has used it up.
      const late = await exchange({ code, client_id, code_verifier: verifier })
      expect(problem(late)).toEqual([400, 'invalid_grant', 'authorization grant is invalid or expired'])
      const again = (await ask(token, { client_id, code_challenge: challenge, code_challenge_method: method })).body
      expect((await exchange({ code: again.code, client_id, code_verifier: verifier })).status).toBe(200)
    }
  })

  it('gives a code that is good once, for five minutes, and leaves no row behind', async () => {
    const app = await client('app')
    const { token } = await logIn('anna')
    const { client_id, client_secret } = app
    const codes = () => server.backend.list('ns/root/identity/oidc/code/', { depth: 'all', limit: 10 })
    const { code } = (await ask(token, { client_id })).body
    expect(await codes()).toEqual([createHash('sha256').update(code).digest('hex')])
    const both = await Promise.all([1, 2].map(() => exchange({ code, client_id, client_secret })))
    expect(both.map((one) => one.status).sort()).toEqual([200, 400])
    expect(await codes()).toEqual([])
    const late = (await ask(token, { client_id })).body.code
    server.clock.stepWall(5 * 60_000)
    expect(problem(await exchange({ code: late, client_id, client_secret }))).toEqual([
      400,
      'invalid_grant',
      'authorization grant is invalid or expired',
    ])
    await ask(token, { client_id })
    expect(await codes()).toHaveLength(1)
    for (let i = 0; i < 8; i += 1) await server.clock.advance(60_000)
    expect(await codes()).toEqual([])
    const due = await server.backend.list('ns/root/due/', { depth: 'all', limit: 100 })
    expect(due.filter((name) => name.includes('oidc'))).toEqual([])
  })

  it('asks for a new login when the last one is too long ago', async () => {
    const app = await client('app')
    const { token } = await logIn('anna')
    server.clock.stepWall(61_000)
    const { client_id } = app
    expect(problem(await ask(token, { client_id, max_age: '60' }))).toEqual([
      400,
      'max_age_violation',
      'active re-authentication is required by max_age',
    ])
    expect(problem(await ask(token, { client_id, max_age: '0' }))[2]).toBe('max_age must be greater than zero')
    expect((await ask(token, { client_id, max_age: '61' })).status).toBe(200)
  })
})

describe('the authorization endpoint', () => {
  it("refuses with the state and Vault's words what no client may ask", async () => {
    const app = await client('app')
    const { token } = await logIn('anna')
    const { client_id } = app
    await post(`${base}/provider/closed`, {})
    const closed = `${base}/provider/closed`
    await client('machine', { authorization_code: false, client_credentials: true })
    const machine = (await get(`${base}/client/machine`)).body.data.client_id
    const cases: [Record<string, string>, string, string][] = [
      [{}, 'invalid_client_id', 'client_id parameter is required'],
      [{ client_id: 'x'.repeat(32) }, 'invalid_client_id', 'client with client_id not found'],
      [{ client_id: '../app' }, 'invalid_client_id', 'client with client_id not found'],
      [{ client_id: machine }, 'invalid_grant', 'client not allowed to perform authorization code credential flow'],
      [{ client_id, redirect_uri: '' }, 'invalid_request', 'redirect_uri parameter is required'],
      [
        { client_id, redirect_uri: `${callback}/` },
        'invalid_redirect_uri',
        'redirect_uri is not allowed for the client',
      ],
      [{ client_id, provider: `${base}/provider/none` }, 'invalid_request', 'provider not found'],
      [{ client_id, provider: closed }, 'unauthorized_client', 'client is not authorized to use the provider'],
      [{ client_id, scope: 'profile' }, 'invalid_request', 'scope parameter must contain the "openid" value'],
      [{ client_id, response_type: '' }, 'invalid_request', 'response_type parameter is required'],
      [{ client_id, response_type: 'token' }, 'unsupported_response_type', 'unsupported response_type value'],
      [{ client_id, code_challenge: 'short' }, 'invalid_request', 'invalid code_challenge'],
      [
        { client_id, code_challenge: s256, code_challenge_method: 's256' },
        'invalid_request',
        'invalid code_challenge_method',
      ],
    ]
    for (const [params, error, error_description] of cases) {
      const answer = await ask(token, params)
      expect([answer.status, answer.body]).toEqual([400, { error, error_description, state: 'st' }])
    }
    const object = await ask(token, { client_id, request: 'x' })
    expect(object.body).toEqual({
      error: 'request_not_supported',
      error_description: 'request parameter is not supported',
      state: '',
    })
    expect((await ask(token, { client_id, request_uri: 'x' })).body.error).toBe('request_uri_not_supported')
    expect(problem(await ask(server.root, { client_id }))).toEqual([
      400,
      'access_denied',
      'identity entity must be associated with the request',
    ])
    expect((await ask('', { client_id })).status).toBe(403)
  })

  it('lets in whom an assignment names, directly or by a group, until that changes', async () => {
    const { token, entityId } = await logIn('anna')
    const group = (await post('identity/group', { name: 'g', member_entity_ids: entityId })).body.data.id
    await post(`${base}/assignment/people`, { entity_ids: [], group_ids: [group.toUpperCase()] })
    const { client_id, client_secret } = await client('app', { assignments: 'people' })
    const { code } = (await ask(token, { client_id })).body
    const { access_token } = (await exchange({ code, client_id, client_secret })).body
    const late = (await ask(token, { client_id })).body.code
    await post(`${base}/assignment/people`, { group_ids: [] })
    const denied = 'identity entity not authorized by client assignment'
    expect(problem(await ask(token, { client_id }))).toEqual([400, 'access_denied', denied])
    expect(problem(await exchange({ code: late, client_id, client_secret }))).toEqual([400, 'invalid_request', denied])
    expect(problem(await userInfo(access_token))).toEqual([403, 'access_denied', denied])
    await post(`${base}/assignment/people`, { entity_ids: entityId })
    expect((await userInfo(access_token)).status).toBe(200)
    await post(`identity/entity/id/${entityId}`, { disabled: true })
    expect(problem(await userInfo(access_token))).toEqual([403, 'access_denied', denied])
    await server.call('DELETE', `identity/entity/id/${entityId}`)
    expect(problem(await userInfo(access_token))[2]).toBe('identity entity associated with the request not found')
  })

  it('takes a program at the loopback interface back to whichever port it got', async () => {
    const { token } = await logIn('anna')
    const { client_id } = await client('cli', { redirect_uris: ['http://127.0.0.1/cb', 'http://localhost:1/cb'] })
    for (const redirect_uri of ['http://127.0.0.1:5000/cb', 'http://127.0.0.1/cb', 'http://localhost:99/cb'])
      expect((await ask(token, { client_id, redirect_uri })).status).toBe(200)
    for (const redirect_uri of [
      'http://127.0.0.1:5000/cb?x',
      'https://127.0.0.1:5000/cb',
      'http://127.0.0.1.evil.example/cb',
      'http://127.0.0.1:80@evil.example/cb',
      'http://127.0.0.1:123456/cb',
      'http://[::1]:5000/cb',
    ])
      expect(problem(await ask(token, { client_id, redirect_uri }))[1]).toBe('invalid_redirect_uri')
  })
})

describe('the token endpoint', () => {
  it("refuses clients that can't prove who they are", async () => {
    const { client_id, client_secret } = await client('app')
    const failed = [401, 'invalid_client', 'client failed to authenticate']
    const wrong: Record<string, string>[] = [
      { client_id, client_secret: `${client_secret}x` },
      { client_id },
      { client_id: 'y'.repeat(32), client_secret },
    ]
    for (const params of wrong) {
      const answer = await exchange(params)
      expect(problem(answer)).toEqual(failed)
      expect(answer.headers).toMatchObject({ 'WWW-Authenticate': 'Basic', 'Cache-Control': 'no-store' })
    }
    expect(problem(await exchange({}, basic(client_id, 'wrong')))).toEqual(failed)
    expect(problem(await exchange({}))).toEqual([400, 'invalid_request', 'client_id parameter is required'])
    await post(provider, { allowed_client_ids: 'other' })
    expect(problem(await exchange({ client_id, client_secret }))[2]).toBe(
      'client is not authorized to use the provider',
    )
    await post(provider, { allowed_client_ids: '*' })
    await post(`${base}/key/es`, { allowed_client_ids: 'other' })
    expect(problem(await exchange({ client_id, client_secret }))).toEqual([
      401,
      'invalid_client',
      'client is not authorized to use the key',
    ])
  })

  it("refuses codes of others and requests that don't fit them", async () => {
    const { token } = await logIn('anna')
    const { client_id, client_secret } = await client('app')
    const second = await client('second')
    await post(`${base}/provider/more`, { allowed_client_ids: '*' })
    const fresh = async (more: Record<string, string> = {}) => (await ask(token, { client_id, ...more })).body.code
    const own = { client_id, client_secret }
    const cases: [Record<string, string>, string, string][] = [
      [{ ...own }, 'invalid_request', 'code parameter is required'],
      [{ ...own, code: 'no-such-code' }, 'invalid_grant', 'authorization grant is invalid or expired'],
      [
        { client_id: second.client_id, client_secret: second.client_secret, code: await fresh() },
        'invalid_grant',
        'authorization code was not issued to the client',
      ],
      [
        { ...own, code: await fresh(), provider: `${base}/provider/more` },
        'invalid_grant',
        'authorization code was not issued by the provider',
      ],
      [{ ...own, code: await fresh(), redirect_uri: '' }, 'invalid_request', 'redirect_uri parameter is required'],
      [
        { ...own, code: await fresh(), redirect_uri: 'https://evil.example/' },
        'invalid_grant',
        'redirect_uri does not match the redirect_uri used in the authorization request',
      ],
      [
        { ...own, code: await fresh(), code_verifier: verifier },
        'invalid_request',
        'unexpected code_verifier for token exchange',
      ],
      [
        { ...own, code: await fresh({ code_challenge: s256, code_challenge_method: 'S256' }) },
        'invalid_request',
        'expected code_verifier for token exchange',
      ],
      [
        { ...own, grant_type: 'password' },
        'unsupported_grant_type',
        'unsupported grant_type or parameter is empty value',
      ],
      [
        { ...own, grant_type: 'client_credentials' },
        'invalid_grant',
        'client is not authorized to use given credentials flow',
      ],
      [{ ...own, provider: `${base}/provider/none` }, 'invalid_request', 'provider not found'],
    ]
    for (const [params, error, description] of cases) {
      expect(problem(await exchange(params))).toEqual([400, error, description])
    }
  })

  it('gives a client a token in its own name', async () => {
    await post(`${base}/scope/env`, { template: '{"env": "test", "who": {{identity.entity.name}}}' })
    await post(provider, { scopes_supported: 'env' })
    const app = await client('machine', { client_credentials: true, id_token_ttl: '10m' })
    const asked = { grant_type: 'client_credentials', scope: 'openid env' }
    const made = await exchange(asked, basic(app.client_id, app.client_secret))
    expect(made.body).toEqual({ token_type: 'Bearer', access_token: expect.any(String), expires_in: 600 })
    const jwks = createLocalJWKSet((await get(`${provider}/.well-known/keys`, '')).body)
    const { payload } = await jwtVerify(made.body.access_token, jwks, { currentDate: new Date(server.clock.now()) })
    expect(payload).toMatchObject({
      sub: app.client_id,
      aud: app.client_id,
      env: 'test',
      who: '',
      jti: expect.any(String),
    })
    const unasked = await exchange({ ...asked, scope: 'env' }, basic(app.client_id, app.client_secret))
    expect(problem(unasked)[2]).toBe('scope parameter must contain the "openid" value')
    const open = await post(`${base}/client/open`, { client_type: 'public', client_credentials: true })
    expect(open.body.errors).toEqual(['client_credentials needs a confidential client: a public one has no secret'])
  })
})

describe('an access token', () => {
  async function accessToken() {
    const { token, entityId } = await logIn('anna')
    await server.policy('all', 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }')
    await post(`identity/entity/id/${entityId}`, { policies: 'all' })
    const { client_id, client_secret } = await client('app', { access_token_ttl: '1m' })
    const { code } = (await ask(token, { client_id })).body
    const made = await exchange({ code, client_id, client_secret })
    return { token, entityId, client_id, access: String(made.body.access_token) }
  }

  it('opens userinfo of its provider and nothing else, whatever its entity may do', async () => {
    const { access, entityId } = await accessToken()
    expect((await userInfo(access)).body).toEqual({ sub: entityId })
    await post(`${base}/provider/more`, { allowed_client_ids: '*' })
    expect(problem(await userInfo(access, `${base}/provider/more`))).toEqual([
      401,
      'invalid_token',
      'access token is malformed or invalid',
    ])
    for (const path of ['sys/mounts', 'auth/token/lookup-self', 'identity/entity/name/x', 'cubbyhole/a'])
      expect((await get(path, access)).status).toBe(403)
    expect((await ask(access, {})).status).toBe(403)
    expect((await post('auth/token/create', {}, access)).status).toBe(403)
  })

  it('is needed, as a Bearer token, while it lives', async () => {
    const { access, token, client_id, entityId } = await accessToken()
    const asked = 'access token must be sent as a Bearer token'
    for (const answer of [await get(`${provider}/userinfo`, access), await get(`${provider}/userinfo`, '')]) {
      expect(problem(answer)).toEqual([401, 'invalid_token', asked])
      expect(answer.headers).toMatchObject({
        'WWW-Authenticate': `Bearer error="invalid_token",error_description="${asked}"`,
      })
    }
    // Tokens of other kinds are none, not even one that says the same of itself.
    const meta = { oidc_token_type: 'access token', client_id, entity_id: entityId, scopes: '' }
    const forged = (await post('auth/token/create-orphan', { type: 'batch', policies: 'default', meta, ttl: '1h' }))
      .body.auth.client_token
    for (const other of [token, server.root, forged])
      expect(problem(await userInfo(other))[2]).toBe('access token is malformed or invalid')
    expect(problem(await userInfo(access, `${base}/provider/none`))).toEqual([
      400,
      'invalid_request',
      'provider not found',
    ])
    await post(provider, { allowed_client_ids: 'other' })
    expect(problem(await userInfo(access))).toEqual([
      403,
      'access_denied',
      'client is not authorized to use the provider',
    ])
    await server.call('DELETE', `${base}/client/app`)
    expect(problem(await userInfo(access))).toEqual([403, 'access_denied', 'client not found'])
    server.clock.stepWall(60_000)
    expect(problem(await userInfo(access))).toEqual([401, 'invalid_token', 'access token is expired'])
  })

  it('whose scopes say two things of one name opens nothing', async () => {
    const { token } = await logIn('anna')
    await post(`${base}/scope/a`, { template: '{"x": 1}' })
    await post(`${base}/scope/b`, { template: '{"x": 2}' })
    const warned = await post(provider, { scopes_supported: 'a,b' })
    expect(warned.body.warnings[0]).toContain('conflict "x" in scopes "b", "a"')
    const { client_id, client_secret } = await client('app')
    const { code } = (await ask(token, { client_id, scope: 'openid a b' })).body
    expect(problem(await exchange({ code, client_id, client_secret }))).toEqual([
      400,
      'invalid_request',
      'found scopes with conflicting top-level claim: claim "x" in scopes "b", "a"',
    ])
  })
})

describe('a namespace', () => {
  it('is a provider of its own: clients, codes and tokens of another are nothing there', async () => {
    await post('sys/namespaces/team')
    const { client_id, client_secret } = await client('app')
    const { token } = await logIn('anna')
    const { code } = (await ask(token, { client_id })).body
    const team = `team/${provider}`
    expect(problem(await exchange({ provider: team, code, client_id, client_secret }))[1]).toBe('invalid_client')
    const { access_token } = (await exchange({ code, client_id, client_secret })).body
    expect(problem(await userInfo(access_token, team))[2]).toBe('access token is malformed or invalid')
    expect((await get(`${team}/.well-known/keys`, '')).body).toEqual({ keys: [] })
    expect((await get(`${team}/.well-known/openid-configuration`, '')).body.issuer).toMatch(
      /\/v1\/team\/identity\/oidc/,
    )
  })
})

describe('secrets', () => {
  it("of clients, codes, verifiers and tokens are in no audit line and no row's name", async () => {
    await post('sys/audit/a', { type: 'test' })
    const { token } = await logIn('anna')
    const { client_id, client_secret } = await client('app')
    const { code } = (await ask(token, { client_id, code_challenge: verifier })).body
    const made = await inject(server.core.handler, {
      method: 'POST',
      path: `/v1/${provider}/token`,
      headers: { ...form, ...basic(client_id, client_secret) },
      body: `${new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: callback, code_verifier: verifier })}`,
    })
    const { access_token, id_token } = JSON.parse(made.body)
    await exchange({ client_id, client_secret })
    await userInfo(access_token)
    const names: string[] = []
    for (;;) {
      const page = await server.backend.list('', { depth: 'all', limit: 1000, after: names.at(-1) })
      names.push(...page)
      if (page.length < 1000) break
    }
    const seen = JSON.stringify([server.device.lines, names])
    expect(seen).toContain('provider/default/token')
    for (const secret of [
      client_secret,
      code,
      verifier,
      access_token,
      id_token,
      basic(client_id, client_secret).Authorization,
    ])
      expect(seen).not.toContain(secret)
  })
})
