import { compareUtf8 } from '../lib/json/stringify.ts'
import { basicKind, isText, textOf, typeName, type Value } from './value.ts'

const isNil = (v: Value) => v === undefined || v === null

/** Go's eq: the first against any of the others. */
export function equalsAny(first: Value, others: readonly Value[]): boolean {
  if (others.length === 0) throw new Error('missing argument for comparison')
  return others.some((other) => equals(first, other))
}

function equals(a: Value, b: Value): boolean {
  const kind = basicKind(a)
  if (kind !== basicKind(b)) {
    if (isNil(a) || isNil(b)) return false
    throw new Error(`incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`)
  }
  if (isText(a) && isText(b)) return textOf(a) === textOf(b)
  if (kind !== undefined) return a === b
  if (isNil(a) || isNil(b)) return isNil(a) === isNil(b)
  throw new Error(`non-comparable types ${typeName(a)} and ${typeName(b)}`)
}

/** Negative, zero or positive; refuses what Go can't order. */
export function order(a: Value, b: Value): number {
  const kind = basicKind(a)
  if (kind === undefined || basicKind(b) === undefined) throw new Error('invalid type for comparison')
  if (kind !== basicKind(b)) {
    throw new Error(`incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`)
  }
  if (isText(a) && isText(b)) return compareUtf8(textOf(a), textOf(b))
  if (typeof a === 'bigint' && typeof b === 'bigint') return a < b ? -1 : a > b ? 1 : 0
  if (typeof a === 'number' && typeof b === 'number') return a - b
  throw new Error('invalid type for comparison')
}
