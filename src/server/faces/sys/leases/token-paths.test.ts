import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../../../pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
  await server.policy(
    'rw',
    'path "test/*" { capabilities = ["read", "create", "update"] }\npath "auth/token/create" { capabilities = ["update"] }',
  )
})
afterEach(() => server.close())

const mount = (path: string, headers = {}) =>
  server.call('POST', `sys/auth/${path}`, { type: 'door' }, undefined, headers)
const login = async (path: string, headers = {}): Promise<string> =>
  (await server.call('POST', `auth/${path}/login`, { name: 'bob' }, '', headers)).body.auth.client_token
const works = async (token: string) =>
  (await server.call('GET', 'auth/token/lookup-self', undefined, token)).status === 200
const revoke = (path: string, body: unknown = {}, token?: string, headers = {}) =>
  server.call('PUT', `sys/leases/${path}`, body, token, headers)

describe('revocation by a prefix below auth/', () => {
  it.each(['revoke-prefix/auth/door', 'revoke-prefix/auth/door/login', 'revoke-force/auth/door/login'])(
    '%s ends the tokens of a method with children and leases, and no others',
    async (path) => {
      await mount('door')
      await mount('doorway')
      const [mine, other] = [await login('door'), await login('doorway')]
      const child = await server.token(['rw'], {}, mine)
      const stranger = await server.token(['rw'])
      expect((await server.call('GET', 'test/creds/a', undefined, mine)).status).toBe(200)
      expect((await revoke(path)).status).toBe(204)
      expect([await works(mine), await works(child)]).toEqual([false, false])
      expect([await works(other), await works(stranger)]).toEqual([true, true])
      expect(server.world.revoked).toEqual(['a'])
    },
  )

  it('ends what a role with a suffix made, and with it its children', async () => {
    const make = async (role: string) =>
      (await server.call('POST', `auth/token/create/${role}`, {})).body.auth.client_token
    await server.call('POST', 'auth/token/roles/ci', { path_suffix: 'nightly', allowed_policies: 'rw' })
    await server.call('POST', 'auth/token/roles/cd', { allowed_policies: 'rw' })
    const parent = await server.token(['rw'])
    const [nightly, other] = [await make('ci'), await make('cd')]
    expect((await revoke('revoke-prefix/auth/token/create/ci/nightly')).status).toBe(204)
    expect([await works(nightly), await works(other), await works(parent)]).toEqual([false, true, true])
    const child = await server.token(['rw'], {}, parent)
    expect(await works(child)).toBe(true)
    await revoke('revoke-prefix/auth/token/create')
    expect([await works(child), await works(parent), await works(other)]).toEqual([false, false, false])
  })

  it('leaves tokens that never end', async () => {
    expect((await revoke('revoke-prefix/auth')).status).toBe(204)
    expect(await works(server.root)).toBe(true)
  })

  it('that is not waited for is done soon, by another node if need be; who logs in later is not meant', async () => {
    await mount('door')
    const token = await login('door')
    expect((await revoke('revoke-prefix/auth/door', { sync: false })).status).toBe(202)
    await server.clock.advance(100)
    const later = await login('door')
    await server.clock.advance(3000)
    expect([await works(token), await works(later)]).toEqual([false, true])
    const left = await server.backend.list('ns/root/tokens/ending/', { depth: 'all', limit: 10 })
    expect(left).toEqual([])
  })

  it('stays in its namespace', async () => {
    const team = { 'X-Vault-Namespace': 'team' }
    await server.call('POST', 'sys/namespaces/team')
    await mount('door')
    await mount('door', team)
    const [outside, inside] = [await login('door'), await login('door', team)]
    const worksInside = async () =>
      (await server.call('GET', 'auth/token/lookup-self', undefined, inside, team)).status === 200
    await revoke('revoke-prefix/auth/door', {}, undefined, team)
    expect([await works(outside), await worksInside()]).toEqual([true, false])
    await revoke('revoke-prefix/auth/door')
    expect(await works(outside)).toBe(false)
  })

  it('needs sudo', async () => {
    await mount('door')
    await server.policy('half', 'path "sys/leases/revoke-prefix/*" { capabilities = ["update"] }')
    const token = await login('door')
    expect((await revoke('revoke-prefix/auth/door', {}, await server.token(['half']))).status).toBe(403)
    expect(await works(token)).toBe(true)
  })
})
