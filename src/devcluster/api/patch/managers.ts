/** The managers of an object, as metadata.managedFields lists them. */

import type { ManagedFieldsEntry } from '../../../kube/client.ts'
import { isTree, textAt } from '../tree.ts'
import { compareText } from './fields/field-path.ts'
import { type FieldSet, isEmpty, parseFieldsV1, printFieldsV1 } from './fields/field-set.ts'

export interface Manager {
  readonly manager: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource: string
  readonly fields: FieldSet
  /** RFC 3339, whole seconds. */
  readonly time: string | undefined
}

/** By identifier: an applier is the same whatever version it applies in. */
export type Managers = ReadonlyMap<string, Manager>

export function identifierOf(manager: Pick<Manager, 'manager' | 'operation' | 'apiVersion' | 'subresource'>): string {
  const { operation, apiVersion, subresource } = manager
  return JSON.stringify({
    ...(manager.manager === '' ? {} : { manager: manager.manager }),
    operation,
    ...(operation === 'Apply' ? {} : { apiVersion }),
    ...(subresource === '' ? {} : { subresource }),
  })
}

/** undefined when an entry can't be read. */
export function readManagers(entries: unknown): Managers | undefined {
  const out = new Map<string, Manager>()
  for (const entry of Array.isArray(entries) ? entries : []) {
    const operation = textAt(entry, 'operation')
    const apiVersion = textAt(entry, 'apiVersion') ?? ''
    if (operation !== 'Apply' && operation !== 'Update') return undefined
    if (apiVersion === '' || textAt(entry, 'fieldsType') !== 'FieldsV1') return undefined
    const fields = readFields(isTree(entry) ? entry['fieldsV1'] : undefined)
    if (!fields) return undefined
    const manager: Manager = {
      manager: textAt(entry, 'manager') ?? '',
      operation,
      apiVersion,
      subresource: textAt(entry, 'subresource') ?? '',
      fields,
      time: textAt(entry, 'time'),
    }
    out.set(identifierOf(manager), manager)
  }
  return out
}

function readFields(fieldsV1: unknown): FieldSet | undefined {
  try {
    return parseFieldsV1(fieldsV1)
  } catch {
    return undefined
  }
}

/** A client asks to forget all owners by an empty list, or by one empty entry. */
export function asksToForget(entries: unknown): boolean {
  if (!Array.isArray(entries)) return false
  return entries.length === 0 || (entries.length === 1 && isTree(entries[0]) && Object.keys(entries[0]).length === 0)
}

/** undefined when nobody owns anything. */
export function printManagers(managers: Managers): ManagedFieldsEntry[] | undefined {
  const known = [...managers.values()].sort(
    (a, b) =>
      compareText(a.operation, b.operation) ||
      compareText(a.time ?? '', b.time ?? '') ||
      compareText(a.manager, b.manager) ||
      compareText(a.apiVersion, b.apiVersion) ||
      compareText(a.subresource, b.subresource),
  )
  if (known.length === 0) return undefined
  return known.map(({ manager, operation, apiVersion, time, fields, subresource }) => ({
    ...(manager === '' ? {} : { manager }),
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: printFieldsV1(fields),
    ...(subresource === '' ? {} : { subresource }),
  }))
}

export function withFields(managers: Managers, change: (manager: Manager, identifier: string) => FieldSet): Managers {
  const out = new Map<string, Manager>()
  for (const [identifier, manager] of managers) {
    const fields = change(manager, identifier)
    if (!isEmpty(fields)) out.set(identifier, { ...manager, fields })
  }
  return out
}
