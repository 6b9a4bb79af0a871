import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { base32, hotp, stepAt, type TotpAlgorithm } from '../../../lib/totp.ts'
import { TestServer } from '../../pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
  await server.call('POST', 'sys/auth/door', { type: 'door' })
  server.world.grant = { alias: { name: 'anna', metadata: {} } }
})
afterEach(() => server.close())

const post = (path: string, body: unknown = {}, token?: string, headers = {}) =>
  server.call('POST', path, body, token, headers)
const login = (headers: Record<string, string> = {}, on = server) =>
  on.call('POST', 'auth/door/login', { name: 'anna' }, '', headers)
const validate = (mfa_request_id: string, mfa_payload: unknown, on = server) =>
  on.call('POST', 'sys/mfa/validate', { mfa_request_id, mfa_payload }, '')
const rows = (prefix: string) => server.backend.list(prefix, { depth: 'all', limit: 1000 })

async function method(more: Record<string, unknown> = {}): Promise<string> {
  const made = await post('identity/mfa/method/totp', { issuer: 'Coffer', method_name: 'phone', ...more })
  return made.body.data.method_id
}

async function anna(): Promise<string> {
  const token = (await login()).body.auth.client_token
  return (await server.call('GET', 'auth/token/lookup-self', undefined, token)).body.data.entity_id
}

const base32Bytes = (text: string) => {
  const bits = [...text].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('')
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
}

interface App {
  code(offset?: number): string
  readonly url: URL
}
/** What a person's authenticator does with the URL. */
function appOf(text: string): App {
  const url = new URL(text)
  const key = base32Bytes(url.searchParams.get('secret') ?? '')
  const period = Number(url.searchParams.get('period'))
  const digits = Number(url.searchParams.get('digits'))
  const algorithm = url.searchParams.get('algorithm') as TotpAlgorithm
  expect(base32(key)).toBe(url.searchParams.get('secret'))
  return { url, code: (offset = 0) => hotp(key, stepAt(server.clock.now(), period) + offset, algorithm, digits) }
}

async function enrol(methodId: string, entityId: string): Promise<App> {
  const made = await post('identity/mfa/method/totp/admin-generate', { method_id: methodId, entity_id: entityId })
  return appOf(made.body.data.url)
}

async function enforced(more: Record<string, unknown> = {}, change: Record<string, unknown> = {}) {
  const id = await method(more)
  const entityId = await anna()
  const app = await enrol(id, entityId)
  const made = await post('identity/mfa/login-enforcement/door', {
    mfa_method_ids: [id],
    auth_method_types: ['door'],
    ...change,
  })
  expect(made.status).toBe(204)
  return { id, entityId, app }
}

const wrongFor = (app: App) => String((Number(app.code()) + 1) % 1e6).padStart(6, '0')

