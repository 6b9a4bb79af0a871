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

/** Required first, then denied, then allowed; names without regard to case, only at the top level. An empty request passes the last two. */
export function parametersPass(limits: ParameterLimits, input: JsonObject): boolean {
  const given = Object.keys(input).filter((key) => input[key] !== undefined)
  const lower = new Set(given.map((key) => key.toLowerCase()))
  if (!limits.required.every((key) => lower.has(key))) return false
  if (given.length === 0) return true
  const value = (key: string) => input[key] ?? null
  const { denied, allowed } = limits
  if (denied && denied.size > 0) {
    if (denied.has('*')) return false
    if (given.some((key) => isListed(denied.get(key.toLowerCase()), value(key)))) return false
  }
  if (!allowed || allowed.size === 0) return true
  const others = allowed.has('*')
  if (others && allowed.size === 1) return true
  return given.every((key) => {
    const values = allowed.get(key.toLowerCase())
    return values === undefined ? others : isListed(values, value(key))
  })
}

/** Undefined = no rule for it; no values = every value. */
function isListed(values: readonly Json[] | undefined, given: Json): boolean {
  if (values === undefined) return false
  if (values.length === 0) return true
  const plain = given instanceof RawJson ? parseJson(given.text) : given
  return values.some((listed) => isSame(listed, plain))
}

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
