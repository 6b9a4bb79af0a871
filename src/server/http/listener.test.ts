import { createServer, type Server } from 'node:http'
import { Duplex } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { HttpRequest } from './handler.ts'
import { attach } from './listener.ts'

/** Both ends of a connection in memory. */
function connection(): { client: Duplex; server: Duplex } {
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
  const client: Duplex = end(() => server)
  const server: Duplex = end(() => client)
  return { client, server }
}

let server: Server
let seen: HttpRequest[]
let pair: ReturnType<typeof connection>
let received: string
/** What answers to /v1/a wait for. */
let hold: Promise<void> | undefined

beforeEach(() => {
  seen = []
  received = ''
  hold = undefined
  server = createServer({ maxHeaderSize: 64 * 1024 })
  attach(server, 'connection', {
    maxBodyBytes: 1000,
    handler: async (request) => {
      seen.push(request)
      if (request.target === '/v1/a') await hold
      return { status: 200, headers: { 'Content-Type': 'application/json' }, body: `{"method":"${request.method}"}\n` }
    },
  })
  pair = connection()
  server.emit('connection', pair.server)
  pair.client.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1')
  })
})
afterEach(() => {
  pair.client.destroy()
  pair.server.destroy()
  server.close()
})

/** Waits until the connection has given `count` answers. */
async function answers(count: number): Promise<string[]> {
  for (;;) {
    const found = received.split(/(?=HTTP\/1\.1 )/).filter((text) => /\r\n\r\n/.test(text))
    if (found.length >= count) return found
    await new Promise((resolve) => pair.client.once('data', resolve))
  }
}
const send = (text: string) => pair.client.write(Buffer.from(text, 'latin1'))
const host = 'Host: x\r\n'

