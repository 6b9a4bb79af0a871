import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Answer, TestServer } from '../../pipeline/test-server.ts'

let server: TestServer
let id: string

const at = (namespace: string): Record<string, string> => (namespace === '' ? {} : { 'X-Vault-Namespace': namespace })
const call = (namespace: string, method: string, path: string, body?: unknown, token?: string): Promise<Answer> =>
  server.call(method, path, body, token, at(namespace))
const create = async (namespace: string, body: object = {}, token?: string) =>
  (await call(namespace, 'POST', 'auth/token/create', body, token)).body.auth

beforeEach(async () => {
  server = await TestServer.start()
  id = (await call('', 'POST', 'sys/namespaces/team', {})).body.data.id
  await call('team', 'POST', 'sys/namespaces/app', {})
  const text = 'path "auth/token/*" { capabilities = ["create", "read", "update", "list", "sudo"] }'
  for (const namespace of ['', 'team', 'team/app'])
    await call(namespace, 'PUT', 'sys/policies/acl/admin', { policy: text })
})
afterEach(() => server.close())

describe('a token made in a namespace', () => {
  it('ends in its id, as its accessor does, and says where it belongs', async () => {
    const { client_token: token, accessor } = await create('team', { policies: ['admin'] })
    expect(token).toMatch(new RegExp(`^hvs\\.[0-9A-Za-z]{24}\\.${id}$`))
    expect(accessor).toMatch(new RegExp(`^[0-9A-Za-z]{24}\\.${id}$`))
    const self = await call('team', 'GET', 'auth/token/lookup-self', undefined, token)
    expect(self.body.data).toMatchObject({ id: token, namespace_path: 'team/' })
    const batch = await create('team', { policies: ['admin'], type: 'batch' })
    expect(batch.client_token).toMatch(new RegExp(`^hvb\\..*\\.${id}$`))
    expect((await call('team', 'GET', 'auth/token/lookup-self', undefined, batch.client_token)).status).toBe(200)
  })

  it('counts there and below, not above and not beside', async () => {
    const { client_token: token } = await create('team', { policies: ['admin'] })
    const status = async (namespace: string) =>
      (await call(namespace, 'GET', 'auth/token/lookup-self', undefined, token)).status
    await call('', 'POST', 'sys/namespaces/other', {})
    expect(await status('')).toBe(403)
    expect(await status('other')).toBe(403)
    expect(await status('team')).toBe(200)
  })

  it.each([
    [{ policies: ['root'] }, 'root tokens may not be created from a parent namespace'],
    [{ id: 'chosen' }, 'token IDs can only be manually specified in the root namespace'],
  ])('from above with %j is refused', async (body, error) => {
    const answer = await call('team', 'POST', 'auth/token/create', body)
    expect(answer).toMatchObject({ status: 400, body: { errors: [error] } })
  })

  it('from above without policies has only the default one', async () => {
    expect((await create('team')).policies).toEqual(['default'])
    expect((await create('team', { no_default_policy: true })).policies).toEqual([])
  })

  it('from above needs sudo', async () => {
    await call('', 'PUT', 'sys/policies/acl/below', {
      policy: 'path "team/auth/token/create" { capabilities = ["create", "update"] }',
    })
    const below = (await create('', { policies: ['below'] })).client_token
    expect(await call('team', 'POST', 'auth/token/create', {}, below)).toMatchObject({
      status: 400,
      body: { errors: ['root or sudo privileges required to directly generate a token in a child namespace'] },
    })
  })

  it('ends with its parent above', async () => {
    await call('', 'PUT', 'sys/policies/acl/below', {
      policy: 'path "team/auth/token/create" { capabilities = ["create", "update", "sudo"] }',
    })
    const parent = (await create('', { policies: ['below'] })).client_token
    const child = (await create('team', { policies: ['admin'] }, parent)).client_token
    const look = () => call('team', 'GET', 'auth/token/lookup-self', undefined, child)
    expect((await look()).status).toBe(200)
    await call('', 'POST', 'auth/token/revoke', { token: parent })
    expect((await look()).status).toBe(403)
  })
})

describe('tokens seen from a namespace', () => {
  it('are its own and those below, never those above or beside', async () => {
    const above = await create('')
    const own = await create('team', { policies: ['admin'] })
    const below = await create('team/app')
    const admin = own.client_token
    const ask = async (path: string, body: object) =>
      (await call('team', 'POST', `auth/token/${path}`, body, admin)).body
    expect((await ask('lookup', { token: below.client_token })).data.namespace_path).toBe('team/app/')
    expect((await ask('lookup', { token: above.client_token })).errors).toEqual(['bad token'])
    expect((await ask('lookup-accessor', { accessor: above.accessor })).errors).toEqual([
      '1 error occurred:\n\t* invalid accessor\n\n',
    ])
    expect((await ask('renew', { token: above.client_token })).errors).toEqual(['token not found'])
    expect((await ask('revoke-orphan', { token: above.client_token })).errors).toEqual(['token to revoke not found'])
    await ask('revoke', { token: above.client_token })
    await ask('revoke-accessor', { accessor: above.accessor })
    expect((await call('', 'POST', 'auth/token/lookup', { token: above.client_token })).status).toBe(200)
    expect((await ask('renew', { token: below.client_token, increment: '1h' })).auth.lease_duration).toBe(3600)
    await ask('revoke', { token: below.client_token })
    expect((await call('', 'POST', 'auth/token/lookup', { token: below.client_token })).status).toBe(403)
  })

  it('are listed for each namespace alone', async () => {
    const own = await create('team', { policies: ['admin'] })
    const below = await create('team/app')
    const list = async (namespace: string) => (await call(namespace, 'LIST', 'auth/token/accessors')).body.data.keys
    expect(await list('team')).toEqual([own.accessor])
    expect(await list('team/app')).toEqual([below.accessor])
    expect(await list('')).not.toContain(own.accessor)
  })
})

describe('the roles of a namespace', () => {
  it('are its own', async () => {
    await call('team', 'POST', 'auth/token/roles/r', { allowed_policies: 'admin' })
    expect((await call('', 'GET', 'auth/token/roles/r')).status).toBe(404)
    expect((await call('', 'POST', 'auth/token/create/r', {})).body.errors).toEqual(['unknown role r'])
    const made = await call('team', 'POST', 'auth/token/create/r', {})
    expect(made.body.auth.policies).toEqual(['admin', 'default'])
    const { client_token: token } = made.body.auth
    const renewed = await call('', 'POST', 'auth/token/renew', { token, increment: '1h' })
    expect(renewed.body.auth.lease_duration).toBe(3600)
  })
})

describe('a namespace that is deleted', () => {
  it('takes its tokens along, with the rows that name them', async () => {
    const { client_token: token } = await create('team/app', { policies: ['admin'] })
    expect((await call('team', 'DELETE', 'sys/namespaces/app')).status).toBe(204)
    await server.clock.advance(5000)
    expect((await call('', 'POST', 'auth/token/lookup', { token })).status).toBe(403)
  })
})
