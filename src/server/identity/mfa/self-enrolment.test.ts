import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hotp, stepAt } from '../../../lib/totp.ts'
import { TestServer } from '../../pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
  await server.call('POST', 'sys/auth/door', { type: 'door' })
  server.world.grant = { alias: { name: 'anna', metadata: {} } }
})
afterEach(() => server.close())

const post = (path: string, body: unknown = {}, token?: string) => server.call('POST', path, body, token)
const login = (path = 'auth/door/login') => server.call('POST', path, { name: 'anna' }, '')
const validate = (mfa_request_id: string, mfa_payload: unknown, on = server) =>
  on.call('POST', 'sys/mfa/validate', { mfa_request_id, mfa_payload }, '')
const enrol = (mfa_request_id: string, mfa_method_id: string, on = server) =>
  on.call('POST', 'identity/mfa/method/totp/self-enroll', { mfa_request_id, mfa_method_id }, '')
const waiting = async (path?: string) => {
  const { mfa_request_id: request, mfa_constraints: constraints } = (await login(path)).body.auth.mfa_requirement
  return { request, constraints }
}

async function method(more: Record<string, unknown> = {}): Promise<string> {
  const made = await post('identity/mfa/method/totp', { issuer: 'Coffer', enable_self_enrollment: true, ...more })
  return made.body.data.method_id
}

async function enforce(name: string, ids: readonly string[], change: object = { auth_method_types: ['door'] }) {
  const made = await post(`identity/mfa/login-enforcement/${name}`, { mfa_method_ids: ids, ...change })
  expect(made.status).toBe(204)
}

/** What an authenticator app shows. */
function code(text: string, offset = 0): string {
  const secret = new URL(text).searchParams.get('secret') ?? ''
  const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'))
  const bytes = bits.join('').match(/.{8}/g) ?? []
  const key = Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)))
  return hotp(key, stepAt(server.clock.now(), 30) + offset, 'SHA1', 6)
}

const refused = (answer: { status: number; body: { errors: string[] } }, words: string) => {
  expect([answer.status, answer.body.errors]).toEqual([400, [expect.stringContaining(words)]])
}

describe('who has no key', () => {
  it('gets one while logging in, which the first passcode makes theirs', async () => {
    const id = await method()
    await enforce('door', [id])
    const { request, constraints } = await waiting()
    expect(constraints).toEqual({
      door: { any: [{ type: 'totp', id, uses_passcode: true, name: '', self_enrollment_enabled: true }] },
    })
    const made = await enrol(request, id)
    expect(made.body.data).toEqual({ url: expect.stringMatching(/^otpauth:/), barcode: expect.any(String) })
    const other = await server.another()
    const done = await validate(request, { [id]: [code(made.body.data.url)] }, other)
    expect(done.body.auth.client_token).toMatch(/^hvs\./)
    // From now on it is asked for, and no other is given.
    const next = await waiting()
    expect(next.constraints.door.any[0].self_enrollment_enabled).toBeUndefined()
    refused(await enrol(next.request, id), 'self-enrollment is not possible')
    expect((await validate(next.request, { [id]: [code(made.body.data.url, 1)] })).status).toBe(200)
    await other.close()
  })

  it('has none still when no passcode of it was shown, and a new login gives another', async () => {
    const id = await method()
    await enforce('door', [id])
    const first = await waiting()
    const lost = (await enrol(first.request, id)).body.data.url
    const replaced = (await enrol(first.request, id)).body.data.url
    expect(replaced).not.toBe(lost)
    expect((await validate(first.request, { [id]: [code(lost)] })).status).toBe(403)
    const second = await waiting()
    expect((await validate(second.request, { [id]: [code(replaced)] })).status).toBe(403)
    expect((await validate(first.request, { [id]: [code(replaced)] })).status).toBe(200)
  })

  it('tries passcodes of an offered key no more often than of another', async () => {
    const id = await method({ max_validation_attempts: 2 })
    await enforce('door', [id])
    const { request } = await waiting()
    const { url } = (await enrol(request, id)).body.data
    const wrong = String((Number(code(url)) + 1) % 1e6).padStart(6, '0')
    for (let i = 0; i < 2; i += 1) expect((await validate(request, { [id]: [wrong] })).status).toBe(403)
    const held = await validate(request, { [id]: [code(url)] })
    expect([held.status, held.body.errors[0]]).toEqual([
      403,
      expect.stringContaining('maximum TOTP validation attempts 3'),
    ])
  })
})