describe('verbs that node:http does not know', () => {
  it.each(['LIST', 'SCAN', 'HELP', 'GET', 'PATCH'])('%s arrives as itself', async (method) => {
    send(`${method} /v1/a HTTP/1.1\r\n${host}\r\n`)
    await answers(1)
    expect(seen[0]).toMatchObject({ method, target: '/v1/a' })
  })

  it('one after the other on one connection, with bodies that look like them', async () => {
    const body = 'LIST /v1/evil HTTP/1.1\r\n\r\n'
    send(`POST /v1/a HTTP/1.1\r\n${host}Content-Length: ${body.length * 2}\r\n\r\n`)
    send(body)
    send(body)
    await answers(1)
    send(`LIST /v1/b HTTP/1.1\r\n${host}\r\n`)
    await answers(2)
    send(`GET /v1/c HTTP/1.1\r\n${host}\r\n`)
    await answers(3)
    expect(seen.map(({ method, target }) => [method, target])).toEqual([
      ['POST', '/v1/a'],
      ['LIST', '/v1/b'],
      ['GET', '/v1/c'],
    ])
    expect(Buffer.from(seen[0]?.body ?? []).toString()).toBe(body + body)
  })

  it('are not made of headers that arrive apart', async () => {
    send(`GET /v1/a HTTP/1.1\r\n${host}X-A: b`)
    send(`LIST : c\r\n\r\n`)
    await answers(1)
    expect(seen[0]?.method).toBe('GET')
    expect(seen[0]?.rawHeaders).toContain('bLIST : c')
  })

  it('are not made of a request whose head arrives in two parts behind another request', async () => {
    send(`GET /v1/a HTTP/1.1\r\n${host}\r\nPOST /v1/b HTTP/1.1\r\n${host}Content-Length: 0\r\nX-A: `)
    send(`LIST \r\n\r\n`)
    await answers(2)
    expect(seen.map(({ method }) => method)).toEqual(['GET', 'POST'])
  })

  it.each(['LIST', 'SCAN', 'HELP'])('%s arrives in single bytes', async (method) => {
    for (const byte of `${method} /v1/b HTTP/1.1\r\n${host}\r\n`) {
      send(byte)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await answers(1)
    expect(seen[0]).toMatchObject({ method, target: '/v1/b' })
  })

  it('begin like other verbs, which arrive in parts too', async () => {
    send('HE')
    await new Promise((resolve) => setImmediate(resolve))
    send(`AD /v1/b HTTP/1.1\r\n${host}\r\n`)
    await answers(1)
    expect(seen[0]?.method).toBe('HEAD')
  })

  it('stand behind other requests in one piece, with and without bodies', async () => {
    const post = (target: string, body: string) =>
      `POST ${target} HTTP/1.1\r\n${host}Content-Length: ${body.length}\r\n\r\n${body}`
    const list = (target: string) => `LIST ${target} HTTP/1.1\r\n${host}\r\n`
    send([list('/v1/b'), list('/v1/c'), post('/v1/d', 'LIST in a body\r\n\r\n'), list('/v1/e'), 'SC'].join(''))
    await answers(4)
    send(`AN /v1/f HTTP/1.1\r\n${host}\r\n`)
    await answers(5)
    expect(seen.map(({ method, target }) => `${target} ${method}`).sort()).toEqual([
      '/v1/b LIST',
      '/v1/c LIST',
      '/v1/d POST',
      '/v1/e LIST',
      '/v1/f SCAN',
    ])
    expect(Buffer.from(seen.find(({ body }) => body)?.body ?? []).toString()).toBe('LIST in a body\r\n\r\n')
  })

  it('stand behind other requests wherever the bytes are parted', async () => {
    const body = 'SCAN in a body\r\n\r\n'
    const piece = `POST /v1/b HTTP/1.1\r\n${host}Content-Length: ${body.length}\r\n\r\n${body}LIST /v1/c HTTP/1.1\r\n${host}\r\n`
    for (let cut = 1; cut < piece.length; cut += 1) {
      send(piece.slice(0, cut))
      await new Promise((resolve) => setImmediate(resolve))
      send(piece.slice(cut))
      await answers(2 * cut)
      const [post, list] = seen.splice(0).sort((a, b) => a.target.localeCompare(b.target))
      expect([post?.method, Buffer.from(post?.body ?? []).toString(), list?.method]).toEqual(['POST', body, 'LIST'])
    }
  })

  it('are not made of a body whose length the head leaves open', async () => {
    const body = 'LIST /v1/evil HTTP/1.1\r\n\r\n'
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n`
    send(`POST /v1/b HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}0\r\n\r\n`)
    await answers(1)
    expect(seen.map(({ method }) => method)).toEqual(['POST'])
    expect(Buffer.from(seen[0]?.body ?? []).toString()).toBe(body + body)
  })

  it('wait while more answers are due than the connection takes', async () => {
    let go = () => {}
    hold = new Promise((resolve) => {
      go = resolve
    })
    const count = 400
    const lists = `LIST /v1/b HTTP/1.1\r\n${host}\r\n`.repeat(count)
    send(`GET /v1/a HTTP/1.1\r\n${host}\r\n`)
    for (let sent = 0; !pair.server.isPaused(); sent += count) {
      expect(sent).toBeLessThan(10 * count)
      send(lists)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const before = seen.length
    expect(before % count).not.toBe(1)
    go()
    await answers(2 * count + 1)
    expect(seen.length).toBeGreaterThan(before)
    expect(seen.filter(({ method }) => method !== 'LIST')).toHaveLength(1)
  })

  it('are not passed on by a request that Node would have answered itself', async () => {
    send(`LIST /v1/a HTTP/1.1\r\n${host}Expect: miracles\r\n\r\n`)
    expect((await answers(1))[0]).toMatch(/^HTTP\/1\.1 417 /)
    send(`DELETE /v1/b HTTP/1.1\r\n${host}\r\n`)
    await answers(2)
    expect(seen.map(({ method }) => method)).toEqual(['DELETE'])
  })

  it.each(['LINK', 'BIND', 'LOCK'])('%s from a client is unknown', async (method) => {
    send(`${method} /v1/a HTTP/1.1\r\n${host}\r\n`)
    await answers(1)
    expect(seen[0]?.method).toBe('unknown')
  })
})

describe('limits', () => {
  it.each(['gzip, chunked', 'identity, chunked', 'chunked, chunked'])(
    'a body coded as %s is refused, never read as it is',
    async (coding) => {
      send(`POST /v1/a HTTP/1.1\r\n${host}Transfer-Encoding: ${coding}\r\n\r\n2\r\n{}\r\n0\r\n\r\n`)
      expect((await answers(1))[0]).toMatch(/^HTTP\/1\.1 400 /)
      expect(seen).toEqual([])
    },
  )

  it('a chunked body is read, however that is spelled', async () => {
    send(`POST /v1/a HTTP/1.1\r\n${host}Transfer-Encoding: Chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`)
    await answers(1)
    expect(Buffer.from(seen[0]?.body ?? []).toString()).toBe('{}')
  })

  it('leave no header out: what a proxy adds comes last', async () => {
    send(`GET /v1/a HTTP/1.1\r\n${host}${'A: b\r\n'.repeat(5000)}X-Forwarded-For: 10.0.0.9\r\n\r\n`)
    await answers(1)
    expect(seen[0]?.rawHeaders.slice(-2)).toEqual(['X-Forwarded-For', '10.0.0.9'])
    expect(seen[0]?.rawHeaders).toHaveLength(10_004)
  })

  it('a body that says it is too large is 413 and the connection ends', async () => {
    send(`POST /v1/a HTTP/1.1\r\n${host}Content-Length: 1001\r\n\r\n`)
    const [answer] = await answers(1)
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(answer).toContain('{"errors":["http: request body too large"]}')
    expect(answer).toContain('Connection: close')
    expect(seen).toEqual([])
  })

  it('a chunked body that becomes too large is 413', async () => {
    send(`POST /v1/a HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n3e9\r\n${'x'.repeat(1001)}\r\n`)
    expect((await answers(1))[0]).toMatch(/^HTTP\/1\.1 413 /)
    expect(seen).toEqual([])
  })

  it('a body that ends early is never handed on', async () => {
    send(`POST /v1/a HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nabc`)
    pair.client.destroy()
    pair.server.destroy()
    await new Promise((resolve) => setImmediate(resolve))
    expect(seen).toEqual([])
  })

  it('a HEAD answer has no body', async () => {
    send(`HEAD /v1/a HTTP/1.1\r\n${host}\r\n`)
    const [answer] = await answers(1)
    expect(answer?.endsWith('\r\n\r\n')).toBe(true)
  })
})

describe('an upgrade to something else than a WebSocket', () => {
  const h2c = `${host}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n`

  it('is ignored, as clients that offer HTTP/2 expect', async () => {
    send(`GET /v1/a HTTP/1.1\r\n${h2c}\r\n`)
    const [answer] = await answers(1)
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
    expect(answer).toContain('{"method":"GET"}')
    expect(answer).toContain('Connection: close')
  })

  /** Vitest fails the run for a rejection that nobody handles: it would end the server. */
  it('does no harm when the client breaks off within the body', async () => {
    send(`POST /v1/a HTTP/1.1\r\n${h2c}Content-Length: 10\r\n\r\n123`)
    await new Promise((resolve) => setImmediate(resolve))
    pair.server.destroy(new Error('ECONNRESET'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(seen).toEqual([])
  })

  it('behind a request that is still being answered ends the connection', async () => {
    hold = new Promise((resolve) => pair.server.once('close', () => resolve()))
    send(`GET /v1/a HTTP/1.1\r\n${host}\r\nGET /v1/b HTTP/1.1\r\n${h2c}\r\n`)
    await hold
    expect(seen.map(({ target }) => target)).toEqual(['/v1/a', '/v1/b'])
  })

  it('keeps the body, however it arrives', async () => {
    send(`POST /v1/a HTTP/1.1\r\n${h2c}Content-Length: 10\r\n\r\n12345`)
    await new Promise((resolve) => setImmediate(resolve))
    send('67890')
    await answers(1)
    expect(Buffer.from(seen[0]?.body ?? []).toString()).toBe('1234567890')
  })
})

describe('a body that its operation reads', () => {
  const target = '/v1/sys/storage/raft/snapshot'
  const start = (handler: (request: HttpRequest) => Promise<string>) => {
    server.removeAllListeners()
    const { server: theirs } = (pair = connection())
    server = createServer()
    attach(server, 'connection', {
      maxBodyBytes: 10,
      handler: async (request) => ({ status: 200, headers: {}, body: await handler(request) }),
    })
    server.emit('connection', theirs)
    pair.client.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
    })
  }
  const sizeOf = async (request: HttpRequest) => {
    let size = 0
    for await (const chunk of request.stream ?? []) size += chunk.length
    return `read ${size}`
  }

  it('may be larger than others, and is handed on before it has arrived', async () => {
    let asked = () => {}
    const begun = new Promise<void>((resolve) => {
      asked = resolve
    })
    start((request) => {
      asked()
      return sizeOf(request)
    })
    send(`POST ${target} HTTP/1.1\r\n${host}Content-Length: 5000\r\n\r\n${'x'.repeat(1000)}`)
    await begun
    send('x'.repeat(4000))
    expect((await answers(1))[0]).toContain('read 5000')
  })

  it('does not spoil the connection when the operation refuses it unread', async () => {
    start(async () => 'no')
    send(`PUT ${target}-force?x=1 HTTP/1.1\r\n${host}Content-Length: 5000\r\n\r\n${'x'.repeat(1000)}`)
    expect((await answers(1))[0]).toMatch(/no$/)
    send(`${'x'.repeat(4000)}GET /v1/a HTTP/1.1\r\n${host}\r\n`)
    expect(await answers(2)).toHaveLength(2)
  })

  it.each(['/v1/sys/storage/raft/snapshots', '/v1/sys/storage/raft/snapshot/x', '/v1/a?sys/storage/raft/snapshot'])(
    'is not that of %s',
    async (other) => {
      start(sizeOf)
      send(`POST ${other} HTTP/1.1\r\n${host}Content-Length: 50\r\n\r\n${'x'.repeat(50)}`)
      expect((await answers(1))[0]).toContain(' 413 ')
    },
  )

  it('of which a part was read gets its answer too', async () => {
    start(async (request) => {
      for await (const _ of request.stream ?? []) break
      return 'enough'
    })
    send(`PUT ${target} HTTP/1.1\r\n${host}Content-Length: 5000\r\n\r\n${'x'.repeat(1000)}`)
    expect((await answers(1))[0]).toMatch(/enough$/)
    send(`${'x'.repeat(4000)}GET /v1/a HTTP/1.1\r\n${host}\r\n`)
    expect(await answers(2)).toHaveLength(2)
  })

  it('that is cut fails the reading', async () => {
    let failed = () => {}
    const failing = new Promise<void>((resolve) => {
      failed = resolve
    })
    start((request) =>
      sizeOf(request).catch((error: unknown) => {
        failed()
        throw error
      }),
    )
    send(`POST ${target} HTTP/1.1\r\n${host}Content-Length: 5000\r\n\r\nxx`)
    pair.server.destroy()
    await failing
  })
})
