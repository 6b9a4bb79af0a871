/** Functions of lists, sets and optionals. */
import { add, compareValues, equalValues } from '../operators.ts'
import { fn, given, itemsOf, method, type Overload, optionalOf } from '../overload.ts'
import {
  CelError,
  CelList,
  CelMap,
  Duration,
  none,
  noSuchOverload,
  Optional,
  Timestamp,
  Uint,
  type Value,
} from '../value.ts'

const summable: readonly (readonly [string, Value])[] = [
  ['int', 0n],
  ['uint', new Uint(0n)],
  ['double', 0],
  ['duration', new Duration(0n)],
]
const comparable = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes']

function isSorted(items: readonly Value[]): boolean {
  return items.every((item, at) => {
    const before = items[at - 1]
    return before === undefined || compareValues(before, item, '') <= 0
  })
}

function extreme(items: readonly Value[], name: 'min' | 'max'): Value {
  const [first, ...rest] = items
  if (first === undefined) throw new CelError(`${name} called on empty list`)
  const better = (a: number) => (name === 'min' ? a > 0 : a < 0)
  return rest.reduce((best, item) => (better(compareValues(best, item, '')) ? item : best), first)
}

const has = (items: readonly Value[], wanted: Value) => items.some((item) => equalValues(item, wanted))
const containsAll = (items: readonly Value[], others: readonly Value[]) => others.every((other) => has(items, other))

/** Empty, zero, nothing. */
function isZero(value: Value): boolean {
  switch (typeof value) {
    case 'boolean':
      return !value
    case 'bigint':
      return value === 0n
    case 'number':
      return value === 0
    case 'string':
      return value === ''
    default:
      return isEmptyObject(value)
  }
}

function isEmptyObject(value: Value): boolean {
  if (value === null) return true
  if (value instanceof Uint) return value.value === 0n
  if (value instanceof Uint8Array) return value.length === 0
  if (value instanceof CelList) return value.items.length === 0
  if (value instanceof CelMap) return value.size === 0
  if (value instanceof Duration || value instanceof Timestamp) return value.nanos === 0n
  return value instanceof Optional && value.value === undefined
}

function unwrapped(items: readonly Value[]): CelList {
  return new CelList(
    items.flatMap((item) => {
      const { value } = optionalOf(item)
      return value === undefined ? [] : [value]
    }),
  )
}

const listFunctions: readonly Overload[] = [
  ...comparable.flatMap((type) => [
    method('isSorted', `list(${type})`, 'bool', ([items]) => isSorted(itemsOf(items))),
    method('min', `list(${type})`, type, ([items]) => extreme(itemsOf(items), 'min')),
    method('max', `list(${type})`, type, ([items]) => extreme(itemsOf(items), 'max')),
  ]),
  ...summable.map(([type, zero]) =>
    method('sum', `list(${type})`, type, ([items]) => itemsOf(items).reduce(add, zero)),
  ),
  method('indexOf', 'list(A), A', 'int', ([items, wanted]) =>
    BigInt(itemsOf(items).findIndex((item) => equalValues(item, given(wanted)))),
  ),
  method('lastIndexOf', 'list(A), A', 'int', ([items, wanted]) =>
    BigInt(itemsOf(items).findLastIndex((item) => equalValues(item, given(wanted)))),
  ),
]

const setFunctions: readonly Overload[] = [
  fn('sets.contains', 'list(A), list(A)', 'bool', ([a, b]) => containsAll(itemsOf(a), itemsOf(b))),
  fn('sets.intersects', 'list(A), list(A)', 'bool', ([a, b]) => itemsOf(a).some((item) => has(itemsOf(b), item))),
  fn(
    'sets.equivalent',
    'list(A), list(A)',
    'bool',
    ([a, b]) => containsAll(itemsOf(a), itemsOf(b)) && containsAll(itemsOf(b), itemsOf(a)),
  ),
]

/** `or` and `orValue` are the evaluator's: they may leave their argument alone. */
const lazy = () => {
  throw noSuchOverload()
}
const optionalFunctions: readonly Overload[] = [
  fn('optional.of', 'A', 'optional_type(A)', ([value]) => new Optional(given(value))),
  fn('optional.ofNonZeroValue', 'A', 'optional_type(A)', ([value]) =>
    isZero(given(value)) ? none : new Optional(given(value)),
  ),
  fn('optional.none', '', 'optional_type(A)', () => none),
  method('hasValue', 'optional_type(A)', 'bool', ([optional]) => optionalOf(optional).value !== undefined),
  method('value', 'optional_type(A)', 'A', ([optional]) => {
    const { value } = optionalOf(optional)
    if (value === undefined) throw new CelError('optional.none() dereference')
    return value
  }),
  method('or', 'optional_type(A), optional_type(A)', 'optional_type(A)', lazy),
  method('orValue', 'optional_type(A), A', 'A', lazy),
  method('first', 'list(A)', 'optional_type(A)', ([items]) => new Optional(itemsOf(items)[0])),
  method('last', 'list(A)', 'optional_type(A)', ([items]) => new Optional(itemsOf(items).at(-1))),
  fn('optional.unwrap', 'list(optional_type(A))', 'list(A)', ([items]) => unwrapped(itemsOf(items))),
  method('unwrapOpt', 'list(optional_type(A))', 'list(A)', ([items]) => unwrapped(itemsOf(items))),
]

export const collectionFunctions: readonly Overload[] = [...listFunctions, ...setFunctions, ...optionalFunctions]
