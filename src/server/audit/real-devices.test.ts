import { createSocket, type Socket as Datagrams } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../lib/clock.ts'
import { RawJson } from '../../lib/json/value.ts'
import type { LogFields, Logger } from '../../lib/log.ts'
import { createOutbound } from '../../lib/outbound/outbound.ts'
import { systemRandom } from '../../lib/random.ts'
import type { AuditedResponse } from '../contracts/audit.ts'
import { fakeAudited, fakeAuth } from '../contracts/fake-audited.ts'
import { fakeMount } from '../contracts/fake-call.ts'
import { FakeRows } from '../contracts/fake-rows.ts'
import { AuditBroker } from './broker/audit-broker.ts'
import { httpAudit } from './http/http.ts'
import { socketAudit } from './socket/socket.ts'
import { syslogAudit } from './syslog/syslog.ts'

const dir = mkdtempSync(join(tmpdir(), 'coffer-real-audit-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

let sockets = 0
const newPath = () => {
  sockets += 1
  return join(dir, `socket-${sockets}`)
}

/** Every byte that comes over a wire. */
class Wire {
  bytes = ''
  readonly #closing: (() => void)[] = []
  readonly #waiting = new Set<() => void>()

  readonly take = (piece: Uint8Array) => {
    this.bytes += Buffer.from(piece).toString('latin1')
    for (const check of this.#waiting) check()
  }

  stream(server: Server): void {
    const sockets = new Set<Socket>()
    server.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('data', this.take).on('error', () => {})
    })
    this.#closing.push(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
  }

  datagrams(socket: Datagrams): void {
    socket.on('message', this.take)
    this.#closing.push(() => socket.close())
  }

  /** Resolves once `text` has arrived `times`. */
  got(text: string, times: number): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (this.bytes.split(text).length <= times) return
        this.#waiting.delete(check)
        resolve()
      }
      this.#waiting.add(check)
      check()
    })
  }

  close(): void {
    for (const close of this.#closing) close()
  }
}

const listen = async (server: Server, path?: string) => {
  server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path })
  await once(server, 'listening')
  return path ?? `127.0.0.1:${(server.address() as AddressInfo).port}`
}
const tcp = async (wire: Wire, path?: string) => {
  const server = createServer()
  wire.stream(server)
  return listen(server, path)
}
const udp = async (wire: Wire) => {
  const socket = createSocket('udp4')
  wire.datagrams(socket)
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return `127.0.0.1:${socket.address().port}`
}
const http = async (wire: Wire) => {
  const server = createHttp((request, response) => request.resume().on('end', () => response.writeHead(204).end()))
  wire.stream(server)
  return listen(server)
}

const auth = fakeAuth({ clientToken: 'canary-token', accessor: 'canary-accessor', displayName: 'app', entityId: 'e1' })
const request = fakeAudited({
  id: 'r',
  operation: 'update',
  path: 'secret/data/x',
  mount: fakeMount(),
  data: { key: 'canary-value', deep: [{ list: ['canary-deep', new RawJson('{"x":"canary-raw"}')] }] },
  headers: { 'x-secret': 'canary-header', 'x-vault-token': 'canary-token' },
  auth,
})
const response: AuditedResponse = {
  at: 1,
  data: { keys: ['canary-key'], share: new RawJson('["canary-share"]') },
  warnings: [],
  auth: { ...auth, clientToken: 'canary-made' },
  wrap: {
    ...{ token: 'canary-wrap', accessor: 'canary-wrap-a', ttlMs: 1, createdAt: 0, creationPath: 'p' },
    wrappedAccessor: 'canary-inner',
  },
}

const wires: Wire[] = []
const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  for (const wire of wires.splice(0)) wire.close()
})

function recordingLog() {
  let text = ''
  const line = (message: string, fields?: LogFields) => void (text += `${message} ${JSON.stringify(fields)}\n`)
  const log: Logger = { debug: line, info: line, warn: line, error: line, with: () => log }
  return { log, text: () => text }
}

