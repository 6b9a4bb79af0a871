import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StorageDown, StorageFull } from '../contracts/storage.ts'
import { TestServer } from './test-server.ts'

const denied = {
  errors: ['1 error occurred:\n\t* permission denied\n\n'],
  request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
}
let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

/** Of this process: on a busy machine wall time says nothing. */
const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

describe('answers', () => {
  it('are envelopes with all eight keys in order', async () => {
    expect((await server.call('POST', 'test/row/a', { n: 1 })).status).toBe(204)
    const read = await server.call('GET', 'test/row/a')
    expect(read.text).toMatch(
      /^\{"request_id":"[0-9a-f-]{36}","lease_id":"","renewable":false,"lease_duration":0,"data":\{"n":1\},"wrap_info":null,"warnings":null,"auth":null\}\n$/,
    )
    expect(read.headers).toEqual({ 'Cache-Control': 'no-store', 'Content-Type': 'application/json' })
  })

  it('keep the text of numbers', async () => {
    const body = '{"a":1.0,"b":12345678901234567890,"c":1e400,"d":-0}'
    await server.call('POST', 'test/row/a', body)
    expect((await server.call('GET', 'test/row/a')).text).toContain(`"data":${body}`)
  })

  it('are 204 without a byte for a write without result', async () => {
    expect(await server.call('POST', 'test/row/a', {})).toMatchObject({ status: 204, text: '' })
  })

  it.each([
    ['GET', 'test/row/none'],
    ['LIST', 'test/row'],
  ])('%s %s: nothing there is 404 without errors', async (method, path) => {
    expect(await server.call(method, path)).toMatchObject({ status: 404, text: '{"errors":[]}\n' })
  })

  it.each(['LIST test/row', 'LIST test/row/', 'GET test/row?list=true', 'GET test/row/?list=1', 'GET test/row?list=T'])(
    '%s lists',
    async (line) => {
      await server.call('POST', 'test/row/b', {})
      await server.call('POST', 'test/row/a', {})
      const [method = '', path = ''] = line.split(' ')
      expect((await server.call(method, path)).body.data).toEqual({ keys: ['a', 'b'] })
    },
  )

  it('hide what went wrong inside', async () => {
    expect(await server.call('GET', 'test/broken')).toMatchObject({ status: 500, body: { errors: ['internal error'] } })
  })

  it('carry the data of a refusal', async () => {
    const answer = await server.call('DELETE', 'test/broken')
    expect(answer).toMatchObject({ status: 400, body: { errors: ['refused'], data: { why: 'because' } } })
  })

  it('repeat the namespace that was asked for', async () => {
    const answer = await server.call('GET', 'sys/mounts', undefined, undefined, { 'X-Vault-Namespace': 'team-a' })
    expect(answer).toMatchObject({ status: 404, body: { errors: ['namespace not found'] } })
    expect(answer.headers['X-Vault-Namespace']).toBe('team-a')
  })
})

describe('what is not there', () => {
  it.each([
    ['GET', 'nope/x', 404, 'no handler for route "nope/x". route entry not found.'],
    ['GET', 'test/nope', 404, '1 error occurred:\n\t* unsupported path\n\n'],
    ['DELETE', 'test/fields/x', 405, '1 error occurred:\n\t* unsupported operation\n\n'],
    ['POST', 'test/row/', 400, "cannot write to a path ending in '/'"],
  ])('%s %s: root sees %i', async (method, path, status, error) => {
    const answer = await server.call(method, path, method === 'POST' ? {} : undefined)
    expect(answer).toMatchObject({ status, body: { errors: [error] } })
  })

  it.each(['nope/x', 'test/nope', 'sys/mounts', 'sys/nope'])('%s: a token without rights sees 403', async (path) => {
    const token = await server.token(['default'])
    expect(await server.call('GET', path, undefined, token)).toMatchObject({ status: 403, body: denied })
  })
})

