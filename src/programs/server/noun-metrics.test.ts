import { afterEach, beforeEach, expect, it } from 'vitest'
import { TestServer } from '../../server/pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

type Sample = { readonly Name: string; readonly Count: number; readonly Labels: Record<string, string> }

/** How often each was observed so far; the clock of the test stands still, so nothing falls out of the interval. */
async function counts(): Promise<Record<string, number>> {
  const { body } = await server.call('GET', 'sys/metrics')
  return Object.fromEntries(body.Samples.map(({ Name, Count }: Sample) => [Name.replace('vault.', ''), Count]))
}
async function added(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await counts()
  await work()
  const after = await counts()
  const names = Object.keys(after).filter((name) =>
    /^(token|expire|policy|identity|core\.(seal|unseal|step))/.test(name),
  )
  return Object.fromEntries(
    names.flatMap((name) => {
      const more = (after[name] ?? 0) - (before[name] ?? 0)
      return more === 0 ? [] : [[name, more]]
    }),
  )
}
const creations = async () => {
  const { body } = await server.call('GET', 'sys/metrics')
  return body.Counters.filter(({ Name }: Sample) => Name === 'vault.token.creation').map(
    ({ Labels, Count }: Sample) => ({ ...Labels, Count }),
  )
}

it('tokens: made, kept, looked up, renewed, revoked', async () => {
  const make = (body: object) => server.call('POST', 'auth/token/create', body)
  expect(await added(() => make({ ttl: '1h' }))).toEqual({ 'token.create': 1, 'token.store': 1 })
  expect(await added(() => make({ type: 'batch', ttl: '1h', policies: ['default'] }))).toEqual({
    'token.create': 1,
    'policy.get_policy': 1,
  })
  const { client_token: token } = (await make({ ttl: '1h' })).body.auth
  expect(await added(() => server.call('POST', 'auth/token/lookup', { token }))).toEqual({ 'token.lookup': 1 })
  expect(await added(() => server.call('POST', 'auth/token/renew', { token }))).toMatchObject({
    'token.store': 1,
    'expire.renew-token': 1,
  })
  expect(await added(() => server.call('POST', 'auth/token/revoke', { token }))).toMatchObject({
    'token.revoke': 1,
    'token.revoke-tree': 1,
  })
})

it('a request that only presents its token adds nothing', async () => {
  expect(await added(() => server.call('GET', 'test/row/a'))).toEqual({})
})

it('token.creation says how, where and for how long, never who', async () => {
  await server.call('POST', 'sys/auth/front', { type: 'door' })
  await server.call('POST', 'auth/front/login', { name: 'canary-user' }, '')
  await server.call('POST', 'sys/namespaces/team')
  await server.call('POST', 'team/auth/token/create', { type: 'batch', ttl: '8d' })
  expect(await creations()).toEqual([
    expect.objectContaining({
      auth_method: 'token',
      creation_ttl: '+Inf',
      mount_point: 'auth/token/',
      namespace: 'root',
    }),
    {
      auth_method: 'door',
      creation_ttl: '1h',
      mount_point: 'auth/front/',
      namespace: 'root',
      token_type: 'service',
      Count: 1,
    },
    {
      auth_method: 'ns_token',
      creation_ttl: '30d',
      mount_point: 'auth/token/',
      namespace: 'team/',
      token_type: 'batch',
      Count: 1,
    },
  ])
  const { text } = await server.call('GET', 'sys/metrics')
  expect(text).not.toContain('canary-user')
})

it('leases: lent, looked up, renewed, revoked by whoever', async () => {
  let id = ''
  const lend = async () => {
    id = (await server.call('GET', 'test/creds/a')).body.lease_id
  }
  expect(await added(lend)).toEqual({ 'expire.register': 1 })
  const put = (path: string, body?: object) => server.call('PUT', path, body)
  expect(await added(() => put('sys/leases/lookup', { lease_id: id }))).toEqual({ 'expire.fetch-lease-times': 1 })
  expect(await added(() => put('sys/leases/renew', { lease_id: id }))).toMatchObject({ 'expire.renew': 1 })
  expect(await added(() => put('sys/leases/revoke', { lease_id: id, sync: true }))).toMatchObject({
    'expire.revoke': 1,
  })
  await lend()
  const byPrefix = await added(() => put('sys/leases/revoke-prefix/test', { sync: true }))
  expect(byPrefix).toMatchObject({ 'expire.revoke-prefix': 1, 'expire.revoke': 1 })
})

it('a revocation that fails is timed too', async () => {
  const { lease_id: id } = (await server.call('GET', 'test/creds/a')).body
  server.world.failRevocations = 1
  const failed = await added(() => server.call('PUT', 'sys/leases/revoke', { lease_id: id, sync: true }))
  expect(failed).toMatchObject({ 'expire.revoke': 1 })
})

it('policies and entities: read, written, deleted, listed', async () => {
  const path = 'sys/policies/acl/p'
  expect(await added(() => server.policy('p', ''))).toMatchObject({ 'policy.set_policy': 1 })
  expect(await added(() => server.call('GET', path))).toMatchObject({ 'policy.get_policy': 1 })
  expect(await added(() => server.call('LIST', 'sys/policies/acl'))).toMatchObject({ 'policy.list_policies': 1 })
  expect(await added(() => server.call('DELETE', path))).toMatchObject({ 'policy.delete_policy': 1 })
  expect(await added(() => server.call('POST', 'identity/entity', { name: 'a' }))).toMatchObject({
    'identity.upsert_entity_txn': 1,
  })
  expect(await added(() => server.call('POST', 'identity/group', { name: 'a' }))).toMatchObject({
    'identity.upsert_group_txn': 1,
  })
})

it('sealing and unsealing', async () => {
  const again = async () => {
    await server.call('PUT', 'sys/seal')
    await server.call('PUT', 'sys/unseal', { key: server.key }, '')
  }
  expect(await added(again)).toMatchObject({ 'core.seal': 1, 'core.unseal': 1 })
  expect(await added(() => server.call('PUT', 'sys/step-down'))).toMatchObject({ 'core.step_down': 1 })
})
