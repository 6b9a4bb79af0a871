/** HTTP -> the pipeline and back, without sockets: tests and the socket server use the same function. */

import { parseGoBool } from '../../lib/go-bool.ts'
import { createTurns } from '../../lib/turns.ts'
import { Refusal, type Verb } from '../contracts/request.ts'
import type { Incoming } from '../pipeline/exchange.ts'
import type { RequestLimits } from '../pipeline/input/request-limits.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { type HttpAnswer, isLargeAnswer, writeAnswer, writeLargeAnswer } from './envelope.ts'
import { type Headers, readHeaders, tokenOf, wrapTtlOf } from './headers.ts'
import { parseTarget, type Query } from './target.ts'

export interface HttpRequest {
  /** As the client sent it, LIST, SCAN and HELP included. */
  readonly method: string
  /** The request target, percent-encoded, with its query. */
  readonly target: string
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[]
  readonly remote: { readonly address: string; readonly port: number }
  readonly body?: Uint8Array
  /** Instead of `body`, for targets that `takesStream` names. */
  readonly stream?: AsyncIterable<Uint8Array>
  /** Of the listener that it came through. */
  readonly limits?: RequestLimits
  readonly onGone?: (listener: () => void) => void
}

export type Handler = (request: HttpRequest) => Promise<HttpAnswer>

const verbs: Readonly<Record<string, Verb | 'help'>> = {
  GET: 'read',
  POST: 'update',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
  LIST: 'list',
  SCAN: 'scan',
  HEAD: 'head',
  HELP: 'help',
}

/** `turns`: large answers are written in slices. */
export function createHandler(pipeline: Pick<Pipeline, 'handle'>, turns = createTurns()): Handler {
  return async (request) => {
    let incoming: Incoming
    try {
      const read = readRequest(request)
      if (!('verb' in read)) return read
      incoming = read
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return plain(error.status, error.errors)
    }
    const answer = await pipeline.handle(incoming)
    if (isLargeAnswer(answer)) return writeLargeAnswer(answer, incoming.namespace, turns)
    return writeAnswer(answer, incoming.namespace)
  }
}

function readRequest(request: HttpRequest): Incoming | HttpAnswer {
  const verb = Object.hasOwn(verbs, request.method) ? verbs[request.method] : undefined
  if (!verb) return plain(405, [])
  const { path, query } = parseTarget(request.target)
  if (path === '/') return { status: 307, headers: { 'Cache-Control': 'no-store', Location: '/ui/' }, body: '' }
  if (!path.startsWith('/v1/')) return plain(404, [])
  const headers = readHeaders(request.rawHeaders)
  const actual = verbOf(verb, query)
  const listing = actual === 'list' || actual === 'scan'
  const below = path.slice('/v1/'.length)
  return {
    verb: actual,
    path: listing && !below.endsWith('/') ? `${below}/` : below,
    query: withoutControls(query, verb),
    headers,
    token: tokenOf(headers),
    namespace: namespaceOf(headers),
    wrapTtlMs: wrapTtlOf(headers),
    remote: request.remote,
    ...bodyOf(request),
    limits: request.limits,
    onGone: request.onGone,
  }
}

/** Bodies that are no JSON and may be larger than memory: their operation reads them as they come, after policy and audit. */
export function takesStream(method: string, target: string): boolean {
  return (method === 'POST' || method === 'PUT') && /^\/v1\/sys\/storage\/raft\/snapshot(-force)?(\?|$)/.test(target)
}

function bodyOf({ method, target, body, stream }: HttpRequest): Pick<Incoming, 'body' | 'stream'> {
  if (stream) return { stream }
  if (!body) return {}
  return takesStream(method, target) ? { stream: onePiece(body) } : { body }
}

async function* onePiece(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body
}

/** `?help`, `?list` and `?scan` turn a GET into another verb. */
function verbOf(verb: Verb | 'help', query: Query): Verb | 'help' {
  if (verb !== 'read') return verb
  if (flag(query, 'help')) return 'help'
  const list = flag(query, 'list')
  const scan = flag(query, 'scan')
  if (list && scan) throw new Refusal(400, 'list and scan cannot be combined')
  return list ? 'list' : scan ? 'scan' : 'read'
}

function flag(query: Query, name: string): boolean {
  const value = query[name]
  if (value === undefined || value === '') return false
  const parsed = typeof value === 'string' ? parseGoBool(value) : undefined
  if (parsed === undefined)
    throw new Refusal(400, `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`)
  return parsed
}

function withoutControls(query: Query, verb: Verb | 'help'): Query {
  if (verb !== 'read' || !('list' in query || 'scan' in query || 'help' in query)) return query
  const { list: _, scan: __, help: ___, ...rest } = query
  return rest
}

/** Without the slashes around it; by hand, because a pattern for the last ones would look at every slash of a hostile header again and again. */
function namespaceOf(headers: Headers): string {
  const text = (headers['x-vault-namespace'] ?? '').trim()
  let [start, end] = [0, text.length]
  while (text[start] === '/') start += 1
  while (end > start && text[end - 1] === '/') end -= 1
  return utf8Of(text.slice(start, end))
}

/** Node reads a header as one character per byte; in the path the same name is UTF-8. */
function utf8Of(text: string): string {
  if (!/[^\x20-\x7e]/.test(text)) return text
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'latin1'))
  } catch {
    throw new Refusal(400, 'the header X-Vault-Namespace is not valid UTF-8')
  }
}

export function plain(status: number, errors: readonly string[]): HttpAnswer {
  return {
    status,
    headers: { 'Cache-Control': 'no-store', 'Content-Type': 'application/json' },
    body: `${JSON.stringify({ errors })}\n`,
  }
}

export interface Injected {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Calls the handler as a socket would; for tests and for programs in the same process. */
export async function inject(
  handler: Handler,
  request: {
    readonly method: string
    readonly path: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string | Uint8Array
  },
): Promise<Injected> {
  const body = typeof request.body === 'string' ? Buffer.from(request.body) : request.body
  const answer = await handler({
    method: request.method,
    target: request.path,
    rawHeaders: Object.entries(request.headers ?? {}).flat(),
    remote: { address: '127.0.0.1', port: 1 },
    ...(body ? { body } : {}),
  })
  const head = request.method === 'HEAD'
  return { status: answer.status, headers: answer.headers, body: head ? '' : await textOf(answer.body) }
}

async function textOf(body: HttpAnswer['body']): Promise<string> {
  if (typeof body === 'string') return body
  if (body instanceof Uint8Array) return Buffer.from(body).toString()
  const parts: Uint8Array[] = []
  for await (const part of body) parts.push(part)
  return Buffer.concat(parts).toString()
}
