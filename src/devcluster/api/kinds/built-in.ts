/** How a built-in kind is described: what differs from the usual, the rest is filled in here. */
import type { Column, Resource } from '../resource.ts'
import type { BuiltInShapes } from '../shapes/built-in-shapes.ts'
import { checkShape } from '../shapes/check-shape.ts'
import { at } from '../tree.ts'
import { ageColumn, nameColumn } from './columns.ts'
import { dnsSubdomainProblem } from './names.ts'

export interface BuiltInKind extends Partial<Omit<Resource, 'decode' | 'shape' | 'schema' | 'custom'>> {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  /** Line of builtin-types.gen.ts and of openapi-schemas.gen.ts: "core.Secret". */
  readonly type: string
}

export function builtIn(shapes: BuiltInShapes, kind: BuiltInKind): Resource {
  const shape = shapes.get(kind.type)
  const defaultColumns: readonly Column[] = [nameColumn, ageColumn]
  return {
    singular: kind.kind.toLowerCase(),
    listKind: `${kind.kind}List`,
    shortNames: [],
    categories: [],
    namespaced: true,
    collection: kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`,
    subresources: { status: false },
    columns: defaultColumns,
    generation: 'none',
    unconditionalUpdate: true,
    selectableFields: [],
    nameProblem: dnsSubdomainProblem,
    fieldValue: (object, field) => plainText(at(object, ...field.split('.'))),
    ...kind,
    schema: kind.type,
    custom: false,
    shape,
    decode: (object) => checkShape(object, shape),
  }
}

function plainText(value: unknown): string {
  return value === undefined || value === null ? '' : String(value)
}
