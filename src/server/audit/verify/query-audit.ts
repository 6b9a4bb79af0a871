/** Finds lines in audit files. Streams: what is kept does not grow with the files. */
import { type AuditFile, auditLines } from './audit-file.ts'
import { parseObject, withoutPrefix } from './audit-line.ts'
import { isRevocation } from './revocations.ts'

/** All that are given must fit. */
export interface AuditQuery {
  readonly type?: 'request' | 'response'
  readonly entity?: string
  readonly displayName?: string
  /** A prefix; with `*` (anything) or `+` (one segment) a pattern of the whole path. */
  readonly path?: string
  readonly operation?: string
  /** Wall clock, ms; both inclusive. */
  readonly since?: number
  readonly until?: number
  readonly requestId?: string
  readonly clientAddress?: string
  readonly namespace?: string
  /** Refused for lack of permission. */
  readonly denied?: boolean
  /** What took something from somebody, and was done. */
  readonly revocations?: boolean
  /** Any of these texts (`hmac-sha256:…`) anywhere in the line. */
  readonly hashes?: readonly string[]
}

export interface AuditMatch {
  readonly file: string
  readonly line: number
  /** The line as it is written, without prefix. */
  readonly text: string
  readonly time: string
  readonly type: string
  readonly requestId: string
  readonly operation: string
  readonly path: string
  readonly displayName: string
  readonly entity: string
  readonly clientAddress: string
  readonly error: string
}

const progressLines = 4096

export async function* queryAudit(
  files: readonly AuditFile[],
  query: AuditQuery,
  progress?: (lines: number, file: string) => void,
): AsyncGenerator<AuditMatch> {
  const fits = matcher(query)
  const needles = needlesOf(query)
  let lines = 0
  for (const file of files) {
    for await (const { bytes, line, complete } of auditLines(file)) {
      lines += 1
      if (lines % progressLines === 0) progress?.(lines, file.name)
      const body = withoutPrefix(bytes)
      const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
      // Most lines are put aside without reading them as JSON.
      if (!complete || needles.some((any) => !any.some((needle) => buffer.includes(needle)))) continue
      const text = buffer.toString()
      const match = readMatch(text, file.name, line)
      if (match && fits(match)) yield match
    }
  }
}

/** Each group: one of its texts must be in the line. */
function needlesOf({ hashes, entity, requestId, clientAddress }: AuditQuery): (readonly string[])[] {
  const texts = [entity, requestId, clientAddress].flatMap((text) => (text ? [[JSON.stringify(text)]] : []))
  return hashes && hashes.length > 0 ? [...texts, hashes.map((hash) => JSON.stringify(hash))] : texts
}

function matcher(query: AuditQuery): (match: AuditMatch & { denied: boolean; namespace: string }) => boolean {
  const path = query.path === undefined ? undefined : pathMatcher(query.path)
  const same = (wanted: string | undefined, value: string) => wanted === undefined || wanted === value
  return (match) => {
    const at = Date.parse(match.time)
    return (
      same(query.type, match.type) &&
      same(query.entity, match.entity) &&
      same(query.displayName, match.displayName) &&
      same(query.operation, match.operation) &&
      same(query.requestId, match.requestId) &&
      same(query.clientAddress, match.clientAddress) &&
      same(query.namespace, match.namespace) &&
      (path === undefined || path(match.path)) &&
      (query.since === undefined || at >= query.since) &&
      (query.until === undefined || at <= query.until) &&
      (query.denied !== true || match.denied) &&
      (query.revocations !== true || (match.error === '' && isRevocation(match.operation, match.path)))
    )
  }
}

function pathMatcher(pattern: string): (path: string) => boolean {
  if (!/[*+]/.test(pattern)) return (path) => path.startsWith(pattern)
  const parts = pattern.split(/([*+])/).filter((part) => part !== '')
  return (path) => globFits(parts, path)
}

/** Tries the last `*` again further on: never more than pattern times path steps. */
function globFits(parts: readonly string[], path: string): boolean {
  let [part, at] = [0, 0]
  let back: { readonly part: number; at: number } | undefined
  for (;;) {
    const step = parts[part]
    if (step === undefined && at === path.length) return true
    if (step === '*') {
      back = { part, at }
      part += 1
      continue
    }
    const next = step === undefined ? -1 : afterPart(step, path, at)
    if (next >= 0) {
      part += 1
      at = next
    } else if (back && back.at < path.length) {
      back.at += 1
      part = back.part + 1
      at = back.at
    } else return false
  }
}

function afterPart(part: string, path: string, at: number): number {
  if (part !== '+') return path.startsWith(part, at) ? at + part.length : -1
  const end = path.indexOf('/', at)
  const stop = end < 0 ? path.length : end
  return stop > at ? stop : -1
}

function readMatch(text: string, file: string, line: number) {
  const record = parseObject(text)
  if (!record || record['type'] === 'chain') return undefined
  const [request, auth] = [objectOf(record['request']), objectOf(record['auth'])]
  const error = textOf(record['error'])
  const results = objectOf(auth['policy_results'])
  return {
    file,
    line,
    text,
    time: textOf(record['time']),
    type: textOf(record['type']),
    requestId: textOf(request['id']),
    operation: textOf(request['operation']),
    path: textOf(request['path']),
    displayName: textOf(auth['display_name']),
    entity: textOf(auth['entity_id']),
    clientAddress: textOf(request['remote_address']),
    namespace: textOf(objectOf(request['namespace'])['path']),
    error,
    denied: results['allowed'] === false || error.includes('permission denied'),
  }
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : '')
const objectOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {}
