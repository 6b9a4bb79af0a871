/** Holds a document against its shape: drops what is unknown and names it, refuses what has another type. */
import { isTree, type Tree } from '../tree.ts'
import { base64Problem, fitsInteger, type GoPlace, structName, timeProblem, wrongTypeWords } from './go-decoder.ts'
import { canonicalQuantity } from './quantity.ts'
import type { Shape } from './shape.ts'
import { isLeftOut, zeroItem } from './zero-values.ts'

export interface ShapeReport {
  /** Paths of the members that were dropped. */
  readonly unknown: string[]
  /** In the words of Go's decoder. */
  readonly wrongTypes: string[]
}

export function checkShape(value: Tree, shape: Shape): ShapeReport {
  const report: ShapeReport = { unknown: [], wrongTypes: [] }
  const aborting: string[] = []
  walk(value, shape, { shown: '', struct: structName(shape), member: '', path: '' }, { ...report, aborting })
  // Of a type that reads itself Go reports the first fault at once, of all others when it is through.
  return { ...report, wrongTypes: [...aborting, ...report.wrongTypes] }
}

interface Findings extends ShapeReport {
  readonly aborting: string[]
}

interface Place extends GoPlace {
  /** The path with positions and keys, as unknown fields are named. */
  readonly shown: string
}

function walk(value: unknown, shape: Shape, place: Place, report: Findings): void {
  if (value === null || value === undefined || shape.kind === 'any') return
  if (shape.kind === 'scalar') {
    walkScalar(value, shape, place, report)
  } else if (shape.kind === 'list' && Array.isArray(value)) {
    for (const [index, item] of value.entries())
      if (item === null) value[index] = zeroItem(shape.of)
      else walk(item, shape.of, { ...place, shown: `${place.shown}[${index}]` }, report)
  } else if (shape.kind !== 'list' && isTree(value)) {
    for (const member of Object.keys(value)) walkMember(value, member, shape, place, report)
  } else {
    report.wrongTypes.push(wrongTypeWords(value, shape, place))
  }
}

function walkScalar(value: unknown, shape: Extract<Shape, { kind: 'scalar' }>, place: Place, report: Findings): void {
  const problem = scalarProblem(value, shape, place)
  const readsItself = ['time', 'quantity', 'intOrText'].includes(shape.type)
  if (problem !== undefined) (readsItself ? report.aborting : report.wrongTypes).push(problem)
}

function walkMember(
  value: Tree,
  member: string,
  shape: Extract<Shape, { kind: 'struct' | 'map' }>,
  place: Place,
  report: Findings,
): void {
  const content = value[member]
  const shown = place.shown === '' ? member : `${place.shown}.${member}`
  const field = shape.kind === 'struct' ? shape.fields.get(member) : undefined
  const of = shape.kind === 'map' ? shape.of : field?.shape
  if (of === undefined) {
    report.unknown.push(shown)
    delete value[member]
  } else if (content === null && shape.kind === 'map' && of.kind === 'scalar') {
    value[member] = ''
  } else if (field && isLeftOut(content, field)) {
    delete value[member]
  } else if (of.kind === 'scalar' && of.type === 'bytes' && isBytes(content)) {
    // A list of bytes is read as such.
    value[member] = Buffer.from(content).toString('base64')
  } else if (of.kind === 'scalar' && of.type === 'quantity' && canonicalQuantity(content) !== undefined) {
    value[member] = canonicalQuantity(content)
  } else if (shape.kind === 'map') {
    walk(content, of, { ...place, shown }, report)
  } else {
    const path = place.path === '' ? member : `${place.path}.${member}`
    walk(content, of, { shown, struct: structName(shape), member, path }, report)
  }
}

/** Undefined when the value is one of the type. */
function scalarProblem(value: unknown, shape: Extract<Shape, { kind: 'scalar' }>, place: Place): string | undefined {
  const ok = (holds: boolean) => (holds ? undefined : wrongTypeWords(value, shape, place))
  switch (shape.type) {
    case 'text':
      return ok(typeof value === 'string')
    case 'time':
      return typeof value === 'string' ? timeProblem(value, place.member) : wrongTypeWords(value, shape, place)
    case 'integer':
      return ok(fitsInteger(value, place.member))
    case 'number':
      return ok(typeof value === 'number')
    case 'boolean':
      return ok(typeof value === 'boolean')
    case 'quantity':
      return quantityProblem(value)
    case 'intOrText':
      if (typeof value === 'string' || fitsInteger(value, '')) return undefined
      return `json: cannot unmarshal ${typeof value === 'boolean' ? 'bool' : typeof value} into Go value of type int32`
    case 'bytes':
      return bytesProblem(value, shape, place)
  }
}

function bytesProblem(value: unknown, shape: Shape, place: Place): string | undefined {
  if (typeof value === 'string') return base64Problem(value)
  const odd = Array.isArray(value) ? value.find((item) => !isBytes([item])) : undefined
  if (odd === undefined) return wrongTypeWords(value, shape, place)
  return wrongTypeWords(odd, shape, place).replace(/\[\]uint8$/, 'uint8')
}

const isBytes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((item) => Number.isInteger(item) && Number(item) >= 0 && Number(item) < 256)

function quantityProblem(value: unknown): string | undefined {
  if (canonicalQuantity(value) !== undefined) return undefined
  if (typeof value === 'string' && /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/.test(value))
    return "unable to parse quantity's suffix"
  return "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
}

export function isBase64(text: string): boolean {
  const plain = text.replace(/[\r\n]/g, '')
  return plain.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(plain)
}
