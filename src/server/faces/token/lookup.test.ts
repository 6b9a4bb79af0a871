import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../../pipeline/test-server.ts'

let server: TestServer

beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

const create = async (body: object): Promise<string> =>
  (await server.call('POST', 'auth/token/create', body)).body.auth.client_token
const own = async (token: string) => (await server.call('GET', 'auth/token/lookup-self', undefined, token)).body.data
const asked = async (token: string) => (await server.call('POST', 'auth/token/lookup', { token })).body.data

describe('a token that looks itself up again and again', () => {
  it('is shown as it is then: with less time, and after a renewal by anybody with more', async () => {
    const token = await create({ ttl: '1h', meta: { team: 'a"b' } })
    const before = await own(token)
    expect(before).toMatchObject({ id: token, ttl: 3600, num_uses: 0, meta: { team: 'a"b' } })
    expect(before.last_renewal).toBe(undefined)
    server.clock.stepWall(600_000)
    expect(await own(token)).toEqual({ ...before, ttl: 3000 })
    await server.call('POST', 'auth/token/renew', { token, increment: '2h' })
    const after = await own(token)
    expect(after).toMatchObject({ id: token, ttl: 7200 })
    expect(Date.parse(after.expire_time) - Date.parse(before.expire_time)).toBe(600_000 + 3_600_000)
    expect(after.last_renewal_time - before.creation_time).toBe(600)
    expect(await asked(token)).toEqual(after)
  })

  it('is shown with what its entity has by then', async () => {
    await server.call('POST', 'auth/token/roles/web', { allowed_entity_aliases: 'bob' })
    const made = await server.call('POST', 'auth/token/create/web', { entity_alias: 'bob', policies: ['default'] })
    const { client_token: token, entity_id: entity } = made.body.auth
    const before = await own(token)
    expect(before.identity_policies).toBe(undefined)
    await server.call('POST', `identity/entity/id/${entity}`, { policies: ['reader'] })
    expect(await own(token)).toEqual({
      ...before,
      identity_policies: ['reader'],
      external_namespace_policies: {},
    })
  })

  it('sees its uses go', async () => {
    const token = await create({ num_uses: 3 })
    const seen = [await own(token), await own(token)].map((data) => data.num_uses)
    expect(seen).toEqual([2, 1])
  })

  it('is not shown another token of the same kind', async () => {
    const [one, two] = [await create({ policies: ['default'] }), await create({ policies: ['default'] })]
    for (const token of [one, two, one]) expect(await own(token)).toEqual(await asked(token))
  })

  it('has gone when it was revoked', async () => {
    const token = await create({ ttl: '1h' })
    await own(token)
    await server.call('POST', 'auth/token/revoke', { token })
    expect((await server.call('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(403)
  })

  it('as a batch token has whole seconds, and what is left of them', async () => {
    const token = await create({ type: 'batch', ttl: '1h', policies: ['default'] })
    const before = await own(token)
    server.clock.stepWall(1500)
    expect(await own(token)).toEqual({ ...before, ttl: before.ttl - 2 })
    expect(before.expire_time).toMatch(/:\d\dZ$/)
  })
})
