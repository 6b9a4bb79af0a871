import { parseVaultDuration } from '../../lib/duration.ts'
import { hclItems } from '../../lib/hcl/parse.ts'
import { blockSteps, blocks, type HclBlock, hclToJson } from '../../lib/hcl/read.ts'
import { HclError, type HclItem, type HclObject, type HclValue, isHclList, isHclObject } from '../../lib/hcl/tree.ts'
import { type Json, JsonNumber } from '../../lib/json/value.ts'
import { atOnce } from '../../lib/turns.ts'
import { Refusal } from '../contracts/request.ts'
import { type KeyFilter, KeyFilterError, parseKeyFilter } from './key-filter.ts'
import { bits, isBalanced, type ParameterRules, type Policy, type PolicyRule } from './policy.ts'

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
  'pagination_limit',
  'expiration',
  'list_scan_response_keys_filter_path',
])
/** Known to Vault or OpenBao and restricting: to ignore one would grant more than its author meant. */
const unsupportedKeys = new Set(['mfa_methods', 'control_group', 'subscribe_event_types'])
const readWrite = bits.create | bits.read | bits.update | bits.delete | bits.list
const legacyPolicies: ReadonlyMap<string, number> = new Map([
  ['deny', bits.deny],
  ['read', bits.read | bits.list],
  ['write', readWrite],
  ['sudo', readWrite | bits.sudo],
])
const capabilityBits: ReadonlyMap<string, number> = new Map(Object.entries(bits))

/** How many rules are read in between two chances for others to run. */
const rulesPerTurn = 100

/** HCL or JSON to rules. Refusal 400 "failed to parse policy: …" in Vault's words where it has some. */
export function parsePolicy(name: string, text: string): Policy {
  return atOnce(policySteps(name, text))
}

/**
 * The same with pauses: there may be a megabyte of it. What is read becomes rules at once, for of a long text the tree would be so
 * large that collecting garbage around it takes longer than all else.
 */