describe('a login with a second factor', () => {
  it('gives no token before it is shown, and all of it after', async () => {
    const { id, app, entityId } = await enforced()
    const before = await rows('ns/root/tokens/login/')
    const waiting = await login()
    expect(waiting.status).toBe(200)
    expect(waiting.body.warnings).toEqual([expect.stringContaining('subject to MFA validation')])
    expect(waiting.body.auth).toEqual({
      client_token: '',
      accessor: '',
      policies: null,
      metadata: null,
      lease_duration: 0,
      renewable: false,
      entity_id: '',
      token_type: 'default',
      orphan: false,
      num_uses: 0,
      mfa_requirement: {
        mfa_request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        mfa_constraints: { door: { any: [{ type: 'totp', id, uses_passcode: true, name: 'phone' }] } },
      },
    })
    expect(await rows('ns/root/tokens/login/')).toEqual(before)
    const { mfa_request_id } = waiting.body.auth.mfa_requirement
    const done = await validate(mfa_request_id, { [id]: [app.code()] })
    expect(done.status).toBe(200)
    expect(done.body.auth).toMatchObject({
      client_token: expect.stringMatching(/^hvs\./),
      policies: ['default', 'rw'],
      metadata: { role: 'r' },
      lease_duration: 3600,
      entity_id: entityId,
      mfa_requirement: null,
    })
    const shown = await server.call('GET', 'auth/token/lookup-self', undefined, done.body.auth.client_token)
    expect(shown.body.data).toMatchObject({ display_name: 'door-anna', path: 'auth/door/login' })
    // It can be renewed by its method and goes with its mount, as any login's.
    expect((await post('auth/token/renew-self', {}, done.body.auth.client_token)).status).toBe(200)
    await server.call('DELETE', 'sys/auth/door')
    expect((await server.call('GET', 'auth/token/lookup-self', undefined, done.body.auth.client_token)).status).toBe(
      403,
    )
  })

  it('is finished once', async () => {
    const { id, app } = await enforced()
    const requestId = (await login()).body.auth.mfa_requirement.mfa_request_id
    expect((await validate(requestId, { [id]: [app.code()] })).status).toBe(200)
    await server.clock.advance(60_000)
    const again = await validate(requestId, { [id]: [app.code()] })
    expect(again).toMatchObject({ status: 400, body: { errors: ['invalid request ID'] } })
  })

  it('is finished once when two nodes are asked at the same time', async () => {
    const { id, app } = await enforced()
    const other = await server.another()
    const requestId = (await login()).body.auth.mfa_requirement.mfa_request_id
    // Each shows a passcode that is good by itself.
    const answers = await Promise.all([
      validate(requestId, { [id]: [app.code()] }),
      validate(requestId, { [id]: [app.code(1)] }, other),
      validate(requestId, { [id]: [app.code(-1)] }),
    ])
    expect(answers.filter((answer) => answer.body.auth?.client_token)).toHaveLength(1)
    await other.close()
  })

  it('can be finished by another node, after a restart, and not after five minutes', async () => {
    const { id, app } = await enforced()
    const first = (await login()).body.auth.mfa_requirement.mfa_request_id
    const late = (await login()).body.auth.mfa_requirement.mfa_request_id
    const other = await server.another()
    await server.clock.advance(299_000)
    expect((await validate(first, { [id]: [app.code()] }, other)).status).toBe(200)
    await server.clock.advance(31_000)
    expect(await validate(late, { [id]: [app.code()] }, other)).toMatchObject({
      status: 400,
      body: { errors: ['invalid request ID'] },
    })
    await other.close()
  })

  it('is forgotten with all that was remembered of passcodes', async () => {
    const { id, app } = await enforced()
    const requestId = (await login()).body.auth.mfa_requirement.mfa_request_id
    await login()
    await validate(requestId, { [id]: [app.code()] })
    expect(await rows('ns/root/identity/mfa/request/')).toHaveLength(1)
    expect(await rows('ns/root/identity/mfa/state/')).toHaveLength(1)
    for (let i = 0; i < 8; i += 1) await server.clock.advance(60_000)
    expect(await rows('ns/root/identity/mfa/request/')).toEqual([])
    expect(await rows('ns/root/identity/mfa/state/')).toEqual([])
    expect((await rows('ns/root/due/')).filter((name) => name.includes('/mfa/'))).toEqual([])
  })

  it('may name the method', async () => {
    const { app } = await enforced()
    const requestId = (await login()).body.auth.mfa_requirement.mfa_request_id
    expect((await validate(requestId, { phone: [`passcode=${app.code()}`] })).status).toBe(200)
  })

  it('needs an entity', async () => {
    await enforced()
    server.world.grant = {}
    expect(await login()).toMatchObject({ status: 403, body: { errors: ['permission denied'] } })
  })

  it('is refused when the entity was disabled in between', async () => {
    const { id, entityId, app } = await enforced()
    const requestId = (await login()).body.auth.mfa_requirement.mfa_request_id
    await post(`identity/entity/id/${entityId}`, { disabled: true })
    expect((await validate(requestId, { [id]: [app.code()] })).status).toBe(403)
  })

  it('is refused when its mount or all enforcements are gone', async () => {
    const { id, app } = await enforced()
    const first = (await login()).body.auth.mfa_requirement.mfa_request_id
    await server.call('DELETE', 'identity/mfa/login-enforcement/door')
    const unwanted = await validate(first, { [id]: [app.code()] })
    expect(unwanted.status).toBe(400)
    expect(unwanted.body.errors[0]).toContain('found nil or empty MFAEnforcement configuration')
    expect((await login()).body.auth.client_token).toMatch(/^hvs\./)
    await server.call('DELETE', 'sys/auth/door')
    expect((await validate(first, { [id]: [app.code()] })).body.errors).toEqual(['invalid request ID'])
  })

  it('survives the merge of its entity', async () => {
    const { id, entityId, app } = await enforced()
    const requestId = (await login()).body.auth.mfa_requirement.mfa_request_id
    const other = (await post('identity/entity', { name: 'other' })).body.data.id
    expect((await post('identity/entity/merge', { to_entity_id: other, from_entity_ids: [entityId] })).status).toBe(204)
    const done = await validate(requestId, { [id]: [app.code()] })
    expect(done.body.auth).toMatchObject({ entity_id: other })
  })

  it('with nothing to show says what is missing', async () => {
    const { id } = await enforced()
    const requestId = (await login()).body.auth.mfa_requirement.mfa_request_id
    for (const payload of [undefined, null, {}, { other: ['1'] }]) {
      const refused = await validate(requestId, payload)
      expect(refused.status).toBe(403)
      expect(refused.body.errors).toEqual([
        `failed to satisfy enforcement door. error: failed to sanitize MFA creds, 1 error occurred:\n\t* failed to find MFA credentials associated with an MFA method ID ${id}, method name phone\n\n`,
      ])
    }
  })

  it.each([
    [['1', '2'], 'multiple passcodes'],
    [['a=b'], 'invalid MFA cred'],
    [['passcode='], 'invalid passcode'],
    [[], 'MFA credentials not supplied or incorrect'],
    [['12345'], 'MFA credentials not supplied or incorrect'],
    [[' 12345'], 'MFA credentials not supplied or incorrect'],
  ])('that shows %j is refused', async (shown, words) => {
    const { id } = await enforced()
    const requestId = (await login()).body.auth.mfa_requirement.mfa_request_id
    const refused = await validate(requestId, { [id]: shown })
    expect(refused.status).toBe(403)
    expect(refused.body.errors[0]).toContain(words)
    expect(refused.text).not.toContain('a=b')
  })

  it.each([['no'], [['x']], [{ m: 'x' }], [{ m: [1] }], [{ m: [['x']] }]])(
    'with the payload %j is bad input',
    async (payload) => {
      expect(await validate('x', payload)).toMatchObject({ status: 400, body: { errors: ['invalid mfa payload'] } })
    },
  )

  it('without a request id is bad input', async () => {
    expect(await post('sys/mfa/validate', {}, '')).toMatchObject({
      status: 400,
      body: { errors: ['missing request ID'] },
    })
    expect(await validate('../../x', {})).toMatchObject({ status: 400, body: { errors: ['invalid request ID'] } })
  })
})

