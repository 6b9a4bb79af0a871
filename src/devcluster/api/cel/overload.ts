/** One form of a function: what it takes, what it gives, how it is computed. */
import { type CelType, parseType, parseTypes } from './cel-type.ts'
import {
  CelError,
  CelList,
  CelMap,
  Duration,
  Opaque,
  Optional,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from './value.ts'

export interface Overload {
  readonly name: string
  /** Called as `target.name(…)`; the target is the first parameter. */
  readonly member: boolean
  readonly parameters: readonly CelType[]
  readonly result: CelType
  readonly compute: (args: readonly Value[]) => Value
}

/** `fn('size', 'list(A)', 'int', …)`: called as size(x). */
export function fn(name: string, parameters: string, result: string, compute: Overload['compute']): Overload {
  return { name, member: false, parameters: parseTypes(parameters), result: parseType(result), compute }
}

/** `method('size', 'list(A)', 'int', …)`: called as x.size(). */
export function method(name: string, parameters: string, result: string, compute: Overload['compute']): Overload {
  return { ...fn(name, parameters, result, compute), member: true }
}

/** Whether values found at run time can be what the overload was declared for. */
export function accepts(overload: Overload, args: readonly Value[]): boolean {
  return (
    overload.parameters.length === args.length &&
    overload.parameters.every((type, position) => {
      const value = args[position]
      return value !== undefined && isOf(type, value)
    })
  )
}

function isOf(type: CelType, value: Value): boolean {
  switch (type.kind) {
    case 'bool':
      return typeof value === 'boolean'
    case 'int':
      return typeof value === 'bigint'
    case 'double':
      return typeof value === 'number'
    case 'string':
      return typeof value === 'string'
    case 'null':
      return value === null
    case 'uint':
      return value instanceof Uint
    case 'bytes':
      return value instanceof Uint8Array
    case 'timestamp':
      return value instanceof Timestamp
    case 'duration':
      return value instanceof Duration
    case 'list':
      return value instanceof CelList
    case 'map':
    case 'object':
      return value instanceof CelMap
    case 'type':
      return value instanceof TypeValue
    case 'opaque':
      return value instanceof Optional
        ? type.name === 'optional_type'
        : value instanceof Opaque && value.typeName === type.name
    default:
      return true
  }
}

// What the type checker has made sure of; at run time only a dynamic value can be something else, and `accepts` sorts those out.
const wrong = () => new CelError('no such overload')

export function textOf(value: Value | undefined): string {
  if (typeof value !== 'string') throw wrong()
  return value
}
export function intOf(value: Value | undefined): bigint {
  if (typeof value !== 'bigint') throw wrong()
  return value
}
export function boolOf(value: Value | undefined): boolean {
  if (typeof value !== 'boolean') throw wrong()
  return value
}
export function itemsOf(value: Value | undefined): readonly Value[] {
  if (!(value instanceof CelList)) throw wrong()
  return value.items
}
export function optionalOf(value: Value | undefined): Optional {
  if (!(value instanceof Optional)) throw wrong()
  return value
}
export function given(value: Value | undefined): Value {
  if (value === undefined) throw wrong()
  return value
}
/** What a library keeps in an opaque value. */
export function contentOf<T>(value: Value | undefined, kind: abstract new (...args: never[]) => T): T {
  if (!(value instanceof Opaque) || !(value.content instanceof kind)) throw wrong()
  return value.content
}