type Kind = readonly [type: string, to: (wire: Wire) => Promise<{ at: string; options: Record<string, string> }>]
const kinds: Record<string, Kind> = {
  'socket over TCP': ['socket', async (wire) => plainly(await tcp(wire), (at) => ({ address: at }))],
  'socket over UDP': [
    'socket',
    async (wire) => plainly(await udp(wire), (at) => ({ address: at, socket_type: 'udp' })),
  ],
  'Unix socket': [
    'socket',
    async (wire) => plainly(await tcp(wire, newPath()), (at) => ({ address: at, socket_type: 'unix' })),
  ],
  'syslog over TCP': ['syslog', async (wire) => plainly(await tcp(wire), (at) => ({ address: `tcp://${at}` }))],
  'syslog over UDP': ['syslog', async (wire) => plainly(await udp(wire), (at) => ({ address: `udp://${at}` }))],
  'syslog over a Unix socket': [
    'syslog',
    async (wire) => plainly(await tcp(wire, newPath()), (at) => ({ address: at })),
  ],
  http: [
    'http',
    async (wire) =>
      plainly(await http(wire), (at) => ({ uri: `http://${at}/in`, headers: '{"Authorization":"known"}' })),
  ],
}
const plainly = (at: string, options: (at: string) => Record<string, string>) => ({ at, options: options(at) })

async function setUp(kind: string, more: Record<string, string> = {}) {
  const [type, to] = kinds[kind] ?? ['', async () => ({ at: '', options: {} })]
  const wire = new Wire()
  wires.push(wire)
  const { at, options } = await to(wire)
  const destinations = [at]
  const dialer = createOutbound({ allow: at.startsWith('/') ? [] : [at] })
  const recorded = recordingLog()
  const rows = new FakeRows()
  const broker = new AuditBroker({
    ...{ rows, clock: systemClock, random: systemRandom, log: recorded.log, node: 'n' },
    devices: {
      socket: socketAudit({ destinations, clock: systemClock }),
      syslog: syslogAudit({ destinations, clock: systemClock, hostname: 'h', pid: 1 }),
      http: httpAudit({ destinations, dialer }),
    },
  })
  closing.push(async () => {
    await broker.close()
    dialer.close()
  })
  await broker.enable('it', { type, options: { ...options, ...more } })
  await broker.setHeader('x-secret', true)
  await broker.setHeader('x-vault-token', true)
  return { broker, wire, rows, log: recorded.text }
}

describe('what really goes over the wire', () => {
  it.each(Object.keys(kinds))('of %s has each line whole and no secret in clear', async (kind) => {
    const { broker, wire, rows, log } = await setUp(kind)
    await broker.request(request)
    await broker.response(request, response)
    await broker.exchange({ ...request, error: 'permission denied' }, response)
    await broker.checkpoint()
    await broker.close()
    await wire.got('"type":"response"', 2)
    await wire.got('"event":"closed"', 1)
    expect(wire.bytes.split('"type":"request"')).toHaveLength(3)
    expect(wire.bytes).toContain(await broker.hash('it', 'canary-value'))
    expect(wire.bytes).toContain(await broker.hash('it', 'canary-share'))
    expect(wire.bytes).not.toContain('canary')
    expect(log()).not.toContain('canary')
    expect([...rows.rows.values()].map(({ value }) => Buffer.from(value).toString()).join()).not.toContain('canary')
    expect([...rows.rows.keys()].join()).not.toContain('canary')
  })

  it.each(Object.keys(kinds))(
    'of %s has the secrets when that was asked for: this test would see them',
    async (kind) => {
      const { broker, wire } = await setUp(kind, { log_raw: 'true' })
      await broker.exchange(request, response)
      await wire.got('canary-share', 1)
      for (const secret of ['canary-token', 'canary-value', 'canary-deep', 'canary-share', 'canary-header']) {
        expect(wire.bytes).toContain(secret)
      }
    },
  )

  it.each(['socket over TCP', 'syslog over TCP', 'http'])(
    'of %s that is gone leaves no secret in the log either',
    async (kind) => {
      const { broker, wire, log } = await setUp(kind)
      await broker.exchange(request, response)
      wire.close()
      let refused: unknown
      for (let i = 0; i < 50 && refused === undefined; i += 1) {
        refused = await broker.exchange(request, response).then(
          () => undefined,
          (error: unknown) => error,
        )
      }
      expect(String(refused)).toContain('no audit device accepts it')
      expect(log()).toContain('audit.write_failed')
      expect(log()).not.toMatch(/canary|known/)
      expect(JSON.stringify(broker.stats())).not.toMatch(/canary|known/)
    },
  )
})
