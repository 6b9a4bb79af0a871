/** Equality, order and arithmetic of values. Errors are thrown, in cel-go's words. */
import { equal } from '../tree.ts'
import {
  CelError,
  CelList,
  CelMap,
  Duration,
  keyOf,
  noSuchOverload,
  Opaque,
  Optional,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from './value.ts'

const maxInt = 2n ** 63n - 1n
const minInt = -(2n ** 63n)
const maxUint = 2n ** 64n - 1n
/** From year 1 to 9999, the times that can be told. */
const minTime = -62_135_596_800n * 1_000_000_000n
const maxTime = 253_402_300_800n * 1_000_000_000n - 1n

export function checkInt(value: bigint): bigint {
  if (value > maxInt || value < minInt) throw new CelError('integer overflow')
  return value
}
export function checkUint(value: bigint): Uint {
  if (value > maxUint || value < 0n) throw new CelError('unsigned integer overflow')
  return new Uint(value)
}
export function checkDuration(nanos: bigint): Duration {
  if (nanos > maxInt || nanos < minInt) throw new CelError('duration overflow')
  return new Duration(nanos)
}
export function checkTimestamp(nanos: bigint, zone?: string): Timestamp {
  if (nanos > maxTime || nanos < minTime) throw new CelError('timestamp overflow')
  return new Timestamp(nanos, zone)
}

export function equalValues(a: Value, b: Value): boolean {
  if (a === b) return true
  if (a === null || b === null) return false
  const numbers = compareNumbers(a, b)
  if (numbers !== undefined) return numbers === 0
  if (a instanceof CelList) return b instanceof CelList && equalLists(a, b)
  if (a instanceof CelMap) return b instanceof CelMap && equalMaps(a, b)
  if (!(a instanceof Optional)) return equalScalars(a, b)
  if (!(b instanceof Optional)) return false
  if (a.value === undefined || b.value === undefined) return a.value === b.value
  return equalValues(a.value, b.value)
}

function equalScalars(a: Value, b: Value): boolean {
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name
  return a instanceof Opaque && b instanceof Opaque && a.typeName === b.typeName && a.identity === b.identity
}

function equalLists(a: CelList, b: CelList): boolean {
  if (a.items.length !== b.items.length) return false
  const { identity } = a
  if (identity === 'atomic')
    return a.items.every((item, index) => {
      const other = b.items[index]
      return other !== undefined && equalValues(item, other)
    })
  if (identity === 'set') return b.items.every((item) => a.items.some((other) => equalValues(item, other)))
  const known = new Map(a.items.map((item) => [itemKey(item, identity.keys), item]))
  return b.items.every((item) => {
    const other = known.get(itemKey(item, identity.keys))
    return other !== undefined && equalValues(other, item)
  })
}

/** Names the item of a list of type map. */
function itemKey(item: Value, keys: readonly string[]): string {
  if (!(item instanceof CelMap)) return ''
  return JSON.stringify(
    keys.map((key) => {
      const value = item.get(key)
      return value === undefined || value === null ? null : keyOf(value)
    }),
  )
}

function equalMaps(a: CelMap, b: CelMap): boolean {
  if (a.size !== b.size) return false
  for (const [member, content] of a.hidden)
    if (b.hidden.has(member) && !equal(content, b.hidden.get(member))) return false
  return [...a.entries].every(([key, [, value]]) => {
    const other = b.entries.get(key)?.[1]
    return other !== undefined && equalValues(value, other)
  })
}

/** Undefined when one of them is no number; NaN when they can't be ordered. */
function compareNumbers(a: Value, b: Value): number | undefined {
  const left = a instanceof Uint ? a.value : a
  const right = b instanceof Uint ? b.value : b
  if (typeof left !== 'bigint' && typeof left !== 'number') return undefined
  if (typeof right !== 'bigint' && typeof right !== 'number') return undefined
  if (Number.isNaN(left) || Number.isNaN(right)) return Number.NaN
  return left < right ? -1 : left > right ? 1 : 0
}

/** Negative, zero or positive. */
export function compareValues(a: Value, b: Value, operator: string): number {
  const numbers = compareNumbers(a, b)
  if (Number.isNaN(numbers)) throw new CelError('NaN values cannot be ordered')
  if (numbers !== undefined) return numbers
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b)
  if (a instanceof Timestamp && b instanceof Timestamp) return Number(sign(a.nanos - b.nanos))
  if (a instanceof Duration && b instanceof Duration) return Number(sign(a.nanos - b.nanos))
  throw comparable(a) ? noSuchOverload() : noSuchOverload(operator)
}

const sign = (value: bigint) => (value < 0n ? -1n : value > 0n ? 1n : 0n)

function comparable(value: Value): boolean {
  if (typeof value === 'object')
    return (
      value instanceof Uint || value instanceof Uint8Array || value instanceof Timestamp || value instanceof Duration
    )
  return true
}

