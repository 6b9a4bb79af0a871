import type { ClientRequest, IncomingMessage } from 'node:http'
import type { RequestOptions } from 'node:https'
import type WebSocket from 'ws'
import type { Clock } from '../lib/clock.ts'
import { type ConnectSocket, SocketRefused } from './events.ts'
import type { NodeTransportOptions } from './node-transport.ts'
import { openTunnel, parseProxy } from './proxy.ts'

const pingEveryMs = 15_000
const openWithinMs = 10_000

/** WebSockets to the server by package `ws`, which is loaded on the first use. A peer that misses a ping is cut off. */
export function createSocketConnector(options: NodeTransportOptions & { readonly clock: Clock }): ConnectSocket {
  return async (path, headers, signal) => {
    const { default: Socket } = await import('ws')
    signal.throwIfAborted()
    const socket = new Socket(socketUrl(options.address, path), {
      headers: { ...headers },
      handshakeTimeout: openWithinMs,
      perMessageDeflate: false,
      maxPayload: 1024 * 1024,
      rejectUnauthorized: options.skipVerify !== true,
      ...(options.caCertPem !== undefined && { ca: options.caCertPem }),
      ...(options.clientCert !== undefined && { cert: options.clientCert }),
      ...(options.clientKey !== undefined && { key: options.clientKey }),
      ...(options.tlsServerName !== undefined && { servername: options.tlsServerName }),
      ...(options.proxy !== undefined && { createConnection: throughProxy(parseProxy(options.proxy), signal) }),
    })
    const onAbort = () => socket.terminate()
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('close', () => signal.removeEventListener('abort', onAbort))
    const queue = new MessageQueue(socket)
    try {
      await opened(socket)
    } catch (error) {
      // After a refusal "close" never comes.
      signal.removeEventListener('abort', onAbort)
      throw error
    }
    keepAlive(socket, options.clock)
    return queue
  }
}

function throughProxy(proxy: URL, signal: AbortSignal): NonNullable<RequestOptions['createConnection']> {
  return (given, done) => {
    const secure: RequestOptions = given
    const { host, port, ca, cert, key, servername, rejectUnauthorized } = secure
    const tls = { ca, cert, key, rejectUnauthorized, ...(servername && { servername }) }
    const isSecure = given.protocol === 'wss:' || given.defaultPort === 443
    openTunnel(
      {
        proxy,
        host: host ?? '',
        port: port ?? (isSecure ? 443 : 80),
        timeoutMs: openWithinMs,
        signal,
        ...(isSecure && { tls }),
      },
      done,
    )
    return undefined
  }
}

function socketUrl(address: string, path: string): string {
  if (address.startsWith('unix://')) return `ws+unix://${address.slice('unix://'.length)}:${path}`
  return `${address.replace(/^http/, 'ws').replace(/\/+$/, '')}${path}`
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the connection was closed while it opened')))
    socket.once('unexpected-response', (request: ClientRequest, response: IncomingMessage) => {
      response.resume()
      request.destroy()
      reject(new SocketRefused(response.statusCode ?? 0))
    })
  })
}

/** A silent half-open link would hide changes for ever: no answer to the last ping ends it. */
function keepAlive(socket: WebSocket, clock: Clock): void {
  let answered = true
  let cancel = () => {}
  const beat = () => {
    if (!answered) return socket.terminate()
    answered = false
    socket.ping()
    cancel = clock.after(pingEveryMs, beat)
  }
  socket.on('pong', () => {
    answered = true
  })
  socket.once('close', () => cancel())
  cancel = clock.after(pingEveryMs, beat)
}

/** Messages that came before somebody asked for them wait here; the end comes after the last. */
class MessageQueue implements AsyncIterable<string> {
  readonly #socket: WebSocket
  readonly #messages: string[] = []
  #ended = false
  #wake = () => {}

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data) => {
      this.#messages.push(data.toString())
      this.#wake()
    })
    socket.on('close', () => {
      this.#ended = true
      this.#wake()
    })
    // 'close' follows; without a listener the process would end.
    socket.on('error', () => {})
  }

  #changed() {
    return new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        const message = this.#messages.shift()
        if (message !== undefined) yield message
        else if (this.#ended) return
        else await this.#changed()
      }
    } finally {
      this.#socket.terminate()
    }
  }
}