describe('the caller', () => {
  it.each([
    ['', 'no token'],
    ['wrong', 'an unknown token'],
  ])('%j: %s is refused', async (token) => {
    const answer = await server.call('GET', 'test/row/a', undefined, token)
    expect(answer).toMatchObject({ status: 403, body: { errors: ['permission denied'] } })
  })

  it('may use Authorization: Bearer', async () => {
    await server.call('POST', 'test/row/a', { x: 1 })
    const answer = await server.call('GET', 'test/row/a', undefined, '', { Authorization: `Bearer ${server.root}` })
    expect(answer.status).toBe(200)
  })

  it('with a revoked token cannot read, although it just did', async () => {
    await server.policy('p', 'path "test/*" { capabilities = ["read", "update", "create"] }')
    const token = await server.token(['p'])
    await server.call('POST', 'test/row/a', {}, token)
    expect((await server.call('GET', 'test/row/a', undefined, token)).status).toBe(200)
    await server.call('POST', 'auth/token/revoke', { token })
    expect((await server.call('GET', 'test/row/a', undefined, token)).status).toBe(403)
  })

  it('loses on one node at once what was revoked on another', async () => {
    await server.policy('p', 'path "test/*" { capabilities = ["read"] }')
    const token = await server.token(['p'])
    await server.call('POST', 'test/row/a', { x: 1 })
    const other = await server.another()
    expect((await other.call('GET', 'test/row/a', undefined, token)).status).toBe(200)
    await server.policy('p', 'path "test/*" { capabilities = ["list"] }')
    expect(await other.call('GET', 'test/row/a', undefined, token)).toMatchObject({ status: 403, body: denied })
    await server.policy('p', 'path "test/*" { capabilities = ["read"] }')
    expect((await other.call('GET', 'test/row/a', undefined, token)).status).toBe(200)
    await server.call('POST', 'auth/token/revoke', { token })
    expect((await other.call('GET', 'test/row/a', undefined, token)).status).toBe(403)
    await other.close()
  })

  it('is refused when the storage is away: nothing is answered from a cache', async () => {
    await server.call('POST', 'test/row/a', { x: 1 })
    expect((await server.call('GET', 'test/row/a')).status).toBe(200)
    server.backend.read = async () => Promise.reject(new StorageDown('gone'))
    const answer = await server.call('GET', 'test/row/a')
    expect(answer).toMatchObject({ status: 503, body: { errors: ['the storage cannot be reached'] } })
  })

  it('is told when there is no room', async () => {
    const { commit } = server.backend
    server.backend.commit = async () => Promise.reject(new StorageFull('the volume /data has 3 MiB left'))
    const answer = await server.call('POST', 'test/row/a', { x: 1 })
    expect(answer).toMatchObject({ status: 503, body: { errors: ['the volume /data has 3 MiB left'] } })
    server.backend.commit = commit
  })
})

describe('policy', () => {
  it('says no with the id of the request, in the body and in a header, for whoever wants to know why', async () => {
    await server.policy('none', 'path "x" { capabilities = ["read"] }')
    const answer = await server.call('GET', 'test/row/a', undefined, await server.token(['none']))
    expect(answer.body).toEqual(denied)
    expect(answer.headers['X-Request-Id']).toBe(answer.body.request_id)
    expect((await server.call('GET', 'test/row/none')).headers['X-Request-Id']).toBeUndefined()
  })

  it('asks for create when nothing is there, for update when it is', async () => {
    await server.policy('maker', 'path "test/row/*" { capabilities = ["create"] }')
    await server.policy('changer', 'path "test/row/*" { capabilities = ["update"] }')
    const [maker, changer] = [await server.token(['maker']), await server.token(['changer'])]
    expect((await server.call('POST', 'test/row/a', { n: 1 }, changer)).body).toEqual(denied)
    expect((await server.call('POST', 'test/row/a', { n: 1 }, maker)).status).toBe(204)
    expect((await server.call('POST', 'test/row/a', { n: 2 }, maker)).body).toEqual(denied)
    expect((await server.call('POST', 'test/row/a', { n: 3 }, changer)).status).toBe(204)
  })

  it('refuses a create-only token that finds the row made meanwhile', async () => {
    await server.policy('maker', 'path "test/row/*" { capabilities = ["create"] }')
    const maker = await server.token(['maker'])
    const { commit } = server.backend
    // Another process: within one, writers of a row queue.
    const other = await server.another()
    let raced = false
    server.backend.commit = async (c) => {
      if (!raced && c.create?.some(({ key }) => key.endsWith('row/a'))) {
        raced = true
        await other.call('POST', 'test/row/a', { by: 'other' })
      }
      return commit.call(server.backend, c)
    }
    const lost = server.call('POST', 'test/row/a', { by: 'maker' }, maker)
    await server.clock.advance(100)
    expect((await lost).body).toEqual(denied)
    expect((await server.call('GET', 'test/row/a')).body.data).toEqual({ by: 'other' })
    await other.close()
  })

  it('sees parameters', async () => {
    await server.policy(
      'p',
      'path "test/row/*" { capabilities = ["create", "update"] allowed_parameters = { "ok" = [] } }',
    )
    const token = await server.token(['p'])
    expect((await server.call('POST', 'test/row/a', { ok: 1 }, token)).status).toBe(204)
    expect((await server.call('POST', 'test/row/a', { ok: 1, other: 2 }, token)).body).toEqual(denied)
  })

  it('wants sudo for routes that need it', async () => {
    await server.policy('p', 'path "auth/token/accessors*" { capabilities = ["list"] }')
    await server.policy('s', 'path "auth/token/accessors*" { capabilities = ["list", "sudo"] }')
    const [plain, sudo] = [await server.token(['p']), await server.token(['s'])]
    expect((await server.call('LIST', 'auth/token/accessors', undefined, plain)).body).toEqual(denied)
    expect((await server.call('LIST', 'auth/token/accessors', undefined, sudo)).status).toBe(200)
  })
})

