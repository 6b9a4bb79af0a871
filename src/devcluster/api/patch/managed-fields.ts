/** metadata.managedFields: who set which field by which kind of write. */
import type { ManagedFieldsEntry } from '../../../kube/client.ts'
import type { Shape } from '../shapes/shape.ts'
import { zeroObject } from '../shapes/zero-values.ts'
import { at, ensureTree, isTree, type Tree, textAt } from '../tree.ts'
import { compareText, fieldStep } from './fields/field-path.ts'
import {
  difference,
  emptySet,
  type FieldSet,
  intersection,
  isEmpty,
  recursiveDifference,
  setOf,
  union,
} from './fields/field-set.ts'
import { reconcileWithShape } from './fields/reconcile-shape.ts'
import { type Comparison, compareFields } from './fields/typed-fields.ts'
import { shapeProblem } from './fields/typed-validation.ts'
import {
  asksToForget,
  identifierOf,
  type Manager,
  type Managers,
  printManagers,
  readManagers,
  withFields,
} from './managers.ts'

export interface WriteMark {
  readonly manager: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource?: string
  /** RFC 3339, whole seconds. */
  readonly time: string
}

/** What ownership depends on besides the objects. */
export interface OwnershipRules {
  readonly mark: WriteMark
  /** Of a version of the kind; undefined when there is none, then its managers own nothing. */
  shapeIn(apiVersion: string): Shape | undefined
  /** What the endpoint does not write is owned by nobody who sends it there. */
  readonly reset: FieldSet
}

/** The API server sets these itself, so nobody owns them. */
const ownedByNobody = setOf(
  [fieldStep('apiVersion')],
  [fieldStep('kind')],
  [fieldStep('metadata')],
  ...['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'clusterName', 'generation', 'managedFields'].map(
    (member) => [fieldStep('metadata'), fieldStep(member)],
  ),
  [fieldStep('metadata'), fieldStep('resourceVersion')],
)

export const withoutSystemFields = (fields: FieldSet): FieldSet => difference(fields, ownedByNobody)
const maxUpdateManagers = 10

/**
 * Owners after a write that is no apply: the writer gets what it added and changed, and everyone loses what it changed or
 * removed. `before` undefined: the object is new. undefined: the object has no owners.
 */
export function recordUpdate(
  before: Tree | undefined,
  after: Tree,
  rules: OwnershipRules,
): ManagedFieldsEntry[] | undefined {
  const known = knownManagers(before, after, rules)
  // Whom nobody owns stays that way until somebody applies.
  if (known.size === 0 && before !== undefined) return undefined
  const shape = rules.shapeIn(rules.mark.apiVersion)
  // Of what does not fit the kind (in a part that this endpoint does not write, else it is refused) nobody owns anything.
  const isOdd = (object: Tree) => shape !== undefined && shapeProblem(object, shape, true) !== undefined
  if (!shape || isOdd(after) || (before && isOdd(before))) return undefined
  return printManagers(updatedManagers(before ?? zeroObject(shape), after, known, rules))
}

function knownManagers(before: Tree | undefined, after: Tree, { mark }: OwnershipRules): Managers {
  const live = readManagers(at(before, 'metadata', 'managedFields')) ?? new Map<string, Manager>()
  if (mark.subresource !== undefined) return live
  const sent = at(after, 'metadata', 'managedFields')
  if (asksToForget(sent)) return new Map()
  const read = readManagers(sent)
  return read && read.size > 0 ? read : live
}

/** Throws ShapeMismatch when an object does not fit its shape. */
export function updatedManagers(before: Tree, after: Tree, known: Managers, rules: OwnershipRules): Managers {
  const { mark } = rules
  const bare = withoutManagedFields(after)
  const old = withoutManagedFields(before)
  const managers = reconciled(known, rules)
  const own = comparisonIn(old, bare, mark.apiVersion, rules)
  if (!own) return managers
  const { left } = loseChanged(managers, old, bare, rules, undefined)
  const gained = withoutSystemFields(union(own.modified, own.added))
  const out = new Map(left)
  if (!isEmpty(gained)) {
    const writer = { ...mark, operation: 'Update' as const, subresource: mark.subresource ?? '' }
    const identifier = identifierOf(writer)
    const previous = out.get(identifier)?.fields ?? emptySet()
    out.set(identifier, { ...writer, fields: union(gained, previous) })
  }
  return capped(out)
}

