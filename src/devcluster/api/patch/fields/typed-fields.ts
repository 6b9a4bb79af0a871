/** Which fields an object holds, and which differ between two: each by what its shape says is one field. */
import { isAtomic, type ListShape, memberShape, type Shape } from '../../shapes/shape.ts'
import { equal, isTree, type Tree } from '../../tree.ts'
import { type FieldPath, fieldStep, itemStep, type Step } from './field-path.ts'
import { emptySet, type FieldSet, insert } from './field-set.ts'

type Form = 'map' | 'list' | 'scalar'

/** How a value is walked. Anything's form is that of the value; null fits every form. */
export function formOf(shape: Shape, value: unknown): Form {
  if (shape.kind === 'list' || shape.kind === 'scalar') return shape.kind
  if (shape.kind !== 'any') return 'map'
  if (Array.isArray(value)) return 'list'
  return value === null || value === undefined || isTree(value) ? 'map' : 'scalar'
}

export const treeOr = (value: unknown): Tree => (isTree(value) ? value : {})
export const listOr = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
/** Lists of anything are one value. */
export const ownedList = (shape: Shape): ListShape | undefined =>
  shape.kind === 'list' && shape.owned !== 'atomic' ? shape : undefined

const isDeclared = (shape: Shape, member: string) => shape.kind === 'struct' && shape.fields.has(member)

/** What a configuration names. */
export function fieldsOf(value: unknown, shape: Shape): FieldSet {
  const out = emptySet()
  collect(value, shape, [], out)
  return out
}

function collect(value: unknown, shape: Shape, path: FieldPath, out: FieldSet): void {
  const form = formOf(shape, value)
  const list = ownedList(shape)
  if (form === 'scalar' || (form === 'list' && !list) || (form === 'map' && isAtomic(shape))) insert(out, path)
  else if (list) collectItems(listOr(value), list, path, out)
  else
    for (const [member, content] of Object.entries(treeOr(value))) {
      if (content === undefined) continue
      const here = [...path, fieldStep(member)]
      collect(content, memberShape(shape, member), here, out)
      const isHollow = content === null || (isTree(content) && Object.keys(content).length === 0)
      if (isHollow || !isDeclared(shape, member)) insert(out, here)
    }
}

function collectItems(items: readonly unknown[], shape: ListShape, path: FieldPath, out: FieldSet): void {
  const steps = items.map((item) => itemStep(item, shape))
  items.forEach((item, index) => {
    const step = steps[index] ?? ''
    const here = [...path, step]
    // Of what is there more than once, nobody owns a part.
    if (steps.indexOf(step) === steps.lastIndexOf(step)) collect(item, shape.of, here, out)
    insert(out, here)
  })
}

export interface Comparison {
  readonly added: FieldSet
  readonly modified: FieldSet
  readonly removed: FieldSet
}

export function compareFields(before: unknown, after: unknown, shape: Shape): Comparison {
  const out: Comparison = { added: emptySet(), modified: emptySet(), removed: emptySet() }
  compare(before, after, shape, [], out)
  return out
}

function compare(before: unknown, after: unknown, shape: Shape, path: FieldPath, out: Comparison): void {
  const old = formOf(shape, before)
  const now = formOf(shape, after)
  let isLeaf: boolean
  if (after === undefined) isLeaf = compareAs(old, before, after, shape, path, out)
  else {
    if (before !== undefined && old !== now) compareAs(old, before, after, shape, path, out)
    isLeaf = compareAs(now, before, after, shape, path, out)
  }
  if (isLeaf) return
  if (before === undefined) insert(out.added, path)
  else if (after === undefined) insert(out.removed, path)
}

/** True when the value is one field. */
function compareAs(
  form: Form,
  before: unknown,
  after: unknown,
  shape: Shape,
  path: FieldPath,
  out: Comparison,
): boolean {
  const list = ownedList(shape)
  const hollow = form === 'list' ? sizeOfList(before, after) === 0 : sizeOfTree(before, after) === 0
  if (form === 'scalar' || hollow || (form === 'list' ? !list : isAtomic(shape))) {
    if (before === undefined) insert(out.added, path)
    else if (after === undefined) insert(out.removed, path)
    else if (!equal(before, after)) insert(out.modified, path)
    return true
  }
  if (list) compareItems(listOr(before), listOr(after), list, path, out)
  else {
    const [left, right] = [treeOr(before), treeOr(after)]
    for (const member of new Set([...Object.keys(left), ...Object.keys(right)])) {
      if (left[member] === undefined && right[member] === undefined) continue
      compare(left[member], right[member], memberShape(shape, member), [...path, fieldStep(member)], out)
    }
  }
  return false
}

const sizeOfList = (a: unknown, b: unknown) => listOr(a).length + listOr(b).length
const sizeOfTree = (a: unknown, b: unknown) => Object.keys(treeOr(a)).length + Object.keys(treeOr(b)).length

function compareItems(
  before: readonly unknown[],
  after: readonly unknown[],
  shape: ListShape,
  path: FieldPath,
  out: Comparison,
): void {
  const old = byStep(before, shape)
  const now = byStep(after, shape)
  for (const step of new Set([...old.keys(), ...now.keys()]))
    compareSame(old.get(step) ?? [], now.get(step) ?? [], shape.of, [...path, step], out)
}

/** Items of one key. Where there are several, they are one field together. */
function compareSame(
  before: readonly unknown[],
  after: readonly unknown[],
  shape: Shape,
  path: FieldPath,
  out: Comparison,
): void {
  if (before.length < 2 && after.length < 2) {
    compare(before[0], after[0], shape, path, out)
  } else if (before.length > 1 && after.length > 1) {
    if (!equal(before, after)) insert(out.modified, path)
  } else if (before.length > 1) {
    if (after.length > 0) compare(undefined, after[0], shape, path, out)
    insert(out.removed, path)
  } else {
    if (before.length > 0) compare(before[0], undefined, shape, path, out)
    insert(out.added, path)
  }
}

function byStep(items: readonly unknown[], shape: ListShape): Map<Step, unknown[]> {
  const out = new Map<Step, unknown[]>()
  for (const item of items) {
    const step = itemStep(item, shape)
    const known = out.get(step)
    if (known) known.push(item)
    else out.set(step, [item])
  }
  return out
}
