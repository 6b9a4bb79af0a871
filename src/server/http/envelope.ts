/** An answer of the pipeline -> status, headers, bytes: Vault's JSON to the letter. */
import type { Duplex } from 'node:stream'
import { formatGoTime } from '../../lib/go-time.ts'
import { isLarge } from '../../lib/json/size.ts'
import { stringifyJson } from '../../lib/json/stringify.ts'
import { isJsonObject, type Json, type JsonObject, type RawJson } from '../../lib/json/value.ts'
import { TextPieces, writeJsonInTurns } from '../../lib/json/write-in-turns.ts'
import { Pace, type Turns } from '../../lib/turns.ts'
import type { WrapInfo } from '../contracts/request.ts'
import type { Answer } from '../pipeline/exchange.ts'

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array>
  readonly upgrade?: (socket: Duplex, head: Uint8Array) => void
}

type Envelope = Extract<Answer, { kind: 'envelope' }>

const jsonHeaders = Object.freeze({ 'Cache-Control': 'no-store', 'Content-Type': 'application/json' })

export function writeAnswer(answer: Answer, namespace: string): HttpAnswer {
  const base = namespace === '' ? jsonHeaders : { ...jsonHeaders, 'X-Vault-Namespace': headerOf(namespace) }
  const headers = answer.headers ? { ...base, ...answer.headers } : base
  const { status } = answer
  switch (answer.kind) {
    case 'envelope':
      return { status, headers, body: envelope(answer) }
    case 'wrapped':
      return { status, headers, body: wrapped(answer.wrapped) }
    case 'errors':
      return status === 403
        ? { status, headers: { ...headers, 'X-Request-Id': answer.requestId }, body: errors(answer) }
        : { status, headers, body: errors(answer) }
    case 'document':
      return { status, headers, body: `${stringifyJson(answer.body)}\n` }
    case 'empty':
      return { status, headers, body: '' }
    case 'raw':
      return { status, headers: { ...headers, 'Content-Type': answer.contentType }, body: answer.body }
    case 'upgrade':
      return { status, headers, body: '', upgrade: answer.accept }
  }
}

/** Node writes a header's characters as bytes. */
const headerOf = (text: string) => (/[^\x20-\x7e]/.test(text) ? Buffer.from(text).toString('latin1') : text)

/** What clients get; also what waits behind a wrapping token. `text`: the data's, where it was made apart. */
export function envelope(answer: Envelope, text = answer.data === null ? 'null' : stringifyJson(answer.data)): string {
  const { lease, leaseMs = 0, data, warnings, auth, topLevel } = answer
  const seconds = Math.floor((lease?.ttlMs ?? leaseMs) / 1000)
  return `{"request_id":"${answer.requestId}","lease_id":${lease ? JSON.stringify(lease.id) : '""'},"renewable":${
    lease?.renewable ?? false
  },"lease_duration":${seconds},"data":${text},"wrap_info":null,"warnings":${
    warnings.length > 0 ? JSON.stringify(warnings) : 'null'
  },"auth":${auth === null ? 'null' : stringifyJson(auth)}${topLevel ? besides(data) : ''}}\n`
}

function wrapped({ token, accessor, ttlMs, createdAt, creationPath, wrappedAccessor }: WrapInfo): string {
  const info = {
    token,
    accessor,
    ttl: Math.floor(ttlMs / 1000),
    creation_time: formatGoTime(createdAt),
    creation_path: creationPath,
    ...(wrappedAccessor === undefined ? {} : { wrapped_accessor: wrappedAccessor }),
  }
  return `{"request_id":"","lease_id":"","renewable":false,"lease_duration":0,"data":null,"wrap_info":${JSON.stringify(info)},"warnings":null,"auth":null}\n`
}

const reserved = new Set([
  'request_id',
  'lease_id',
  'renewable',
  'lease_duration',
  'data',
  'wrap_info',
  'warnings',
  'auth',
])

/** Old clients of some sys routes read the members of `data` beside the envelope. */
function besides(data: Json): string {
  if (!isJsonObject(data)) return ''
  let out = ''
  for (const [name, value] of Object.entries(data)) {
    if (value !== undefined && !reserved.has(name)) out += `,${JSON.stringify(name)}:${stringifyJson(value)}`
  }
  return out
}

function errors(answer: Extract<Answer, { kind: 'errors' }>): string {
  const body: JsonObject = {
    errors: answer.errors,
    // With it sys/coffer/explain tells why.
    ...(answer.status === 403 ? { request_id: answer.requestId } : {}),
    ...(answer.data === undefined ? {} : { data: answer.data }),
    ...(answer.warnings === undefined ? {} : { warnings: answer.warnings }),
  }
  return `${stringifyJson(body)}\n`
}

type LargeAnswer = Extract<Answer, { kind: 'envelope' }> & {
  readonly data: JsonObject | RawJson
  readonly topLevel: false
}

/** Those that repeat their members beside the envelope are small. */
export function isLargeAnswer(answer: Answer): answer is LargeAnswer {
  return answer.kind === 'envelope' && !answer.topLevel && isLarge(answer.data)
}

/** No JSON text holds it: it stands where the data belongs. */
const mark = '\0'

/** For many megabytes: in slices, with the same text as `envelope` makes. */
export async function writeLargeAnswer(answer: LargeAnswer, namespace: string, turns: Turns): Promise<HttpAnswer> {
  const [before = '', after = ''] = envelope(answer, mark).split(mark)
  const out = new TextPieces()
  out.add(before)
  await writeJsonInTurns(answer.data, out, new Pace(turns))
  out.add(after)
  const { pieces, bytes } = out.take()
  const { status, headers } = writeAnswer({ ...answer, data: null }, namespace)
  const [only] = pieces
  if (only && pieces.length === 1) return { status, headers, body: only }
  return { status, headers: { ...headers, 'Content-Length': String(bytes) }, body: inOrder(pieces) }
}

async function* inOrder(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces
}
