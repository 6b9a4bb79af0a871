import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

describe('a refusal by policy', () => {
  it('is explained by the id that came with it', async () => {
    await server.policy('reader', 'path "test/row/*" { capabilities = ["read"] }')
    const token = await server.token(['reader'])
    const refused = await server.call('POST', 'test/row/a', { secret: 'canary-88' }, token)
    expect(refused.status).toBe(403)
    const answer = await server.call('POST', 'sys/coffer/explain', { request_id: refused.body.request_id })
    expect(answer.status).toBe(200)
    expect(answer.text).toContain('"policy":"reader"')
    expect(answer.text).toContain('create')
    expect(answer.text).not.toContain('canary-88')
  })

  it('is not explained to who may not read policies', async () => {
    await server.policy('reader', 'path "test/row/*" { capabilities = ["read"] }')
    const token = await server.token(['reader'])
    const refused = await server.call('POST', 'test/row/a', {}, token)
    const answer = await server.call('POST', 'sys/coffer/explain', { request_id: refused.body.request_id }, token)
    expect(answer.status).toBe(403)
  })
})

describe('what explain tells of an entity', () => {
  const ask = async (token: string | undefined, entity_id: string) =>
    server.call('POST', 'sys/coffer/explain', { path: 'x', operation: 'read', policies: ['own'], entity_id }, token)

  it('is for who may read it: its values fill the rules that are shown', async () => {
    const own = 'path "{{identity.entity.metadata.pet}}" { capabilities = ["read"] }'
    await server.policy('own', own)
    const explainer =
      'path "sys/coffer/explain" { capabilities = ["update"] } path "sys/policies/acl/*" { capabilities = ["read"] }'
    await server.policy('explainer', explainer)
    const made = await server.call('POST', 'identity/entity', { name: 'bob', metadata: { pet: 'canary' } })
    const { id } = made.body.data
    const token = await server.token(['explainer'])
    for (const entity of [id, 'nobody']) expect((await ask(token, entity)).status).toBe(403)
    expect((await ask(undefined, 'nobody')).status).toBe(400)
    await server.policy('reader', `path "identity/entity/id/${id}" { capabilities = ["read"] }`)
    const answer = await ask(await server.token(['explainer', 'reader']), id)
    expect(answer.status).toBe(200)
    expect(answer.body.data.entity_id).toBe(id)
  })
})

describe('a list that policy filters', () => {
  it('shows only what the caller may see', async () => {
    for (const name of ['a', 'b', 'c']) await server.call('POST', `test/row/${name}`, {})
    await server.policy(
      'some',
      'path "test/row" { capabilities = ["list"] list_scan_response_keys_filter_path = "test/row/{{.key}}" }\npath "test/row/b" { capabilities = ["read"] }',
    )
    const token = await server.token(['some'])
    expect((await server.call('LIST', 'test/row', undefined, token)).body.data.keys).toEqual(['b'])
  })
})
