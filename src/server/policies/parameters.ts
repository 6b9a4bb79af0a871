import { parseJson } from '../../lib/json/parse.ts'
import { stringifyGo } from '../../lib/json/stringify.ts'
import { type Json, JsonNumber, type JsonObject, RawJson } from '../../lib/json/value.ts'
import type { ParameterRules } from './policy.ts'

export interface ParameterLimits {
  /** Undefined = any parameter. */
  readonly allowed?: ParameterRules
  readonly denied?: ParameterRules
  readonly required: readonly string[]
}

export interface ParameterProblem {
  /** As the request has it; of a required one, as the rule has it. */
  readonly name: string
  readonly why: 'required' | 'denied' | 'not allowed'
}

/** Required first, then denied, then allowed; names without regard to case, only at the top level. An empty request passes the last two. */
export function parameterProblem(limits: ParameterLimits, input: JsonObject): ParameterProblem | undefined {
  const given = Object.keys(input).filter((key) => input[key] !== undefined)
  if (limits.required.length > 0) {
    const lower = new Set(given.map((key) => key.toLowerCase()))
    const missing = limits.required.find((key) => !lower.has(key))
    if (missing !== undefined) return { name: missing, why: 'required' }
  }
  const { denied, allowed } = limits
  if (denied && denied.size > 0) {
    const refused = given.find(
      (key) => denied.has('*') || isDenied(denied.get(key.toLowerCase()), givenValue(key, input[key])),
    )
    if (refused !== undefined) return { name: refused, why: 'denied' }
  }
  if (!allowed || allowed.size === 0) return undefined
  const others = allowed.has('*')
  if (others && allowed.size === 1) return undefined
  const unknown = given.find((key) => {
    const values = allowed.get(key.toLowerCase())
    return !(values === undefined ? others : isAllowed(values, givenValue(key, input[key])))
  })
  return unknown === undefined ? undefined : { name: unknown, why: 'not allowed' }
}

/** Names of policies are lower-cased where they are kept: another spelling must not get past a rule. */
const lowerCased = new Set(['policies', 'token_policies'])

function givenValue(key: string, given: Json | undefined): Json {
  const plain = given instanceof RawJson ? parseJson(given.text) : (given ?? null)
  if (!lowerCased.has(key.toLowerCase())) return plain
  const lower = (item: Json) => (typeof item === 'string' ? item.toLowerCase() : item)
  return isList(plain) ? plain.map(lower) : lower(plain)
}

/** Undefined = no rule for it; no values = every value. One denied element of a list or of "a,b" denies it all. */
function isDenied(values: readonly Json[] | undefined, given: Json): boolean {
  if (values === undefined) return false
  if (values.length === 0 || isOneOf(values, given)) return true
  return partsOf(given).some((part) => isOneOf(values, part))
}

/** The whole value, or every element of a list or of "a,b". An empty list is not: what it means is the operation's to say. */
function isAllowed(values: readonly Json[], given: Json): boolean {
  if (values.length === 0 || isOneOf(values, given)) return true
  const parts = partsOf(given)
  return parts.length > 0 && parts.every((part) => isOneOf(values, part))
}

/** Fields that are lists take "a,b" too, and policy doesn't know which do. */
function partsOf(given: Json): readonly Json[] {
  if (isList(given)) return given
  return typeof given === 'string' && given.includes(',') ? given.split(',').map((part) => part.trim()) : []
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value)
const isOneOf = (values: readonly Json[], given: Json) => values.some((listed) => isSame(listed, given))

function isSame(listed: Json, given: Json): boolean {
  if (typeof listed === 'string' && typeof given === 'string') return globMatches(listed, given)
  const [a, b] = [asNumber(listed), asNumber(given)]
  if (a !== undefined && b !== undefined) return a === b
  return stringifyGo(listed) === stringifyGo(given)
}

/** Numbers outside JavaScript's range compare as text. */
function asNumber(value: Json): number | string | undefined {
  if (typeof value === 'number') return value
  if (!(value instanceof JsonNumber)) return undefined
  const number = Number(value.text)
  return Number.isInteger(number) && !Number.isSafeInteger(number) ? value.text : number
}

/** `*` only at the ends; a lone `*` is itself (Vault's GlobbedStringsMatch). */
function globMatches(pattern: string, text: string): boolean {
  if (pattern.length < 2) return pattern === text
  const start = pattern.startsWith('*')
  const end = pattern.endsWith('*')
  if (start && end) return text.includes(pattern.slice(1, -1))
  if (start) return text.endsWith(pattern.slice(1))
  return end ? text.startsWith(pattern.slice(0, -1)) : pattern === text
}

/** Both maps' names; where both name one, the lists joined, and an empty list (any value) swallows the other. */
export function mergeParameters(
  a: ParameterRules | undefined,
  b: ParameterRules | undefined,
): ParameterRules | undefined {
  if (!a || !b) return a ?? b
  const merged = new Map(a)
  for (const [key, values] of b) {
    const before = merged.get(key)
    merged.set(key, before === undefined ? values : before.length && values.length ? [...before, ...values] : [])
  }
  return merged
}