export function* policySteps(name: string, text: string): Generator<void, Policy> {
  try {
    const reader = new RuleReader(/^\s*\{/.test(text))
    for (const item of hclItems(text)) {
      if (item) yield* reader.read(item)
      else yield
    }
    return { name, rules: reader.finish() }
  } catch (error) {
    if (error instanceof HclError) {
      throw new Refusal(400, `failed to parse policy: At ${error.line}:${error.column}: ${error.reason}`)
    }
    if (error instanceof PolicyError) throw new Refusal(400, `failed to parse policy: ${error.message}`)
    throw error
  }
}

/** Item by item. Nothing is refused before `finish`: a mistake of the syntax counts first, wherever it stands. */
class RuleReader {
  readonly #json: boolean
  readonly #rules: PolicyRule[] = []
  readonly #names: HclItem[] = []
  readonly #problems: string[] = []
  readonly #problemsOfRules: string[] = []
  /** No blocks where they have to be. */
  #misplaced: unknown
  /** The first rule that is none. */
  #wrong: unknown

  constructor(json: boolean) {
    this.#json = json
  }

  *read(item: HclItem): Generator<void, void> {
    if (item.key === 'name') this.#names.push(item)
    else if (item.key !== 'path') this.#problems.push(...unknownKeys([item], topKeys))
    else if (this.#misplaced === undefined) yield* this.#readBlocks(item)
  }

  *#readBlocks(item: HclItem): Generator<void, void> {
    let count = 0
    try {
      for (const block of yield* blockSteps({ items: [item] }, 'path', 1)) {
        count += 1
        if (count % rulesPerTurn === 0) yield
        this.#readBlock(block)
      }
    } catch (error) {
      this.#misplaced = error
    }
  }

  #readBlock(block: HclBlock): void {
    const { labels, body } = block
    for (const problem of unknownKeys(body.items, ruleKeys)) {
      this.#problemsOfRules.push(`path ${quote(labels[0] ?? '')}: ${problem}`)
    }
    if (this.#wrong !== undefined) return
    try {
      this.#rules.push(readRule(block, this.#json))
    } catch (error) {
      this.#wrong = error
    }
  }

  finish(): PolicyRule[] {
    readName({ items: this.#names })
    if (this.#misplaced !== undefined) throw this.#misplaced
    const problems = [...this.#problems, ...this.#problemsOfRules]
    if (problems.length > 0) throw new PolicyError(listErrors(problems))
    if (this.#wrong !== undefined) throw this.#wrong
    return this.#rules
  }
}

class PolicyError extends Error {
  override name = 'PolicyError'
}

function unknownKeys(items: readonly HclItem[], known: ReadonlySet<string>): string[] {
  return items.flatMap((item) => {
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

/** Accepted as Vault accepts it: the name in the request counts. */
function readName(document: HclObject): void {
  const item = memberOf(document)('name')
  if (item && typeof item.value !== 'string') throw new HclError('"name" must be a string', item)
}

function readRule(block: HclBlock, json: boolean): PolicyRule {
  const { body } = block
  const label = block.labels[0] ?? ''
  const fail = (what: string): never => {
    throw new PolicyError(`path ${quote(label)}: ${what}`)
  }
  if (!isBalanced(label))
    throw new PolicyError('failed to validate policy templating: unbalanced templating characters')
  const path = label.startsWith('/') ? label.slice(1) : label
  if (path.includes('+*')) throw new PolicyError(`path ${quote(path)}: invalid use of wildcards ('+*' is forbidden)`)
  const member = memberOf(body)
  const capabilities = readCapabilities(member('policy'), member('capabilities'), fail)
  const allowed = readParameters(body, 'allowed_parameters')
  const denied = readParameters(body, 'denied_parameters')
  const filter = readFilter(member('list_scan_response_keys_filter_path'), capabilities, fail)
  const expiresAt = readExpiration(member('expiration'), fail)
  const pageLimit = readPageLimit(member('pagination_limit'), fail)
  return {
    path,
    capabilities,
    ...(allowed && { allowed }),
    ...(denied && { denied }),
    required: readStrings(member('required_parameters'), fail).map((p) => p.toLowerCase()),
    ...readWrapping(member),
    ...(pageLimit > 0 && { pageLimit }),
    ...(filter && { filter }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(!json && { line: block.line }),
  }
}

type Fail = (what: string) => never

function readWrapping(member: (key: string) => HclItem | undefined): { minWrapMs: number; maxWrapMs: number } {
  const minWrapMs = readTtl(member('min_wrapping_ttl'))
  const maxWrapMs = readTtl(member('max_wrapping_ttl'))
  if (minWrapMs > 0 && maxWrapMs > 0 && maxWrapMs < minWrapMs) {
    throw new PolicyError('max_wrapping_ttl cannot be less than min_wrapping_ttl')
  }
  return { minWrapMs, maxWrapMs }
}

function readFilter(item: HclItem | undefined, capabilities: number, fail: Fail): KeyFilter | undefined {
  if (!item || item.value === '') return undefined
  const text = typeof item.value === 'string' ? item.value : fail(`"${item.key}" must be a string`)
  // OpenBao wants list even where scan is given: a filter on neither would never be used.
  if ((capabilities & bits.list) === 0) {
    throw new PolicyError(`${item.key} needs to be used on a path with the list capability`)
  }
  try {
    return parseKeyFilter(text)
  } catch (error) {
    if (!(error instanceof KeyFilterError)) throw error
    if (error.message.startsWith('resulted in')) throw new PolicyError(`${item.key} ${error.message}`)
    throw new PolicyError(`unable to compile template for ${item.key}: ${error.message}`)
  }
}

function readExpiration(item: HclItem | undefined, fail: Fail): number | undefined {
  if (!item || item.value === '') return undefined
  const value = item.value instanceof JsonNumber ? item.value.text : item.value
  return (
    parseAbsoluteTime(value) ??
    fail(`invalid expiration time: want RFC 3339 or seconds since 1970, got ${quote(String(value))}`)
  )
}

function readPageLimit(item: HclItem | undefined, fail: Fail): number {
  if (!item) return 0
  const text = String(item.value instanceof JsonNumber ? item.value.text : item.value)
  if (!/^[+-]?\d{1,15}$/.test(text)) fail(`"${item.key}" must be a whole number`)
  return Math.max(0, Number(text))
}

/** ms since the epoch; undefined when it is none. Seconds since 1970, as number or text, or RFC 3339. */
export function parseAbsoluteTime(value: unknown): number | undefined {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string') return undefined
  if (/^\d{1,11}$/.test(text)) return Number(text) * 1000
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text)) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) || ms < 0 ? undefined : ms
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

function readTtl(item: HclItem | undefined): number {
  if (!item) return 0
  const value = item.value instanceof JsonNumber ? item.value.text : item.value
  const ms = parseVaultDuration(value)
  if (ms !== undefined && ms >= 0) return ms
  throw new PolicyError(`error parsing ${item.key}: time: invalid duration ${quote(String(value))}`)
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
