import { parseJson } from './parse.ts'
import { type Json, JsonNumber, type JsonObject, RawJson } from './value.ts'
import { trusted } from './walk.ts'

/** JSON text of a value: RawJson and JsonNumber as they are, members that are undefined left out. */
export function stringifyJson(value: Json): string {
  return print(value, plain)
}

/**
 * As Go's encoding/json prints: keys sorted by their UTF-8 bytes, `<`, `>`, `&`, U+2028 and U+2029 escaped; numbers as they are.
 * RawJson is parsed for it, so that its keys are sorted too.
 */
export function stringifyGo(value: Json): string {
  return print(value, go)
}

/** Orders strings by their UTF-8 bytes, which is the order of code points and not that of UTF-16 units. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i += 1) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    // Surrogates stand for code points above U+FFFF, so they go after U+E000..U+FFFF.
    const xAstral = x >= 0xd800 && x < 0xe000
    const yAstral = y >= 0xd800 && y < 0xe000
    return xAstral === yAstral ? x - y : xAstral ? 1 : -1
  }
  return a.length - b.length
}

interface Style {
  string(text: string): string
  keys(object: JsonObject): string[]
  raw(raw: RawJson): string
}

const needsEscape = /["\\\u0000-\u001f\ud800-\udfff]/

/** JSON text of one string. Most need no escapes, and to see that costs half of what JSON.stringify does. */
export function quoted(text: string): string {
  return needsEscape.test(text) ? JSON.stringify(text) : `"${text}"`
}

const plain: Style = {
  string: quoted,
  keys: Object.keys,
  raw: (raw) => raw.text,
}

const go: Style = {
  string: (text) => JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, escapeHtml),
  keys: (object) => Object.keys(object).sort(compareUtf8),
  raw: (raw) => print(parseJson(raw.text, trusted), go),
}

function escapeHtml(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function print(value: Json, style: Style): string {
  switch (typeof value) {
    case 'string':
      return style.string(value)
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError('JSON has no such number')
      return String(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      return printObject(value, style)
    default:
      throw new TypeError(`JSON has no ${typeof value}`)
  }
}

function printObject(value: Exclude<Json, string | number | boolean>, style: Style): string {
  if (value === null) return 'null'
  if (value instanceof RawJson) return style.raw(value)
  if (value instanceof JsonNumber) return value.text
  if (isArray(value)) return `[${value.map((element) => print(element, style)).join(',')}]`
  let out = ''
  for (const key of style.keys(value)) {
    const member = value[key]
    if (member !== undefined) out += `${out === '' ? '' : ','}${style.string(key)}:${print(member, style)}`
  }
  return `{${out}}`
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
