/** The handler on sockets: node:http or node:https, with Vault's verbs, limits and WebSocket upgrades. */
import { createServer, type IncomingMessage, type Server, type ServerOptions, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TlsOptions } from 'node:tls'
import { serverSockets } from '../../lib/server-sockets.ts'
import type { HttpAnswer } from './envelope.ts'
import { type Handler, type HttpRequest, plain, takesStream } from './handler.ts'
import { listenOnSocket, type UnixSocket } from './unix-socket.ts'
import { watchVerbs } from './verbs.ts'

export interface ListenerOptions {
  readonly handler: Handler
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Instead of host and port. */
  readonly unix?: UnixSocket
  /** PEM; absent: plain HTTP. */
  readonly tls?: ListenerTls
  readonly maxBodyBytes?: number
  /** A request's connection is cut when nothing moved on it for so long; absent: never. */
  readonly writeTimeoutMs?: number
  /** What differs from the usual limits. */
  readonly server?: Pick<ServerOptions, 'requestTimeout' | 'headersTimeout' | 'keepAliveTimeout'>
}

export type ListenerTls = { readonly cert: string; readonly key: string } & Pick<
  TlsOptions,
  'ca' | 'requestCert' | 'rejectUnauthorized' | 'minVersion' | 'maxVersion' | 'ciphers'
>

export interface Listener {
  /** "https://127.0.0.1:8200" or "unix:///run/coffer.sock" */
  readonly address: string
  /** New certificates for connections from now on. */
  setTls(tls: ListenerTls): void
  /** Stops accepting, waits for what is under way up to `graceMs`, then cuts. */
  close(grace: (until: Promise<void>) => Promise<void>): Promise<void>
}

const defaultMaxBodyBytes = 32 * 1024 * 1024
const bodyTimeoutMs = 120_000
/** From here on there is room for all of an announced body. */
const earnedBytes = 1024 * 1024
const limits: ServerOptions = {
  maxHeaderSize: 64 * 1024,
  keepAliveTimeout: 60_000,
  requestTimeout: 120_000,
  // We refuse such a request ourselves: behind Node's refusal the next one of the connection would still be carried out.
  requireHostHeader: false,
  // Subscribers that vanished without a word.
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
}

/** Node refuses to start when headers may take longer than all, and looks every 30 s at what takes too long. */
function withinLimits(own: ServerOptions): ServerOptions {
  const { requestTimeout = 0, headersTimeout = 60_000 } = own
  const forHeaders = requestTimeout > 0 ? Math.min(headersTimeout, requestTimeout) : headersTimeout
  const shortest = Math.min(...[requestTimeout, forHeaders].filter((ms) => ms > 0))
  return {
    ...own,
    headersTimeout: forHeaders,
    connectionsCheckingInterval: Math.min(30_000, Math.max(500, shortest / 2)),
  }
}