describe('a passcode', () => {
  it('is good once, of the time around now, and wrong ones say no more than that', async () => {
    const { id, app } = await enforced()
    const attempt = async (code: string) => {
      const requestId = (await login()).body.auth.mfa_requirement.mfa_request_id
      return validate(requestId, { [id]: [code] })
    }
    const code = app.code()
    expect((await attempt(code)).status).toBe(200)
    const words = `failed to satisfy enforcement door. error: 2 errors occurred:\n\t* MFA credentials not supplied or incorrect\n\t* login MFA validation failed for methodID: [${id}]\n\n`
    expect(await attempt(code)).toMatchObject({ status: 403, body: { errors: [words] } })
    expect((await attempt(app.code(1))).status).toBe(200)
    expect(await attempt(app.code(2))).toMatchObject({ status: 403, body: { errors: [words] } })
    expect((await attempt(app.code(-2))).status).toBe(403)
    expect((await attempt(app.code(-1))).status).toBe(200)
  })

  it('of another entity does not count', async () => {
    const { id, app } = await enforced()
    server.world.grant = { alias: { name: 'ben', metadata: {} } }
    const requestId = (await login()).body.auth.mfa_requirement.mfa_request_id
    const refused = await validate(requestId, { [id]: [app.code()] })
    expect(refused.status).toBe(403)
    expect(refused.body.errors[0]).toContain('MFA secret for method name "phone" not present in entity')
  })

  it('is honoured with the digits, period, skew and algorithm that it was made with', async () => {
    const { id, app } = await enforced({ digits: 8, period: '60s', skew: 0, algorithm: 'SHA512', key_size: 64 })
    expect(app.code()).toHaveLength(8)
    await post(`identity/mfa/method/totp/${id}`, { issuer: 'Coffer', digits: 6 })
    const requestId = (await login()).body.auth.mfa_requirement.mfa_request_id
    expect((await validate(requestId, { [id]: [app.code(-1)] })).status).toBe(403)
    expect((await validate(requestId, { [id]: [app.code()] })).status).toBe(200)
  })

  it('may be wrong so many times within a period, on all nodes together', async () => {
    const { id, app } = await enforced({ max_validation_attempts: 2 })
    const other = await server.another()
    const requestId = (await login()).body.auth.mfa_requirement.mfa_request_id
    const wrong = wrongFor(app)
    const answers = await Promise.all([
      validate(requestId, { [id]: [wrong] }),
      validate(requestId, { [id]: [wrong] }, other),
      validate(requestId, { [id]: [wrong] }),
      validate(requestId, { [id]: [wrong] }, other),
    ])
    const waiting = answers.filter(({ text }) => text.includes('maximum TOTP validation attempts'))
    expect(waiting).toHaveLength(2)
    // The right one has to wait too, also with a new login.
    const next = (await login()).body.auth.mfa_requirement.mfa_request_id
    const refused = await validate(next, { [id]: [app.code()] })
    expect(refused.status).toBe(403)
    expect(refused.body.errors[0]).toMatch(
      /maximum TOTP validation attempts 3 exceeded the allowed attempts 2\. Please try again in \d+s seconds/,
    )
    await server.clock.advance(31_000)
    expect((await validate(next, { [id]: [app.code()] })).status).toBe(200)
    await other.close()
  })

  it('that is right forgives those that were wrong', async () => {
    const { id, app } = await enforced({ max_validation_attempts: 2 })
    const wrong = wrongFor(app)
    const requestId = async () => (await login()).body.auth.mfa_requirement.mfa_request_id
    await validate(await requestId(), { [id]: [wrong] })
    expect((await validate(await requestId(), { [id]: [app.code()] })).status).toBe(200)
    await validate(await requestId(), { [id]: [wrong] })
    expect((await validate(await requestId(), { [id]: [app.code(1)] })).status).toBe(200)
  })
})