export function add(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return checkInt(a + b)
  if (typeof a === 'number' && typeof b === 'number') return a + b
  if (typeof a === 'string' && typeof b === 'string') return a + b
  if (a instanceof Uint && b instanceof Uint) return checkUint(a.value + b.value)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.concat([a, b])
  if (a instanceof CelList && b instanceof CelList) return join(a, b)
  const time = addTimes(a, b)
  if (time) return time
  const adds = comparable(a) || a instanceof CelList
  throw adds && typeof a !== 'boolean' ? noSuchOverload() : noSuchOverload('_+_')
}

function addTimes(a: Value, b: Value): Value | undefined {
  if (a instanceof Duration && b instanceof Duration) return checkDuration(a.nanos + b.nanos)
  if (a instanceof Duration && b instanceof Timestamp) return checkTimestamp(a.nanos + b.nanos, b.zone)
  return a instanceof Timestamp && b instanceof Duration ? checkTimestamp(a.nanos + b.nanos, a.zone) : undefined
}

/** Lists of sets and maps take the other's items in place of their own. */
function join(a: CelList, b: CelList): CelList {
  const { identity } = a
  if (identity === 'atomic') return new CelList([...a.items, ...b.items])
  const items = [...a.items]
  for (const item of b.items) {
    const same = (other: Value) =>
      identity === 'set' ? equalValues(other, item) : itemKey(other, identity.keys) === itemKey(item, identity.keys)
    const index = items.findIndex(same)
    if (index < 0) items.push(item)
    else if (identity !== 'set') items[index] = item
  }
  return new CelList(items, identity)
}

export function subtract(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return checkInt(a - b)
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (a instanceof Uint && b instanceof Uint) return checkUint(a.value - b.value)
  if (a instanceof Duration && b instanceof Duration) return checkDuration(a.nanos - b.nanos)
  if (a instanceof Timestamp && b instanceof Duration) return checkTimestamp(a.nanos - b.nanos, a.zone)
  if (a instanceof Timestamp && b instanceof Timestamp) return checkDuration(a.nanos - b.nanos)
  throw arithmeticFault(a, '_-_')
}

export function multiply(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return checkInt(a * b)
  if (typeof a === 'number' && typeof b === 'number') return a * b
  if (a instanceof Uint && b instanceof Uint) return checkUint(a.value * b.value)
  throw arithmeticFault(a, '_*_')
}

export function divide(a: Value, b: Value): Value {
  if (typeof a === 'number' && typeof b === 'number') return a / b
  if (typeof a === 'bigint' && typeof b === 'bigint') return checkInt(a / nonZero(b, 'division by zero'))
  if (a instanceof Uint && b instanceof Uint) return checkUint(a.value / nonZero(b.value, 'division by zero'))
  throw arithmeticFault(a, '_/_')
}

export function modulo(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return checkInt(a % nonZero(b, 'modulus by zero'))
  if (a instanceof Uint && b instanceof Uint) return checkUint(a.value % nonZero(b.value, 'modulus by zero'))
  throw arithmeticFault(a, '_%_')
}

export function negate(a: Value): Value {
  if (typeof a === 'bigint') return checkInt(-a)
  if (typeof a === 'number') return -a
  if (a instanceof Duration) return checkDuration(-a.nanos)
  throw noSuchOverload('-_')
}

function nonZero(value: bigint, complaint: string): bigint {
  if (value === 0n) throw new CelError(complaint)
  return value
}

function arithmeticFault(a: Value, operator: string): CelError {
  const isNumber = typeof a === 'bigint' || typeof a === 'number' || a instanceof Uint
  return isNumber ? noSuchOverload() : noSuchOverload(operator)
}

/** `list[0]`, `map["a"]`. */
export function index(container: Value, key: Value): Value {
  const found = find(container, key)
  if (found !== undefined) return found
  if (container instanceof CelList) throw new CelError(`index out of bounds: ${printKey(key)}`)
  throw new CelError(`no such key: ${printKey(key)}`)
}

/** Undefined when there is no such member. */
export function find(container: Value, key: Value): Value | undefined {
  if (container instanceof CelMap) return container.get(key)
  if (!(container instanceof CelList)) throw noSuchOverload()
  const position = key instanceof Uint ? key.value : key
  if (typeof position !== 'bigint' && !Number.isInteger(position))
    throw new CelError(`unsupported index: ${printKey(key)}`)
  return container.items[Number(position)]
}

export function printKey(key: Value): string {
  return key instanceof Uint ? String(key.value) : String(key)
}

export function contains(container: Value, item: Value): boolean {
  if (container instanceof CelList) return container.items.some((other) => equalValues(item, other))
  if (container instanceof CelMap) return container.get(item) !== undefined
  throw noSuchOverload('@in')
}