/** Resolves when it listens; rejects when it can't. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const { tls } = options
  const own = withinLimits({ ...limits, ...options.server })
  const secure = tls ? createTlsServer({ ...own, minVersion: 'TLSv1.2', ...tls }) : undefined
  const server: Server = secure ?? createServer(own)
  const sockets = serverSockets(server)
  const streams = attach(server, secure ? 'secureConnection' : 'connection', options)
  let closing = false
  server.on('upgrade', (request, socket) => closing && wantsWebSocket(request) && socket.destroy())
  if (options.unix) await listenOnSocket(server, options.unix)
  else {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(options.port, options.host, resolve)
    })
  }
  return {
    address: addressOf(server.address(), secure !== undefined),
    setTls: (next) => secure?.setSecureContext({ minVersion: 'TLSv1.2', ...next }),
    close: async (grace) => {
      closing = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      for (const stream of streams) stream.destroy()
      // What is answered from now on leaves its connection idle: Node then ends it by this time, not 60 s.
      server.keepAliveTimeout = 1
      // A request that has arrived is read in the next turn of the loop.
      for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      sockets.endSilent()
      await grace(closed)
      server.closeAllConnections()
      sockets.endAll()
    },
  }
}

function addressOf(bound: AddressInfo | string | null, secure: boolean): string {
  if (bound === null || typeof bound === 'string') return `unix://${bound ?? ''}`
  const { address, port, family } = bound
  return `${secure ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

/** Answers what arrives on a server's connections; the result are the open streams. */
export function attach(
  server: Server,
  event: 'connection' | 'secureConnection',
  options: Attached,
): ReadonlySet<Duplex> {
  // Node would drop those above 2,000 without a word, a proxy's X-Forwarded-For among them; their bytes are limited.
  server.maxHeadersCount = 0
  const methodOf = watchVerbs(server, event)
  const streams = new Set<Duplex>()
  const ending = new Set<Duplex>()
  const refuse = (status: number, why: string, method: string, request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    ending.add(socket)
    socket.once('close', () => ending.delete(socket))
    request.resume()
    response.setHeader('Connection', 'close')
    write(method, response, plain(status, [why]))
  }
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    // Node sets the socket's limit anew when the answer is out.
    if (options.writeTimeoutMs) response.setTimeout(options.writeTimeoutMs, () => response.destroy())
    const method = methodOf(request)
    // The client has been told that this connection ends: nobody would learn what came of it.
    if (ending.size > 0 && ending.has(request.socket)) return void request.resume()
    if (request.headers.host === undefined && request.httpVersionMinor > 0) {
      return refuse(400, 'a request must say its host', method, request, response)
    }
    // Node undoes no other coding: what a proxy reads in this body and what we read would differ.
    const coding = request.headers['transfer-encoding']
    if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked') {
      return refuse(400, 'unsupported transfer encoding: only chunked is accepted', method, request, response)
    }
    serve(options, method, request, response, refuse)
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // What is ignored is a request like others: it is answered, also by a server that stops.
    if (wantsWebSocket(request)) {
      streams.add(socket)
      socket.on('close', () => streams.delete(socket))
    }
    upgrade(options, methodOf(request, true), request, socket, head).catch(() => socket.destroy())
  })
  // Else Node answers itself, and the verb that was remembered would be the next request's.
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    methodOf(request)
    request.resume()
    write('', response, plain(417, []))
  })
  return streams
}

type Attached = Pick<ListenerOptions, 'handler' | 'maxBodyBytes' | 'writeTimeoutMs'>

type Refuse = (status: number, why: string, method: string, request: IncomingMessage, response: ServerResponse) => void

function serve(
  options: Attached,
  method: string,
  request: IncomingMessage,
  response: ServerResponse,
  refuse: Refuse,
): void {
  const send = (body: Uint8Array | undefined) => {
    options
      .handler(requestOf(method, request, body, (listener) => response.once('close', listener)))
      .then(
        (answer) => write(method, response, answer),
        () => write(method, response, plain(500, ['internal error'])),
      )
      .catch(() => response.destroy())
  }
  if (request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined) {
    // No body to wait for; the stream still has to run dry for the next request of the connection.
    request.resume()
    send(undefined)
    return
  }
  if (takesStream(method, request.url ?? '')) {
    serveStream(options, method, request, response)
    return
  }
  readBody(request, options.maxBodyBytes ?? defaultMaxBodyBytes, (body) => {
    if (body) send(body)
    else refuse(413, 'http: request body too large', method, request, response)
  })
}

/** The operation reads the body. What it leaves, since it refused, is thrown away: a cut would keep the answer from the client. */
function serveStream(options: Attached, method: string, request: IncomingMessage, response: ServerResponse): void {
  const asked = requestOf(method, request, undefined, (listener) => response.once('close', listener))
  options
    .handler({ ...asked, stream: request.iterator({ destroyOnReturn: false }) })
    .catch(() => plain(500, ['internal error']))
    .then((answer) => {
      request.resume()
      write(method, response, answer)
    })
    .catch(() => response.destroy())
}

