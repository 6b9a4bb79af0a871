/**
 * What stands between a client and its API server in a bad hour. Outside a link (TCP) that can be cut, go silent, refuse, or
 * hear nothing; inside it a proxy that ends TLS with a certificate of the test's CA and spoils requests and answers. It counts.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request as httpsRequest, type Server } from 'node:https'
import { connect, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type Cluster, testServerCertificate } from './cluster.ts'

export type Upstream = Pick<Cluster, 'address' | 'ca' | 'token'>
export interface Seen {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly authorization: string | undefined
  readonly watch: boolean
  readonly body: string
}
/** What happens to one request; absent: it goes through. */
export type Fault =
  /** The server says this and never sees the request. */
  | {
      readonly do: 'answer'
      readonly status: number
      readonly headers?: Record<string, string>
      readonly body?: unknown
    }
  /** The connection ends before the server sees the request, or when it has done it. */
  | { readonly do: 'cut before' | 'cut after' }
  /** The answer is whole by its framing, but not all there. */
  | { readonly do: 'truncate'; readonly bytes: number }
  /** The answer comes in pieces of so many bytes, with a pause before each; the first one is that of the first byte. */
  | { readonly do: 'drip'; readonly bytes: number; readonly everyMs: number }
  /** The watch is whole up to the end of its list; then it says that its version is gone, and ends. */
  | { readonly do: 'expire after the list' }
  /** Taken, and never answered. */
  | { readonly do: 'hang' }

type Taking = 'all' | 'none' | 'deaf' | 'resets'

interface Link {
  readonly outer: Socket
  readonly inner: Socket
}
/** The answer to a watch while it lasts. */
interface Stream {
  readonly response: ServerResponse
  /** What to do with the next bytes. */
  next: 'pass' | 'cut between frames' | 'cut in a frame' | 'spoil'
}

export class FaultProxy {
  readonly #cluster: Upstream
  readonly #upstream = new Agent({ keepAlive: true })
  readonly #links = new Set<Link>()
  readonly #streams = new Set<Stream>()
  readonly #deaf = new Set<Socket>()
  #http: Server | undefined
  #tcp: TcpServer | undefined
  #taking: Taking = 'all'
  #port = 0
  /** Every request that came. */
  readonly seen: Seen[] = []
  /** Connections that came, also those that got nothing. */
  connections = 0
  /** Decides about each request. */
  fault: (request: Seen) => Fault | undefined = () => undefined

  private constructor(cluster: Upstream) {
    this.#cluster = cluster
  }

