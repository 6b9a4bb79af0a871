import { afterAll, beforeAll, expect, it } from 'vitest'
import { TestServer } from './test-server.ts'

let server: TestServer
let pager: string
beforeAll(async () => {
  server = await TestServer.start()
  for (const name of ['a', 'b', 'c']) await server.policy(name, 'path "x" { capabilities = ["read"] }')
  await server.policy(
    'pager',
    'path "sys/policies/acl" { capabilities = ["list"] pagination_limit = 2 required_parameters = ["limit"] }',
  )
  pager = await server.token(['pager'])
})
afterAll(() => server.close())

const list = async (query: string, token?: string) =>
  (await server.call('LIST', `sys/policies/acl${query}`, undefined, token)).body.data?.keys

it('limit=max is all that there is, or as much as policy allows', async () => {
  expect(await list('?limit=max')).toEqual(await list(''))
  expect(await list('?limit=max', pager)).toEqual(['a', 'b'])
  expect(await list('?limit=max&after=b', pager)).toEqual(['c', 'default'])
  expect(await list('', pager)).toBeUndefined()
})

it('of which policy shows only some keys is the others never seen in, however it is asked', async () => {
  for (const name of ['mine', 'other']) await server.call('PUT', `test/row/${name}`, { value: name })
  await server.policy(
    'some',
    `path "test/row" { capabilities = ["list"] list_scan_response_keys_filter_path = "{{ .path }}{{ .key }}" }
    path "test/row/mine" { capabilities = ["read"] }`,
  )
  const some = await server.token(['some'])
  expect((await server.call('LIST', 'test/row')).body.data.keys).toEqual(['mine', 'other'])
  for (const [method, path] of [
    ['LIST', 'test/row'],
    ['GET', 'test/row?list=true'],
  ] as const) {
    expect((await server.call(method, path, undefined, some)).body.data).toEqual({ keys: ['mine'] })
  }
})

it('max is a word of lists alone', async () => {
  expect((await server.call('LIST', 'sys/policies/acl?limit=most')).status).toBe(400)
  expect((await server.call('GET', 'sys/tools/random/max')).status).not.toBe(200)
})