/** Undefined: too large; the rest is not read. A body that ends early is never handed on. */
function readBody(request: IncomingMessage, maxBytes: number, done: (body: Uint8Array | undefined) => void): void {
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > maxBytes) {
    done(undefined)
    return
  }
  const chunks: Buffer[] = []
  let size = 0
  let over = false
  /** Of a large body: its bytes are put in their place as they come, not all at its end. */
  let whole: Buffer | undefined
  request.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (over) return
    if (size > maxBytes) {
      over = true
      chunks.length = 0
      whole = undefined
      return done(undefined)
    }
    if (whole) {
      whole.set(chunk, size - chunk.length)
      return
    }
    chunks.push(chunk)
    // Not before so much has come: to announce a body costs its client nothing.
    if (size > earnedBytes && announced >= size) {
      whole = Buffer.allocUnsafeSlow(announced)
      let at = 0
      for (const part of chunks.splice(0)) at += part.copy(whole, at)
    }
  })
  request.on('end', () => {
    if (over) return
    const body = whole ?? (chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks))
    // An idle connection keeps its last request.
    whole = undefined
    chunks.length = 0
    done(body)
  })
  request.on('error', () => undefined)
}

function requestOf(
  method: string,
  request: IncomingMessage,
  body: Uint8Array | undefined,
  onGone: (listener: () => void) => void,
): HttpRequest {
  const { socket } = request
  return {
    method,
    target: request.url ?? '',
    rawHeaders: request.rawHeaders,
    remote: { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
    onGone,
    body,
  }
}

function write(method: string, response: ServerResponse, answer: HttpAnswer): void {
  const { body } = answer
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
    response.writeHead(answer.status, headerList(answer, length))
    if (method === 'HEAD' || length === 0) response.end()
    // As many bytes as characters: ASCII, which Node writes faster when it is told.
    else if (length === body.length) response.end(body, 'latin1')
    else response.end(body)
    return
  }
  response.writeHead(answer.status, answer.headers)
  void stream(response, body)
}

/** Names and values in turn, which Node takes as they are. */
function headerList({ status, headers }: HttpAnswer, length: number): string[] {
  const list: string[] = []
  for (const name in headers) list.push(name, headers[name] ?? '')
  if (status !== 204) list.push('Content-Length', String(length))
  return list
}

async function stream(response: ServerResponse, body: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of body) {
      if (response.destroyed) return
      if (!response.write(chunk)) await drained(response)
    }
    response.end()
  } catch {
    // Headers are gone: the only way to say that it is not complete.
    response.destroy()
  }
}

/** Or closed. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.once('drain', done)
    response.once('close', done)
  })
}

const wantsWebSocket = ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket'

/** Anything but a WebSocket (HTTP/2 over plain text, which some clients offer with every first request) is not taken up: RFC 9110, 7.8. */
async function upgrade(
  options: Attached,
  method: string,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  socket.on('error', () => socket.destroy())
  const webSocket = wantsWebSocket(request)
  const body = webSocket ? undefined : await restOf(request, socket, head, options.maxBodyBytes ?? defaultMaxBodyBytes)
  if (body === 'refused')
    return respond(method, request, socket, plain(400, ['this body needs a request without Upgrade']))
  const answer = await options
    .handler(requestOf(method, request, body, (listener) => socket.once('close', listener)))
    .catch(() => plain(500, ['internal error']))
  if (answer.upgrade) return answer.upgrade(socket, head)
  const useless = webSocket && answer.status < 400
  respond(method, request, socket, useless ? plain(400, ['this path does not accept a WebSocket']) : answer)
}

function respond(method: string, request: IncomingMessage, socket: Duplex, answer: HttpAnswer): void {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket as Socket)
  response.once('finish', () => socket.end())
  write(method, response, answer)
}

/** Node stops reading a request that wants another protocol at the end of its headers. */
async function restOf(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  maxBytes: number,
): Promise<Uint8Array | undefined | 'refused'> {
  const length = Number(request.headers['content-length'] ?? 0)
  if (request.headers['transfer-encoding'] !== undefined || !(length <= maxBytes)) return 'refused'
  if (length === 0) return undefined
  const chunks = [head]
  let size = head.length
  if (size < length) {
    // Node's own limit ended with the headers.
    if (socket instanceof Socket) socket.setTimeout(bodyTimeoutMs, () => socket.destroy())
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      chunks.push(chunk)
      size += chunk.length
      if (size >= length) break
    }
  }
  return size < length ? 'refused' : Buffer.concat(chunks).subarray(0, length)
}