describe('X-Vault-MFA', () => {
  it('shows it with the login, by id or by name', async () => {
    const { id, app } = await enforced()
    const answer = await login({ 'X-Vault-MFA': `${id}:${app.code()}` })
    expect(answer.body.auth).toMatchObject({ client_token: expect.stringMatching(/^hvs\./), mfa_requirement: null })
    expect((await login({ 'X-Vault-MFA': `other:1, phone:passcode=${app.code(1)}` })).status).toBe(200)
  })

  it('that is wrong is denied, and counts', async () => {
    const { id, app } = await enforced({ max_validation_attempts: 1 })
    expect(await login({ 'X-Vault-MFA': `${id}:${wrongFor(app)}` })).toMatchObject({
      status: 403,
      body: { errors: ['permission denied'] },
    })
    expect((await login({ 'X-Vault-MFA': `${id}:${app.code()}` })).status).toBe(403)
    expect((await login({ 'X-Vault-MFA': 'phone' })).status).toBe(403)
  })

  it('that nobody asked for is said so', async () => {
    await anna()
    const answer = await login({ 'X-Vault-MFA': 'x:1' })
    expect(answer.status).toBe(200)
    expect(answer.body.warnings).toEqual(['Found MFA header but failed to find MFA Enforcement Config'])
  })

  it.each([
    [':1', 'missing method name or ID'],
    ['x:', 'missing method value'],
  ])('%j can not be read', async (header, words) => {
    await enforced()
    expect(await login({ 'X-Vault-MFA': header })).toMatchObject({
      status: 400,
      body: { errors: [`failed to parse X-Vault-MFA header: invalid data in header "X-Vault-MFA"; ${words}`] },
    })
  })
})

