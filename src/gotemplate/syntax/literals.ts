import { fromBytes } from '../go-string.ts'
import type { NumberValue } from './nodes.ts'

/** strconv.Unquote of a "quoted" or `raw` literal; undefined when its escapes are invalid. */
export function unquote(literal: string): string | undefined {
  if (literal.startsWith('`')) return literal.slice(1, -1).replaceAll('\r', '')
  const bytes: Buffer[] = []
  const body = literal.slice(1, -1)
  for (let at = 0; at < body.length; ) {
    const piece = readChar(body, at, literal[0] ?? '"')
    if (!piece) return undefined
    bytes.push(typeof piece.value === 'number' ? Buffer.of(piece.value) : Buffer.from(piece.value, 'utf8'))
    at = piece.end
  }
  return fromBytes(Buffer.concat(bytes))
}

const simple: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
}

/** One character of a literal's body: text, or the number of one byte (\x, octal). */
function readChar(body: string, at: number, mark: string): { value: string | number; end: number } | undefined {
  const char = String.fromCodePoint(body.codePointAt(at) ?? 0)
  if (char !== '\\') return char === '\n' ? undefined : { value: char, end: at + char.length }
  const kind = body[at + 1] ?? ''
  const known = kind === mark ? mark : simple[kind]
  if (known !== undefined) return { value: known, end: at + 2 }
  const coded = /\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y
  coded.lastIndex = at
  const match = coded.exec(body)
  if (!match) return undefined
  const [all, hex, octal, u4, u8] = match
  if (hex !== undefined || octal !== undefined) {
    const byte = hex === undefined ? Number.parseInt(octal ?? '', 8) : Number.parseInt(hex, 16)
    return byte > 255 ? undefined : { value: byte, end: at + all.length }
  }
  const code = Number.parseInt(u4 ?? u8 ?? '', 16)
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined
  return { value: String.fromCodePoint(code), end: at + all.length }
}

/** A rune literal ('a', '\n', '\x00') as its code; undefined when it is malformed. */
export function readRune(literal: string): bigint | undefined {
  const body = literal.slice(1, -1)
  const piece = body === '' ? undefined : readChar(body, 0, "'")
  if (!piece || piece.end !== body.length) return undefined
  return BigInt(typeof piece.value === 'number' ? piece.value : (piece.value.codePointAt(0) ?? 0))
}

const intShape = /^([+-]?)(0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)$/
const floatShape = /^[+-]?(?:[0-9](?:_?[0-9])*)?\.?(?:[0-9](?:_?[0-9])*)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?$/
const hexFloatShape = /^([+-]?)0[xX]_?([0-9a-fA-F_]*)\.?([0-9a-fA-F_]*)[pP]([+-]?[0-9_]+)$/
const max = 2n ** 63n - 1n
const min = -(2n ** 63n)

/** A number literal by Go's rules; undefined when it is none; 'overflow' when it is an integer beyond 64 bits, or octal in vain (089). */
export function readNumber(text: string): NumberValue | 'overflow' | undefined {
  const int = readInt(text)
  if (int !== undefined) return int < min || int > max ? 'overflow' : { int, float: Number(int), isFloat: false }
  const float = readFloat(text)
  if (float === undefined) return undefined
  if (!/[.eEpP]/.test(text)) return 'overflow'
  const whole = Number.isInteger(float) && Math.abs(float) < 2 ** 63
  return { float, isFloat: true, ...(whole ? { int: BigInt(float) } : {}) }
}

function readInt(text: string): bigint | undefined {
  const match = intShape.exec(text)
  if (!match) return undefined
  const digits = (match[2] ?? '').replaceAll('_', '')
  const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits)
  return match[1] === '-' ? -value : value
}

function readFloat(text: string): number | undefined {
  const hex = hexFloatShape.exec(text)
  if (hex) {
    const [, sign, whole = '', fraction = '', power = ''] = hex.map((s) => s?.replaceAll('_', ''))
    if (whole + fraction === '') return undefined
    const mantissa = Number(BigInt(`0x${whole}${fraction}`)) * 2 ** (-4 * fraction.length)
    const value = mantissa * 2 ** Number(power)
    return sign === '-' ? -value : value
  }
  if (!/[0-9]/.test(text) || !floatShape.test(text)) return undefined
  const value = Number(text.replaceAll('_', ''))
  return Number.isFinite(value) ? value : undefined
}
