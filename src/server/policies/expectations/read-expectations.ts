/** What policies are expected to allow and deny: a file in HCL (or JSON) beside them. */
import { parseVaultDuration } from '../../../lib/duration.ts'
import { parseHcl } from '../../../lib/hcl/parse.ts'
import { blocks, hclToJson, members } from '../../../lib/hcl/read.ts'
import { HclError, type HclItem, type HclObject, isHclList, isHclObject } from '../../../lib/hcl/tree.ts'
import { isJsonObject, JsonNumber, type JsonObject } from '../../../lib/json/value.ts'
import { type AclRequest, isListing } from '../shortfall.ts'

/** One request and what should become of it. */
export interface Expectation {
  readonly name: string
  readonly expected: 'allow' | 'deny'
  readonly line: number
  readonly request: AclRequest
}

export interface Expectations {
  /** Files of policies, as written. */
  readonly policies: readonly string[]
  /** Values of templates by name ("identity.entity.name"). */
  readonly identity: ReadonlyMap<string, string>
  readonly checks: readonly Expectation[]
}

/** What is wrong with the file, with its place. */
export class ExpectationError extends Error {
  override name = 'ExpectationError'
}

const topKeys = new Set(['policies', 'identity', 'allow', 'deny'])
const checkKeys = new Set(['operation', 'path', 'data', 'wrap_ttl'])

export function readExpectations(text: string): Expectations {
  try {
    const document = parseHcl(text)
    refuseOthers(document, topKeys)
    const top = (key: string) => document.items.find((item) => item.key === key)
    const checks = [...read(document, 'allow'), ...read(document, 'deny')].sort((a, b) => a.line - b.line)
    if (checks.length === 0)
      throw new HclError('nothing is expected: write allow "…" { … } or deny "…" { … }', { line: 1, column: 1 })
    const policies = top('policies')
    return { policies: policies ? strings(policies) : [], identity: readIdentity(document), checks }
  } catch (error) {
    if (error instanceof HclError) throw new ExpectationError(error.message)
    throw error
  }
}

function refuseOthers(object: HclObject, known: ReadonlySet<string>): void {
  for (const item of object.items) {
    if (!known.has(item.key)) throw new HclError(`unknown "${item.key}": want ${[...known].join(', ')}`, item)
  }
}

function readIdentity(document: HclObject): Map<string, string> {
  const values = new Map<string, string>()
  for (const { body } of blocks(document, 'identity', 0)) {
    for (const item of Object.values(members(body))) {
      if (typeof item.value !== 'string') throw new HclError(`"${item.key}" must be a string`, item)
      values.set(item.key, item.value)
    }
  }
  return values
}

/** Lists of operations and paths are checked one by one. */
function read(document: HclObject, expected: 'allow' | 'deny'): Expectation[] {
  return blocks(document, expected, 1).flatMap(({ labels: [name = ''], body, line, column }) => {
    refuseOthers(body, checkKeys)
    const { operation, path, data, wrap_ttl: wrap } = members(body)
    if (!operation || !path) throw new HclError(`${expected} "${name}" needs operation and path`, { line, column })
    const wrapTtlMs = wrap && readTtl(wrap)
    const input = data && readData(data)
    const more = { ...(input && { input }), ...(wrapTtlMs !== undefined && { wrapTtlMs }) }
    return strings(path).flatMap((target) =>
      strings(operation).map((verb) => ({ name, expected, line, request: requestOf(verb, target, more, operation) })),
    )
  })
}

function requestOf(verb: string, target: string, more: Partial<AclRequest>, at: HclItem): AclRequest {
  const operation = operations.find((known) => known === verb)
  if (!operation) throw new HclError(`unknown operation "${verb}": want ${operations.join(', ')}`, at)
  const bare = target.replace(/^\/+/, '')
  return { path: isListing(operation) && !bare.endsWith('/') ? `${bare}/` : bare, operation, ...more }
}

const operations: readonly AclRequest['operation'][] = [
  'create',
  'read',
  'update',
  'patch',
  'delete',
  'list',
  'scan',
  'head',
]

function strings(item: HclItem): string[] {
  const list = isHclList(item.value) ? item.value : [item.value]
  return list.map((value) => {
    if (typeof value === 'string' && value !== '') return value
    throw new HclError(`"${item.key}" must be a string or a list of strings`, item)
  })
}

function readTtl(item: HclItem): number {
  const ms = parseVaultDuration(item.value instanceof JsonNumber ? item.value.text : item.value)
  if (ms !== undefined && ms > 0) return ms
  throw new HclError('"wrap_ttl" must be a duration such as "5m"', item)
}

function readData(item: HclItem): JsonObject {
  const json = isHclObject(item.value) ? hclToJson(item.value) : undefined
  if (!isJsonObject(json)) throw new HclError('"data" must be an object', item)
  return json
}
