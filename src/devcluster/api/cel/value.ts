/** What expressions compute with. Integers are bigint, doubles number, everything else has a class or is plain JavaScript. */

/** Unsigned; a class to tell it from int. */
export class Uint {
  readonly value: bigint
  constructor(value: bigint) {
    this.value = value
  }
}
export class Timestamp {
  /** Since 1970, UTC. */
  readonly nanos: bigint
  /** As it was written: "+01:00"; only its text has it. */
  readonly zone: string
  constructor(nanos: bigint, zone = 'Z') {
    this.nanos = nanos
    this.zone = zone
  }
}
/** Nanoseconds. */
export class Duration {
  readonly nanos: bigint
  constructor(nanos: bigint) {
    this.nanos = nanos
  }
}
export class TypeValue {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}
export class Optional {
  /** Undefined: none. */
  readonly value: Value | undefined
  constructor(value: Value | undefined) {
    this.value = value
  }
}
export const none = new Optional(undefined)

/** How the items of a list from a custom resource are told apart (x-kubernetes-list-type). */
export type ListIdentity = 'atomic' | 'set' | { readonly keys: readonly string[] }

export class CelList {
  readonly items: readonly Value[]
  readonly identity: ListIdentity
  constructor(items: readonly Value[], identity: ListIdentity = 'atomic') {
    this.items = items
    this.identity = identity
  }
}

export class CelMap {
  /** By keyOf. */
  readonly entries: ReadonlyMap<string, readonly [Value, Value]>
  /** Members that the schema does not name: they count, and differ. */
  readonly hidden: ReadonlyMap<string, unknown>
  constructor(entries: ReadonlyMap<string, readonly [Value, Value]>, hidden: ReadonlyMap<string, unknown> = new Map()) {
    this.entries = entries
    this.hidden = hidden
  }
  get size(): number {
    return this.entries.size + this.hidden.size
  }
  get(key: Value): Value | undefined {
    return this.entries.get(keyOf(key))?.[1]
  }
}

/** A value of one of the libraries: an address, a quantity. */
export class Opaque {
  readonly typeName: string
  /** Equal values have equal identities. */
  readonly identity: string
  /** What the library that made it knows it by. */
  readonly content: unknown
  constructor(typeName: string, identity: string, content: unknown) {
    this.typeName = typeName
    this.identity = identity
    this.content = content
  }
}

export type Value =
  | boolean
  | bigint
  | number
  | string
  | null
  | Uint
  | Uint8Array
  | Timestamp
  | Duration
  | CelList
  | CelMap
  | TypeValue
  | Optional
  | Opaque

/** What goes wrong while evaluating, in cel-go's words. */
export class CelError extends Error {
  override name = 'CelError'
}

export const noSuchOverload = (of?: string) => new CelError(of ? `no such overload: ${of}` : 'no such overload')

export function typeNameOf(value: Value): string {
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'bigint':
      return 'int'
    case 'number':
      return 'double'
    case 'string':
      return 'string'
    default:
      return objectTypeName(value)
  }
}

function objectTypeName(value: Exclude<Value, boolean | bigint | number | string>): string {
  if (value === null) return 'null_type'
  if (value instanceof Uint) return 'uint'
  if (value instanceof Uint8Array) return 'bytes'
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp'
  if (value instanceof Duration) return 'google.protobuf.Duration'
  if (value instanceof CelList) return 'list'
  if (value instanceof CelMap) return 'map'
  if (value instanceof TypeValue) return 'type'
  if (value instanceof Optional) return 'optional_type'
  return value.typeName
}

/** Numbers that are equal are the same key, whatever their type. */
export function keyOf(key: Value): string {
  switch (typeof key) {
    case 'string':
      return `s${key}`
    case 'bigint':
      return `n${key}`
    case 'boolean':
      return `b${key}`
    case 'number':
      return Number.isInteger(key) ? `n${BigInt(key)}` : `d${key}`
    default:
      if (key instanceof Uint) return `n${key.value}`
      throw new CelError(`unsupported key type: ${typeNameOf(key)}`)
  }
}

export function mapOf(pairs: readonly (readonly [Value, Value])[]): CelMap {
  return new CelMap(new Map(pairs.map((pair) => [keyOf(pair[0]), pair])))
}

export function textList(items: readonly string[]): CelList {
  return new CelList(items)
}
