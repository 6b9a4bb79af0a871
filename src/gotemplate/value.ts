import { JsonNumber } from '../lib/json/value.ts'

/**
 * A Go value as templates see it. `undefined` is Go's invalid value (a missing key), `null` a nil interface, bigint an int,
 * number a float64, JsonNumber a json.Number (of kind string, as in Go). Bytes that are not UTF-8 stand in strings as lone
 * surrogates U+DC80..U+DCFF (see go-string.ts).
 */
export type Value =
  | undefined
  | null
  | boolean
  | bigint
  | number
  | string
  | JsonNumber
  | readonly Value[]
  | GoMap
  | GoStruct
  | GoFunction

/** map[string]interface{}; only own entries exist, so nothing of JavaScript can be reached through it. */
export type GoMap = ReadonlyMap<string, Value>

/** A pointer to a struct: unlike a map it refuses names that it doesn't have. */
export class GoStruct {
  readonly typeName: string
  readonly fields: GoMap

  constructor(typeName: string, fields: GoMap) {
    this.typeName = typeName
    this.fields = fields
  }
}

export type ParamType = 'any' | 'string' | 'int' | 'float' | 'bool' | 'map' | 'list'

/** A function that templates may call. It throws `TemplateError` or any Error whose message holds no secret values. */
export interface GoFunction {
  readonly params: readonly ParamType[]
  /** The type of further arguments; absent: there may be none. */
  readonly rest?: ParamType
  readonly call: (...args: readonly Value[]) => Value
}
export type FunctionTable = ReadonlyMap<string, GoFunction>

export const isMap = (v: Value): v is GoMap => v instanceof Map
export const isList = (v: Value): v is readonly Value[] => Array.isArray(v)
/** Go's kind string: a string or a json.Number. */
export const isText = (v: Value): v is string | JsonNumber => typeof v === 'string' || v instanceof JsonNumber
export const textOf = (v: string | JsonNumber): string => (typeof v === 'string' ? v : v.text)
export const isFunction = (v: Value): v is GoFunction => typeof v === 'object' && v !== null && 'call' in v

/** What Go's %T prints. */
export function typeName(v: Value): string {
  switch (typeof v) {
    case 'boolean':
      return 'bool'
    case 'bigint':
      return 'int'
    case 'number':
      return 'float64'
    case 'string':
      return 'string'
    default:
  }
  if (v === undefined || v === null) return '<nil>'
  if (v instanceof JsonNumber) return 'json.Number'
  if (v instanceof GoStruct) return `*${v.typeName}`
  if (isList(v)) return '[]interface {}'
  if (isMap(v)) return 'map[string]interface {}'
  return 'func'
}

/** Go's text/template truth: zero values and empty containers are false, structs and functions true. */
export function truth(v: Value): boolean {
  if (v === undefined || v === null) return false
  if (typeof v === 'boolean') return v
  if (typeof v === 'bigint') return v !== 0n
  if (typeof v === 'number') return v !== 0
  if (isText(v)) return textOf(v) !== ''
  if (isList(v)) return v.length > 0
  if (isMap(v)) return v.size > 0
  return true
}

export type Kind = 'bool' | 'int' | 'float' | 'string'

/** The kinds that comparisons know; undefined for all others. */
export function basicKind(v: Value): Kind | undefined {
  if (typeof v === 'boolean') return 'bool'
  if (typeof v === 'bigint') return 'int'
  if (typeof v === 'number') return 'float'
  return isText(v) ? 'string' : undefined
}

/** Whether a value may be given to a parameter of that type without conversion, as Go's assignability. */
export function assignable(v: Exclude<Value, undefined>, type: ParamType): boolean {
  switch (type) {
    case 'any':
      return true
    case 'string':
      return typeof v === 'string'
    case 'int':
      return typeof v === 'bigint'
    case 'float':
      return typeof v === 'number'
    case 'bool':
      return typeof v === 'boolean'
    case 'map':
      return isMap(v)
    case 'list':
      return isList(v)
  }
}

const goTypes: Readonly<Record<ParamType, string>> = {
  any: 'interface {}',
  string: 'string',
  int: 'int',
  float: 'float64',
  bool: 'bool',
  map: 'map[string]interface {}',
  list: '[]interface {}',
}
export const goTypeOf = (type: ParamType): string => goTypes[type]
/** Go lets nil stand for these. */
export const canBeNil = (type: ParamType): boolean => type === 'any' || type === 'map' || type === 'list'
