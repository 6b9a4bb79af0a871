/** Steps into an object as fieldsV1 writes them: "f:data", 'k:{"name":"x"}', 'v:"x"', "i:0". */
import { type ListShape, memberShape, type Shape } from '../../shapes/shape.ts'
import { isTree, type Tree } from '../../tree.ts'

export type Step = string
export type FieldPath = readonly Step[]

/** A value that its shape does not allow, in the words of structured-merge-diff. */
export class ShapeMismatch extends Error {
  override name = 'ShapeMismatch'
}

export const fieldStep = (member: string): Step => `f:${member}`
export const stepOf = (value: unknown): Step => `v:${JSON.stringify(value)}`

/** What names an item of a list; throws ShapeMismatch when nothing does. */
export function itemStep(item: unknown, shape: ListShape): Step {
  if (!Array.isArray(shape.owned)) return setStep(item)
  if (item === null) throw new ShapeMismatch('associative list with keys may not have a null element')
  if (!isTree(item)) throw new ShapeMismatch('associative list with keys may not have non-map elements')
  const names: Tree = {}
  for (const key of [...shape.owned].sort()) {
    const value = Object.hasOwn(item, key) ? item[key] : keyDefault(shape, key)
    if (value !== undefined) names[key] = value
  }
  if (Object.keys(names).length === 0)
    throw new ShapeMismatch(
      `associative list with keys has an element that omits all key fields [${shape.owned.map((key) => JSON.stringify(key)).join(' ')}] (and doesn't have default values for any key fields)`,
    )
  return `k:${JSON.stringify(names)}`
}

function keyDefault(shape: ListShape, key: string): unknown {
  return shape.of.kind === 'struct' ? shape.of.fields.get(key)?.keyDefault : undefined
}

function setStep(item: unknown): Step {
  if (item === null) throw new ShapeMismatch("associative list without keys has an element that's an explicit null")
  if (Array.isArray(item)) throw new ShapeMismatch('not supported: associative list with lists as elements')
  if (isTree(item)) throw new ShapeMismatch("associative list without keys has an element that's a map type")
  return stepOf(item)
}

/** The shape below one step; undefined where the step does not fit the shape. */
export function stepShape(shape: Shape, step: Step): Shape | undefined {
  if (step.startsWith('f:')) return shape.kind === 'list' ? undefined : memberShape(shape, step.slice(2))
  return shape.kind === 'list' ? shape.of : undefined
}

/** A client may write a key with other spaces or another order; undefined: no step at all. */
export function readStep(text: string): Step | undefined {
  const kind = text.slice(0, 2)
  if (kind === 'f:' || kind === 'i:') return text
  if (kind !== 'k:' && kind !== 'v:') return undefined
  const value: unknown = JSON.parse(text.slice(2))
  if (kind === 'v:') return stepOf(value)
  const names = isTree(value) ? value : {}
  const sorted = Object.keys(names).sort()
  return `k:${JSON.stringify(Object.fromEntries(sorted.map((name) => [name, names[name]])))}`
}

const kinds = 'fkvi'

/** The order in which fields are listed: by kind, then by what is named. */
export function compareSteps(a: Step, b: Step): number {
  const byKind = kinds.indexOf(a.slice(0, 1)) - kinds.indexOf(b.slice(0, 1))
  if (byKind !== 0) return byKind
  if (a.startsWith('f:')) return compareText(a, b)
  const left: unknown = JSON.parse(a.slice(2))
  const right: unknown = JSON.parse(b.slice(2))
  return isTree(left) && isTree(right) ? compareKeys(left, right) : compareValues(left, right)
}

function compareKeys(a: Tree, b: Tree): number {
  const left = Object.keys(a)
  const right = Object.keys(b)
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [name = '', other = ''] = [left[index], right[index]]
    const order = compareText(name, other) || compareValues(a[name], b[other])
    if (order !== 0) return order
  }
  return left.length - right.length
}

const rank = (value: unknown) => ['number', 'string', 'boolean'].indexOf(typeof value)

function compareValues(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return rank(a) - rank(b) || compareText(String(a), String(b))
}

/** As Go compares: by bytes. */
export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** "`.spec.containers[name="x"].image`", as conflicts print it. */
export function printPath(path: FieldPath): string {
  return path.map(printStep).join('')
}

export function printStep(step: Step): string {
  const rest = step.slice(2)
  if (step.startsWith('f:')) return `.${rest}`
  if (step.startsWith('v:')) return `[=${rest}]`
  if (step.startsWith('i:')) return `[${rest}]`
  const names: unknown = JSON.parse(rest)
  const pairs = Object.entries(isTree(names) ? names : {})
  return `[${pairs.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`
}
