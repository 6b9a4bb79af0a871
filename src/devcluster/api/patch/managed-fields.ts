/** metadata.managedFields: who set which field by which kind of write. */
import type { KubeObject, ManagedFieldsEntry } from '../../../kube/client.ts'
import type { Shape } from '../shapes/shape.ts'
import { compareFields, type FieldPath, fieldsOf, parseFieldsV1, printFieldsV1 } from './field-set.ts'

export interface WriteMark {
  readonly manager: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource?: string
  /** RFC 3339, whole seconds. */
  readonly time: string
}

/** Gives the writer what it added and changed, and takes from everyone what it changed or removed. */
export function recordUpdate(
  before: KubeObject | undefined,
  after: KubeObject,
  shape: Shape,
  mark: WriteMark,
): ManagedFieldsEntry[] {
  const difference = compareFields(before ? fieldsOf(before, shape) : new Map(), fieldsOf(after, shape))
  const entries = after.metadata.managedFields ?? before?.metadata.managedFields ?? []
  // `managedFields: [{}]` is how a client asks to forget all owners.
  const known = entries.filter((entry) => entry.manager !== undefined)
  const lost = new Set([...difference.modified, ...difference.removed])
  const gained = [...difference.added, ...difference.modified]
  if (lost.size === 0 && gained.length === 0) return known
  const out: ManagedFieldsEntry[] = []
  const own = known.find((entry) => isBy(entry, mark))
  for (const entry of known) {
    if (entry !== own) pushEntry(out, entry, keep(entry, lost))
  }
  const set = own ? keep(own, new Set(difference.removed)) : new Set<FieldPath>()
  for (const path of gained) set.add(path)
  if (set.size > 0) out.push(entryOf(mark, set))
  return out
}

function keep(entry: ManagedFieldsEntry, lost: ReadonlySet<FieldPath>): Set<FieldPath> {
  return new Set([...parseFieldsV1(entry.fieldsV1)].filter((path) => !lost.has(path)))
}

export function isBy(entry: ManagedFieldsEntry, mark: WriteMark): boolean {
  return (
    entry.manager === mark.manager &&
    entry.operation === mark.operation &&
    entry.apiVersion === mark.apiVersion &&
    (entry.subresource ?? '') === (mark.subresource ?? '')
  )
}

export function pushEntry(out: ManagedFieldsEntry[], entry: ManagedFieldsEntry, set: ReadonlySet<FieldPath>): void {
  if (set.size === 0) return
  out.push({ ...entry, fieldsV1: printFieldsV1(set) })
}

export function entryOf(mark: WriteMark, set: ReadonlySet<FieldPath>): ManagedFieldsEntry {
  return {
    manager: mark.manager,
    operation: mark.operation,
    apiVersion: mark.apiVersion,
    time: mark.time,
    fieldsType: 'FieldsV1',
    fieldsV1: printFieldsV1(set),
    ...(mark.subresource === undefined ? {} : { subresource: mark.subresource }),
  }
}
