import { equalsAny, order } from './compare.ts'
import { escapeHtml, escapeJs, escapeQuery } from './fmt/escape.ts'
import { printValue, sprint, sprintln } from './fmt/format.ts'
import { sprintf } from './fmt/printf.ts'
import { byteLength, sliceBytes, toBytes } from './go-string.ts'
import {
  assignable,
  type FunctionTable,
  type GoFunction,
  goTypeOf,
  isFunction,
  isList,
  isMap,
  isText,
  textOf,
  truth,
  typeName,
  type Value,
} from './value.ts'

const define = (params: GoFunction['params'], rest: GoFunction['rest'], call: GoFunction['call']): GoFunction => ({
  params,
  ...(rest ? { rest } : {}),
  call,
})

/** text/template's own functions. `and` and `or` are here for their names: the evaluator runs them, since they stop early. */
export const builtins: FunctionTable = new Map<string, GoFunction>([
  ['and', define(['any'], 'any', notReached)],
  ['or', define(['any'], 'any', notReached)],
  ['not', define(['any'], undefined, (v) => !truth(v))],
  ['len', define(['any'], undefined, length)],
  ['index', define(['any'], 'any', index)],
  ['slice', define(['any'], 'any', slice)],
  ['print', define([], 'any', (...args) => sprint(args))],
  ['println', define([], 'any', (...args) => sprintln(args))],
  ['printf', define(['string'], 'any', (format, ...args) => sprintf(String(format), args))],
  ['html', define([], 'any', (...args) => escapeHtml(joined(args)))],
  ['js', define([], 'any', (...args) => escapeJs(joined(args)))],
  ['urlquery', define([], 'any', (...args) => escapeQuery(joined(args)))],
  ['call', define(['any'], 'any', call)],
  ['eq', define(['any'], 'any', (first, ...others) => equalsAny(first, others))],
  ['ne', define(['any', 'any'], undefined, (a, b) => !equalsAny(a, [b]))],
  ['lt', define(['any', 'any'], undefined, (a, b) => order(a, b) < 0)],
  ['le', define(['any', 'any'], undefined, (a, b) => order(a, b) <= 0)],
  ['gt', define(['any', 'any'], undefined, (a, b) => order(a, b) > 0)],
  ['ge', define(['any', 'any'], undefined, (a, b) => order(a, b) >= 0)],
])

function notReached(): never {
  throw new Error('and/or are run by the evaluator')
}

/** What html, js and urlquery escape: one string as it is, all else as fmt.Sprint prints it. */
function joined(args: readonly Value[]): string {
  const [only] = args
  if (args.length === 1 && isText(only)) return textOf(only)
  return sprint(args.map((a) => (a === undefined || a === null ? printValue(a) : a)))
}

function length(v: Value): bigint {
  if (isText(v)) return BigInt(byteLength(textOf(v)))
  if (isList(v)) return BigInt(v.length)
  if (isMap(v)) return BigInt(v.size)
  if (v === undefined || v === null) throw new Error('len of nil pointer')
  throw new Error(`len of type ${typeName(v)}`)
}

function index(item: Value, ...indexes: readonly Value[]): Value {
  if (item === undefined || item === null) throw new Error('index of untyped nil')
  let current: Value = item
  for (const at of indexes) {
    if (current === undefined || current === null) throw new Error('index of nil pointer')
    current = indexOne(current, at)
  }
  return current
}

function indexOne(item: Value, at: Value): Value {
  if (isMap(item)) {
    if (at === undefined || at === null) throw new Error('value is nil; should be of type string')
    if (!isText(at)) throw new Error(`value has type ${typeName(at)}; should be string`)
    return item.get(textOf(at)) ?? null
  }
  if (isList(item)) return item[inRange(at, item.length - 1)]
  if (!isText(item)) throw new Error(`can't index item of type ${typeName(item)}`)
  const bytes = toBytes(textOf(item))
  return BigInt(bytes[inRange(at, bytes.length - 1)] ?? 0)
}

function inRange(at: Value, max: number): number {
  if (at === undefined || at === null) throw new Error('cannot index slice/array with nil')
  if (typeof at !== 'bigint') throw new Error(`cannot index slice/array with type ${typeName(at)}`)
  if (at < 0n || at > BigInt(max)) throw new Error(`index out of range: ${at}`)
  return Number(at)
}

function slice(item: Value, ...indexes: readonly Value[]): Value {
  if (item === undefined || item === null) throw new Error('slice of untyped nil')
  if (indexes.length > 3) throw new Error(`too many slice indexes: ${indexes.length}`)
  const text = isText(item) ? textOf(item) : undefined
  if (text === undefined && !isList(item)) throw new Error(`can't slice item of type ${typeName(item)}`)
  if (text !== undefined && indexes.length === 3) throw new Error('cannot 3-index slice a string')
  const size = text === undefined ? (isList(item) ? item.length : 0) : byteLength(text)
  const [from = 0, to = size, cap] = indexes.map((i) => inRange(i, size))
  if (from > to) throw new Error(`invalid slice index: ${from} > ${to}`)
  if (cap !== undefined && to > cap) throw new Error(`invalid slice index: ${to} > ${cap}`)
  return text === undefined ? (isList(item) ? item.slice(from, to) : []) : sliceBytes(text, from, to)
}

function call(fn: Value, ...args: readonly Value[]): Value {
  if (fn === undefined || fn === null) throw new Error('call of nil')
  if (!isFunction(fn)) throw new Error(`non-function of type ${typeName(fn)}`)
  const { params, rest } = fn
  if (rest === undefined ? args.length !== params.length : args.length < params.length) {
    throw new Error(`wrong number of args: got ${args.length} want ${rest ? 'at least ' : ''}${params.length}`)
  }
  args.forEach((arg, i) => {
    const type = params[i] ?? rest ?? 'any'
    if (type !== 'any' && (arg === undefined || arg === null || !assignable(arg, type))) {
      throw new Error(`arg ${i}: value has type ${typeName(arg)}; should be ${goTypeOf(type)}`)
    }
  })
  return fn.call(...args)
}
