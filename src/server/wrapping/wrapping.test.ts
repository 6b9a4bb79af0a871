import { importJWK, jwtVerify } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
  await server.call('POST', 'test/row/a', { secret: 'canary-7431', n: 1.0 })
})
afterEach(() => server.close())

const ttl = (value: string) => ({ 'X-Vault-Wrap-TTL': value })
const wrapped = async (method = 'GET', path = 'test/row/a', body?: unknown, time = '60s') =>
  (await server.call(method, path, body, undefined, ttl(time))).body
const unwrap = (token: string, by?: string) => server.call('PUT', 'sys/wrapping/unwrap', { token }, by)
const gone = { status: 400, body: { errors: ['wrapping token is not valid or does not exist'] } }

describe('a wrapped answer', () => {
  it('shows only where it waits', async () => {
    const { wrap_info, ...rest } = await wrapped()
    expect(rest).toEqual({
      request_id: '',
      lease_id: '',
      renewable: false,
      lease_duration: 0,
      data: null,
      warnings: null,
      auth: null,
    })
    expect(wrap_info).toEqual({
      token: expect.stringMatching(/^hvs\.[0-9A-Za-z]{24}$/),
      accessor: expect.stringMatching(/^[0-9A-Za-z]{24}$/),
      ttl: 60,
      creation_time: expect.stringMatching(/Z$/),
      creation_path: 'test/row/a',
    })
  })

  it('comes out as it would have been, with its own request id, to the byte', async () => {
    const plain = await server.call('GET', 'test/row/a')
    const { wrap_info } = await wrapped()
    const answer = await unwrap(wrap_info.token)
    const withoutId = (text: string) => text.replace(/"request_id":"[^"]*"/, '')
    expect(withoutId(answer.text)).toBe(withoutId(plain.text))
    expect(answer.body.request_id).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('comes out once', async () => {
    const { wrap_info } = await wrapped()
    expect((await unwrap(wrap_info.token)).status).toBe(200)
    expect(await unwrap(wrap_info.token)).toMatchObject(gone)
    expect(await unwrap('', wrap_info.token)).toMatchObject(gone)
  })

  it('comes out to one of many who ask at once', async () => {
    const { wrap_info } = await wrapped()
    const answers = await Promise.all(Array.from({ length: 8 }, () => unwrap(wrap_info.token)))
    expect(answers.filter(({ status }) => status === 200).length).toBe(1)
    expect(answers.filter(({ status }) => status === 400).length).toBe(7)
  })

  it('opens itself: the wrapping token is enough', async () => {
    const { wrap_info } = await wrapped()
    expect((await server.call('PUT', 'sys/wrapping/unwrap', {}, wrap_info.token)).body.data.secret).toBe('canary-7431')
  })

  it('leaves nothing in storage', async () => {
    const before = await server.backend.list('', { depth: 'all', limit: 10_000 })
    const { wrap_info } = await wrapped()
    await unwrap(wrap_info.token)
    expect(await server.backend.list('', { depth: 'all', limit: 10_000 })).toEqual(before)
  })

  it('is gone when its time is over', async () => {
    const { wrap_info } = await wrapped('GET', 'test/row/a', undefined, '5s')
    await server.clock.advance(5_001)
    expect(await unwrap(wrap_info.token)).toMatchObject(gone)
    expect(await server.call('PUT', 'sys/wrapping/lookup', { token: wrap_info.token }, '')).toMatchObject(gone)
  })

  it('is not opened by who has neither the right nor the token', async () => {
    await server.policy('none', 'path "x" { capabilities = ["read"] }')
    const poor = await server.token(['none'], { no_default_policy: true })
    const { wrap_info } = await wrapped()
    expect((await unwrap(wrap_info.token, poor)).status).toBe(403)
    expect((await unwrap(wrap_info.token, '')).status).toBe(403)
    expect((await unwrap(wrap_info.token, 'hvs.nonsense')).status).toBe(403)
    expect((await unwrap(wrap_info.token)).status).toBe(200)
  })

  it('can be used for nothing else', async () => {
    const { wrap_info } = await wrapped()
    expect((await server.call('GET', 'test/row/a', undefined, wrap_info.token)).status).toBe(403)
  })

  it('is looked up without any token and without using it up', async () => {
    const { wrap_info } = await wrapped()
    for (let i = 0; i < 3; i += 1) {
      const looked = await server.call('PUT', 'sys/wrapping/lookup', { token: wrap_info.token }, '')
      expect(looked.body.data).toEqual({
        creation_path: 'test/row/a',
        creation_time: wrap_info.creation_time,
        creation_ttl: 60,
      })
    }
    expect((await unwrap(wrap_info.token)).status).toBe(200)
  })

  it('moves to another token with its path and time; the old one is used up', async () => {
    const first = (await wrapped()).wrap_info
    const second = (await server.call('PUT', 'sys/wrapping/rewrap', { token: first.token })).body.wrap_info
    expect(second).toMatchObject({ ttl: 60, creation_path: 'test/row/a' })
    expect(second.token).not.toBe(first.token)
    expect(await unwrap(first.token)).toMatchObject(gone)
    expect((await unwrap(second.token)).body.data.secret).toBe('canary-7431')
  })

  it('hides the token of a login or a creation, and names its accessor', async () => {
    const { wrap_info } = await wrapped('POST', 'auth/token/create', { policies: ['default'] })
    expect(wrap_info.wrapped_accessor).toMatch(/^[0-9A-Za-z]{24}$/)
    const { auth } = (await unwrap(wrap_info.token)).body
    expect(auth.accessor).toBe(wrap_info.wrapped_accessor)
    expect((await server.call('GET', 'auth/token/lookup-self', undefined, auth.client_token)).status).toBe(200)
  })
})

describe('a wrapping token as a JWT', () => {
  const jwt = { ...ttl('60s'), 'X-Vault-Wrap-Format': 'jwt' }
  const made = async () =>
    (await server.call('GET', 'test/row/a', undefined, undefined, jwt)).body.wrap_info.token as string

  it('is signed with the key that everyone can ask for, and opens as others do', async () => {
    const token = await made()
    const { jwt_x, jwt_y } = (await server.call('GET', 'sys/wrapping/pubkey', undefined, '')).body.data
    const part = (text: string) =>
      Buffer.from(BigInt(text).toString(16).padStart(132, '0'), 'hex').toString('base64url')
    const key = await importJWK({ kty: 'EC', crv: 'P-521', x: part(jwt_x), y: part(jwt_y) }, 'ES512')
    const { payload } = await jwtVerify(token, key, { currentDate: new Date(server.clock.now()) })
    expect(payload).toMatchObject({ type: 'wrapping', exp: (payload.iat ?? 0) + 60 })
    expect((await unwrap(token)).body.data.secret).toBe('canary-7431')
    expect(await unwrap(token)).toMatchObject(gone)
  })

  it.each([
    ['of another signature', (text: string) => `${text.slice(0, -4)}AAAA`],
    ['without one', (text: string) => text.slice(0, text.lastIndexOf('.') + 1)],
    ['that says it needs none', (text: string) => `eyJhbGciOiJub25lIn0.${text.split('.')[1]}.`],
    ['with more', (text: string) => `${text}.x`],
    ['cut', () => 'eyJ'],
  ])('%s opens nothing', async (_, change) => {
    const token = await made()
    expect(await unwrap(change(token))).toMatchObject(gone)
    expect((await unwrap(token)).status).toBe(200)
  })
})

describe('what is not wrapped', () => {
  it.each([
    ['GET', 'test/row/none', undefined, 404],
    ['POST', 'test/row/b', { a: 1 }, 204],
    ['DELETE', 'test/broken', undefined, 400],
    ['GET', 'sys/health', undefined, 200],
  ])('%s %s', async (method, path, body, status) => {
    const answer = await server.call(method, path, body, undefined, ttl('60s'))
    expect([answer.status, answer.body?.wrap_info ?? undefined]).toEqual([status, undefined])
  })
})

describe('sys/wrapping/wrap', () => {
  it('wraps what it is given', async () => {
    const { wrap_info } = await wrapped('PUT', 'sys/wrapping/wrap', { a: { b: 1 } }, '1m')
    expect(wrap_info).toMatchObject({ creation_path: 'sys/wrapping/wrap', ttl: 60 })
    expect((await unwrap(wrap_info.token)).body.data).toEqual({ a: { b: 1 } })
  })

  it('needs the header', async () => {
    expect(await server.call('PUT', 'sys/wrapping/wrap', { a: 1 })).toMatchObject({
      status: 400,
      body: { errors: ['endpoint requires response wrapping to be used'] },
    })
  })

  it.each([
    ['-1', 'error parsing X-Vault-Wrap-TTL header: requested wrap ttl cannot be negative'],
    ['soon', 'error parsing X-Vault-Wrap-TTL: invalid duration "soon"'],
  ])('refuses the time %j', async (time, error) => {
    expect(await server.call('PUT', 'sys/wrapping/wrap', { a: 1 }, undefined, ttl(time))).toMatchObject({
      status: 400,
      body: { errors: [error] },
    })
  })
})

describe('policies about wrapping', () => {
  it('can demand it, and bound its time', async () => {
    await server.policy(
      'w',
      'path "test/row/*" { capabilities = ["read"] min_wrapping_ttl = "10s" max_wrapping_ttl = "90s" }',
    )
    const token = await server.token(['w'])
    const ask = (headers: Record<string, string>) => server.call('GET', 'test/row/a', undefined, token, headers)
    expect((await ask({})).status).toBe(403)
    expect((await ask(ttl('5s'))).status).toBe(403)
    expect((await ask(ttl('2m'))).status).toBe(403)
    expect((await ask(ttl('60s'))).body.wrap_info.ttl).toBe(60)
  })
})

describe('audit of what is wrapped', () => {
  it('has the wrapping token only hashed and the answer not at all', async () => {
    await server.call('PUT', 'sys/audit/test', { type: 'test' })
    const { wrap_info } = await wrapped()
    const text = JSON.stringify(server.device.lines)
    expect(text).not.toContain(wrap_info.token)
    expect(text).not.toContain('canary-7431')
    expect(server.device.lines.at(-1)).toMatchObject({
      response: { wrap_info: { ttl: 60, creation_path: 'test/row/a', token: expect.stringMatching(/^hmac-sha256:/) } },
    })
  })

  it('revokes the wrapping token when its line is refused', async () => {
    await server.call('PUT', 'sys/audit/test', { type: 'test' })
    const before = await server.backend.list('cubbyhole/', { depth: 'all', limit: 100 })
    server.device.refuse = (line) => line['type'] === 'response'
    expect((await server.call('GET', 'test/row/a', undefined, undefined, ttl('60s'))).status).toBe(500)
    server.device.refuse = () => false
    expect(await server.backend.list('cubbyhole/', { depth: 'all', limit: 100 })).toEqual(before)
  })
})
