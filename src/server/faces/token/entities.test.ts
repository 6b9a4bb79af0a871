import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../../pipeline/test-server.ts'

let server: TestServer

beforeEach(async () => {
  server = await TestServer.start()
  await server.policy('maker', 'path "auth/token/*" { capabilities = ["create", "read", "update", "sudo"] }')
  await server.policy('reader', 'path "test/*" { capabilities = ["read"] }')
  await server.call('POST', 'auth/token/roles/web', {
    allowed_policies: 'maker',
    allowed_entity_aliases: 'Web-*,bob',
    renewable: true,
  })
})
afterEach(() => server.close())

const make = (body: object) => server.call('POST', 'auth/token/create/web', body)
const look = async (token: string) => (await server.call('POST', 'auth/token/lookup', { token })).body.data
const entity = async (id: string, body: object) => server.call('POST', `identity/entity/id/${id}`, body)

describe('a token made for an entity alias', () => {
  it('belongs to the entity, which is made when there is none, and is the same for the same alias', async () => {
    const { entity_id: first, client_token: token } = (await make({ entity_alias: 'Web-1' })).body.auth
    expect(first).toMatch(/^[0-9a-f-]{36}$/)
    expect((await look(token)).entity_id).toBe(first)
    expect((await make({ entity_alias: 'Web-1' })).body.auth.entity_id).toBe(first)
    expect((await make({ entity_alias: 'bob' })).body.auth.entity_id).not.toBe(first)
    expect((await make({})).body.auth.entity_id).toBe('')
  })

  it.each(['alice', 'xweb-1', ''])('"%s" is nobody that the role allows', async (entity_alias) => {
    const answer = await make({ entity_alias })
    if (entity_alias === '') expect(answer.body.auth.entity_id).toBe('')
    else expect(answer).toMatchObject({ status: 400, body: { errors: ["invalid 'entity_alias' value"] } })
  })

  it('has the policies of its entity besides its own, from the next request on', async () => {
    const { entity_id, client_token: token } = (await make({ entity_alias: 'bob' })).body.auth
    const read = async () => (await server.call('GET', 'test/row/a', undefined, token)).status
    expect(await read()).toBe(403)
    await entity(entity_id, { policies: ['reader'] })
    expect(await read()).toBe(404)
    expect(await look(token)).toMatchObject({
      policies: ['default', 'maker'],
      identity_policies: ['reader'],
      external_namespace_policies: {},
    })
    const again = (await server.call('POST', 'auth/token/renew', { token, increment: '1h' })).body.auth
    expect(again).toMatchObject({
      policies: ['default', 'maker', 'reader'],
      token_policies: ['default', 'maker'],
      identity_policies: ['reader'],
      entity_id,
    })
  })

  it('hands its entity to its children, not to orphans', async () => {
    const { entity_id, client_token: token } = (await make({ entity_alias: 'bob' })).body.auth
    await entity(entity_id, { policies: ['reader'] })
    const child = async (body: object) =>
      (await server.call('POST', 'auth/token/create', { policies: ['maker'], ...body }, token)).body.auth
    expect(await child({})).toMatchObject({ entity_id, identity_policies: ['reader'] })
    expect(await child({ type: 'batch' })).toMatchObject({ entity_id, identity_policies: ['reader'] })
    expect(await child({ no_parent: true })).toMatchObject({ entity_id: '', token_policies: ['default', 'maker'] })
  })

  it('ends with the entity, and sleeps while that is disabled', async () => {
    const { entity_id, client_token: token } = (await make({ entity_alias: 'bob' })).body.auth
    const alive = async () => (await server.call('GET', 'auth/token/lookup-self', undefined, token)).status
    await entity(entity_id, { disabled: true })
    expect(await alive()).toBe(403)
    expect((await make({ entity_alias: 'bob' })).status).toBe(403)
    await entity(entity_id, { disabled: false })
    expect(await alive()).toBe(200)
    await server.call('DELETE', `identity/entity/id/${entity_id}`)
    expect(await alive()).toBe(403)
  })
})