describe('an enforcement', () => {
  const asked = async () => (await login()).body.auth.mfa_requirement !== null

  it('applies by type, accessor, entity and group, and to nobody else', async () => {
    const { id, entityId } = await enforced()
    const mounts = (await server.call('GET', 'sys/auth')).body.data
    const group = (await post('identity/group', { member_entity_ids: [entityId] })).body.data.id
    const outer = (await post('identity/group', { member_group_ids: [group] })).body.data.id
    const other = (await post('identity/entity', { name: 'other' })).body.data.id
    const empty = { auth_method_types: [], auth_method_accessors: [], identity_group_ids: [], identity_entity_ids: [] }
    const set = async (rule: Record<string, unknown>) => {
      expect(
        (await post('identity/mfa/login-enforcement/door', { mfa_method_ids: id, ...empty, ...rule })).status,
      ).toBe(204)
      return asked()
    }
    expect(await asked()).toBe(true)
    expect(await set({})).toBe(false)
    expect(await set({ auth_method_accessors: mounts['door/'].accessor })).toBe(true)
    expect(await set({ auth_method_accessors: mounts['token/'].accessor })).toBe(false)
    expect(await set({ identity_entity_ids: entityId })).toBe(true)
    expect(await set({ identity_entity_ids: other })).toBe(false)
    expect(await set({ identity_group_ids: group })).toBe(true)
    expect(await set({ identity_group_ids: outer })).toBe(true)
  })

  it('counts on all nodes with the next login', async () => {
    const other = await server.another()
    expect((await login({}, other)).body.auth.mfa_requirement).toBe(null)
    await enforced()
    expect((await login({}, other)).body.auth.mfa_requirement).not.toBe(null)
    await server.call('DELETE', 'identity/mfa/login-enforcement/door')
    expect((await login({}, other)).body.auth.mfa_requirement).toBe(null)
    await other.close()
  })

  it('is met by one of its methods; all that apply must be met', async () => {
    const { id, entityId, app } = await enforced()
    const second = await method({ method_name: 'watch' })
    const watch = await enrol(second, entityId)
    await post('identity/mfa/login-enforcement/door', { mfa_method_ids: [id, second], auth_method_types: 'door' })
    let requestId = (await login()).body.auth.mfa_requirement.mfa_request_id
    expect((await validate(requestId, { [second]: [watch.code()] })).status).toBe(200)
    await post('identity/mfa/login-enforcement/more', { mfa_method_ids: [second], auth_method_types: 'door' })
    const requirement = (await login()).body.auth.mfa_requirement
    expect(Object.keys(requirement.mfa_constraints)).toEqual(['door', 'more'])
    requestId = requirement.mfa_request_id
    expect((await validate(requestId, { [id]: [app.code()] })).body.errors[0]).toContain(
      'failed to satisfy enforcement more.',
    )
    // What was right is not used up by what was not enough.
    expect((await validate(requestId, { [id]: [app.code()], [second]: [watch.code(1)] })).status).toBe(200)
    // One passcode meets two enforcements that want the same method.
    await server.clock.advance(90_000)
    requestId = (await login()).body.auth.mfa_requirement.mfa_request_id
    expect((await validate(requestId, { [second]: [watch.code()] })).status).toBe(200)
  })
})
