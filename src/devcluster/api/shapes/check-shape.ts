/** Holds a document against its shape: drops what is unknown and names it, refuses what has another type. */
import { isTree, type Tree } from '../tree.ts'
import type { Scalar, Shape } from './shape.ts'

export interface ShapeReport {
  /** Paths of the members that were dropped. */
  readonly unknown: string[]
  /** In the words of Go's decoder. */
  readonly wrongTypes: string[]
}

export function checkShape(value: Tree, shape: Shape): ShapeReport {
  const report: ShapeReport = { unknown: [], wrongTypes: [] }
  walk(value, shape, '', report)
  return report
}

function walk(value: unknown, shape: Shape, path: string, report: ShapeReport): void {
  if (value === null || value === undefined || shape.kind === 'any') return
  if (shape.kind === 'scalar') {
    if (!fits(value, shape.type)) report.wrongTypes.push(wrongType(value, path, goTypes[shape.type]))
  } else if (shape.kind === 'list') {
    if (Array.isArray(value))
      for (const [index, item] of value.entries()) walk(item, shape.of, `${path}[${index}]`, report)
    else report.wrongTypes.push(wrongType(value, path, 'array'))
  } else if (isTree(value)) {
    for (const member of Object.keys(value)) walkMember(value, member, shape, path, report)
  } else {
    report.wrongTypes.push(wrongType(value, path, 'object'))
  }
}

function walkMember(
  value: Tree,
  member: string,
  shape: Extract<Shape, { kind: 'struct' | 'map' }>,
  path: string,
  report: ShapeReport,
): void {
  const content = value[member]
  const below = path === '' ? member : `${path}.${member}`
  const of = shape.kind === 'map' ? shape.of : shape.fields.get(member)?.shape
  if (of === undefined) {
    report.unknown.push(below)
    delete value[member]
  } else if (content === null && shape.kind === 'map' && of.kind === 'scalar') {
    value[member] = ''
  } else if (shape.kind === 'struct' && isOmitted(content, of)) {
    delete value[member]
  } else {
    walk(content, of, below, report)
  }
}

/** What Go's omitempty does not write: equal objects become equal trees. */
function isOmitted(value: unknown, shape: Shape): boolean {
  if (value === null) return true
  if (shape.kind === 'list') return Array.isArray(value) && value.length === 0
  return shape.kind === 'map' && isTree(value) && Object.keys(value).length === 0
}

const goTypes: Readonly<Record<Scalar, string>> = {
  text: 'string',
  integer: 'int',
  number: 'float64',
  boolean: 'bool',
  time: 'string',
  quantity: 'resource.Quantity',
  intOrText: 'intstr.IntOrString',
  bytes: '[]uint8',
}

function fits(value: unknown, type: Scalar): boolean {
  switch (type) {
    case 'text':
    case 'time':
      return typeof value === 'string'
    case 'integer':
      return Number.isSafeInteger(value)
    case 'number':
      return typeof value === 'number'
    case 'boolean':
      return typeof value === 'boolean'
    case 'quantity':
      return typeof value === 'number' || (typeof value === 'string' && quantityPattern.test(value))
    case 'intOrText':
      return typeof value === 'string' || Number.isSafeInteger(value)
    case 'bytes':
      return typeof value === 'string' && isBase64(value)
  }
}

const quantityPattern = /^[+-]?(\d+|\d+\.\d*|\.\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?$/

export function isBase64(text: string): boolean {
  const plain = text.replace(/[\r\n]/g, '')
  return plain.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(plain)
}

function wrongType(value: unknown, path: string, type: string): string {
  if (type === '[]uint8' && typeof value === 'string') return 'illegal base64 data at input byte 0'
  const kind = Array.isArray(value)
    ? 'array'
    : isTree(value)
      ? 'object'
      : typeof value === 'boolean'
        ? 'bool'
        : typeof value
  return `json: cannot unmarshal ${kind} into Go struct field ${path} of type ${type}`
}
