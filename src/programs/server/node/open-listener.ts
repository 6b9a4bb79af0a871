/** A listener of the configuration on its socket: TLS, limits, and what it asks of requests. */
import { readFileSync } from 'node:fs'
import { stringifyJson } from '../../../lib/json/stringify.ts'
import { Refusal } from '../../../server/contracts/request.ts'
import { metricsReply } from '../../../server/faces/sys/operations/observability/metrics.ts'
import type { CorsRules } from '../../../server/http/cors.ts'
import type { HttpAnswer } from '../../../server/http/envelope.ts'
import { guard } from '../../../server/http/guard.ts'
import { type Handler, type HttpRequest, plain } from '../../../server/http/handler.ts'
import { type Listener, listen } from '../../../server/http/listener.ts'
import { redact } from '../../../server/http/redaction.ts'
import type { ListenerConfig, ListenerTls } from '../configuration/listener-stanza.ts'
import type { NodeOperations } from './operations.ts'
import { socketOf } from './socket-owner.ts'

export interface ListenerParts {
  readonly handler: Handler
  /** What sys/config/cors says; a listener's own rules win. */
  readonly cors: () => CorsRules | undefined
  readonly operations: NodeOperations
  /** Other processes of this server have the same listener. */
  readonly shared?: boolean
  readonly headers?: Readonly<Record<string, string>>
}

/** Rejects when a file cannot be read or the address is taken. */
export async function openListener(config: ListenerConfig, parts: ListenerParts): Promise<Listener> {
  const { host, port, unix, tls, timeouts, maxRequestBytes } = config
  return listen({
    handler: guard(limited(config, parts.handler), {
      requireRequestHeader: config.requireRequestHeader,
      cors: () => config.cors ?? parts.cors(),
      ...(config.customHeaders ? { customHeaders: config.customHeaders } : {}),
      ...(config.forwardedFor ? { forwardedFor: config.forwardedFor } : {}),
      ...(parts.headers ? { headers: parts.headers } : {}),
      ...beforeOf(config, parts.operations),
    }),
    host,
    port,
    ...(unix ? { unix: { ...socketOf(unix), shared: parts.shared ?? false } } : {}),
    ...(timeouts.writeMs === undefined ? {} : { writeTimeoutMs: timeouts.writeMs }),
    ...(tls ? { tls: readTls(tls) } : {}),
    ...(maxRequestBytes === undefined ? {} : { maxBodyBytes: maxRequestBytes }),
    server: {
      ...(timeouts.readMs === undefined ? {} : { requestTimeout: timeouts.readMs }),
      ...(timeouts.readHeaderMs === undefined ? {} : { headersTimeout: timeouts.readHeaderMs }),
      ...(timeouts.idleMs === undefined ? {} : { keepAliveTimeout: timeouts.idleMs }),
    },
  })
}

/** The handler as this listener has it; the same one where it asks for nothing. */
function limited({ requests: limits, redaction }: ListenerConfig, handler: Handler): Handler {
  const inner: Handler = limits ? (request) => handler({ ...request, limits }) : handler
  if (!redaction) return inner
  return async (request) => redact(redaction, request.target.split('?', 1)[0] ?? '', await inner(request))
}

export const readTls = (tls: ListenerTls) => ({
  cert: readFileSync(tls.certFile, 'utf8'),
  key: readFileSync(tls.keyFile, 'utf8'),
  ...(tls.clientCaFile ? { ca: readFileSync(tls.clientCaFile, 'utf8') } : {}),
  requestCert: tls.clientCertificates !== 'not asked for',
  rejectUnauthorized: tls.clientCertificates === 'required',
  minVersion: tls.minVersion,
  maxVersion: tls.maxVersion,
  ...(tls.ciphers ? { ciphers: tls.ciphers } : {}),
})

type Before = (request: HttpRequest, path: string) => Promise<HttpAnswer> | undefined

/** What a listener shows to everyone, or keeps to itself. Undefined where it treats all paths alike: the usual case costs nothing. */
function beforeOf(config: ListenerConfig, operations: NodeOperations): { before?: Before } {
  const { metrics, inFlightForEveryone } = config
  if (metrics === 'with a token' && !inFlightForEveryone) return {}
  const before: Before = (request, path) => {
    const isMetrics = path === '/v1/sys/metrics'
    if (metrics === 'nothing else' && !isMetrics) return Promise.resolve(plain(404, []))
    if (isMetrics && metrics === 'none') return Promise.resolve(plain(404, []))
    if (isMetrics && metrics !== 'with a token' && request.method === 'GET') return showMetrics(request, operations)
    if (path === '/v1/sys/in-flight-req' && inFlightForEveryone && request.method === 'GET') {
      return operations.inFlight(operations.rootNamespaceId).then((found) => json(stringifyJson(found)))
    }
    return undefined
  }
  return { before }
}

async function showMetrics(request: HttpRequest, operations: NodeOperations): Promise<HttpAnswer> {
  const query = new URLSearchParams(request.target.split('?', 2)[1] ?? '')
  const accept = request.rawHeaders.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'accept')
  try {
    const reply = await metricsReply(
      operations,
      query.get('format') ?? '',
      accept < 0 ? '' : (request.rawHeaders[accept + 1] ?? ''),
    )
    return { status: 200, headers: headersOf(reply.contentType), body: reply.body }
  } catch (error) {
    if (error instanceof Refusal) return plain(error.status, error.errors)
    throw error
  }
}

const headersOf = (contentType: string) => ({ 'Cache-Control': 'no-store', 'Content-Type': contentType })
const json = (body: string): HttpAnswer => ({ status: 200, headers: headersOf('application/json'), body })
