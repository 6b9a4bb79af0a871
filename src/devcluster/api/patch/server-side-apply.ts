/** Server-side apply: an object is merged field by field, and what its manager no longer names goes away. */
import type { KubeObject, ManagedFieldsEntry } from '../../../kube/client.ts'
import { isAtomic, memberShape, type Shape } from '../shapes/shape.ts'
import { equal, isTree, type Tree } from '../tree.ts'
import {
  type FieldPath,
  type Fields,
  fieldsOf,
  isWithin,
  itemStep,
  parseFieldsV1,
  printPath,
  splitPath,
  stepShape,
} from './field-set.ts'
import { entryOf, isBy, pushEntry, type WriteMark } from './managed-fields.ts'

export interface ApplyConflict {
  readonly manager: string
  readonly operation: string
  readonly apiVersion: string
  readonly field: string
}

export interface Applied {
  readonly object: Tree
  readonly managedFields: ManagedFieldsEntry[]
  /** Fields of others that the configuration changes; with `force` they change hands. */
  readonly conflicts: readonly ApplyConflict[]
}

export function applyConfiguration(live: KubeObject, configuration: Tree, shape: Shape, mark: WriteMark): Applied {
  const entries = live.metadata.managedFields ?? []
  const wanted = fieldsOf(configuration, shape)
  const liveFields = fieldsOf(live, shape)
  const own = entries.find((entry) => isBy(entry, mark))
  const others = entries.filter((entry) => entry !== own)
  const changed = changedFields(wanted, liveFields)
  const conflicts: ApplyConflict[] = []
  const kept: ManagedFieldsEntry[] = []
  const heldByOthers = new Set<FieldPath>()
  for (const entry of others) {
    const set = parseFieldsV1(entry.fieldsV1)
    for (const path of [...set]) {
      if (changed.has(path)) {
        conflicts.push(conflictOf(entry, path))
        set.delete(path)
      } else {
        heldByOthers.add(path)
      }
    }
    pushEntry(kept, entry, set)
  }
  const merged = merge(live, configuration, shape)
  const object: Tree = isTree(merged) ? merged : {}
  const abandoned = [...parseFieldsV1(own?.fieldsV1)].filter((path) => !wanted.has(path) && !heldByOthers.has(path))
  const inUse = [...wanted.keys(), ...heldByOthers]
  // Items of lists go whole, while their keys still name them; then the rest, what is below before what holds it.
  const depth = (path: FieldPath) => splitPath(path).length
  const isItem = (path: FieldPath) => !(splitPath(path).at(-1) ?? '').startsWith('f:')
  const items = abandoned.filter(isItem).sort((a, b) => depth(a) - depth(b))
  const members = abandoned.filter((path) => !isItem(path)).sort((a, b) => depth(b) - depth(a))
  for (const path of [...items, ...members])
    if (!inUse.some((used) => isWithin(used, path))) removePath(object, splitPath(path), shape)
  const same = own && equal(parseFieldsV1(own.fieldsV1).size, wanted.size) && abandoned.length === 0
  const entry = entryOf({ ...mark, time: same && own.time ? own.time : mark.time }, new Set(wanted.keys()))
  return { object, managedFields: [...kept, entry], conflicts }
}

function changedFields(wanted: Fields, live: Fields): Set<FieldPath> {
  const out = new Set<FieldPath>()
  for (const [path, value] of wanted) if (live.has(path) && !equal(live.get(path), value)) out.add(path)
  return out
}

function conflictOf(entry: ManagedFieldsEntry, path: FieldPath): ApplyConflict {
  return {
    manager: entry.manager ?? '',
    operation: entry.operation ?? '',
    apiVersion: entry.apiVersion ?? '',
    field: printPath(path),
  }
}

function merge(live: unknown, wanted: unknown, shape: Shape): unknown {
  if (isTree(wanted) && isTree(live) && !isAtomic(shape)) {
    const out: Tree = { ...live }
    for (const [member, value] of Object.entries(wanted)) {
      if (value === null) delete out[member]
      else out[member] = merge(live[member], value, memberShape(shape, member))
    }
    return out
  }
  if (!Array.isArray(wanted) || !Array.isArray(live) || shape.kind !== 'list' || shape.owned === 'atomic')
    return structuredClone(wanted)
  const out: unknown[] = [...live]
  for (const item of wanted) {
    const step = itemStep(item, shape)
    const index = out.findIndex((other) => itemStep(other, shape) === step)
    if (index < 0) out.push(structuredClone(item))
    else out[index] = merge(out[index], item, shape.of)
  }
  return out
}

function removePath(value: unknown, steps: readonly string[], shape: Shape): void {
  const [step, ...rest] = steps
  if (step === undefined) return
  if (isTree(value)) {
    const member = step.slice(2)
    if (rest.length > 0) removePath(value[member], rest, stepShape(shape, step))
    else if (isTree(value[member]) && Object.keys(value[member]).length > 0) return
    else delete value[member]
    return
  }
  if (!Array.isArray(value) || shape.kind !== 'list') return
  const index = value.findIndex((item) => itemStep(item, shape) === step)
  if (index < 0) return
  if (rest.length > 0) removePath(value[index], rest, shape.of)
  else value.splice(index, 1)
}
