/** The typed client of the HTTP API; used by the command line, the agent, the controller and the console. */
import type { Clock } from '../lib/clock.ts'
import { parseJson } from '../lib/json/parse.ts'
import { stringifyJson } from '../lib/json/stringify.ts'
import type { Json, JsonObject } from '../lib/json/value.ts'
import type { RandomBytes } from '../lib/random.ts'
import { type Envelope, isObject, readEnvelope, texts } from './envelope.ts'
import { ResponseError } from './response-error.ts'
import {
  type TransferRequest,
  type TransferResponse,
  type Transport,
  TransportError,
  type TransportRequest,
  type TransportResponse,
} from './transport.ts'

export interface VaultClientOptions {
  readonly transport: Transport
  readonly clock: Clock
  /** Shown in errors: "http://127.0.0.1:8200". */
  readonly address?: string
  /** A function is asked before each request, so that a renewed token counts at once. */
  readonly token?: string | (() => string | undefined)
  readonly namespace?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Repeats after 412, 429 and 5xx except 501, and when the request never left. Default 2. */
  readonly maxRetries?: number
  /** With it the pauses before repeats differ by chance, up to half as long again, so that a fleet does not come at once. */
  readonly random?: RandomBytes
}

export interface VaultRequest {
  /** LIST is sent as GET with list=true: Node's client cannot send the verb. */
  readonly method: 'GET' | 'LIST' | 'PUT' | 'POST' | 'PATCH' | 'DELETE' | 'HEAD'
  /** Without "/v1/"; segments are encoded here. */
  readonly path: string
  readonly query?: Query
  readonly body?: JsonObject
  /** Instead of the client's own; '' sends none. */
  readonly token?: string
  readonly namespace?: string
  /** "60", "60s", "1h". */
  readonly wrapTtl?: string
  /** Error statuses that are answers here (sys/health). */
  readonly accept?: readonly number[]
  readonly signal?: AbortSignal
}
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

export interface VaultResponse {
  readonly status: number
  /** Absent: no body, or a document without envelope. */
  readonly envelope?: Envelope
  /** The whole body as JSON, numbers with their text. */
  readonly document?: Json
  readonly body: string
  readonly headers: Readonly<Record<string, string | undefined>>
}

export interface CallOptions {
  readonly token?: string
  readonly namespace?: string
  readonly wrapTtl?: string
  readonly signal?: AbortSignal
}

/** Errors: ResponseError when the server said no, TransportError when no answer came, the signal's reason. */
export class VaultClient {
  readonly #options: VaultClientOptions

  constructor(options: VaultClientOptions) {
    this.#options = options
  }

  /** Undefined: nothing there (404 without data). A 404 with data is a deleted KV version: `data.data` is null. */
  async read(path: string, query?: Query, options?: CallOptions): Promise<Envelope | undefined> {
    return orAbsent(this.request({ ...options, method: 'GET', path, ...(query && { query }) }))
  }

  /** Undefined: nothing there. Keys are in `data.keys`. */
  async list(path: string, options?: CallOptions): Promise<Envelope | undefined> {
    return orAbsent(this.request({ ...options, method: 'LIST', path }))
  }

  /** Undefined: done, without content (204). */
  async write(path: string, data?: JsonObject, options?: CallOptions): Promise<Envelope | undefined> {
    return (await this.request({ ...options, method: 'PUT', path, body: data ?? {} })).envelope
  }

  async patch(path: string, data: JsonObject, options?: CallOptions): Promise<Envelope | undefined> {
    return (await this.request({ ...options, method: 'PATCH', path, body: data })).envelope
  }

  async delete(path: string, query?: Query, options?: CallOptions): Promise<Envelope | undefined> {
    return (await this.request({ ...options, method: 'DELETE', path, ...(query && { query }) })).envelope
  }

  async request(request: VaultRequest): Promise<VaultResponse> {
    const wire = this.#wire(request)
    refuseUnsendable(wire.headers)
    const answer = await this.#sendWithRetries(wire, request)
    const response = readResponse(answer)
    if (answer.status < 400 || request.accept?.includes(answer.status)) return response
    throw this.#refused(wire, response)
  }

  /** For answers without end (sys/monitor): text as it comes. Not repeated; ends by the signal. */
  async *stream(path: string, query?: Query, options?: CallOptions): AsyncGenerator<string, void, undefined> {
    const { transport } = this.#options
    if (!transport.stream) throw new TransportError('this connection cannot stream', { sent: false })
    const wire = this.#wire({ ...options, method: 'GET', path, ...(query && { query }) })
    refuseUnsendable(wire.headers)
    const { body, ...head } = await transport.stream(wire, options?.signal)
    if (head.status < 400) return yield* body
    let text = ''
    for await (const part of body) text += part
    throw this.#refused(wire, readResponse({ ...head, body: text }))
  }

  /** Bytes that may be more than memory, either way (snapshots). Not repeated. */
  async transfer(
    request: Pick<VaultRequest, 'method' | 'path' | 'signal'> & Pick<TransferRequest, 'source'>,
  ): Promise<TransferResponse> {
    const { transport } = this.#options
    if (!transport.transfer) throw new TransportError('this connection cannot transfer files', { sent: false })
    const { source, ...plain } = request
    const wire = this.#wire(plain)
    refuseUnsendable(wire.headers)
    const headers = source ? { ...wire.headers, 'Content-Type': 'application/octet-stream' } : wire.headers
    const answer = await transport.transfer({ ...wire, headers, ...(source && { source }) }, request.signal)
    if (answer.status < 300) return answer
    const parts: Uint8Array[] = []
    for await (const part of answer.body) parts.push(part)
    const { status } = answer
    throw this.#refused(wire, readResponse({ status, headers: answer.headers, body: Buffer.concat(parts).toString() }))
  }

