import { createServer, type Server } from 'node:http'
import { Duplex } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, it } from 'vitest'
import { RawJson } from '../../lib/json/value.ts'
import type { Answer, Incoming } from '../pipeline/exchange.ts'
import { writeAnswer } from './envelope.ts'
import { createHandler, inject } from './handler.ts'
import { attach } from './listener.ts'

const mib = 1024 * 1024
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** What the handler gets of a body that is sent in the given parts, over a connection in memory. */
function bodyOf(head: string, parts: readonly Buffer[], maxBodyBytes: number): Promise<Buffer | string> {
  return new Promise((resolve) => {
    const server = createServer()
    servers.push(server)
    attach(server, 'connection', {
      maxBodyBytes,
      handler: async ({ body }) => {
        resolve(Buffer.from(body ?? []))
        return { status: 204, headers: {}, body: '' }
      },
    })
    const socket = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(chunk.toString('latin1').split('\r\n')[0] ?? '')
        done()
      },
    })
    server.emit('connection', socket)
    socket.push(`POST /v1/a HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n`)
    for (const part of parts) socket.push(part)
  })
}

const parts = Array.from({ length: 50 }, (_, i) => Buffer.alloc(60_000 + i, i))
const all = Buffer.concat(parts)
const chunked = [...parts.flatMap((part) => [`${part.length.toString(16)}\r\n`, part, '\r\n']), '0\r\n\r\n'].map((p) =>
  Buffer.from(p),
)

describe('a large body', () => {
  it('arrives whole, announced or in chunks', async () => {
    expect(all.equals((await bodyOf(`Content-Length: ${all.length}`, parts, 4 * mib)) as Buffer)).toBe(true)
    expect(all.equals((await bodyOf('Transfer-Encoding: chunked', chunked, 4 * mib)) as Buffer)).toBe(true)
  })

  it('above the limit is refused, announced or in chunks', async () => {
    const refused = 'HTTP/1.1 413 Payload Too Large'
    expect(await bodyOf(`Content-Length: ${all.length}`, parts, all.length - 1)).toBe(refused)
    expect(await bodyOf('Transfer-Encoding: chunked', chunked, all.length - 1)).toBe(refused)
  })
})

it('a body is not kept by its connection once it is answered', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  const bodies: WeakRef<object>[] = []
  const server = createServer()
  servers.push(server)
  attach(server, 'connection', {
    handler: async ({ body }) => {
      if (body) bodies.push(new WeakRef(body))
      return { status: 204, headers: {}, body: '' }
    },
  })
  for (const head of ['Content-Length: 3000000', 'Transfer-Encoding: chunked']) {
    const answered = new Promise<void>((resolve) => {
      const socket = new Duplex({
        read() {},
        write(_chunk: Buffer, _encoding, done) {
          done()
          resolve()
        },
      })
      server.emit('connection', socket)
      socket.push(`POST /v1/a HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n`)
      if (head.startsWith('Content')) socket.push(Buffer.alloc(3_000_000))
      else for (const part of chunked) socket.push(part)
    })
    await answered
  }
  expect(bodies).toHaveLength(2)
  const kept = () => bodies.filter((body) => body.deref() !== undefined).length
  for (let turn = 0; kept() > 0 && turn < 100; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
  expect(kept()).toBe(0)
})

describe('a large answer', () => {
  const answerWith = (data: Extract<Answer, { kind: 'envelope' }>['data']): Answer => ({
    kind: 'envelope',
    requestId: 'r',
    status: 200,
    headers: { 'X-Own': 'a' },
    data,
    warnings: ['w\0'],
    auth: null,
    topLevel: false,
    leaseMs: 5000,
  })
  const keys = Array.from({ length: 30_000 }, (_, i) => `kéy-${i}`)

  it.each([
    ['of many values', { keys, a: { b: 1.5 } }],
    ['of raw text', { data: new RawJson(JSON.stringify(keys)), metadata: null }],
    ['as raw text', new RawJson(JSON.stringify({ keys }))],
  ])(
    '%s has the text, status and headers of one written at once, and its length; it is made in slices',
    async (_, data) => {
      let turns = 0
      const next = async () => {
        turns += 1
      }
      const answer = answerWith(data)
      const handler = createHandler({ handle: async (_incoming: Incoming) => answer }, { next })
      const got = await inject(handler, { method: 'GET', path: '/v1/a', headers: { 'X-Vault-Namespace': 'team' } })
      const plain = writeAnswer(answer, 'team')
      expect(got.body).toBe(plain.body)
      expect(got.status).toBe(200)
      expect(got.headers).toEqual({ ...plain.headers, 'Content-Length': String(Buffer.byteLength(got.body)) })
      expect(turns).toBeGreaterThanOrEqual('keys' in data ? 4 : 0)
    },
  )

  it('to HEAD has no body', async () => {
    const handler = createHandler({ handle: async () => answerWith({ keys }) })
    const server = createServer()
    servers.push(server)
    attach(server, 'connection', { handler })
    const socket = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        sent += chunk.toString('latin1')
        if (sent.includes('\r\n\r\n')) ended()
        done()
      },
    })
    let sent = ''
    let ended = () => {}
    const head = new Promise<void>((resolve) => {
      ended = resolve
    })
    server.emit('connection', socket)
    socket.push('HEAD /v1/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await head
    expect(sent).toMatch(/^HTTP\/1\.1 200 OK/)
    expect(sent.split('\r\n\r\n')[1]).toBe('')
  })
})
