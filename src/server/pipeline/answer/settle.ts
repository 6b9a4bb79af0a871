/** Reply or refusal -> what goes over the wire: statuses, empty answers, tokens, leases. */
import type { Json, JsonObject } from '../../../lib/json/value.ts'
import { JsonNumber, RawJson } from '../../../lib/json/value.ts'
import { inTurns, type Turns } from '../../../lib/turns.ts'
import type { Refusal, Reply } from '../../contracts/request.ts'
import { filterSteps } from '../../policies/filter-list.ts'
import type { Answer, Exchange } from '../exchange.ts'
import { allowedHeaders } from '../passed-headers.ts'

/** For every kind but 'login', which needs a token first. */
export function settle(x: Exchange, given: Reply, auth: JsonObject | null): Answer {
  const reply = given.headers ? { ...given, headers: allowedHeaders(x, given.headers) } : given
  const warnings = reply.warnings ? [...x.warnings, ...reply.warnings] : x.warnings
  if (reply.kind === 'data') return settleData(x, reply, warnings)
  const base = { requestId: x.id, ...(reply.headers ? { headers: reply.headers } : {}) }
  const envelope = { ...base, kind: 'envelope', warnings, auth, topLevel: false } as const
  switch (reply.kind) {
    case 'none':
      return settleNone(x, reply.status, warnings, base)
    case 'lease':
      return { ...envelope, status: reply.status ?? 200, data: reply.data, lease: reply.lease }
    case 'login':
    case 'auth':
      return { ...envelope, status: reply.status ?? 200, data: reply.data ?? null, auth }
    case 'document':
      return { ...base, status: reply.status ?? 200, kind: 'document', body: reply.body }
    case 'wrapped':
      x.wrapped = reply.wrapped
      return { ...base, status: reply.status ?? 200, kind: 'wrapped', wrapped: reply.wrapped }
    case 'stored':
      return { ...base, status: reply.status ?? 200, kind: 'document', body: reply.envelope }
    case 'redirect':
      return { ...base, headers: { ...reply.headers, Location: reply.to }, status: reply.status ?? 307, kind: 'empty' }
    case 'raw':
      return { ...base, status: reply.status ?? 200, kind: 'raw', contentType: reply.contentType, body: reply.body }
    case 'upgrade':
      return { ...base, status: 101, kind: 'upgrade', accept: (socket, head) => reply.accept(socket, head) }
  }
}

/** Without what policy keeps from this caller; before `settle`. */
export async function filtered(x: Exchange, reply: Reply, turns: Turns): Promise<Reply> {
  if (reply.kind !== 'data' || !x.verdict?.list || !isList(x)) return reply
  return { ...reply, data: await inTurns(filterSteps(x.verdict, reply.data), turns) }
}

/** What most requests come to. */
function settleData(x: Exchange, reply: Extract<Reply, { kind: 'data' }>, warnings: readonly string[]): Answer {
  const { status = 200, headers, leaseMs, topLevel = false } = reply
  const { data } = reply
  if (isList(x) && !hasKeys(data)) {
    return { ...emptyRead({ requestId: x.id, headers }, warnings), ...(reply.status ? { status } : {}) }
  }
  return { kind: 'envelope', requestId: x.id, status, headers, data, leaseMs, warnings, auth: null, topLevel }
}

interface Base {
  readonly requestId: string
  readonly headers?: Readonly<Record<string, string>>
}

function settleNone(x: Exchange, status: number | undefined, warnings: readonly string[], base: Base): Answer {
  const write = x.incoming.verb === 'update' || x.incoming.verb === 'patch' || x.incoming.verb === 'delete'
  if (!write && status === undefined) return emptyRead(base, warnings)
  if (warnings.length === 0) return { ...base, status: status ?? 204, kind: 'empty' }
  return { ...base, status: status ?? 200, kind: 'envelope', data: null, warnings, auth: null, topLevel: false }
}

/** Nothing there: no envelope, unless there is something to warn of. */
function emptyRead(base: Base, warnings: readonly string[]): Answer {
  if (warnings.length === 0) return { ...base, status: 404, kind: 'errors', errors: [] }
  return { ...base, status: 404, kind: 'envelope', data: null, warnings, auth: null, topLevel: false }
}

const isList = (x: Exchange) => x.incoming.verb === 'list' || x.incoming.verb === 'scan'

function hasKeys(data: JsonObject | RawJson): boolean {
  if (data instanceof RawJson) return true
  const keys: Json | undefined = data['keys']
  if (keys === undefined || keys === null) return false
  if (Array.isArray(keys)) return keys.length > 0
  return !(keys instanceof JsonNumber)
}

export function settleRefusal(x: Exchange, refusal: Refusal): Answer {
  const { data, warnings, headers } = refusal.with
  return {
    requestId: x.id,
    status: refusal.status,
    ...(headers ? { headers } : {}),
    kind: 'errors',
    errors: refusal.errors,
    ...(data === undefined ? {} : { data }),
    ...(warnings === undefined ? {} : { warnings }),
  }
}
