import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { pipeline, Readable } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { shownAddress } from '../lib/shown-address.ts'
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
  /** Default true: to any host, as Vault's clients. 'own host': anything else is an error. false: every redirect is one. */
  readonly followRedirects?: boolean | 'own host'
  /** When given, an address without a port is looked up by its SRV record. */
  readonly resolveSrv?: ResolveSrv
}

/** Keep-alive connections over node:http(s). A redirect (a standby's answer) is followed once, with method, body and token, never from https to http. */
export function createNodeTransport(wanted: NodeTransportOptions): Transport {
  const given = parseAddress(wanted)
  // From here on it is only named.
  const options = { ...wanted, address: shownAddress(wanted.address) }
  const agents = new Map<boolean, http.Agent>()
  const agentOf = ({ secure }: Target) => {
    const agent = agents.get(secure) ?? new (secure ? https : http).Agent({ keepAlive: true, maxSockets: 64 })
    agents.set(secure, agent)
    return agent
  }
  let found: Promise<Target> | undefined
  const followed = async <T extends Pick<TransportResponse, 'status' | 'headers'>>(
    ask: (exchange: Exchange) => Promise<T>,
    request: TransportRequest,
    signal?: AbortSignal,
  ) => {
    found ??= located(given, options)
    const target = await found
    const exchange = { target, agent: agentOf(target), options, request, ...(signal && { signal }) }
    const answer = await ask(exchange)
    const location = answer.headers['location']
    if (!redirects.has(answer.status) || location === undefined) return answer
    const there = redirected(location, target, request.path, options)
    return ask({ ...exchange, target: there, agent: agentOf(there), request: { ...request, path: there.path } })
  }
  return {
    send: (request, signal) => followed(collected, request, signal),
    stream: (request, signal) => followed(streamed, request, signal),
    transfer: async (request, signal) => {
      found ??= located(given, options)
      if (!request.source) return followed((exchange) => transferred(exchange, undefined), request, signal)
      const target = await found
      return transferred(
        { target, agent: agentOf(target), options, request, ...(signal && { signal }) },
        request.source,
      )
    },
    close: async () => {
      for (const agent of agents.values()) agent.destroy()
    },
  }
}

const redirects = new Set([301, 302, 307])

/** Nobody reads the body of a redirect; unread it would keep the connection. */
function unlessRedirect(incoming: http.IncomingMessage): http.IncomingMessage {
  if (redirects.has(incoming.statusCode ?? 0)) incoming.resume()
  return incoming
}

/** The location is whole: it has the address's own path in it. */
function redirected(
  location: string,
  from: Target,
  path: string,
  options: NodeTransportOptions,
): Target & { readonly path: string } {
  const { address, followRedirects = true } = options
  const refuse = (why: string) => new TransportError(`${address} redirects (${safeOrigin(location)}), ${why}`)
  if (followRedirects === false) throw refuse('and redirects are disabled (VAULT_DISABLE_REDIRECTS)')
  const here = `${from.secure ? 'https' : 'http'}://${authorityOf(from)}${from.prefix}${path}`
  const to = URL.canParse(location, here) ? new URL(location, here) : undefined
  const target = to && { ...from, prefix: '', path: to.pathname + to.search }
  if (to && target && to.origin === new URL(here).origin) return target
  if (!to || !target || (to.protocol !== 'http:' && to.protocol !== 'https:'))
    throw refuse('to nowhere that it can be asked')
  if (followRedirects === 'own host') throw refuse('to another host: set the address to that server')
  if (from.secure && to.protocol !== 'https:') throw refuse('and the redirect would cause protocol downgrade')
  const { socketPath: _, ...direct } = target
  return { ...direct, ...hostOf(to) }
}

/** A socket has no host: what is redirected to none stays on it. */
const authorityOf = ({ host = 'localhost', port = 0 }: Target) =>
  `${host.includes(':') ? `[${host}]` : host}:${port === 0 ? 80 : port}`

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
    const shown = shownAddress(options.address)
    throw new TransportError(`"${shown}" is no address: write http://, https:// or unix://`, { sent: false })
  }
  return {
    ...hostOf(url),
    prefix: url.pathname.replace(/\/+$/, ''),
    hasPort: /^\w+:\/\/[^/]*:\d+(?:[/?#]|$)/.test(options.address),
    ...(options.proxy !== undefined && { proxy: parseProxy(options.proxy) }),
  }
}

function hostOf(url: URL): Pick<Target, 'secure' | 'host' | 'port'> {
  const secure = url.protocol === 'https:'
  return { secure, host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: url.port || (secure ? 443 : 80) }
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
  exchange(given, async (incoming) => ({ ...headOf(unlessRedirect(incoming)), body: textOf(incoming) }))

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
    outgoing.on('response', (incoming) => resolve({ ...headOf(unlessRedirect(incoming)), body: incoming }))
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

const safeOrigin = (location: string) => (URL.canParse(location) ? new URL(location).origin : 'an unreadable address')
