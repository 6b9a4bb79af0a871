import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { HttpRequest } from '../../src/server/http/handler.ts'
import { type Listener, listen } from '../../src/server/http/listener.ts'

let listener: Listener
let client: Socket
let seen: HttpRequest[]
let received: string
let hold: Promise<void> | undefined

beforeAll(async () => {
  listener = await listen({
    host: '127.0.0.1',
    port: 0,
    maxBodyBytes: 1000,
    handler: async (request) => {
      seen.push(request)
      if (request.target === '/v1/a') await hold
      return { status: 200, headers: { 'Content-Type': 'application/json' }, body: `{"method":"${request.method}"}\n` }
    },
  })
})
afterAll(() => listener.close(async () => {}))
beforeEach(async () => {
  seen = []
  received = ''
  hold = undefined
  client = connect(Number(new URL(listener.address).port), '127.0.0.1')
  client.on('data', (chunk) => {
    received += chunk.toString('latin1')
  })
  // What the server cuts while more is on its way is reset.
  client.on('error', () => undefined)
  await once(client, 'connect')
})
afterEach(() => client.destroy())

const send = (text: string) => client.write(Buffer.from(text, 'latin1'))
const host = 'Host: x\r\n'

/** Waits until the connection has given `count` answers. */
async function answers(count: number): Promise<string[]> {
  for (;;) {
    const found = received.split(/(?=HTTP\/1\.1 [2-5])/).filter((text) => /\r\n\r\n/.test(text))
    if (found.length >= count) return found
    await once(client, 'data')
  }
}

