/** From one type to another, and what every value has: size, type. */
import { checkInt, checkUint } from '../operators.ts'
import { fn, given, method, type Overload, textOf } from '../overload.ts'
import {
  CelError,
  CelList,
  CelMap,
  Duration,
  noSuchOverload,
  Timestamp,
  TypeValue,
  typeNameOf,
  Uint,
  type Value,
} from '../value.ts'
import { durationText, timestampText } from './times.ts'

const trueTexts = ['1', 't', 'T', 'true', 'TRUE', 'True']
const falseTexts = ['0', 'f', 'F', 'false', 'FALSE', 'False']
const goFloat = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/

const failed = (from: string, to: string) => new CelError(`type conversion error from '${from}' to '${to}'`)

function toBool(value: Value | undefined): boolean {
  const text = textOf(value)
  if (trueTexts.includes(text)) return true
  if (falseTexts.includes(text)) return false
  throw failed('string', 'bool')
}

function toInt(value: Value | undefined): bigint {
  if (typeof value === 'bigint') return value
  if (value instanceof Uint) return checkInt(value.value)
  if (value instanceof Timestamp) return floorDivide(value.nanos, 1_000_000_000n)
  if (value instanceof Duration) return value.nanos
  if (typeof value === 'number') return wholeOf(value, 'integer overflow', checkInt)
  return integerText(value, 'int', checkInt)
}

function toUint(value: Value | undefined): Uint {
  if (value instanceof Uint) return value
  if (typeof value === 'bigint') return checkUint(value)
  if (typeof value === 'number') return wholeOf(value, 'unsigned integer overflow', checkUint)
  return integerText(value, 'uint', checkUint)
}

function wholeOf<T>(value: number, overflow: string, check: (whole: bigint) => T): T {
  if (!Number.isFinite(value)) throw new CelError(overflow)
  return check(BigInt(Math.trunc(value)))
}

function integerText<T>(value: Value | undefined, type: string, check: (whole: bigint) => T): T {
  const text = textOf(value)
  if (!/^[+-]?\d{1,25}$/.test(text)) throw failed('string', type)
  try {
    return check(BigInt(text.replace('+', '')))
  } catch {
    throw failed('string', type)
  }
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b < 0n ? quotient - 1n : quotient
}

function toDouble(value: Value | undefined): number {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Uint) return Number(value.value)
  const text = textOf(value)
  if (goFloat.test(text)) return Number(text)
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(text)
  if (!special) throw failed('string', 'double')
  if (special[2]?.toLowerCase() === 'nan') return Number.NaN
  return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

export function toText(value: Value): string {
  switch (typeof value) {
    case 'string':
      return value
    case 'bigint':
    case 'boolean':
      return String(value)
    case 'number':
      return doubleText(value)
    default:
      return objectText(value)
  }
}

function objectText(value: Value): string {
  if (value instanceof Uint) return String(value.value)
  if (value instanceof Timestamp) return timestampText(value)
  if (value instanceof Duration) return durationText(value)
  if (value instanceof TypeValue) return value.name
  if (!(value instanceof Uint8Array)) throw noSuchOverload()
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(value)
  } catch {
    throw new CelError('invalid UTF-8 in bytes, cannot convert to string')
  }
}

/** Go's "%g". */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [digits = '', power = '0'] = value.toExponential().split('e')
  const exponent = Number(power)
  if (exponent >= -4 && exponent < 6) return plainDecimal(value)
  const sign = exponent < 0 ? '-' : '+'
  return `${digits}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`
}

/** JavaScript writes small numbers with an exponent where Go does not. */
function plainDecimal(value: number): string {
  const text = String(value)
  return text.includes('e') ? value.toFixed(20).replace(/0+$/, '') : text
}

export function sizeOf(value: Value | undefined): bigint {
  if (typeof value === 'string') return BigInt([...value].length)
  if (value instanceof Uint8Array) return BigInt(value.length)
  if (value instanceof CelList) return BigInt(value.items.length)
  if (value instanceof CelMap) return BigInt(value.size)
  throw noSuchOverload('size')
}

const sized = ['bytes', 'list(A)', 'map(A, B)', 'string']

export const conversionFunctions: readonly Overload[] = [
  ...sized.flatMap((type) => [
    fn('size', type, 'int', ([value]) => sizeOf(value)),
    method('size', type, 'int', ([value]) => sizeOf(value)),
  ]),
  fn('type', 'A', 'type(A)', ([value]) => new TypeValue(typeNameOf(given(value)))),
  fn('dyn', 'A', 'dyn', ([value]) => given(value)),
  fn('bool', 'bool', 'bool', ([value]) => given(value)),
  fn('bool', 'string', 'bool', ([value]) => toBool(value)),
  fn('bytes', 'bytes', 'bytes', ([value]) => given(value)),
  fn('bytes', 'string', 'bytes', ([value]) => Buffer.from(textOf(value), 'utf8')),
  ...['double', 'int', 'string', 'uint'].map((type) => fn('double', type, 'double', ([value]) => toDouble(value))),
  ...['int', 'double', 'duration', 'string', 'timestamp', 'uint'].map((type) =>
    fn('int', type, 'int', ([value]) => toInt(value)),
  ),
  ...['uint', 'double', 'int', 'string'].map((type) => fn('uint', type, 'uint', ([value]) => toUint(value))),
  ...['string', 'bool', 'bytes', 'double', 'duration', 'int', 'timestamp', 'uint'].map((type) =>
    fn('string', type, 'string', ([value]) => toText(given(value))),
  ),
]
