/** Listeners that tell strangers neither addresses nor names nor versions: what needs no token is blanked, as in Vault. */
import { parseJson } from '../../lib/json/parse.ts'
import { stringifyJson } from '../../lib/json/stringify.ts'
import { isJsonObject, type JsonObject } from '../../lib/json/value.ts'
import type { HttpAnswer } from './envelope.ts'

export interface Redaction {
  readonly addresses: boolean
  readonly clusterName: boolean
  readonly version: boolean
}

const members = {
  addresses: ['leader_address', 'leader_cluster_address'],
  clusterName: ['cluster_name'],
  version: ['version', 'build_date', 'commit_date', 'coffer_version'],
} as const

/** The paths that answer without a token and name these, of every namespace. */
const open = /^\/v1\/(?:.+\/)?sys\/(?:health|seal-status|leader|unseal)\/*$/
const description = /^\/v1\/(?:.+\/)?sys\/internal\/specs\/openapi\/*$/

/** `path`: of the target, as it came; encoded forms of these paths are answered like them, so they are decoded. */
export function redact(redaction: Redaction, path: string, answer: HttpAnswer): HttpAnswer {
  if (typeof answer.body !== 'string' || answer.body === '') return answer
  const asked = decoded(path)
  if (redaction.version && description.test(asked)) return changed(answer, answer.body, withoutApiVersion)
  if (!open.test(asked)) return answer
  const blank = new Set<string>([
    ...(redaction.addresses ? members.addresses : []),
    ...(redaction.clusterName ? members.clusterName : []),
    ...(redaction.version ? members.version : []),
  ])
  return changed(answer, answer.body, (document) => blanked(document, blank))
}

/** Only members of the document itself: a secret may lie at such a path, too, and its members are the client's. */
const blanked = (document: JsonObject, blank: ReadonlySet<string>): JsonObject =>
  Object.fromEntries(
    Object.entries(document).map(([name, value]) => [name, blank.has(name) && typeof value === 'string' ? '' : value]),
  )

function withoutApiVersion(document: JsonObject): JsonObject {
  const { info } = document
  return isJsonObject(info) ? { ...document, info: blanked(info, new Set(['version'])) } : document
}

function changed(answer: HttpAnswer, body: string, change: (document: JsonObject) => JsonObject): HttpAnswer {
  const document = parseJson(body, ownLimits)
  return isJsonObject(document) ? { ...answer, body: `${stringifyJson(change(document))}\n` } : answer
}

/** The text is the server's own answer. */
const ownLimits = {
  maxBytes: Infinity,
  maxDepth: 2000,
  maxStrings: Infinity,
  maxValues: Infinity,
  maxStringLength: Infinity,
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
