/** Sets of fields as managedFields holds them (fieldsV1): a field can be in the set, hold others that are, or both. */
import type { Shape } from '../../shapes/shape.ts'
import { isTree, type Tree } from '../../tree.ts'
import { compareSteps, type FieldPath, readStep, type Step, stepShape } from './field-path.ts'

export interface FieldSet {
  readonly members: Set<Step>
  readonly children: Map<Step, FieldSet>
}

export const emptySet = (): FieldSet => ({ members: new Set(), children: new Map() })

export function setOf(...paths: readonly FieldPath[]): FieldSet {
  const out = emptySet()
  for (const path of paths) insert(out, path)
  return out
}

/** Changes `set`. Nobody owns the whole object: an empty path adds nothing. */
export function insert(set: FieldSet, path: FieldPath): void {
  let here = set
  path.forEach((step, index) => {
    if (index === path.length - 1) here.members.add(step)
    else here = descend(here, step)
  })
}

function descend(set: FieldSet, step: Step): FieldSet {
  const known = set.children.get(step)
  if (known) return known
  const made = emptySet()
  set.children.set(step, made)
  return made
}

export function isEmpty(set: FieldSet): boolean {
  return set.members.size === 0 && [...set.children.values()].every(isEmpty)
}

/** What lies below a step; empty when nothing does. */
export const below = (set: FieldSet, step: Step): FieldSet => set.children.get(step) ?? emptySet()

export function union(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map(a.children)
  for (const [step, other] of b.children) {
    const own = children.get(step)
    children.set(step, own ? union(own, other) : other)
  }
  return { members: new Set([...a.members, ...b.members]), children }
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const members = [...a.members].filter((step) => b.members.has(step))
  return { members: new Set(members), children: mapChildren(a, (own, step) => intersection(own, below(b, step))) }
}

/** A field that holds others can go without them. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  const members = [...a.members].filter((step) => !b.members.has(step))
  return { members: new Set(members), children: mapChildren(a, (own, step) => difference(own, below(b, step))) }
}

/** With a field goes everything below it. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  const members = [...a.members].filter((step) => !b.members.has(step))
  const children = mapChildren(a, (own, step) =>
    b.members.has(step) ? emptySet() : recursiveDifference(own, below(b, step)),
  )
  return { members: new Set(members), children }
}

function mapChildren(set: FieldSet, change: (child: FieldSet, step: Step) => FieldSet): Map<Step, FieldSet> {
  const out = new Map<Step, FieldSet>()
  for (const [step, child] of set.children) {
    const changed = change(child, step)
    if (!isEmpty(changed)) out.set(step, changed)
  }
  return out
}

/** Fields of structs that hold members of the set become members. */
export function withHoldingFields(set: FieldSet, shape: Shape | undefined): FieldSet {
  const members = new Set(set.members)
  const children = new Map<Step, FieldSet>()
  for (const [step, child] of set.children) {
    if (shape?.kind === 'struct' && step.startsWith('f:') && shape.fields.has(step.slice(2))) members.add(step)
    children.set(step, withHoldingFields(child, shape && stepShape(shape, step)))
  }
  return { members, children }
}

/** In the order of the API server: at every level the members, then what lies below. */
export function pathsIn(set: FieldSet, prefix: FieldPath = []): FieldPath[] {
  const own = [...set.members].sort(compareSteps).map((step) => [...prefix, step])
  const held = [...set.children].sort(([a], [b]) => compareSteps(a, b))
  return [...own, ...held.flatMap(([step, child]) => pathsIn(child, [...prefix, step]))]
}

/** Throws when a key of a list is no JSON. */
export function parseFieldsV1(fields: unknown): FieldSet {
  const out = emptySet()
  for (const [text, content] of Object.entries(isTree(fields) ? fields : {})) {
    const step = text === '.' ? undefined : readStep(text)
    if (step === undefined) continue
    const held = isTree(content) ? Object.keys(content) : []
    if (held.length === 0 || held.includes('.')) out.members.add(step)
    const child = parseFieldsV1(content)
    if (!isEmpty(child)) out.children.set(step, child)
  }
  return out
}

export function printFieldsV1(set: FieldSet): Tree {
  const out: Tree = {}
  for (const step of [...new Set([...set.members, ...set.children.keys()])].sort(compareSteps)) {
    const child = set.children.get(step)
    const content: Tree = child ? printFieldsV1(child) : {}
    const isBoth = set.members.has(step) && Object.keys(content).length > 0
    out[step] = isBoth ? { '.': {}, ...content } : content
  }
  return out
}
