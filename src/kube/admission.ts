/** The HTTPS side of an admission webhook: AdmissionReview v1 and v1beta1 in, the handler's verdict out. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import { isRecord } from './answers.ts'

export interface AdmissionRequest {
  readonly uid: string
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string }
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string }
  readonly operation: string
  readonly namespace: string
  readonly name: string
  readonly dryRun: boolean
  readonly username: string
  /** As it came; the handler checks it. */
  readonly object: unknown
  readonly oldObject: unknown
}
export interface AdmissionVerdict {
  readonly allowed: boolean
  /** Shown to the user: no values. */
  readonly message?: string
  /** HTTP status of a denial; left out if absent. */
  readonly code?: number
  /** RFC 6902 operations. */
  readonly patch?: readonly object[]
  readonly warnings?: readonly string[]
}
export type AdmissionHandler = (request: AdmissionRequest, signal: AbortSignal) => Promise<AdmissionVerdict>

export interface AdmissionServerOptions {
  readonly certificate: { readonly certPem: string; readonly keyPem: string }
  /** By path, such as "/mutate". */
  readonly handlers: Readonly<Record<string, AdmissionHandler>>
  /** Whether "/health/ready" answers 204 (else 503). */
  readonly ready: () => boolean
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  readonly clock: Clock
  readonly log: Logger
}
export interface AdmissionServer {
  readonly port: number
  /** New connections get this certificate; open ones go on. */
  setCertificate(certificate: { readonly certPem: string; readonly keyPem: string }): void
  /** Stops to listen and waits for the requests that run. */
  close(): Promise<void>
}

/** An AdmissionReview holds two objects of at most 1.5 MiB (etcd) in their JSON form. */
const maxBodyBytes = 8 * 1024 * 1024

export async function startAdmissionServer(options: AdmissionServerOptions): Promise<AdmissionServer> {
  const { createServer } = await import('node:https')
  const tls = (certificate: { certPem: string; keyPem: string }) => ({
    cert: certificate.certPem,
    key: certificate.keyPem,
    minVersion: 'TLSv1.2' as const,
  })
  const server = createServer(tls(options.certificate), (request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      options.log.error('admission.failed', { error: error instanceof Error ? error.message : 'unknown' })
      send(response, 500, 'internal error\n')
    })
  })
  server.requestTimeout = 30_000
  // Longer than the 90 s that Go clients keep an idle connection: the side that sends must be the one that closes.
  server.keepAliveTimeout = 100_000
  let closing = false
  server.on('request', (_request, response) => {
    response.on('close', () => closing && setImmediate(() => server.closeIdleConnections()))
  })
  await listen(server, options)
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : options.port
  return {
    port,
    setCertificate: (certificate) => server.setSecureContext(tls(certificate)),
    close: () =>
      new Promise((resolve) => {
        closing = true
        server.close(() => resolve())
        server.closeIdleConnections()
      }),
  }
}

function listen(server: Server, options: AdmissionServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function answer(options: AdmissionServerOptions, request: IncomingMessage, response: ServerResponse) {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'https://webhook')
  if (pathname === '/health/ready') return send(response, options.ready() ? 204 : 503, '')
  const handler = Object.hasOwn(options.handlers, pathname) ? options.handlers[pathname] : undefined
  if (!handler) return send(response, 404, '404 page not found\n')
  if (request.method !== 'POST') return send(response, 405, 'method not allowed\n')
  const contentType = request.headers['content-type'] ?? ''
  const body = await readBody(request)
  if (body === undefined) return send(response, 413, 'the AdmissionReview is too large\n')
  const timeout = /^(\d{1,3})s$/.exec(searchParams.get('timeout') ?? '')
  const gone = new AbortController()
  const cancel = options.clock.after(Number(timeout?.[1] ?? 30) * 1000, () => gone.abort(new Error('webhook timeout')))
  response.on('close', () => gone.abort(new Error('caller went away')))
  try {
    const result = await review(handler, { contentType, body }, options.log, gone.signal)
    send(response, result.status, result.body, result.json ? 'application/json' : undefined)
  } finally {
    cancel()
  }
}

/** One review without a socket. Texts and statuses as the Vault injector gives them. */
export async function review(
  handler: AdmissionHandler,
  request: { readonly contentType: string; readonly body: string },
  log: Logger,
  signal: AbortSignal,
): Promise<{ status: number; body: string; json: boolean }> {
  const refuse = (status: number, body: string) => ({ status, body: `${body}\n`, json: false })
  if (request.contentType !== 'application/json') {
    return refuse(400, `Invalid content-type: ${JSON.stringify(request.contentType)}`)
  }
  if (request.body === '') return refuse(400, 'Empty request body')
  const decoded = decodeReview(request.body)
  if (typeof decoded === 'string') return refuse(500, `error decoding admission request: ${decoded}`)
  let verdict: AdmissionVerdict
  try {
    verdict = await handler(decoded.request, signal)
  } catch (error) {
    log.error('admission.handler_failed', { error: error instanceof Error ? error.message : 'unknown' })
    verdict = { allowed: false, code: 500, message: 'internal error: the webhook failed; see its log' }
  }
  const response = { uid: decoded.request.uid, ...responseOf(verdict) }
  return {
    status: 200,
    body: JSON.stringify({ kind: decoded.kind, apiVersion: decoded.apiVersion, response }),
    json: true,
  }
}

const versions = new Set(['admission.k8s.io/v1', 'admission.k8s.io/v1beta1'])

function decodeReview(body: string): { kind: string; apiVersion: string; request: AdmissionRequest } | string {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return 'the body is no JSON'
  }
  if (!isRecord(parsed)) return 'the body is no object'
  const { kind, apiVersion, request } = parsed
  if (kind !== 'AdmissionReview' || typeof apiVersion !== 'string' || !versions.has(apiVersion)) {
    return 'the body is no AdmissionReview of admission.k8s.io/v1 or v1beta1'
  }
  if (!isRecord(request) || typeof request['uid'] !== 'string') return 'the AdmissionReview has no request'
  const user = isRecord(request['userInfo']) ? request['userInfo'] : {}
  const of = isRecord(request['kind']) ? request['kind'] : {}
  const resource = isRecord(request['resource']) ? request['resource'] : {}
  return {
    kind,
    apiVersion,
    request: {
      uid: request['uid'],
      kind: { group: text(of['group']), version: text(of['version']), kind: text(of['kind']) },
      resource: {
        group: text(resource['group']),
        version: text(resource['version']),
        resource: text(resource['resource']),
      },
      operation: text(request['operation']),
      namespace: text(request['namespace']),
      name: text(request['name']),
      dryRun: request['dryRun'] === true,
      username: text(user['username']),
      object: request['object'],
      oldObject: request['oldObject'],
    },
  }
}

function responseOf(verdict: AdmissionVerdict): object {
  const { allowed, message, code, patch, warnings } = verdict
  const status =
    message === undefined && code === undefined
      ? undefined
      : { ...(message === undefined ? {} : { message }), ...(code === undefined ? {} : { code }) }
  return {
    allowed,
    ...(status ? { status } : {}),
    ...(allowed && patch && patch.length > 0
      ? { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }
      : {}),
    ...(warnings && warnings.length > 0 ? { warnings } : {}),
  }
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request) {
    size += part.length
    if (size > maxBodyBytes) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function send(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, body === '' ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

const text = (value: unknown) => (typeof value === 'string' ? value : '')
