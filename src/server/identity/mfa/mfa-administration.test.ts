import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../../pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
  await server.call('POST', 'sys/auth/door', { type: 'door' })
})
afterEach(() => server.close())

const base = 'identity/mfa/method/totp'
const rule = 'identity/mfa/login-enforcement'
const inNamespace = (path: string) => ({ 'X-Vault-Namespace': path })
const post = (path: string, body: unknown = {}, headers: Record<string, string> = {}, token?: string) =>
  server.call('POST', path, body, token, headers)
const get = (path: string, headers: Record<string, string> = {}) =>
  server.call('GET', path, undefined, undefined, headers)
const remove = (path: string, headers: Record<string, string> = {}) =>
  server.call('DELETE', path, undefined, undefined, headers)
const method = async (body: Record<string, unknown> = {}, headers = {}): Promise<string> =>
  (await post(base, { issuer: 'Coffer', ...body }, headers)).body.data.method_id
const entity = async (name: string, headers = {}): Promise<string> =>
  (await post('identity/entity', { name }, headers)).body.data.id
const generate = (method_id: string, entity_id: string, headers = {}) =>
  post(`${base}/admin-generate`, { method_id, entity_id }, headers)
const secretRows = async (namespace = 'root') => {
  const names = await server.backend.list(`ns/${namespace}/identity/mfa/`, { depth: 'all', limit: 100 })
  return names.filter((name) => /^(secret|holder)\//.test(name))
}

describe('a TOTP method', () => {
  it('has the defaults of Vault and is read by its id, whatever its type', async () => {
    const id = await method({ method_name: 'phone' })
    const expected = {
      id,
      name: 'phone',
      type: 'totp',
      namespace_id: 'root',
      namespace_path: '',
      issuer: 'Coffer',
      period: 30,
      digits: 6,
      skew: 1,
      key_size: 20,
      qr_size: 200,
      algorithm: 'SHA1',
      max_validation_attempts: 5,
    }
    expect((await get(`${base}/${id}`)).body.data).toEqual(expected)
    expect((await get(`identity/mfa/method/${id}`)).body.data).toEqual(expected)
    for (const path of [base, 'identity/mfa/method']) {
      expect((await server.call('LIST', path)).body.data).toEqual({ keys: [id], key_info: { [id]: expected } })
    }
  })

  it('is replaced as a whole by a write to its id or with its name', async () => {
    const id = await method({ method_name: 'phone', digits: 8 })
    expect((await post(`${base}/${id}`, { issuer: 'Other', method_name: 'watch' })).status).toBe(204)
    expect((await get(`${base}/${id}`)).body.data).toMatchObject({ name: 'watch', issuer: 'Other', digits: 6 })
    expect(await method({ method_name: 'watch', period: 60 })).toBe(id)
    expect(await method({ method_name: 'phone' })).not.toBe(id)
    const clash = await post(`${base}/${id}`, { issuer: 'x', method_name: 'phone' })
    expect(clash.status).toBe(400)
    expect(clash.body.errors[0]).toContain('a login MFA method configuration with the method name phone already exists')
    expect((await get(`${base}/${id}`)).body.data).toMatchObject({ name: 'watch', period: 60 })
  })

  it.each([
    [{ issuer: '' }, 'issuer must be set'],
    [{ algorithm: 'MD5' }, 'unrecognized algorithm'],
    [{ digits: 7 }, 'digits can only be 6 or 8'],
    [{ period: 0 }, 'period must be greater than zero'],
    [{ period: '48h' }, 'period must be at most 86400 seconds, it is 172800'],
    [{ skew: 2 }, 'skew must be 0 or 1'],
    [{ key_size: 0 }, 'key_size must be greater than zero'],
    [{ key_size: 100000 }, 'key_size must be at most 512 bytes, it is 100000'],
    [{ max_validation_attempts: -1 }, 'max_validation_attempts must be greater than zero'],
    [{ qr_size: -1 }, 'qr_size must be from 0 (no picture) to 2048 pixels, it is -1'],
    [{ qr_size: 1e9 }, 'qr_size must be from 0 (no picture) to 2048 pixels, it is 1000000000'],
    [{ method_name: 'x\u0000' }, 'method_name contains a control character'],
    [{ issuer: 'x'.repeat(600) }, 'issuer is too long: 600 bytes, the limit is 512'],
    [{ digits: {} }, 'error converting input for field "digits"'],
  ])('with %j is refused', async (body, words) => {
    const refused = await post(base, { issuer: 'Coffer', ...body })
    expect(refused.status).toBe(400)
    expect(refused.body.errors[0]).toContain(words)
    expect((await server.call('LIST', base)).status).toBe(404)
  })

  it('that is not there is not found, changed or missed', async () => {
    const none = '00000000-0000-4000-8000-000000000000'
    expect((await get(`${base}/${none}`)).status).toBe(404)
    expect((await post(`${base}/${none}`, { issuer: 'x' })).body.errors).toEqual([
      `configuration for method ID "${none}" does not exist`,
    ])
    expect((await post(`${base}/a b`, { issuer: 'x' })).status).toBe(404)
    expect((await remove(`${base}/${none}`)).status).toBe(204)
  })

  it('that an enforcement names stays', async () => {
    const id = await method()
    await post(`${rule}/door`, { mfa_method_ids: id, auth_method_types: 'door' })
    const refused = await remove(`${base}/${id}`)
    expect(refused.status).toBe(400)
    expect(refused.body.errors[0]).toMatch(
      /^methodID is still used by an enforcement configuration with ID: [0-9a-f-]{36}$/,
    )
    await remove(`${rule}/door`)
    expect((await remove(`${base}/${id}`)).status).toBe(204)
    expect((await get(`${base}/${id}`)).status).toBe(404)
    const again = await post(`${rule}/door`, { mfa_method_ids: id, auth_method_types: 'door' })
    expect(again.body.errors).toEqual(["one of the provided method ids doesn't exist"])
  })

  it('is deleted or enforced, never both', async () => {
    for (let i = 0; i < 10; i += 1) {
      const id = await method()
      const other = await server.another()
      const [deleted, enforced] = await Promise.all([
        remove(`${base}/${id}`),
        other.call('POST', `${rule}/r${i}`, { mfa_method_ids: id, auth_method_types: 'door' }),
      ])
      expect([deleted.status, enforced.status].sort()).toEqual([204, 400])
      await other.close()
    }
  })

  it.each(['duo', 'okta', 'pingid'])('of type %s is refused in words', async (type) => {
    const words = [`MFA methods of type ${type} are not supported by this server: use totp`]
    expect(await post(`identity/mfa/method/${type}`, { x: 1 })).toMatchObject({ status: 400, body: { errors: words } })
    expect(await post(`identity/mfa/method/${type}/x`, {})).toMatchObject({ status: 400, body: { errors: words } })
    expect((await server.call('LIST', `identity/mfa/method/${type}`)).status).toBe(404)
    expect((await get(`identity/mfa/method/${type}/x`)).status).toBe(404)
  })
})

describe('the key of a person', () => {
  it('is shown once, as a URL and a picture', async () => {
    const id = await method({ method_name: 'phone', issuer: 'My Coffer', algorithm: 'SHA256', qr_size: 300 })
    const anna = await entity('anna')
    const made = await generate(id, anna)
    expect(made.body.data.url).toMatch(
      new RegExp(
        `^otpauth://totp/My%20Coffer:${anna}\\?algorithm=SHA256&digits=6&issuer=My%20Coffer&period=30&secret=[A-Z2-7]{32}$`,
      ),
    )
    const picture = Buffer.from(made.body.data.barcode, 'base64')
    expect(picture.subarray(1, 4).toString()).toBe('PNG')
    expect(picture.readUInt32BE(16)).toBe(300)
    const again = await generate(id, anna)
    expect(again.status).toBe(200)
    expect(again.body).toMatchObject({ data: null, warnings: ['Entity already has a secret for MFA method "phone"'] })
  })

  it('has as many bytes as the method says, and no picture if it has none', async () => {
    const id = await method({ key_size: 40, qr_size: 0 })
    const { url, barcode } = (await generate(id, await entity('anna'))).body.data
    expect(new URL(url).searchParams.get('secret')).toHaveLength(64)
    expect(barcode).toBe('')
  })

  it('is not made when there is no room for its picture', async () => {
    const anna = await entity('anna')
    const small = await generate(await method({ qr_size: 20 }), anna)
    expect(small.status).toBe(400)
    expect(small.body.errors[0]).toMatch(/^the QR code takes at least \d+ pixels/)
    const long = await generate(await method({ issuer: 'ä'.repeat(250), key_size: 512 }), anna)
    expect(long.body.errors[0]).toContain('no QR code holds a URL of this length')
    expect(await secretRows()).toEqual([])
  })

  it('is made by the person too', async () => {
    const id = await method()
    expect((await post(`${base}/generate`, { method_id: id })).body.errors).toEqual(['missing entityID'])
    await server.policy('self', `path "${base}/generate" { capabilities = ["update"] }`)
    server.world.grant = { alias: { name: 'anna', metadata: {} }, policies: ['self'] }
    const token = (await post('auth/door/login', { name: 'anna' }, {}, '')).body.auth.client_token
    expect((await post(`${base}/generate`, { method_id: id }, {}, token)).body.data.url).toContain('otpauth://')
    expect((await post(`${base}/admin-generate`, { method_id: id }, {}, token)).status).toBe(403)
  })

  it.each([
    [{}, 'missing method ID'],
    [{ method_id: 'x' }, 'missing entityID'],
    [{ method_id: 'x', entity_id: 'y' }, 'configuration for method ID "x" does not exist'],
    [{ method_id: '../method', entity_id: 'y' }, 'configuration for method ID "../method" does not exist'],
  ])('is not made from %j', async (body, words) => {
    expect(await post(`${base}/admin-generate`, body)).toMatchObject({ status: 400, body: { errors: [words] } })
  })

  it('goes when it is destroyed, with its entity and with its method', async () => {
    const id = await method()
    const [anna, ben, carl] = [await entity('anna'), await entity('ben'), await entity('carl')]
    expect((await generate(id, 'nobody')).body.errors).toEqual(['invalid entity ID'])
    for (const one of [anna, ben, carl]) await generate(id, one)
    expect(await secretRows()).toHaveLength(6)
    const destroy = (entity_id: string) => post(`${base}/admin-destroy`, { method_id: id, entity_id })
    expect((await destroy(anna)).status).toBe(204)
    expect((await destroy(anna)).status).toBe(204)
    expect((await destroy('nobody')).body.errors).toEqual(['invalid entity ID'])
    expect(await secretRows()).toHaveLength(4)
    await remove(`identity/entity/id/${ben}`)
    expect((await secretRows()).every((name) => name.includes(carl))).toBe(true)
    expect((await generate(id, anna)).body.data.url).toContain('otpauth://')
    await remove(`${base}/${id}`)
    expect(await secretRows()).toEqual([])
  })

  it('goes with its method although the node died half way', async () => {
    const id = await method()
    await generate(id, await entity('anna'))
    // As it is after the first commit of the deletion.
    const view = server.core.mounts
    expect(view).toBeDefined()
    const rows = await secretRows()
    expect(rows).toHaveLength(2)
    const failing = server.backend.commit.bind(server.backend)
    let commits = 0
    Object.assign(server.backend, {
      commit: (commit: Parameters<typeof failing>[0]) => {
        if (commit.remove?.some((key) => key.includes('/mfa/secret/')) && commits++ === 0) throw new Error('died')
        return failing(commit)
      },
    })
    expect((await remove(`${base}/${id}`)).status).toBe(500)
    expect(await secretRows()).toHaveLength(2)
    await server.clock.advance(60_000)
    await server.clock.advance(60_000)
    expect(await secretRows()).toEqual([])
    expect(await server.backend.list('ns/root/identity/mfa/erase/', { depth: 'all', limit: 10 })).toEqual([])
  })

  it('is in no row in clear, no audit line and no answer but the first', async () => {
    await server.call('POST', 'sys/audit/t', { type: 'test' })
    const id = await method()
    const anna = await entity('anna')
    const { url, barcode } = (await generate(id, anna)).body.data
    const secret = new URL(url).searchParams.get('secret') ?? 'none'
    const lines = JSON.stringify(server.device.lines)
    expect(lines).toContain('admin-generate')
    expect(lines).not.toContain(secret)
    expect(lines).not.toContain(barcode)
    for (const path of [`identity/entity/id/${anna}`, `${base}/${id}`]) {
      const { text } = await get(path)
      expect(text).not.toContain(secret)
      expect(text).not.toContain('mfaSecrets')
    }
    for await (const [key, { value }] of server.backend.snapshot(new AbortController().signal)) {
      expect(key).not.toContain(secret)
      expect(Buffer.from(value).includes(secret)).toBe(false)
    }
  })
})

describe('a login enforcement', () => {
  it('is read and listed with all its lists', async () => {
    const id = await method()
    const anna = await entity('anna')
    const group = (await post('identity/group', {})).body.data.id
    await post(`${rule}/door`, { mfa_method_ids: [id], identity_entity_ids: anna, identity_group_ids: group })
    await post(`${rule}/door`, { mfa_method_ids: [id], auth_method_types: 'door' })
    const expected = {
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'door',
      namespace_id: 'root',
      namespace_path: '',
      mfa_method_ids: [id],
      auth_method_accessors: [],
      auth_method_types: ['door'],
      identity_group_ids: [group],
      identity_entity_ids: [anna],
    }
    expect((await get(`${rule}/door`)).body.data).toEqual(expected)
    expect((await server.call('LIST', rule)).body.data).toEqual({ keys: ['door'], key_info: { door: expected } })
    expect((await remove(`${rule}/door`)).status).toBe(204)
    expect((await remove(`${rule}/door`)).status).toBe(204)
    expect((await get(`${rule}/door`)).status).toBe(404)
    expect((await server.call('LIST', rule)).status).toBe(404)
  })

  it.each([
    [{}, 'missing method ids'],
    [{ mfa_method_ids: [] }, 'missing method ids'],
    [{ mfa_method_ids: ['x'], auth_method_types: 'door' }, "one of the provided method ids doesn't exist"],
    [{ mfa_method_ids: ['../x'], auth_method_types: 'door' }, "one of the provided method ids doesn't exist"],
    [{ mfa_method_ids: ['x'] }, 'One of auth_method_accessors, auth_method_types'],
    [{ mfa_method_ids: ['x'], auth_method_types: 'kv' }, 'one of the auth method types provided is invalid'],
    [{ mfa_method_ids: ['x'], auth_method_accessors: 'kv' }, 'one of the auth method accessors provided is invalid'],
    [{ mfa_method_ids: ['x'], identity_group_ids: 'y' }, "one of the provided group ids doesn't exist"],
    [{ mfa_method_ids: ['x'], identity_entity_ids: 'y' }, "one of the provided entity ids doesn't exist"],
    [{ mfa_method_ids: Array(101).fill('x'), auth_method_types: 'door' }, 'mfa_method_ids names at most 100 methods'],
    [{ mfa_method_ids: {} }, 'error converting input for field "mfa_method_ids"'],
  ])('of %j is refused', async (body, words) => {
    const refused = await post(`${rule}/door`, body)
    expect(refused.status).toBe(400)
    expect(refused.body.errors[0]).toContain(words)
    expect((await server.call('LIST', rule)).status).toBe(404)
  })

  it.each(['-x', 'x-', 'a b', 'x'.repeat(129), 'ä'])('called %j is refused', async (name) => {
    const refused = await post(`${rule}/${encodeURIComponent(name)}`, {
      mfa_method_ids: [await method()],
      auth_method_types: 'door',
    })
    expect(refused.status).toBe(400)
    expect(refused.body.errors[0]).toContain('the name of a login enforcement has 1 to 128')
    expect((await get(`${rule}/${encodeURIComponent(name)}`)).status).toBe(404)
  })
})

describe('below a namespace', () => {
  it('methods and enforcements of the one above count; those of others are out of reach', async () => {
    await post('sys/namespaces/team')
    await post('sys/namespaces/other')
    const team = inNamespace('team')
    const other = inNamespace('other')
    for (const at of [undefined, team, other]) await post('sys/auth/door', { type: 'door' }, at)
    const id = await method({ method_name: 'phone' })
    const own = await method({}, team)
    const anna = await entity('anna', team)
    expect((await generate(id, anna, team)).body.data.url).toContain('otpauth://')
    // A namespace reads and uses what is above it, and changes only its own.
    expect((await get(`${base}/${id}`, team)).body.data).toMatchObject({ namespace_id: 'root' })
    expect((await post(`${base}/${id}`, { issuer: 'mine' }, team)).body.errors).toEqual([
      'request namespace does not match method namespace',
    ])
    expect((await remove(`${base}/${id}`, team)).status).toBe(400)
    expect((await get(`${base}/${own}`)).body.data).toMatchObject({ namespace_path: 'team/' })
    expect((await get(`${base}/${own}`, other)).status).toBe(404)
    const foreign = await post(`${rule}/r`, { mfa_method_ids: own, auth_method_types: 'door' }, other)
    expect(foreign.body.errors).toEqual(["one of the provided method ids doesn't exist"])
    expect((await post(`${rule}/r`, { mfa_method_ids: own, auth_method_types: 'door' })).status).toBe(400)
    // What a namespace below names can't be deleted above.
    await post(`${rule}/r`, { mfa_method_ids: id, auth_method_types: 'door' }, team)
    expect((await remove(`${base}/${id}`)).status).toBe(400)
    await remove(`${rule}/r`, team)
    // Enforced above, by type, for a login below.
    await post(`${rule}/all`, { mfa_method_ids: id, auth_method_types: 'door' })
    server.world.grant = { alias: { name: 'anna', metadata: {} } }
    const waiting = await post('auth/door/login', { name: 'anna' }, team, '')
    expect(waiting.body.auth.mfa_requirement.mfa_constraints).toMatchObject({ all: { any: [{ id, name: 'phone' }] } })
    const { mfa_request_id } = waiting.body.auth.mfa_requirement
    const elsewhere = await post('sys/mfa/validate', { mfa_request_id, mfa_payload: {} }, {}, '')
    expect(elsewhere.body.errors).toEqual(['invalid request ID'])
    // The secrets below go with the method above.
    await remove(`${rule}/all`)
    const namespaceId = (await get('sys/namespaces/team')).body.data.id
    expect(await secretRows(namespaceId)).toHaveLength(2)
    expect((await remove(`${base}/${id}`)).status).toBe(204)
    expect(await secretRows(namespaceId)).toEqual([])
  })
})
