import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { pipeline, Readable } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { openTunnel, parseProxy, proxyAuthorization, proxyEndpoint } from './proxy.ts'
import { findServer, type ResolveSrv } from './server-record.ts'
import {
  type StreamedResponse,
  type TransferResponse,
  type Transport,
  TransportError,
  type TransportRequest,
  type TransportResponse,
} from './transport.ts'
import { explainFailure } from './transport-failure.ts'

export interface NodeTransportOptions {
  /** "https://vault:8200", "http://127.0.0.1:8200" or "unix:///run/agent.sock". */
  readonly address: string
  /** PEM; when given, only these roots count. */
  readonly caCertPem?: string
  /** PEM of the client's certificate and key. */
  readonly clientCert?: string
  readonly clientKey?: string
  readonly tlsServerName?: string
  readonly skipVerify?: boolean
  /** Default 60 s. */
  readonly timeoutMs?: number
  /** Default 64 MiB. */
  readonly maxBytes?: number
  /** "http://proxy:3128"; each request opens a connection through it. Not for unix sockets. */
  readonly proxy?: string
  /** false: a 307 is an error. */
  readonly followRedirects?: boolean
  /** When given, an address without a port is looked up by its SRV record. */
  readonly resolveSrv?: ResolveSrv
}

/** Keep-alive connections over node:http(s). A 307 on the same host is followed once (a standby's answer). */
export function createNodeTransport(options: NodeTransportOptions): Transport {
  const given = parseAddress(options)
  const agent = given.secure
    ? new https.Agent({ keepAlive: true, maxSockets: 64 })
    : new http.Agent({ keepAlive: true, maxSockets: 64 })
  let found: Promise<Target> | undefined
  const followed = async <T extends Pick<TransportResponse, 'status' | 'headers'>>(
    ask: (exchange: Exchange) => Promise<T>,
    request: TransportRequest,
    signal?: AbortSignal,
  ) => {
    found ??= located(given, options)
    const target = await found
    const exchange = { target, agent, options, request, ...(signal && { signal }) }
    const answer = await ask(exchange)
    const location = answer.headers['location']
    if (answer.status !== 307 || location === undefined) return answer
    // The location is whole: it has the address's own path in it.
    const path = redirectPath(location, options)
    return ask({ ...exchange, target: { ...target, prefix: '' }, request: { ...request, path } })
  }
  return {
    send: (request, signal) => followed(collected, request, signal),
    stream: (request, signal) => followed(streamed, request, signal),
    transfer: async (request, signal) => {
      found ??= located(given, options)
      return transferred({ target: await found, agent, options, request, ...(signal && { signal }) }, request.source)
    },
    close: async () => agent.destroy(),
  }
}

function redirectPath(location: string, options: NodeTransportOptions): string {
  const path = options.followRedirects === false ? undefined : sameHostPath(location, options.address)
  if (path !== undefined) return path
  const there = `${options.address} redirects to another host (${safeOrigin(location)})`
  throw new TransportError(
    options.followRedirects === false
      ? `${options.address} redirects (${safeOrigin(location)}), and redirects are disabled (VAULT_DISABLE_REDIRECTS)`
      : `${there}: set the address to that server`,
  )
}

/** What is read from files is read here, once, so that a bad path is named at the start. */
export function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new TransportError(`cannot read the certificate file ${path}`, { cause, sent: false })
  }
}

interface Target {
  readonly secure: boolean
  readonly prefix: string
  readonly proxy?: URL
  /** Absent: a unix socket. */
  readonly host?: string
  readonly port?: number | string
  readonly socketPath?: string
  readonly hasPort: boolean
}

function parseAddress(options: NodeTransportOptions): Target {
  if (options.address.startsWith('unix://')) {
    return { secure: false, prefix: '', socketPath: options.address.slice('unix://'.length), hasPort: true }
  }
  const url = URL.canParse(options.address) ? new URL(options.address) : undefined
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new TransportError(`"${options.address}" is no address: write http://, https:// or unix://`, { sent: false })
  }
  const secure = url.protocol === 'https:'
  return {
    secure,
    prefix: url.pathname.replace(/\/+$/, ''),
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port || (secure ? 443 : 80),
    hasPort: /^\w+:\/\/[^/]*:\d+(?:[/?#]|$)/.test(options.address),
    ...(options.proxy !== undefined && { proxy: parseProxy(options.proxy) }),
  }
}

async function located(target: Target, options: NodeTransportOptions): Promise<Target> {
  if (!options.resolveSrv || target.hasPort || target.host === undefined) return target
  const record = await findServer(target.host, options.resolveSrv)
  return record ? { ...target, host: record.name, port: record.port } : target
}

const tlsOptions = (options: NodeTransportOptions): ConnectionOptions => ({
  rejectUnauthorized: options.skipVerify !== true,
  minVersion: 'TLSv1.2',
  ...(options.caCertPem !== undefined && { ca: options.caCertPem }),
  ...(options.clientCert !== undefined && { cert: options.clientCert }),
  ...(options.clientKey !== undefined && { key: options.clientKey }),
  ...(options.tlsServerName !== undefined && { servername: options.tlsServerName }),
})

interface Exchange {
  readonly target: Target
  readonly agent: http.Agent
  readonly options: NodeTransportOptions
  readonly request: TransportRequest
  readonly signal?: AbortSignal
}

const collected = (given: Exchange): Promise<TransportResponse> =>
  exchange(given, async (incoming) => ({
    ...headOf(incoming),
    body: await collect(incoming, given.options.maxBytes ?? 64 * 1024 * 1024),
  }))

const streamed = (given: Exchange): Promise<StreamedResponse> =>
  exchange(given, async (incoming) => ({ ...headOf(incoming), body: textOf(incoming) }))

function transferred(given: Exchange, source: AsyncIterable<Uint8Array> | undefined): Promise<TransferResponse> {
  const { options, request, signal } = given
  const { timeoutMs = 60_000 } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const outgoing = requestTo(given, timeoutMs)
    outgoing.setTimeout(timeoutMs, () => outgoing.destroy(new Error('timed out')))
    outgoing.on('error', (error) =>
      reject(signal?.aborted ? signal.reason : explainFailure(error, { request, address: options.address, timeoutMs })),
    )
    outgoing.on('response', (incoming) => resolve({ ...headOf(incoming), body: incoming }))
    if (!source) outgoing.end()
    else {
      // An answer that comes early, a refusal, is worth more than that the rest could not be sent.
      pipeline(Readable.from(source), outgoing, () => undefined)
    }
  })
}

