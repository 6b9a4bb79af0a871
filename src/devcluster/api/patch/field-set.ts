/** Sets of fields as managedFields holds them (fieldsV1): which members of an object somebody set. */
import { anyShape, isAtomic, type ListShape, memberShape, type Shape } from '../shapes/shape.ts'
import { equal, isTree, type Tree } from '../tree.ts'

/** Steps ("f:data", 'k:{"name":"x"}', 'v:"x"') joined by NUL, which no step holds. */
export type FieldPath = string
const separator = '\u0000'

/** Stands for the value of a field that only holds other fields: it never differs. */
const container = Symbol('container')
export type Fields = Map<FieldPath, unknown>

/** The API server sets these itself, so nobody owns them. */
const ownedByNobody = new Set(
  ['f:apiVersion', 'f:kind', 'f:metadata'].concat(
    ['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'generation', 'managedFields', 'resourceVersion'].map(
      (member) => `f:metadata${separator}f:${member}`,
    ),
  ),
)

/** Every field of an object with its value. */
export function fieldsOf(object: Tree, shape: Shape): Fields {
  const out: Fields = new Map()
  collect(object, shape, '', out)
  for (const path of ownedByNobody) out.delete(path)
  for (const path of out.keys()) if (path.startsWith(`f:metadata${separator}f:managedFields`)) out.delete(path)
  return out
}

function collect(value: unknown, shape: Shape, path: FieldPath, out: Fields): void {
  if (value === undefined) return
  if (isTree(value) && !isAtomic(shape)) {
    const members = Object.entries(value)
    if (path !== '' && (members.length === 0 || shape.kind === 'map')) out.set(path, container)
    for (const [member, content] of members)
      collect(content, memberShape(shape, member), join(path, `f:${member}`), out)
  } else if (Array.isArray(value) && shape.kind === 'list' && shape.owned !== 'atomic') {
    out.set(path, container)
    for (const item of value) collectItem(item, shape, join(path, itemStep(item, shape)), out)
  } else {
    out.set(path, value)
  }
}

function collectItem(item: unknown, shape: ListShape, path: FieldPath, out: Fields): void {
  if (shape.owned === 'set') {
    out.set(path, item)
  } else {
    out.set(path, container)
    collect(item, shape.of, path, out)
  }
}

const join = (path: FieldPath, step: string) => (path === '' ? step : path + separator + step)

/** What names an item of a list. A missing protocol is TCP: the one default among the keys of the built-in kinds. */
export function itemStep(item: unknown, shape: ListShape): string {
  if (shape.owned === 'set') return `v:${JSON.stringify(item)}`
  const names: Tree = {}
  for (const key of [...(Array.isArray(shape.owned) ? shape.owned : [])].sort()) {
    const value = isTree(item) ? item[key] : undefined
    if (value !== undefined) names[key] = value
    else if (key === 'protocol') names[key] = 'TCP'
  }
  return `k:${JSON.stringify(names)}`
}

export interface Difference {
  readonly added: FieldPath[]
  readonly modified: FieldPath[]
  readonly removed: FieldPath[]
}

export function compareFields(before: Fields, after: Fields): Difference {
  const out: Difference = { added: [], modified: [], removed: [] }
  for (const [path, value] of after) {
    if (!before.has(path)) out.added.push(path)
    else if (!equal(before.get(path), value)) out.modified.push(path)
  }
  for (const path of before.keys()) if (!after.has(path)) out.removed.push(path)
  return out
}

/** Reads fieldsV1. */
export function parseFieldsV1(fields: unknown): Set<FieldPath> {
  const out = new Set<FieldPath>()
  const visit = (node: unknown, path: FieldPath) => {
    if (!isTree(node)) return
    const steps = Object.keys(node)
    if (path !== '' && (steps.length === 0 || steps.includes('.'))) out.add(path)
    for (const step of steps) if (step !== '.') visit(node[step], join(path, step))
  }
  visit(fields, '')
  return out
}

/** Writes fieldsV1. */
export function printFieldsV1(paths: Iterable<FieldPath>): Tree {
  const root: Tree = {}
  for (const path of [...paths].sort()) {
    let here = root
    const steps = path.split(separator)
    steps.forEach((step, index) => {
      const known = here[step]
      const next: Tree = isTree(known) ? known : {}
      here[step] = next
      // Sorted, a field comes before those below it: an empty node here was named itself, so it keeps a dot.
      if (isTree(known) && Object.keys(known).length === 0 && index < steps.length - 1) next['.'] = {}
      here = next
    })
  }
  return root
}

/** "`.spec.containers[name="x"].image`", as conflicts print it. */
export function printPath(path: FieldPath): string {
  return path
    .split(separator)
    .map((step) => {
      if (step.startsWith('f:')) return `.${step.slice(2)}`
      if (step.startsWith('v:')) return `[=${step.slice(2)}]`
      const names: unknown = JSON.parse(step.slice(2))
      const pairs = Object.entries(isTree(names) ? names : {})
      return `[${pairs.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`
    })
    .join('')
}

export const splitPath = (path: FieldPath): readonly string[] => path.split(separator)

/** Whether `path` is `ancestor` or lies below it. */
export const isWithin = (path: FieldPath, ancestor: FieldPath) =>
  path === ancestor || path.startsWith(ancestor + separator)

/** The shape below one step of a path. */
export function stepShape(shape: Shape, step: string): Shape {
  if (step.startsWith('f:')) return memberShape(shape, step.slice(2))
  return shape.kind === 'list' ? shape.of : anyShape
}
