import type { JsonObject } from '../../lib/json/value.ts'

/** What a template asks the server for. Equal requests have equal keys and share one fetch. */
export interface SecretRequest {
  readonly kind: 'read' | 'list' | 'write'
  /** Without slashes at its ends. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly data: JsonObject
  readonly key: string
}

/** `secret "path?version=3"` reads, `secret "path" "k=v"` writes. Throws for a pair without "=". */
export function secretRequest(given: string, parameters: readonly string[]): SecretRequest {
  const { path, query } = splitPath(given)
  const pairs = parameters.filter((p) => p !== '').map(pair)
  if (parameters.length === 0) return { kind: 'read', path, query, data: {}, key: keyOf('read', path, query) }
  const data: Record<string, string> = Object.create(null)
  for (const [name, value] of pairs) data[name] = value
  return { kind: 'write', path, query, data, key: keyOf('write', path, [...pairs].sort()) }
}

export function listRequest(given: string): SecretRequest {
  const { path, query } = splitPath(given)
  return { kind: 'list', path, query, data: {}, key: keyOf('list', path, query) }
}

function splitPath(given: string): { path: string; query: Record<string, string> } {
  const [path = '', search = ''] = given.trim().split('?', 2)
  const plain = path.replace(/^\/+|\/+$/g, '')
  if (plain === '') throw new Error('the path of a secret is empty')
  return { path: plain, query: Object.fromEntries(new URLSearchParams(search)) }
}

function pair(text: string): readonly [string, string] {
  const at = text.indexOf('=')
  // The text may hold a secret that was piped in.
  if (at < 0) throw new Error('not a k=v pair')
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()]
}

const keyOf = (kind: string, path: string, rest: object) => `${kind} ${path} ${JSON.stringify(rest)}`

/** As consul-template names it in its log: "vault.read(secret/data/x)". */
export const nameOf = (request: SecretRequest): string => `vault.${request.kind}(${request.path})`