/** What an attacker tries who wants two servers to see different requests: a request ends where it ends, or the connection does. */
describe('where a request ends', () => {
  const get = `GET /v1/evil HTTP/1.1\r\n${host}\r\n`
  const post = (headers: string, body = '') => `POST /v1/a HTTP/1.1\r\n${host}${headers}\r\n${body}`

  it.each([
    ['two lengths that differ', post('Content-Length: 5\r\nContent-Length: 6\r\n', `12345${get}`)],
    ['two lengths that agree', post('Content-Length: 5\r\nContent-Length: 5\r\n', `12345${get}`)],
    ['a list of lengths', post('Content-Length: 5, 5\r\n', `12345${get}`)],
    ['a length and chunks', post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${get}`)],
    ['chunks and a length', post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', `0\r\n\r\n${get}`)],
    ['a negative length', post('Content-Length: -1\r\n', get)],
    ['a length with a sign', post('Content-Length: +5\r\n', `12345${get}`)],
    ['a length in hexadecimal', post('Content-Length: 0x5\r\n', `12345${get}`)],
    ['a length above all numbers', post('Content-Length: 99999999999999999999\r\n', get)],
    ['a space before the colon', post('Content-Length : 5\r\n', `12345${get}`)],
    ['a folded header', post('X-A: b\r\n Content-Length: 5\r\nContent-Length: 0\r\n\tx\r\n', get)],
    ['a header without a name', post(': x\r\n', get)],
    ['chunks that are not the last coding', post('Transfer-Encoding: chunked, identity\r\n', `0\r\n\r\n${get}`)],
    ['a coding that nobody knows', post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${get}`)],
    ['a coding behind a control character', post('Transfer-Encoding: \x0bchunked\r\n', `0\r\n\r\n${get}`)],
    ['a chunk whose size is no number', post('Transfer-Encoding: chunked\r\n', `zz\r\n\r\n${get}`)],
    ['a chunk longer than its size', post('Transfer-Encoding: chunked\r\n', `1\r\nab\r\n0\r\n\r\n${get}`)],
    ['a chunk size above all numbers', post('Transfer-Encoding: chunked\r\n', `fffffffffffffffff\r\n${get}`)],
    ['lines that end in LF alone', `POST /v1/a HTTP/1.1\nHost: x\nContent-Length: 0\n\n${get}`],
    ['a line that ends in CR alone', post('X-A: b\rContent-Length: 5\r\n', `12345${get}`)],
    ['a NUL in a header', post('X-A: b\0c\r\n', get)],
    ['no Host', `GET /v1/a HTTP/1.1\r\n\r\n${get}`],
    ['a body above the limit', post('Content-Length: 1001\r\n', `${'x'.repeat(1001)}${get}`)],
    ['HTTP/0.9', `GET /v1/a\r\n\r\n${get}`],
    ['HTTP/2.0 in clear', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${get}`],
    ['a version with a space', `GET /v1/a HTTP/1.1 \r\n${host}\r\n${get}`],
    ['headers above 64 KiB', `GET /v1/a HTTP/1.1\r\n${host}X-A: ${'x'.repeat(70_000)}\r\n\r\n${get}`],
  ])('%s: refused, and nothing behind it is read', async (_, text) => {
    send(text)
    await once(client, 'close')
    expect(received).toMatch(/^(?:HTTP\/1\.1 4\d\d |$)/)
    expect(seen.filter(({ target }) => target === '/v1/evil')).toEqual([])
    expect(seen.filter(({ body }) => body !== undefined && body.length > 0)).toEqual([])
  })

  it('trailers of chunks are read and have no effect', async () => {
    send(
      post(
        'Transfer-Encoding: chunked\r\nTrailer: X-Vault-Token\r\n',
        '3\r\nabc\r\n0\r\nX-Vault-Token: stolen\r\n\r\n',
      ),
    )
    await answers(1)
    send(`GET /v1/b HTTP/1.1\r\n${host}\r\n`)
    await answers(2)
    expect(seen.map(({ method, target }) => [method, target])).toEqual([
      ['POST', '/v1/a'],
      ['GET', '/v1/b'],
    ])
    expect(Buffer.from(seen[0]?.body ?? []).toString()).toBe('abc')
    expect(seen[0]?.rawHeaders.filter((_, i) => i % 2 === 0)).toEqual(['Host', 'Transfer-Encoding', 'Trailer'])
  })

  it.each(['Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: CHUNKED\r\n'])(
    'chunks by %j are a body',
    async (header) => {
      send(post(header, '3;ext="a"\r\nabc\r\n02\r\nde\r\n0\r\n\r\n'))
      await answers(1)
      expect(Buffer.from(seen[0]?.body ?? []).toString()).toBe('abcde')
    },
  )

  it.each(['GET', 'DELETE', 'HEAD', 'LIST', 'OPTIONS'])(
    'a body of %s is read to its end, and no request',
    async (method) => {
      send(`${method} /v1/a HTTP/1.1\r\n${host}Content-Length: ${get.length}\r\n\r\n${get}`)
      await answers(1)
      send(`GET /v1/b HTTP/1.1\r\n${host}\r\n`)
      await answers(2)
      expect(seen.map(({ method: seenAs, target }) => [seenAs, target])).toEqual([
        [method, '/v1/a'],
        ['GET', '/v1/b'],
      ])
    },
  )

  it('many requests in one piece are answered in their order', async () => {
    let release = () => {}
    hold = new Promise((resolve) => {
      release = resolve
    })
    send(
      `GET /v1/a HTTP/1.1\r\n${host}\r\nPOST /v1/b HTTP/1.1\r\n${host}Content-Length: 1\r\n\r\nxDELETE /v1/c HTTP/1.1\r\n${host}\r\n`,
    )
    release()
    const all = await answers(3)
    expect(all.map((text) => /"method":"(\w+)"/.exec(text)?.[1])).toEqual(['GET', 'POST', 'DELETE'])
  })

  it('with the connection, when the client says so', async () => {
    send(`GET /v1/a HTTP/1.1\r\n${host}Connection: close\r\n\r\n${get}`)
    await once(client, 'close')
    expect(seen.map(({ target }) => target)).toEqual(['/v1/a'])
    expect(received).toContain('Connection: close')
  })

  it('the client that asks first is told to go on, once', async () => {
    send(post('Content-Length: 3\r\nExpect: 100-continue\r\n'))
    while (!received.includes('100 Continue')) await once(client, 'data')
    expect(seen).toEqual([])
    send('abc')
    while (!received.includes('"method":"POST"')) await once(client, 'data')
    expect(received.match(/100 Continue/g)).toHaveLength(1)
    expect(Buffer.from(seen[0]?.body ?? []).toString()).toBe('abc')
  })
})