  static async start(cluster: Upstream): Promise<FaultProxy> {
    const proxy = new FaultProxy(cluster)
    const { certPem: cert, keyPem: key } = testServerCertificate(cluster.ca)
    const http = createServer({ cert, key }, (request, response) => void proxy.#serve(request, response))
    proxy.#http = http
    http.on('clientError', (_, socket) => socket.destroy())
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    await proxy.take('all')
    return proxy
  }

  get address(): string {
    return `https://127.0.0.1:${this.#port}`
  }
  /** Links that are open. */
  get open(): number {
    return this.#links.size + this.#deaf.size
  }
  get watches(): readonly Seen[] {
    return this.seen.filter((request) => request.watch)
  }
  /** Watches that are being answered. */
  get streams(): number {
    return this.#streams.size
  }

  /** What happens to new connections: served, refused by the system, taken and never heard, taken and reset. */
  async take(what: Taking): Promise<void> {
    this.#taking = what
    if (what !== 'deaf') for (const socket of this.#deaf) socket.destroy()
    if (what === 'none') {
      const tcp = this.#tcp
      this.#tcp = undefined
      // Links that are open live on: only listening ends.
      tcp?.close()
      return
    }
    if (this.#tcp) return
    const tcp = createTcpServer({ noDelay: true }, (socket) => this.#accept(socket))
    this.#tcp = tcp
    await new Promise<void>((resolve, reject) => {
      tcp.once('error', reject)
      tcp.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = portOf(tcp)
  }

  /** Resets every link. */
  cut(): void {
    for (const { outer, inner } of this.#links) {
      outer.resetAndDestroy()
      inner.destroy()
    }
  }

  /** Links stay and carry nothing any more, not even their end. */
  silence(): void {
    for (const { outer, inner } of this.#links) {
      outer.unpipe(inner).pause()
      inner.unpipe(outer).pause()
    }
  }

  /** Lets silent links see that their other end went. */
  wake(): void {
    for (const { outer, inner } of this.#links) {
      outer.on('end', () => inner.destroy()).resume()
      inner.on('end', () => outer.destroy()).resume()
    }
  }

  /** Spoils what the watches that are open carry next: cut there, or a line that is no JSON. */
  spoil(what: Exclude<Stream['next'], 'pass'>): void {
    for (const stream of this.#streams) stream.next = what
  }

  /** Adds a line to every watch that is open and ends it, as servers do. */
  endWatches(line = ''): void {
    for (const { response } of this.#streams) response.end(line)
  }

  async close(): Promise<void> {
    this.#upstream.destroy()
    for (const socket of this.#deaf) socket.destroy()
    this.cut()
    this.#http?.closeAllConnections()
    await Promise.all([this.#tcp, this.#http].map((server) => new Promise((done) => server?.close(done) ?? done(0))))
  }

  #accept(outer: Socket): void {
    this.connections += 1
    outer.on('error', () => {})
    if (this.#taking === 'resets') {
      outer.resetAndDestroy()
      return
    }
    if (this.#taking === 'deaf') {
      this.#deaf.add(outer)
      outer.on('close', () => this.#deaf.delete(outer))
      return
    }
    const inner = connect({ port: this.#http ? portOf(this.#http) : 0, host: '127.0.0.1', noDelay: true })
    const link = { outer, inner }
    this.#links.add(link)
    inner.on('error', () => outer.destroy())
    outer.on('close', () => inner.destroy())
    inner.on('close', () => this.#links.delete(link))
    outer.pipe(inner).pipe(outer)
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {})
    let body = ''
    try {
      for await (const part of request.setEncoding('utf8')) body += part
    } catch {
      // It was cut before all of it was here: nobody asked.
      return
    }
    const [path = '', query = ''] = (request.url ?? '').split('?')
    const seen: Seen = {
      method: request.method ?? '',
      path,
      query: new URLSearchParams(query),
      authorization: request.headers.authorization,
      watch: query.includes('watch=true'),
      body,
    }
    this.seen.push(seen)
    const fault = this.fault(seen)
    if (fault?.do === 'hang') return
    if (fault?.do === 'cut before') return void response.destroy()
    if (fault?.do === 'answer') {
      const text = typeof fault.body === 'string' ? fault.body : JSON.stringify(fault.body ?? statusOf(fault.status))
      return void response.writeHead(fault.status, fault.headers).end(text)
    }
    this.#forward(request, response, seen, fault)
  }

  #forward(request: IncomingMessage, response: ServerResponse, seen: Seen, fault: Fault | undefined): void {
    const sent = httpsRequest(`${this.#cluster.address}${request.url}`, {
      method: seen.method,
      agent: this.#upstream,
      ca: this.#cluster.ca.certPem,
      servername: 'localhost',
      headers: {
        ...(seen.body === ''
          ? {}
          : { 'content-type': request.headers['content-type'] ?? '', 'content-length': Buffer.byteLength(seen.body) }),
        accept: 'application/json',
        authorization: `Bearer ${this.#cluster.token}`,
      },
    })
    sent.on('error', () => response.destroy())
    response.on('close', () => sent.destroy())
    sent.on('response', (answer) => {
      answer.on('error', () => response.destroy())
      if (fault?.do === 'cut after') {
        answer.resume().on('end', () => response.destroy())
        return
      }
      if (fault?.do === 'drip') return void drip(answer, response, fault).catch(() => response.destroy())
      const ended = () => response.destroy()
      if (fault?.do === 'truncate') return void truncate(answer, response, fault.bytes).catch(ended)
      if (fault?.do === 'expire after the list') return void expireAfterList(answer, response).catch(ended)
      const type = answer.headers['content-type'] ?? 'application/json'
      const retryAfter = answer.headers['retry-after']
      response.writeHead(answer.statusCode ?? 500, {
        'content-type': type,
        ...(retryAfter && { 'retry-after': retryAfter }),
      })
      if (!seen.watch) return void answer.pipe(response)
      this.#stream(answer, response)
    })
    sent.end(seen.body)
  }

  #stream(answer: IncomingMessage, response: ServerResponse): void {
    const stream: Stream = { response, next: 'pass' }
    this.#streams.add(stream)
    response.flushHeaders()
    response.on('close', () => this.#streams.delete(stream))
    answer.on('data', (chunk: Buffer) => {
      if (response.writableEnded || response.destroyed) return
      const { next } = stream
      if (next === 'pass') return void response.write(chunk)
      if (next === 'spoil') return void response.end('{"type":"ADDED","object":{"kind"\n')
      const upTo = next === 'cut in a frame' ? Math.floor(chunk.indexOf('\n') / 2) : chunk.lastIndexOf('\n') + 1
      response.write(chunk.subarray(0, upTo), () => response.destroy())
    })
    answer.on('end', () => response.end())
  }
}

async function drip(answer: IncomingMessage, response: ServerResponse, fault: { bytes: number; everyMs: number }) {
  let first = true
  for await (const chunk of answer) {
    for (let at = 0; at < chunk.length; at += fault.bytes) {
      await pause(fault.everyMs)
      if (response.destroyed) return
      if (first) response.writeHead(answer.statusCode ?? 500, { 'content-type': 'application/json' })
      first = false
      response.write(chunk.subarray(at, at + fault.bytes))
    }
  }
  response.end()
}

async function truncate(answer: IncomingMessage, response: ServerResponse, bytes: number) {
  let left = bytes
  response.writeHead(answer.statusCode ?? 500, { 'content-type': 'application/json' })
  for await (const part of answer) {
    response.write(part.subarray(0, left))
    left -= part.length
    if (left <= 0) break
  }
  response.end()
}

async function expireAfterList(answer: IncomingMessage, response: ServerResponse) {
  response.writeHead(answer.statusCode ?? 500, { 'content-type': 'application/json' })
  let text = ''
  for await (const part of answer) {
    response.write(part)
    text += part
    if (text.includes('initial-events-end') && text.endsWith('\n')) break
  }
  response.end(`${JSON.stringify({ type: 'ERROR', object: statusOf(410) })}\n`)
}

const statusOf = (code: number) => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  code,
  ...(code === 410 ? { reason: 'Expired' } : {}),
  message: `the proxy says ${code}`,
})

function portOf(server: TcpServer | Server): number {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}
