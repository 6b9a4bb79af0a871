import { type GoFunction, isList, isText, textOf, typeName, type Value } from '../../gotemplate/value.ts'
import { JsonNumber } from '../../lib/json/value.ts'

/** consul-template's functions on text and lists. What is worked on comes last, so that it can be piped in. */
export const stringFunctions: Readonly<Record<string, GoFunction>> = {
  contains: { params: ['any', 'any'], call: (item, within) => includes(within, item) },
  containsAll: { params: ['list', 'any'], call: (items, within) => listed(items).every((i) => includes(within, i)) },
  containsAny: { params: ['list', 'any'], call: (items, within) => listed(items).some((i) => includes(within, i)) },
  containsNone: { params: ['list', 'any'], call: (items, within) => !listed(items).some((i) => includes(within, i)) },
  containsNotAll: {
    params: ['list', 'any'],
    call: (items, within) => !listed(items).every((i) => includes(within, i)),
  },
  in: { params: ['any', 'any'], call: (within, item) => includes(within, item) },
  indent: { params: ['int', 'string'], call: (spaces, s) => indent(Number(spaces), text(s)) },
  join: { params: ['string', 'list'], call: (separator, items) => listed(items).map(text).join(text(separator)) },
  loop: { params: ['any'], rest: 'any', call: (...bounds) => loop(bounds) },
  replaceAll: {
    params: ['string', 'string', 'string'],
    call: (from, to, s) => text(s).replaceAll(text(from), () => text(to)),
  },
  split: { params: ['string', 'string'], call: (separator, s) => split(text(separator), text(s)) },
  splitToMap: {
    params: ['string', 'string', 'string'],
    call: (outer, inner, s) => splitToMap(text(outer), text(inner), text(s)),
  },
  toLower: { params: ['string'], call: (s) => eachRune(text(s), (c) => c.toLowerCase()) },
  toTitle: {
    params: ['string'],
    call: (s) => text(s).replace(/(?<![\p{L}\p{N}\p{M}_'’])\p{L}/gu, (c) => oneRune(c, c.toUpperCase())),
  },
  toUpper: { params: ['string'], call: (s) => eachRune(text(s), (c) => c.toUpperCase()) },
  trim: { params: ['string', 'string'], call: (cutset, s) => trim(text(cutset), text(s)) },
  trimPrefix: { params: ['string', 'string'], call: (prefix, s) => trimPrefix(text(prefix), text(s)) },
  trimSpace: { params: ['string'], call: (s) => trimSpace(text(s)) },
  trimSuffix: { params: ['string', 'string'], call: (suffix, s) => trimSuffix(text(suffix), text(s)) },
}

function text(v: Value): string {
  if (isText(v)) return textOf(v)
  throw new Error(`wrong type for value; expected string; got ${typeName(v)}`)
}

const listed = (v: Value): readonly Value[] => (isList(v) ? v : [])

function includes(within: Value, item: Value): boolean {
  if (isList(within)) return within.some((one) => same(one, item))
  if (!isText(within) || !isText(item) || isNumber(within) !== isNumber(item)) return false
  return textOf(within).includes(textOf(item))
}

function same(a: Value, b: Value): boolean {
  if (isText(a) && isText(b)) return isNumber(a) === isNumber(b) && textOf(a) === textOf(b)
  return (typeof a === 'bigint' || typeof a === 'number') && a === b
}

const isNumber = (v: Value) => v instanceof JsonNumber

/** Empty lines stay empty. */
function indent(spaces: number, s: string): string {
  if (spaces < 0) throw new Error('indent value must be a positive integer')
  if (spaces > 10_000) throw new Error('indent value is too large')
  return s.replace(/^(?=[^\n])/gm, ' '.repeat(spaces))
}

const maxLoop = 100_000n

function loop(bounds: readonly Value[]): Value {
  if (bounds.length > 2) throw new Error(`loop: wrong number of arguments, expected 1 or 2, but got ${bounds.length}`)
  const [from, to] = bounds.length === 1 ? [0n, bounds[0]] : bounds
  const start = bound(from)
  const count = bound(to) - start
  if (count > maxLoop) throw new Error(`loop: more than ${maxLoop} rounds`)
  return count <= 0n ? [] : Array.from({ length: Number(count) }, (_, i) => start + BigInt(i))
}

function bound(v: Value): bigint {
  if (typeof v === 'bigint') return v
  if (isText(v) && /^-?\d{1,18}$/.test(textOf(v))) return BigInt(textOf(v))
  throw new Error(`loop: bad argument type: ${typeName(v)}`)
}

function split(separator: string, s: string): Value {
  const trimmed = trimSpace(s)
  if (trimmed === '') return []
  return separator === '' ? [...trimmed] : trimmed.split(separator)
}

function splitToMap(outer: string, inner: string, s: string): Value {
  const pairs = listed(split(outer, s)).map(text)
  return new Map(
    pairs.flatMap((pair) => {
      const at = pair.indexOf(inner)
      return at < 0 ? [] : [[pair.slice(0, at), pair.slice(at + inner.length)] as const]
    }),
  )
}

/** unicode.IsSpace. */
const spaces =
  '\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'
const trimSpace = (s: string) => trim(spaces, s)

/** A loop and no regular expression: one that ends in `+$` takes quadratic time on long runs inside. */
function trim(cutset: string, s: string): string {
  const cut = new Set(cutset)
  let from = 0
  let to = s.length
  for (let c = firstRune(s, from); from < to && cut.has(c); c = firstRune(s, from)) from += c.length
  for (let c = lastRune(s, to); from < to && cut.has(c); c = lastRune(s, to)) to -= c.length
  return s.slice(from, to)
}

const firstRune = (s: string, at: number) => String.fromCodePoint(s.codePointAt(at) ?? 0)
const lastRune = (s: string, end: number) => {
  const pair = s.slice(Math.max(0, end - 2), end)
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(pair) ? pair : s.slice(Math.max(0, end - 1), end)
}

const trimPrefix = (prefix: string, s: string) => (s.startsWith(prefix) ? s.slice(prefix.length) : s)
const trimSuffix = (suffix: string, s: string) => (suffix !== '' && s.endsWith(suffix) ? s.slice(0, -suffix.length) : s)

/** Go changes case rune by rune: "ß" stays. */
const eachRune = (s: string, change: (c: string) => string) => [...s].map((c) => oneRune(c, change(c))).join('')
const oneRune = (old: string, changed: string) => ([...changed].length === 1 ? changed : old)
