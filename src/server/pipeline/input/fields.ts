/** Vault's loose typing: what came in -> what the operation declared. */

import { parseVaultDuration } from '../../../lib/duration.ts'
import { parseGoBool } from '../../../lib/go-bool.ts'
import { isJsonObject, type Json, JsonNumber, type JsonObject, RawJson } from '../../../lib/json/value.ts'
import type { Field, FieldKind, Fields } from '../../contracts/fields.ts'
import { Refusal } from '../../contracts/request.ts'

export interface Converted {
  readonly input: Readonly<Record<string, unknown>>
  /** Names that neither the fields nor the path know. */
  readonly unknown: readonly string[]
  /** Names whose value the path replaced. */
  readonly replaced: readonly string[]
}

/** Refuses (400) values that can't be read as their field's kind. Path captures win over what was sent. */
export function convertFields(fields: Fields, given: JsonObject, params: Readonly<Record<string, string>>): Converted {
  const unknown: string[] = []
  const replaced: string[] = []
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(params, name)) replaced.push(name)
    else if (!Object.hasOwn(fields, name)) unknown.push(name)
  }
  const input: Record<string, unknown> = {}
  // Object.entries would make them anew for each request.
  for (const name in fields) {
    const field = fields[name]
    if (!field) continue
    const value = Object.hasOwn(params, name) ? params[name] : given[name]
    input[name] = value === undefined ? field.default : convertField(name, field, value)
  }
  return { input, unknown: unknown.sort(), replaced: replaced.sort() }
}

function convertField(name: string, field: Field, value: Json): unknown {
  if (value === null) return field.default
  const converted = converters[field.kind](value instanceof JsonNumber ? value.text : value)
  if (converted !== undefined) return converted
  throw new Refusal(
    400,
    `error converting input for field "${name}": '' expected type '${goTypes[field.kind]}', got unconvertible type '${goTypeOf(value)}'`,
  )
}

const converters: Record<FieldKind, (value: Json) => unknown> = {
  string: text,
  lowerString: (value) => text(value)?.toLowerCase(),
  bool,
  int: (value) => integer(value),
  float: (value) => number(value),
  duration: (value) => {
    const ms = parseVaultDuration(value)
    return ms === undefined || ms < 0 ? undefined : ms
  },
  commaList,
  intList: (value) => {
    const list = commaList(value)?.map((item) => integer(item))
    return list?.every((item) => item !== undefined) ? list : undefined
  },
  stringMap,
  object: (value) =>
    isJsonObject(value) ? value : value instanceof RawJson && value.text.startsWith('{') ? value : undefined,
  json: (value) => value,
}

const goTypes: Record<FieldKind, string> = {
  string: 'string',
  lowerString: 'string',
  bool: 'bool',
  int: 'int',
  float: 'float64',
  duration: 'time.Duration',
  commaList: '[]string',
  intList: '[]int',
  stringMap: 'map[string]string',
  object: 'map[string]interface {}',
  json: 'interface {}',
}

function goTypeOf(value: Json): string {
  if (typeof value === 'string') return 'string'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number' || value instanceof JsonNumber) return 'json.Number'
  return Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}'
}

function text(value: Json): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (typeof value === 'boolean') return value ? '1' : '0'
  return undefined
}

/** Go's strconv.ParseBool and numbers; '' is false. */
function bool(value: Json): boolean | undefined {
  if (typeof value === 'boolean') return value
  if (typeof value === 'number') return value !== 0
  if (typeof value !== 'string') return undefined
  if (value === '') return false
  return parseGoBool(value)
}

function number(value: Json): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value !== 'string') return undefined
  if (value.trim() === '') return 0
  const parsed = Number(value)
  return Number.isFinite(parsed) ? parsed : undefined
}

function integer(value: Json): number | undefined {
  const parsed = number(value)
  return parsed !== undefined && Number.isSafeInteger(parsed) ? parsed : undefined
}

function commaList(value: Json): string[] | undefined {
  if (Array.isArray(value)) {
    const items: readonly Json[] = value
    const list: string[] = []
    for (const item of items) {
      const one = text(item instanceof JsonNumber ? item.text : item)
      if (one === undefined) return undefined
      list.push(one.trim())
    }
    return list
  }
  const one = text(value)
  if (one === undefined) return undefined
  const trimmed = one.trim()
  return trimmed === '' ? [] : trimmed.split(',').map((item) => item.trim())
}

/** An object of values that can be read as text, ["k=v"] or "k=v". */
function stringMap(value: Json): Record<string, string> | undefined {
  if (isJsonObject(value)) {
    const entries = Object.entries(value).map(([name, item]) => [name, asText(item ?? null)] as const)
    return entries.every(isPair) ? Object.fromEntries(entries) : undefined
  }
  const pairs = commaList(value)
  if (!pairs?.every((pair) => pair.includes('='))) return undefined
  return Object.fromEntries(
    pairs.map((pair): [string, string] => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  )
}

const isPair = (entry: readonly [string, string | undefined]): entry is readonly [string, string] =>
  entry[1] !== undefined

/** Null is the empty text, as everywhere in Go. */
function asText(value: Json): string | undefined {
  if (value === null) return ''
  return value instanceof JsonNumber ? value.text : text(value)
}