/** `take` has the time limit too; what it returns may go on longer. */
function exchange<T>(given: Exchange, take: (incoming: http.IncomingMessage) => Promise<T>): Promise<T> {
  const { options, request, signal } = given
  const { timeoutMs = 60_000 } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const state = { done: false }
    const fail = (error: unknown) => {
      clearTimeout(deadline)
      if (state.done) return
      state.done = true
      const context = { request, address: options.address, timeoutMs }
      reject(signal?.aborted ? signal.reason : explainFailure(atProxy(error, given.target), context))
    }
    const outgoing = requestTo(given, timeoutMs)
    const deadline = setTimeout(() => outgoing.destroy(new Error('timed out')), timeoutMs)
    outgoing.on('error', fail)
    outgoing.on('response', (incoming) => {
      take(incoming).then((answer) => {
        clearTimeout(deadline)
        state.done = true
        resolve(answer)
      }, fail)
    })
    outgoing.end(request.body)
  })
}

function requestTo({ target, agent, options, request, signal }: Exchange, timeoutMs: number): http.ClientRequest {
  const { proxy, host = '', port = 0, socketPath, secure } = target
  const path = target.prefix + request.path
  const shared = { method: request.method, headers: withLength(request), ...(signal && { signal }) }
  if (socketPath !== undefined) return http.request({ ...shared, agent, socketPath, path })
  const tls = secure ? tlsOptions(options) : undefined
  if (!proxy) return (secure ? https : http).request({ ...shared, ...tls, agent, host, port, path })
  if (!secure) {
    const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`
    return (proxy.protocol === 'https:' ? https : http).request({
      ...shared,
      ...proxyEndpoint(proxy),
      agent: false,
      path: `http://${authority}${path}`,
      headers: { ...shared.headers, Host: authority, ...proxyAuthorization(proxy) },
    })
  }
  return https.request({
    ...shared,
    host,
    port,
    path,
    createConnection: (_, done) => {
      openTunnel({ proxy, host, port, tls: tlsOptions(options), timeoutMs, ...(signal && { signal }) }, done)
      return undefined
    },
  })
}

/** Where there is a proxy for plain HTTP, that is what could not be reached. A tunnel says so itself. */
function atProxy(error: unknown, { proxy, secure }: Target): unknown {
  if (!proxy || secure || !(error instanceof Error) || error.message === 'timed out') return error
  return new Error(`proxy ${proxy.host}: ${error.message}`, { cause: error })
}

const headOf = (incoming: http.IncomingMessage) => ({
  status: incoming.statusCode ?? 0,
  headers: flatHeaders(incoming.headers),
})

async function* textOf(incoming: http.IncomingMessage): AsyncGenerator<string> {
  incoming.setEncoding('utf8')
  for await (const part of incoming) yield String(part)
}

const withLength = (request: TransportRequest) =>
  request.body === undefined
    ? request.headers
    : { ...request.headers, 'Content-Length': String(Buffer.byteLength(request.body)) }

async function collect(incoming: http.IncomingMessage, maxBytes: number): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of incoming) {
    bytes += part.length
    if (bytes > maxBytes) {
      incoming.destroy()
      throw new Error(`the answer is longer than ${maxBytes} bytes`)
    }
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

const flatHeaders = (headers: http.IncomingHttpHeaders) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  )

function sameHostPath(location: string, address: string): string | undefined {
  if (!URL.canParse(location, address)) return undefined
  const to = new URL(location, address)
  return to.origin === new URL(address).origin ? to.pathname + to.search : undefined
}

const safeOrigin = (location: string) => (URL.canParse(location) ? new URL(location).origin : 'an unreadable address')