  #refused(wire: TransportRequest, response: VaultResponse): ResponseError {
    return new ResponseError({
      method: wire.method,
      url: `${this.#options.address ?? ''}${wire.path}`,
      namespace: wire.headers['X-Vault-Namespace'] ?? '',
      response,
      ...errorsOf(response),
    })
  }

  #wire(request: VaultRequest): TransportRequest {
    const { method, query } = wireMethod(request)
    const headers: Record<string, string> = { ...this.#options.headers, 'X-Vault-Request': 'true' }
    const token = request.token ?? this.#token()
    if (token) headers['X-Vault-Token'] = token
    const namespace = request.namespace ?? this.#options.namespace
    if (namespace) headers['X-Vault-Namespace'] = namespace
    if (request.wrapTtl) headers['X-Vault-Wrap-TTL'] = request.wrapTtl
    if (request.body) {
      headers['Content-Type'] = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    }
    const path = `/v1/${encodePath(request.path)}${encodeQuery(query)}`
    return { method, path, headers, ...(request.body && { body: stringifyJson(request.body) }) }
  }

  #token(): string | undefined {
    const { token } = this.#options
    return typeof token === 'function' ? token() : token
  }

  async #sendWithRetries(wire: TransportRequest, request: VaultRequest): Promise<TransportResponse> {
    const { accept = [], signal } = request
    const { transport, clock, random, maxRetries = 2 } = this.#options
    for (let attempt = 1; ; attempt++) {
      const last = attempt > maxRetries
      let waitMs = 1000 * attempt * (1 + (random?.(1)[0] ?? 0) / 512)
      try {
        const answer = await transport.send(wire, signal)
        if (last || !mayRepeat(answer.status) || accept.includes(answer.status)) return answer
        waitMs = retryAfterMs(answer.headers['retry-after']) ?? waitMs
      } catch (error) {
        if (last || !(error instanceof TransportError) || !unsent(error, wire.method)) throw error
      }
      await clock.sleep(waitMs, signal)
    }
  }
}

/** Node would refuse them too, but with a text and a place that say nothing to whoever set the variable. */
function refuseUnsendable(headers: Readonly<Record<string, string>>): void {
  const bad = Object.entries(headers).find(([, value]) => /[^\t\x20-\x7e\x80-\xff]/.test(value))?.[0]
  if (bad === undefined) return
  const what = bad === 'X-Vault-Token' ? 'the configured Vault token' : `the header ${bad}`
  throw new TransportError(`${what} contains non-printable characters and cannot be used`, { sent: false })
}

const mayRepeat = (status: number) => status === 412 || status === 429 || (status >= 500 && status !== 501)

/** A read may be repeated after any cut; a write only when it never left. */
const unsent = (error: TransportError, method: string) => !error.sent || method === 'GET' || method === 'HEAD'

const longestRetryAfterMs = 30_000

function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d+$/.test(header.trim())) return undefined
  return Math.min(Number(header) * 1000, longestRetryAfterMs)
}

function wireMethod(request: VaultRequest): { method: string; query: Query } {
  if (request.method !== 'LIST') return { method: request.method, query: request.query ?? {} }
  return { method: 'GET', query: { ...request.query, list: true } }
}

const encodePath = (path: string) =>
  path
    .replace(/^\/+/, '')
    .split('/')
    .map((segment) => encodeURIComponent(segment).replaceAll('%3A', ':').replaceAll('%40', '@'))
    .join('/')

function encodeQuery(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => {
    const values = Array.isArray(value) ? value : [value]
    return values
      .filter((one) => one !== undefined)
      .map((one) => `${encodeURIComponent(name)}=${encodeURIComponent(String(one))}`)
  })
  return pairs.length > 0 ? `?${pairs.join('&')}` : ''
}

export function readResponse(answer: TransportResponse): VaultResponse {
  const { status, body, headers } = answer
  const document = parseBody(body)
  if (document === undefined) return { status, body, headers }
  const envelope = readEnvelope(document)
  return { status, body, headers, document, ...(envelope && { envelope }) }
}

/** The transport has bounded the bytes; lists may be long. */
const answerLimits = { maxBytes: Infinity, maxStringLength: Infinity, maxStrings: Infinity, maxValues: Infinity }

/** Metrics, snapshots and proxies answer with something else than JSON. */
function parseBody(body: string): Json | undefined {
  if (!/^\s*[{[]/.test(body)) return undefined
  try {
    return parseJson(body, answerLimits)
  } catch {
    return undefined
  }
}

function errorsOf(response: VaultResponse): { errors: readonly string[]; warnings: readonly string[]; raw: boolean } {
  const { document } = response
  if (!isObject(document) || !Array.isArray(document['errors'])) {
    if (response.envelope) return { errors: [], warnings: response.envelope.warnings ?? [], raw: false }
    return { errors: [response.body], warnings: [], raw: true }
  }
  return { errors: texts(document['errors']), warnings: texts(document['warnings']), raw: false }
}

async function orAbsent(answer: Promise<VaultResponse>): Promise<Envelope | undefined> {
  return (await presentOrAbsent(answer))?.envelope
}

/** 404 is no error when it carries a document worth showing, or says that there is nothing. */
export async function presentOrAbsent(answer: Promise<VaultResponse>): Promise<VaultResponse | undefined> {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof ResponseError) || error.status !== 404) throw error
    if (saysMore(error.response.envelope)) return error.response
    if (error.errors.length === 0 || error.errors.every((line) => line === '')) return undefined
    throw error
  }
}

/** Whether a 404 is more than "nothing there". */
export const saysMore = (envelope: Envelope | undefined): envelope is Envelope =>
  envelope !== undefined && (envelope.data !== null || envelope.warnings !== null)
