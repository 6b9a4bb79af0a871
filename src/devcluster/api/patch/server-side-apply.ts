/** Server-side apply: an object is merged field by field, and what its manager no longer names goes away. */
import type { ManagedFieldsEntry } from '../../../kube/client.ts'
import type { Shape } from '../shapes/shape.ts'
import { zeroObject } from '../shapes/zero-values.ts'
import { equal, isTree, type Tree } from '../tree.ts'
import { compareText, printPath } from './fields/field-path.ts'
import {
  difference,
  emptySet,
  type FieldSet,
  intersection,
  isEmpty,
  pathsIn,
  recursiveDifference,
  setOf,
  union,
  withHoldingFields,
} from './fields/field-set.ts'
import { fieldsOf } from './fields/typed-fields.ts'
import { mergeTyped, withoutFields } from './fields/typed-merge.ts'
import { allowedByLastApplied, withLastApplied } from './last-applied.ts'
import {
  loseChanged,
  type OwnershipRules,
  reconciled,
  updatedManagers,
  withoutManagedFields,
  withoutSystemFields,
} from './managed-fields.ts'
import { identifierOf, type Manager, type Managers, printManagers, readManagers } from './managers.ts'

export interface ApplyConflict {
  readonly manager: Manager
  readonly field: string
}

export interface Applied {
  /** Without managedFields. */
  readonly object: Tree
  readonly managedFields: ManagedFieldsEntry[] | undefined
  /** Fields of others that the configuration changes; with `force` they change hands and are not listed. */
  readonly conflicts: readonly ApplyConflict[]
}

export interface ApplyRequest extends OwnershipRules {
  readonly shape: Shape
  /** undefined: there is no such object yet. */
  readonly live: Tree | undefined
  readonly configuration: Tree
  readonly force: boolean
}

/** Throws ShapeMismatch. */
export function applyConfiguration(request: ApplyRequest): Applied {
  const { shape, configuration, mark } = request
  const live = request.live ?? zeroObject(shape)
  const known = startingManagers(request, live)
  const attempt = { ...request, live: withoutManagedFields(live) }
  let result = applyOnce(attempt, known, request.force)
  if (result.conflicts.length > 0 && mark.manager === 'kubectl') {
    const allowed = allowedByLastApplied(attempt.live, shape, mark.apiVersion)
    const isTheirs = ({ path }: Conflict) => !allowed || !isEmpty(difference(setOf(path), allowed))
    const left = result.conflicts.filter(isTheirs)
    result = left.length === 0 ? applyOnce(attempt, known, true) : { ...result, conflicts: left }
  }
  const object = mark.manager === 'kubectl' ? withLastApplied(result.object, configuration) : result.object
  return {
    object,
    managedFields: printManagers(result.managers),
    conflicts: result.conflicts.map(({ manager, path }) => ({ manager, field: printPath(path) })),
  }
}

/** What was there before anyone applied is somebody's too. */
function startingManagers(request: ApplyRequest, live: Tree): Managers {
  const known = readManagers(isTree(live['metadata']) ? live['metadata']['managedFields'] : undefined) ?? new Map()
  if (known.size > 0) return known
  const { operation: _, ...mark } = request.mark
  return updatedManagers(zeroObject(request.shape), live, known, {
    ...request,
    mark: { ...mark, manager: 'before-first-apply', operation: 'Update' },
  })
}

interface Conflict {
  readonly manager: Manager
  readonly path: readonly string[]
}
interface Attempt {
  readonly object: Tree
  readonly managers: Managers
  readonly conflicts: readonly Conflict[]
}

type LiveRequest = ApplyRequest & { readonly live: Tree }

function applyOnce(request: LiveRequest, known: Managers, force: boolean): Attempt {
  const { live, configuration, shape, mark, reset } = request
  const managers = new Map(reconciled(known, request))
  const applier = { ...mark, operation: 'Apply' as const, subresource: mark.subresource ?? '' }
  const identifier = identifierOf(applier)
  const last = managers.get(identifier)
  const wanted = recursiveDifference(fieldsOf(configuration, shape), reset)
  managers.set(identifier, { ...applier, time: last?.time, fields: wanted })
  const merged = mergeTyped(live, configuration, shape)
  const object = prune(isTree(merged) ? merged : {}, managers, last, request)
  const { contested, left } = loseChanged(managers, live, object, request, identifier)
  if (!force && contested.size > 0) return { object, managers, conflicts: conflictsIn(contested, managers) }
  const out = new Map(left)
  const own = withoutSystemFields(wanted)
  const time = equal(live, object) ? last?.time : mark.time
  if (isEmpty(own)) out.delete(identifier)
  else out.set(identifier, { ...applier, time, fields: own })
  return { object, managers: out, conflicts: [] }
}

function conflictsIn(contested: ReadonlyMap<string, FieldSet>, managers: Managers): Conflict[] {
  const sorted = [...contested].sort(([a], [b]) => compareText(a, b))
  return sorted.flatMap(([identifier, fields]) => {
    const manager = managers.get(identifier)
    return manager ? pathsIn(fields).map((path) => ({ manager, path })) : []
  })
}

/** Takes away what the manager applied last time and nobody, it neither, names now. */
function prune(merged: Tree, managers: Managers, last: Manager | undefined, rules: ApplyRequest): Tree {
  if (!last || isEmpty(last.fields)) return merged
  const shape = rules.shapeIn(last.apiVersion)
  if (!shape) return merged
  const lastFields = withHoldingFields(last.fields, shape)
  let pruned = withoutFields(merged, lastFields, shape)
  const versions = new Set([last.apiVersion, ...[...managers.values()].map(({ apiVersion }) => apiVersion)])
  for (const apiVersion of versions) {
    const owned = [...managers.values()].filter((manager) => manager.apiVersion === apiVersion)
    const of = rules.shapeIn(apiVersion)
    if (of && owned.length > 0) pruned = withOwned(merged, pruned, owned, of)
  }
  const mergedFields = withHoldingFields(fieldsOf(merged, shape), shape)
  const prunedFields = withHoldingFields(fieldsOf(pruned, shape), shape)
  // What is gone without having been this manager's stays.
  const gone = intersection(difference(mergedFields, prunedFields), lastFields)
  const out = withoutFields(merged, gone, shape)
  return isTree(out) ? out : {}
}

function withOwned(merged: Tree, pruned: unknown, owners: readonly Manager[], shape: Shape): unknown {
  const owned = owners.reduce((all, { fields }) => union(all, fields), emptySet())
  const hold = (fields: FieldSet) => withHoldingFields(fields, shape)
  const kept = union(hold(fieldsOf(pruned, shape)), hold(owned))
  return withoutFields(merged, difference(hold(fieldsOf(merged, shape)), kept), shape)
}