export function withoutManagedFields(object: Tree): Tree {
  const { metadata } = object
  if (!isTree(metadata) || metadata['managedFields'] === undefined) return object
  const { managedFields: _, ...rest } = metadata
  return { ...object, metadata: rest }
}

/** undefined: the version is not known. */
function comparisonIn(before: Tree, after: Tree, apiVersion: string, rules: OwnershipRules): Comparison | undefined {
  const shape = rules.shapeIn(apiVersion)
  if (!shape) return undefined
  const { added, modified, removed } = compareFields(before, after, shape)
  const keep = (fields: FieldSet) => recursiveDifference(fields, rules.reset)
  return { added: keep(added), modified: keep(modified), removed: keep(removed) }
}

export interface Loss {
  /** Of each manager what it owned and the write changes. */
  readonly contested: ReadonlyMap<string, FieldSet>
  readonly left: Managers
}

/** Takes from everyone but `writer` what differs between the two objects. */
export function loseChanged(
  managers: Managers,
  before: Tree,
  after: Tree,
  rules: OwnershipRules,
  writer: string | undefined,
): Loss {
  const comparisons = new Map<string, Comparison | undefined>()
  const compared = (apiVersion: string) => {
    if (!comparisons.has(apiVersion)) comparisons.set(apiVersion, comparisonIn(before, after, apiVersion, rules))
    return comparisons.get(apiVersion)
  }
  const contested = new Map<string, FieldSet>()
  const left = withFields(managers, ({ fields, apiVersion }, identifier) => {
    if (identifier === writer) return fields
    const comparison = compared(apiVersion)
    if (!comparison) return emptySet()
    const taken = intersection(fields, union(comparison.modified, comparison.added))
    if (!isEmpty(taken)) contested.set(identifier, taken)
    return difference(difference(fields, taken), comparison.removed)
  })
  return { contested, left }
}

export function reconciled(managers: Managers, rules: OwnershipRules): Managers {
  return new Map(
    [...managers].flatMap(([identifier, manager]) => {
      const shape = rules.shapeIn(manager.apiVersion)
      return shape ? [[identifier, { ...manager, fields: reconcileWithShape(manager.fields, shape) }] as const] : []
    }),
  )
}

/** Of many updaters the oldest become one, so that the list can't grow for ever. */
function capped(managers: Managers): Managers {
  const updaters = [...managers].filter(([, manager]) => manager.operation === 'Update')
  if (updaters.length <= maxUpdateManagers) return managers
  updaters.sort(([a, first], [b, second]) => compareText(first.time ?? '', second.time ?? '') || compareText(a, b))
  const out = new Map(managers)
  const firstOf = new Map<string, string>()
  let count = updaters.length
  for (const [identifier, manager] of updaters) {
    if (count <= maxUpdateManagers) break
    const { apiVersion } = manager
    const first = firstOf.get(apiVersion)
    if (first === undefined) {
      firstOf.set(apiVersion, identifier)
      continue
    }
    const bucket = { manager: 'ancient-changes', operation: 'Update' as const, apiVersion, subresource: '' }
    const key = identifierOf(bucket)
    const held = out.get(key) ?? out.get(first)
    if (!out.has(key)) out.delete(first)
    out.delete(identifier)
    out.set(key, { ...bucket, time: manager.time, fields: union(manager.fields, held?.fields ?? emptySet()) })
    count -= 1
  }
  return out
}

/** Times alone are no change: an object that is otherwise as it was keeps those it had. */
export function keepTimes(after: Tree, before: Tree): void {
  const now = at(after, 'metadata', 'managedFields')
  const old = at(before, 'metadata', 'managedFields')
  if (!Array.isArray(now) || !Array.isArray(old) || now.length !== old.length) return
  ensureTree(after, 'metadata')['managedFields'] = now.map((entry, index) => {
    if (!isTree(entry)) return entry
    const { time: _, ...rest } = entry
    const time = textAt(old[index], 'time')
    return time === undefined ? rest : { ...rest, time }
  })
}
