import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { type Transport, TransportError, type TransportRequest, type TransportResponse } from './transport.ts'
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
}

/** Keep-alive connections over node:http(s). A 307 on the same host is followed once (a standby's answer). */
export function createNodeTransport(options: NodeTransportOptions): Transport {
  const target = parseAddress(options)
  const agent = target.secure
    ? new https.Agent({ keepAlive: true, maxSockets: 64 })
    : new http.Agent({ keepAlive: true, maxSockets: 64 })
  return {
    send: async (request, signal) => {
      const answer = await exchange({ target, agent, options, request, ...(signal && { signal }) })
      const location = answer.headers['location']
      if (answer.status !== 307 || location === undefined) return answer
      const path = sameHostPath(location, options.address)
      if (path === undefined) {
        throw new TransportError(
          `${options.address} redirects to another host (${safeOrigin(location)}): set the address to that server`,
        )
      }
      // The location is whole: it has the address's own path in it.
      const there = { ...target, prefix: '' }
      return exchange({ target: there, agent, options, request: { ...request, path }, ...(signal && { signal }) })
    },
    close: async () => agent.destroy(),
  }
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
  readonly request: https.RequestOptions
}

function parseAddress(options: NodeTransportOptions): Target {
  if (options.address.startsWith('unix://')) {
    return { secure: false, prefix: '', request: { socketPath: options.address.slice('unix://'.length) } }
  }
  const url = URL.canParse(options.address) ? new URL(options.address) : undefined
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new TransportError(`"${options.address}" is no address: write http://, https:// or unix://`, { sent: false })
  }
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return {
    secure,
    prefix: url.pathname.replace(/\/+$/, ''),
    request: { host, port: url.port || (secure ? 443 : 80), ...(secure && tlsOptions(options)) },
  }
}

const tlsOptions = (options: NodeTransportOptions): https.RequestOptions => ({
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

function exchange(given: Exchange): Promise<TransportResponse> {
  const { target, agent, options, request, signal } = given
  const { timeoutMs = 60_000, maxBytes = 64 * 1024 * 1024 } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const state = { done: false }
    const fail = (error: unknown) => {
      clearTimeout(deadline)
      if (state.done) return
      state.done = true
      reject(signal?.aborted ? signal.reason : explainFailure(error, { request, address: options.address, timeoutMs }))
    }
    const outgoing = (target.secure ? https : http).request({
      ...target.request,
      agent,
      method: request.method,
      path: target.prefix + request.path,
      headers: withLength(request),
      ...(signal && { signal }),
    })
    const deadline = setTimeout(() => outgoing.destroy(new Error('timed out')), timeoutMs)
    outgoing.on('error', fail)
    outgoing.on('response', (incoming) => {
      collect(incoming, maxBytes).then((body) => {
        clearTimeout(deadline)
        state.done = true
        resolve({ status: incoming.statusCode ?? 0, headers: flatHeaders(incoming.headers), body })
      }, fail)
    })
    outgoing.end(request.body)
  })
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
