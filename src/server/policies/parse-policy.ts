import { parseVaultDuration } from '../../lib/duration.ts'
import { parseHcl } from '../../lib/hcl/parse.ts'
import { blocks, hclToJson } from '../../lib/hcl/read.ts'
import { HclError, type HclItem, type HclObject, type HclValue, isHclList, isHclObject } from '../../lib/hcl/tree.ts'
import { type Json, JsonNumber } from '../../lib/json/value.ts'
import { Refusal } from '../contracts/request.ts'
import { bits, isBalanced, type ParameterRules, type Policy, type PolicyRule, templateNames } from './policy.ts'

const topKeys = new Set(['name', 'path'])
const ruleKeys = new Set([
  'comment',
  'policy',
  'capabilities',
  'allowed_parameters',
  'denied_parameters',
  'required_parameters',
  'min_wrapping_ttl',
  'max_wrapping_ttl',
])
/** Known to Vault or OpenBao and restricting: to ignore one would grant more than its author meant. */
const unsupportedKeys = new Set([
  'mfa_methods',
  'control_group',
  'pagination_limit',
  'expiration',
  'list_scan_response_keys_filter_path',
  'subscribe_event_types',
])
const readWrite = bits.create | bits.read | bits.update | bits.delete | bits.list
const legacyPolicies: ReadonlyMap<string, number> = new Map([
  ['deny', bits.deny],
  ['read', bits.read | bits.list],
  ['write', readWrite],
  ['sudo', readWrite | bits.sudo],
])
const capabilityBits: ReadonlyMap<string, number> = new Map(Object.entries(bits))

/** HCL or JSON to rules. Refusal 400 "failed to parse policy: …" in Vault's words where it has some. */
export function parsePolicy(name: string, text: string): Policy {
  try {
    const document = parseHcl(text)
    const problems = unknownKeys(document, topKeys)
    const found = blocks(document, 'path', 1)
    for (const block of found) {
      problems.push(...unknownKeys(block.body, ruleKeys).map((p) => `path ${quote(block.labels[0] ?? '')}: ${p}`))
    }
    if (problems.length > 0) throw new PolicyError(listErrors(problems))
    return { name, rules: found.map((block) => readRule(block.labels[0] ?? '', block.body)) }
  } catch (error) {
    if (error instanceof HclError) {
      throw new Refusal(400, `failed to parse policy: At ${error.line}:${error.column}: ${error.reason}`)
    }
    if (error instanceof PolicyError) throw new Refusal(400, `failed to parse policy: ${error.message}`)
    throw error
  }
}

class PolicyError extends Error {
  override name = 'PolicyError'
}

function unknownKeys(object: HclObject, known: ReadonlySet<string>): string[] {
  return object.items.flatMap((item) => {
    if (known.has(item.key)) return []
    const what = unsupportedKeys.has(item.key) ? 'this server does not support' : 'invalid key'
    return [`${what} ${quote(item.key)} on line ${item.line}`]
  })
}

/** As hashicorp/go-multierror prints, which clients show and some compare. */
function listErrors(errors: readonly string[]): string {
  const count = errors.length === 1 ? '1 error' : `${errors.length} errors`
  return `${count} occurred:\n${errors.map((e) => `\t* ${e}\n`).join('')}\n`
}

function quote(text: string): string {
  return JSON.stringify(text)
}

function readRule(label: string, body: HclObject): PolicyRule {
  const fail = (what: string): never => {
    throw new PolicyError(`path ${quote(label)}: ${what}`)
  }
  checkPath(label, fail)
  const member = memberOf(body)
  const minWrapMs = readTtl(member('min_wrapping_ttl'), fail)
  const maxWrapMs = readTtl(member('max_wrapping_ttl'), fail)
  if (minWrapMs > 0 && maxWrapMs > 0 && maxWrapMs < minWrapMs) {
    fail('max_wrapping_ttl cannot be less than min_wrapping_ttl')
  }
  const allowed = readParameters(body, 'allowed_parameters')
  const denied = readParameters(body, 'denied_parameters')
  return {
    path: label.startsWith('/') ? label.slice(1) : label,
    capabilities: readCapabilities(member('policy'), member('capabilities'), fail),
    ...(allowed && { allowed }),
    ...(denied && { denied }),
    required: readStrings(member('required_parameters'), fail).map((p) => p.toLowerCase()),
    minWrapMs,
    maxWrapMs,
  }
}

type Fail = (what: string) => never

function checkPath(path: string, fail: Fail): void {
  if (path.includes('+*')) fail("invalid use of wildcards ('+*' is forbidden)")
  if (!isBalanced(path)) fail('unbalanced templating characters')
  for (const name of templateNames(path)) {
    if (!/^identity\.(?:entity|groups)\.[^\s]+$/.test(name)) fail(`unknown template ${quote(name)}`)
  }
}

/** The item of that name; HclError when it stands there twice. */
function memberOf(body: HclObject): (key: string) => HclItem | undefined {
  return (key) => {
    const [first, second] = body.items.filter((item) => item.key === key)
    if (second) throw new HclError(`duplicate key "${key}"`, second)
    return first
  }
}

function readCapabilities(policy: HclItem | undefined, capabilities: HclItem | undefined, fail: Fail): number {
  let found = 0
  if (policy && policy.value !== '') {
    const value = typeof policy.value === 'string' ? policy.value : fail('"policy" must be a string')
    found = legacyPolicies.get(value) ?? fail(`invalid policy ${quote(value)}`)
  }
  for (const name of readStrings(capabilities, fail)) {
    found |= capabilityBits.get(name) ?? fail(`invalid capability ${quote(name)}`)
  }
  return found & bits.deny ? bits.deny : found
}

function readStrings(item: HclItem | undefined, fail: Fail): string[] {
  if (!item) return []
  const list = isHclList(item.value) ? item.value : [item.value]
  return list.map((value) => (typeof value === 'string' ? value : fail(`"${item.key}" must be a list of strings`)))
}

function readTtl(item: HclItem | undefined, fail: Fail): number {
  if (!item) return 0
  const value = item.value instanceof JsonNumber ? item.value.text : item.value
  const ms = parseVaultDuration(value)
  if (ms === undefined || ms < 0) return fail(`error parsing ${item.key}`)
  return ms
}

/** `x = { a = ["1"] }` or `x { a = ["1"] }`; a single value is a list of one. */
function readParameters(body: HclObject, key: string): ParameterRules | undefined {
  const found = blocks(body, key, 0)
  if (found.length === 0) return undefined
  const rules = new Map<string, readonly Json[]>()
  for (const item of found.flatMap((block) => block.body.items)) {
    const name = item.key.toLowerCase()
    if (item.labels.length > 0) throw new HclError(`"${item.key}" takes no label`, item)
    if (rules.has(name)) throw new HclError(`duplicate key "${item.key}"`, item)
    rules.set(name, parameterValues(item.value))
  }
  return rules
}

function parameterValues(value: HclValue): readonly Json[] {
  if (isHclList(value)) return value.map(hclToJson)
  return isHclObject(value) && value.items.length === 0 ? [] : [hclToJson(value)]
}
