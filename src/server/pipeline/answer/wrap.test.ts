import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inject } from '../../http/handler.ts'
import { TestServer } from '../test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

const wrapped = async (method: string, path: string, body?: unknown) =>
  (await server.call(method, path, body, undefined, { 'X-Vault-Wrap-TTL': '60' })).body.wrap_info
/** Also what is no JSON. */
async function unwrapped(token: string) {
  const headers = { 'X-Vault-Token': token }
  const {
    status,
    headers: shown,
    body,
  } = await inject(server.core.handler, {
    method: 'POST',
    path: '/v1/sys/wrapping/unwrap',
    headers,
  })
  return { status, headers: shown, text: body, data: body.startsWith('{') ? JSON.parse(body).data : undefined }
}

describe('an answer without envelope', () => {
  it('comes out of its wrapping as the bytes that it was, once', async () => {
    const { token, creation_path } = await wrapped('GET', 'sys/metrics?format=prometheus')
    expect(creation_path).toBe('sys/metrics')
    const answer = await unwrapped(token)
    expect(answer.status).toBe(200)
    expect(answer.headers['Content-Type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(answer.text).toMatch(/^vault_core_unsealed 1$/m)
    expect((await unwrapped(token)).status).toBe(400)
  })

  it('is one only when the server made it: data of the same form stays data', async () => {
    const data = {
      http_content_type: 'text/html',
      http_raw_body: Buffer.from('<script>').toString('base64'),
      http_status_code: 200,
    }
    await server.call('POST', 'test/row/a', data)
    const answer = await unwrapped((await wrapped('GET', 'test/row/a')).token)
    expect(answer.headers['Content-Type']).toBe('application/json')
    expect(answer.data).toEqual(data)
    const given = await unwrapped((await wrapped('POST', 'sys/wrapping/wrap', data)).token)
    expect(given.data).toEqual(data)
  })

  it('stays one when it is wrapped anew', async () => {
    const first = await wrapped('GET', 'sys/metrics?format=prometheus')
    const again = (await server.call('POST', 'sys/wrapping/rewrap', { token: first.token })).body.wrap_info
    expect((await unwrapped(again.token)).text).toMatch(/^vault_core_unsealed 1$/m)
  })
})

it.each([
  ['far', 400_000],
  ['a little', 160_000],
])(
  'an answer that is %s larger than a row is refused in its wrapping, and leaves no token behind',
  async (_, length) => {
    const accessors = async () => (await server.call('LIST', 'auth/token/accessors')).body.data.keys.length
    const before = await accessors()
    const list = { value: Array.from({ length }, () => 'xxxx') }
    const answer = await server.call('POST', 'sys/wrapping/wrap', list, undefined, { 'X-Vault-Wrap-TTL': '60' })
    expect([answer.status, answer.body.errors]).toEqual([413, [expect.stringContaining('value too large')]])
    expect(await accessors()).toBe(before)
  },
)

describe('what a wrapping token held', () => {
  it('can be wrapped again by who opens it, and comes out as it was', async () => {
    await server.call('POST', 'test/row/a', { v: 'canary' })
    const first = await wrapped('GET', 'test/row/a')
    const second = await server.call('POST', 'sys/wrapping/unwrap', undefined, first.token, {
      'X-Vault-Wrap-TTL': '60',
    })
    expect(second.text).not.toContain('canary')
    expect((await unwrapped(second.body.wrap_info.token)).data).toEqual({ v: 'canary' })
  })
})