describe('a key is not given', () => {
  it('beside one that is asked for: a password alone would be enough then', async () => {
    const [app, spare] = [await method({ method_name: 'app' }), await method({ method_name: 'spare' })]
    await enforce('door', [app, spare])
    const early = await waiting()
    const late = await waiting()
    const stolen = (await enrol(late.request, spare)).body.data.url
    const own = (await enrol(early.request, app)).body.data.url
    expect((await validate(early.request, { [app]: [code(own)] })).status).toBe(200)
    // Offered before the entity had a key, shown after.
    expect((await validate(late.request, { [spare]: [code(stolen)] })).status).toBe(403)
    const next = await waiting()
    expect(next.constraints.door.any.map((one: object) => 'self_enrollment_enabled' in one)).toEqual([false, false])
    refused(await enrol(next.request, spare), 'self-enrollment is not possible')
  })

  it('by a login that asks for less than another does', async () => {
    const [app, spare] = [await method({ method_name: 'app' }), await method({ method_name: 'spare' })]
    await post('sys/auth/back', { type: 'door' })
    const mounts = (await server.call('GET', 'sys/auth')).body.data
    const entityId = (await login()).body.auth.entity_id
    await post('identity/entity-alias', {
      name: 'anna',
      canonical_id: entityId,
      mount_accessor: mounts['back/'].accessor,
    })
    await enforce('front', [app, spare], { auth_method_accessors: [mounts['door/'].accessor] })
    await enforce('behind', [spare], { auth_method_accessors: [mounts['back/'].accessor] })
    await post('identity/mfa/method/totp/admin-generate', { method_id: app, entity_id: entityId })
    const { request, constraints } = await waiting('auth/back/login')
    expect(constraints.behind.any[0].self_enrollment_enabled).toBeUndefined()
    refused(await enrol(request, spare), 'self-enrollment is not possible')
  })

  it('where the method does not say so, or the login does not ask for it', async () => {
    const [closed, other] = [await method({ enable_self_enrollment: false }), await method()]
    await enforce('door', [closed])
    const { request, constraints } = await waiting()
    expect(constraints.door.any[0].self_enrollment_enabled).toBeUndefined()
    for (const id of [closed, other, 'none']) refused(await enrol(request, id), 'self-enrollment is not possible')
    await post(`identity/mfa/method/totp/${closed}`, { issuer: 'Coffer', enable_self_enrollment: true })
    const shown = await server.call('GET', `identity/mfa/method/totp/${closed}`)
    expect(shown.body.data.enable_self_enrollment).toBe(true)
    expect((await enrol(request, closed)).status).toBe(200)
  })

  it('for a request that is none, or no longer', async () => {
    const id = await method()
    await enforce('door', [id])
    const { request } = await waiting()
    refused(await enrol('', id), 'missing request ID')
    refused(await enrol(request, ''), 'missing method ID')
    refused(await enrol('00000000-0000-4000-8000-000000000000', id), 'invalid request ID')
    const { url } = (await enrol(request, id)).body.data
    await server.clock.advance(300_000)
    refused(await enrol(request, id), 'invalid request ID')
    refused(await validate(request, { [id]: [code(url)] }), 'invalid request ID')
  })

  it('to an entity that is disabled', async () => {
    const entityId = (await login()).body.auth.entity_id
    const id = await method()
    await enforce('door', [id])
    const { request } = await waiting()
    await post(`identity/entity/id/${entityId}`, { disabled: true })
    expect((await enrol(request, id)).status).toBe(403)
  })
})

it("an offered key is in no audit line and no row's name", async () => {
  await post('sys/audit/a', { type: 'test' })
  const id = await method()
  await enforce('door', [id])
  const { request } = await waiting()
  const { url, barcode } = (await enrol(request, id)).body.data
  await validate(request, { [id]: [code(url)] })
  const names = await server.backend.list('', { depth: 'all', limit: 1000 })
  const seen = JSON.stringify([server.device.lines, names])
  expect(seen).toContain('self-enroll')
  const secret = new URL(url).searchParams.get('secret') ?? 'none'
  for (const canary of [url, barcode, secret, request]) expect(seen).not.toContain(canary)
})
