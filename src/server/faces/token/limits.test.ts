import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../../pipeline/test-server.ts'

let server: TestServer

beforeEach(async () => {
  server = await TestServer.start()
  await server.policy('rw', 'path "test/*" { capabilities = ["create", "read", "update"] }')
})
afterEach(() => server.close())

const create = async (body: object) => (await server.call('POST', 'auth/token/create', body)).body

describe('the limits of the mount that made a token', () => {
  const tune = (body: object) => server.call('POST', 'sys/auth/door/tune', body)

  it('count for new tokens, and as they are then for renewals', async () => {
    await server.call('POST', 'sys/auth/door', { type: 'door' })
    server.world.grant = { ttlMs: 0, maxTtlMs: 0 }
    expect((await tune({ default_lease_ttl: '1h', max_lease_ttl: '5h' })).status).toBe(204)
    const { auth } = (await server.call('POST', 'auth/door/login', { name: 'ann' }, '')).body
    expect(auth.lease_duration).toBe(3600)
    const renew = () => server.call('POST', 'auth/token/renew', { token: auth.client_token, increment: '9h' })
    expect((await renew()).body).toMatchObject({
      auth: { lease_duration: 18_000 },
      warnings: ['TTL of "9h0m0s" exceeded the effective max_ttl of "5h0m0s"; TTL value is capped accordingly'],
    })
    await tune({ max_lease_ttl: '2h' })
    expect((await renew()).body.auth.lease_duration).toBe(7200)
    server.clock.stepWall(2 * 3_600_000)
    await tune({ max_lease_ttl: '1h' })
    expect((await renew()).body.errors).toEqual(['token not found'])
  })

  it('refuse the renewal of a token that is older than they allow now', async () => {
    await server.call('POST', 'sys/auth/door', { type: 'door' })
    server.world.grant = { ttlMs: 5 * 3_600_000, maxTtlMs: 0 }
    const { client_token: token } = (await server.call('POST', 'auth/door/login', { name: 'ann' }, '')).body.auth
    await tune({ max_lease_ttl: '2h' })
    server.clock.stepWall(3 * 3_600_000)
    expect(await server.call('POST', 'auth/token/renew', { token })).toMatchObject({
      status: 400,
      body: { errors: ['past the max TTL, cannot renew'] },
    })
  })
})

describe('counted uses', () => {
  it('are counted once for all nodes', async () => {
    await server.call('POST', 'test/row/a', { x: 1 })
    const token = (await create({ policies: ['rw'], num_uses: 5 })).auth.client_token
    const other = await server.another()
    let done = false
    const asking = Promise.all(
      Array.from({ length: 12 }, (_, i) => (i % 2 ? server : other).call('GET', 'test/row/a', undefined, token)),
    ).finally(() => {
      done = true
    })
    // Commits that meet wait a moment of the clock before they try again.
    while (!done) await server.clock.advance(5)
    const answers = await asking
    expect(answers.filter((answer) => answer.status === 200).length).toBe(5)
    expect(answers.filter((answer) => answer.status === 403).length).toBe(7)
  })

  it('are spent by requests that are denied, too', async () => {
    const token = (await create({ policies: ['rw'], num_uses: 2 })).auth.client_token
    for (let i = 0; i < 2; i += 1) {
      const denied = await server.call('GET', 'sys/mounts', undefined, token)
      expect(denied.body.errors[0]).toContain('1 error occurred')
    }
    expect((await server.call('GET', 'sys/mounts', undefined, token)).body.errors).toEqual(['permission denied'])
  })
})

describe('what a token leaves', () => {
  it('goes with it: its cubbyhole too', async () => {
    const { client_token: token } = (await create({ policies: ['rw'] })).auth
    expect((await server.call('POST', 'cubbyhole/a/b', { secret: 'x' }, token)).status).toBe(204)
    const rows = () => server.backend.list('cubbyhole/', { depth: 'all', limit: 10 })
    expect((await rows()).length).toBe(1)
    await server.call('POST', 'auth/token/revoke', { token })
    expect(await rows()).toEqual([])
  })

  it('is taken away by tidy when it was overlooked, without a restart', async () => {
    const rows = () => server.backend.list('ns/root/tokens/', { depth: 'all', limit: 100 })
    const { client_token: token } = (await create({ policies: ['rw'], num_uses: 3 })).auth
    const all = await rows()
    const id = all.find((key) => key.startsWith('uses/'))?.slice('uses/'.length)
    // As damage would: the token's own row is gone, and nothing else.
    await server.backend.commit({ id: '00000000000001', checks: [], remove: [`ns/root/tokens/id/${id}`] })
    expect((await server.call('POST', 'auth/token/lookup', { token })).status).toBe(403)
    expect((await server.call('POST', 'auth/token/tidy')).status).toBe(202)
    await server.clock.advance(3000)
    expect((await rows()).filter((key) => key.includes(id ?? ''))).toEqual([])
    expect((await rows()).length).toBe(all.length - 4)
  })
})

it('an orphan by its own path needs no sudo, one by no_parent does', async () => {
  await server.policy('orphans', 'path "auth/token/create-orphan" { capabilities = ["update"] }')
  const maker = await server.token(['orphans'])
  const made = await server.call('POST', 'auth/token/create-orphan', {}, maker)
  expect(made.body.auth).toMatchObject({ orphan: true, policies: ['default', 'orphans'] })
  const more = await server.call('POST', 'auth/token/create-orphan', { policies: ['root'] }, maker)
  expect(more).toMatchObject({ status: 400, body: { errors: ['child policies must be subset of parent'] } })
  const asked = await server.call('POST', 'auth/token/create-orphan', { no_parent: true }, maker)
  expect(asked.body.errors).toEqual(['root or sudo privileges required to create orphan token'])
})

describe('the number of policies of a token', () => {
  it('is a thousand at most: each is looked up', async () => {
    const names = (count: number) => Array.from({ length: count }, (_, i) => `p${i}`)
    const answer = await server.call('POST', 'auth/token/create', { policies: names(1001) })
    expect([answer.status, answer.body.errors]).toEqual([
      400,
      ['a token has at most 1000 policies, and 1001 were given'],
    ])
    expect((await create({ policies: names(1000) })).auth.policies).toHaveLength(1001)
  })
})

describe('parameters that nobody knows', () => {
  it('are named in a warning that stays short however many they are', async () => {
    const unknown = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`${'n'.repeat(300)}${i}`, 1]))
    const [warning = ''] = (await create({ policies: ['rw'], ...unknown })).warnings
    expect(warning).toMatch(/^Endpoint ignored these unrecognized parameters: \[n{100}… .* … and 50 more\]$/)
    expect(warning.length).toBeLessThan(11_000)
  })
})
