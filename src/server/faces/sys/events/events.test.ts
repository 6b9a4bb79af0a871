import { createServer, type Server } from 'node:http'
import { Duplex } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { rootNamespace } from '../../../contracts/epochs.ts'
import { attach } from '../../../http/listener.ts'
import { TestServer } from '../../../pipeline/test-server.ts'

let server: TestServer
let http: Server
let clients: WebSocket[]

beforeEach(async () => {
  server = await TestServer.start()
  http = createServer()
  attach(http, 'connection', { handler: (request) => server.core.handler(request) })
  clients = []
})
afterEach(async () => {
  for (const client of clients) client.terminate()
  http.close()
  await server.close()
})

function pair(): [Duplex, Duplex] {
  const end = (other: () => Duplex): Duplex =>
    new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        other().push(chunk)
        done()
      },
      final(done) {
        other().push(null)
        done()
      },
    })
  const a: Duplex = end(() => b)
  const b: Duplex = end(() => a)
  return [a, b]
}

/** What arrives, in order; a refusal arrives as its status. */
function subscribe(path: string, token: string) {
  const [client, other] = pair()
  http.emit('connection', other)
  const socket = new WebSocket(`ws://server/v1/sys/events/subscribe/${path}`, {
    headers: { 'X-Vault-Token': token },
    createConnection: () => client as never,
  })
  clients.push(socket)
  const queue: unknown[] = []
  let wake = () => {}
  const put = (item: unknown) => {
    queue.push(item)
    wake()
  }
  socket.on('open', () => put('open'))
  socket.on('message', (data) => put(JSON.parse(String(data))))
  socket.on('unexpected-response', (_, response) => put(response.statusCode))
  socket.on('close', (code) => put(`closed ${code}`))
  socket.on('error', () => {})
  return async () => {
    while (queue.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return queue.shift()
  }
}

const publish = (dataPath: string, type = 'kv-v2/data-write') => {
  const mount = server.core.mounts.known.at('test/')?.info
  if (!mount) throw new Error('no mount')
  server.core.events.publish({
    type,
    namespace: rootNamespace,
    mount,
    dataPath,
    metadata: { path: dataPath, operation: 'data-write' },
  })
}

describe('the event stream', () => {
  it("tells of paths that the token may read, in Vault's CloudEvents", async () => {
    await server.policy(
      'p',
      'path "test/row/mine" { capabilities = ["read"] } path "sys/events/*" { capabilities = ["read"] }',
    )
    const next = subscribe('kv-v2/*?json=true', await server.token(['p']))
    expect(await next()).toBe('open')
    publish('test/row/theirs')
    publish('test/row/mine', 'other/type')
    publish('test/row/mine')
    expect(await next()).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      source: 'coffer://test',
      specversion: '1.0',
      type: '*',
      data: {
        event: { id: expect.any(String), metadata: { path: 'test/row/mine', operation: 'data-write' } },
        event_type: 'kv-v2/data-write',
        plugin_info: {
          mount_class: 'secret',
          mount_accessor: expect.stringMatching(/^test_/),
          mount_path: 'test/',
          plugin: 'test',
        },
      },
      datacontentype: 'application/cloudevents',
      time: expect.stringMatching(/Z$/),
    })
  })

  it('ends within a second of its token', async () => {
    await server.policy('p', 'path "*" { capabilities = ["read"] }')
    const token = await server.token(['p'])
    const next = subscribe('*?json=true', token)
    expect(await next()).toBe('open')
    await server.clock.advance(3000)
    publish('test/row/a')
    expect(await next()).toMatchObject({ specversion: '1.0' })
    await server.call('POST', 'auth/token/revoke', { token })
    await server.clock.advance(1000)
    expect(await next()).toBe('closed 1008')
  })

  it('follows the policy of its token', async () => {
    await server.policy('p', 'path "*" { capabilities = ["read"] }')
    const next = subscribe('*?json=true', await server.token(['p']))
    expect(await next()).toBe('open')
    await server.policy('p', 'path "test/row/b" { capabilities = ["read"] }')
    await server.clock.advance(1000)
    publish('test/row/a')
    publish('test/row/b')
    expect(await next()).toMatchObject({ data: { event: { metadata: { path: 'test/row/b' } } } })
  })

  it.each([
    ['*/data-write', true],
    ['kv*-*/*write', true],
    ['kv-v2/data-write', true],
    ['kv-v2/data', false],
    ['*data-writ', false],
    ['kv-v2/*-v2/data-write', false],
  ])('of %s: a write of KV v2 belongs to it: %s', async (pattern, belongs) => {
    const next = subscribe(`${pattern}?json=true`, server.root)
    expect(await next()).toBe('open')
    publish('test/row/a')
    publish('test/row/b', pattern.replaceAll('*', 'x'))
    const first = belongs ? 'test/row/a' : 'test/row/b'
    expect(await next()).toMatchObject({ data: { event: { metadata: { path: first } } } })
  })

  it('is not held up by a type of many stars', async () => {
    const next = subscribe(`${'*'.repeat(5000)}x?json=true`, server.root)
    expect(await next()).toBe('open')
    publish('test/row/a')
    publish('test/row/b', 'ends-with-x')
    expect(await next()).toMatchObject({ data: { event_type: 'ends-with-x' } })
  })

  it('that ended is not looked after any more', async () => {
    const next = subscribe('*?json=true', server.root)
    expect(await next()).toBe('open')
    const { read } = server.backend
    let looked = 0
    let release = () => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    server.backend.read = async (keys) => {
      if (keys.some(({ key }) => key.includes('/tokens/id/'))) looked += 1
      await released
      return read.call(server.backend, keys)
    }
    // It goes away while its token is being looked at.
    const watching = server.clock.advance(1000)
    while (looked === 0) await new Promise((resolve) => setImmediate(resolve))
    clients[0]?.close()
    expect(await next()).toBe('closed 1005')
    server.backend.read = read
    release()
    await watching
    looked = 0
    server.backend.read = (keys) => {
      if (keys.some(({ key }) => key.includes('/tokens/id/'))) looked += 1
      return read.call(server.backend, keys)
    }
    await server.clock.advance(3000)
    expect(looked).toBe(0)
    server.backend.read = read
  })

  it('is refused without rights, without a token, without JSON and without an upgrade', async () => {
    await server.policy('p', 'path "test/*" { capabilities = ["read"] }')
    const bare = await server.token(['p'], { no_default_policy: true })
    expect(await subscribe('*?json=true', bare)()).toBe(403)
    expect(await subscribe('*?json=true', 'wrong')()).toBe(403)
    expect(await subscribe('*', server.root)()).toBe(400)
    const plain = await server.call('GET', 'sys/events/subscribe/*?json=true')
    expect(plain.body.errors[0]).toContain('this path needs a WebSocket')
  })
})
