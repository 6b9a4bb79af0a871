/** A schema as a type of CEL, and data as values of that type (k8s.io/apiserver/pkg/cel/common). */
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  mapType,
  objectType,
  stringType,
  timestampType,
} from '../../cel/cel-type.ts'
import { parseTimestampNanos, zoneOf } from '../../cel/functions/times.ts'
import {
  CelError,
  CelList,
  CelMap,
  Duration,
  keyOf,
  type ListIdentity,
  Timestamp,
  type Value,
} from '../../cel/value.ts'
import { isTree, type Tree, textAt, textsAt, treeAt } from '../../tree.ts'
import { parseFormatDuration } from './schema-formats.ts'

const reserved =
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  )
const escapes: Readonly<Record<string, string>> = {
  __: '__underscores__',
  '.': '__dot__',
  '-': '__dash__',
  '/': '__slash__',
}

/** The name of a property as an expression writes it; undefined: it can't be written. */
export function escapeName(name: string): string | undefined {
  if (name === '' || /^\d/.test(name) || /[^A-Za-z0-9_./-]/.test(name)) return undefined
  if (reserved.includes(name)) return `__${name}__`
  return name.replace(/__|[-./]/g, (found) => escapes[found] ?? found)
}

const text = { type: 'string' }
/** What every object has at its root, whatever the schema says. */
const rootProperties: Tree = {
  apiVersion: text,
  kind: text,
  metadata: { type: 'object', properties: { name: text, generateName: text } },
}

const isEmbedded = (schema: Tree) => schema['x-kubernetes-embedded-resource'] === true

function propertiesOf(schema: Tree, isRoot: boolean): Tree | undefined {
  const own = treeAt(schema, 'properties')
  return isRoot || isEmbedded(schema) ? { ...own, ...rootProperties } : own
}

/** Undefined: rules can't speak of such data. `name` is that of the type, as messages show it. */
export function typeOfSchema(schema: Tree, isRoot: boolean, name: string): CelType | undefined {
  if (schema['x-kubernetes-int-or-string'] === true) return dynType
  switch (textAt(schema, 'type')) {
    case 'array': {
      const items = treeAt(schema, 'items')
      const item = items ? typeOfSchema(items, false, `${name}.@idx`) : undefined
      return item ? listType(item) : undefined
    }
    case 'object':
      return objectTypeOf(schema, isRoot, name)
    case 'string':
      return textTypes.get(textAt(schema, 'format') ?? '') ?? stringType
    case 'boolean':
      return boolType
    case 'number':
      return doubleType
    case 'integer':
      return intType
    default:
      return undefined
  }
}

const textTypes: ReadonlyMap<string, CelType> = new Map([
  ['byte', bytesType],
  ['duration', durationType],
  ['date', timestampType],
  ['date-time', timestampType],
])

function objectTypeOf(schema: Tree, isRoot: boolean, name: string): CelType | undefined {
  const additional = treeAt(schema, 'additionalProperties')
  if (additional && !isRoot) {
    const value = typeOfSchema(additional, false, `${name}.@elem`)
    return value ? mapType(stringType, value) : undefined
  }
  const fields = new Map<string, CelType>()
  for (const [member, property] of Object.entries(propertiesOf(schema, isRoot) ?? {})) {
    const escaped = escapeName(member)
    const type = isTree(property) && escaped ? typeOfSchema(property, false, `${name}.${escaped}`) : undefined
    if (escaped && type) fields.set(escaped, type)
  }
  return objectType(name, fields)
}

/** Data that fits the schema, as a value. Throws CelError for what can't be one. */
export function valueOfData(data: unknown, schema: Tree, isRoot = false): Value {
  if (data === null || data === undefined) {
    if (schema['nullable'] === true) return null
    throw new CelError('invalid data, got null for schema with nullable=false')
  }
  if (schema['x-kubernetes-int-or-string'] === true) {
    if (typeof data === 'string') return data
    if (Number.isInteger(data)) return BigInt(Number(data))
    throw new CelError('invalid data, expected XIntOrString value to be either a string or integer')
  }
  switch (textAt(schema, 'type')) {
    case 'object':
      return mapOfData(data, schema, isRoot)
    case 'array':
      return listOfData(data, schema)
    case 'string':
      return textOfData(data, textAt(schema, 'format'))
    default:
      return scalarOfData(data, textAt(schema, 'type') ?? '')
  }
}

function mapOfData(data: unknown, schema: Tree, isRoot: boolean): Value {
  if (!isTree(data)) throw new CelError('invalid data, expected a map for the provided schema with type=object')
  const properties = propertiesOf(schema, isRoot)
  const additional = treeAt(schema, 'additionalProperties')
  const entries = new Map<string, readonly [Value, Value]>()
  const hidden = new Map<string, unknown>()
  for (const [member, content] of Object.entries(data)) {
    const property = properties ? (Object.hasOwn(properties, member) ? properties[member] : undefined) : additional
    const key = properties ? escapeName(member) : member
    // In an object null is absence, in a map it is a value.
    const visible = isTree(property) && key !== undefined && !(properties && content === null)
    if (visible) entries.set(keyOf(key), [key, valueOfData(content, property)])
    else hidden.set(member, content)
  }
  return new CelMap(entries, hidden)
}

function listOfData(data: unknown, schema: Tree): Value {
  if (!Array.isArray(data))
    throw new CelError('invalid data, expected an array for the provided schema with type=array')
  const items = treeAt(schema, 'items') ?? {}
  return new CelList(
    data.map((item) => valueOfData(item, items)),
    identityOf(schema),
  )
}

function identityOf(schema: Tree): ListIdentity {
  const type = textAt(schema, 'x-kubernetes-list-type')
  if (type === 'map')
    return { keys: textsAt(schema, 'x-kubernetes-list-map-keys').map((key) => escapeName(key) ?? key) }
  return type === 'set' ? 'set' : 'atomic'
}

function textOfData(data: unknown, format: string | undefined): Value {
  if (typeof data !== 'string') throw new CelError(`invalid data, expected string, got ${typeof data}`)
  switch (format) {
    case 'byte':
      return Buffer.from(data, 'base64')
    case 'duration':
      return new Duration(known(parseFormatDuration(data), `Invalid duration ${data}`))
    case 'date':
      return new Timestamp(known(parseTimestampNanos(`${data}T00:00:00Z`), `Invalid date formatted string ${data}`))
    case 'date-time':
      return new Timestamp(
        known(parseTimestampNanos(data.toUpperCase()), `Invalid date-time formatted string ${data}`),
        zoneOf(data),
      )
    default:
      return data
  }
}

function known(nanos: bigint | undefined, words: string): bigint {
  if (nanos === undefined) throw new CelError(words)
  return nanos
}

function scalarOfData(data: unknown, type: string): Value {
  if (type === 'boolean' && typeof data === 'boolean') return data
  if (type === 'number' && typeof data === 'number') return data
  if (type === 'integer' && Number.isInteger(data)) return BigInt(Number(data))
  throw new CelError(`invalid data, expected ${type === '' ? 'a type' : type}, got ${typeof data}`)
}