describe('input', () => {
  it('is converted as Vault does', async () => {
    const answer = await server.call('POST', 'test/fields/x', { count: '5', on: 'true', ttl: '1h', names: 'a, b' })
    expect(answer.body.data).toEqual({ count: 5, on: true, ttl: 3_600_000, names: ['a', 'b'] })
    const other = await server.call('POST', 'test/fields/x', { count: 5, on: 1, ttl: 30, names: ['a', 'b'] })
    expect(other.body.data).toEqual({ count: 5, on: true, ttl: 30_000, names: ['a', 'b'] })
  })

  it('that nobody knows is ignored with a warning, and the path wins', async () => {
    const answer = await server.call('POST', 'test/fields/x', { b: 1, a: 2, name: 'other' })
    expect(answer.body.warnings).toEqual([
      'Endpoint ignored these unrecognized parameters: [a b]',
      "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [name]",
    ])
  })

  it.each([
    ['{"a":', 'failed to decode JSON input: '],
    ['[1]', 'failed to decode JSON input: json: cannot unmarshal array'],
    ['"x"', 'failed to decode JSON input: json: cannot unmarshal string'],
    ['{"a":1,"a":2}', 'failed to decode JSON input: '],
    ['{"a":"\\ud800"}', 'failed to decode JSON input: '],
    [`${'{"a":'.repeat(70)}1${'}'.repeat(70)}`, 'failed to decode JSON input: '],
    ['{"count":"x"}', 'error converting input for field "count"'],
    ['{"ttl":"-5s"}', 'error converting input for field "ttl"'],
    ['{"names":{}}', 'error converting input for field "names"'],
  ])('%s is refused with 400', async (body, error) => {
    const answer = await server.call('POST', 'test/fields/x', body)
    expect(answer.status).toBe(400)
    expect(answer.body.errors[0]).toContain(error)
  })

  it('may be empty', async () => {
    expect((await server.call('POST', 'test/fields/x')).body.data).toEqual({ count: 0, on: false, ttl: 0, names: [] })
  })

  it.each([
    ['X-Vault-Namespace', `x${'/'.repeat(60_000)}x`, 404],
    ['X-Vault-Wrap-TTL', `${'1'.repeat(60_000)}x`, 400],
  ])('%s that is long and hostile costs no time', async (name, value, status) => {
    const before = cpuMs()
    expect((await server.call('GET', 'test/row/a', undefined, undefined, { [name]: value })).status).toBe(status)
    expect(cpuMs() - before).toBeLessThan(500)
  })

  it('of a form with one name very often costs no time', async () => {
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const before = cpuMs()
    expect((await server.call('POST', 'test/fields/x', 'names=a&'.repeat(50_000), '', form)).status).toBe(403)
    expect(cpuMs() - before).toBeLessThan(1000)
    const few = await server.call('POST', 'test/fields/x', 'names=a&names=b&names=c&count=1', undefined, form)
    expect(few.body.data).toMatchObject({ names: ['a', 'b', 'c'], count: 1 })
  })
})

describe('help', () => {
  it('is a document for every token, by ?help=1 and HELP', async () => {
    const token = await server.token(['default'])
    for (const [method, path] of [
      ['GET', 'test/fields/x?help=1'],
      ['HELP', 'test/fields/x'],
    ] as const) {
      const answer = await server.call(method, path, undefined, token)
      expect(answer.status).toBe(200)
      expect(Object.keys(answer.body)).toEqual(['help', 'see_also', 'openapi'])
      expect(answer.body.help).toContain('count (int)')
    }
    expect((await server.call('GET', 'test/fields/x?help=1', undefined, '')).status).toBe(403)
  })
})

describe('a read', () => {
  it('asks the storage once, when nothing changed', async () => {
    await server.call('POST', 'test/row/a', { x: 1 })
    await server.call('GET', 'test/row/a')
    const { read } = server.backend
    let reads = 0
    server.backend.read = (keys) => {
      reads += 1
      return read.call(server.backend, keys)
    }
    expect((await server.call('GET', 'test/row/a')).status).toBe(200)
    expect(reads).toBe(1)
  })
})
