/** Drops what a structural schema does not name, and fills its defaults. */
import { isTree, type Tree, treeAt } from '../tree.ts'

const keepsUnknown = (schema: Tree) => schema['x-kubernetes-preserve-unknown-fields'] === true
/** What every object has, also one embedded in another. */
const typeMembers = ['apiVersion', 'kind', 'metadata']

/** Changes `object`; answers the paths of what went. Also drops nulls where none may be and no default takes their place. */
export function pruneObject(schema: Tree, object: Tree): string[] {
  const unknown: string[] = []
  pruneTree(schema, object, '', true, unknown)
  dropNulls(schema, object)
  return unknown
}

function prune(schema: Tree, value: unknown, path: string, unknown: string[]): void {
  if (Array.isArray(value)) {
    const items = treeAt(schema, 'items')
    if (items) for (const [index, item] of value.entries()) prune(items, item, `${path}[${index}]`, unknown)
  } else if (isTree(value)) {
    pruneTree(schema, value, path, schema['x-kubernetes-embedded-resource'] === true, unknown)
  }
}

function pruneTree(schema: Tree, value: Tree, path: string, isObject: boolean, unknown: string[]): void {
  const properties = treeAt(schema, 'properties') ?? {}
  const additional = schema['additionalProperties']
  for (const [member, content] of Object.entries(value)) {
    if (isObject && typeMembers.includes(member)) continue
    const below = path === '' ? member : `${path}.${member}`
    const property = Object.hasOwn(properties, member) ? properties[member] : additional
    if (isTree(property)) {
      prune(property, content, below, unknown)
    } else if (property !== true && !keepsUnknown(schema)) {
      unknown.push(below)
      delete value[member]
    }
  }
}

function schemaOf(schema: Tree, member: string): Tree | undefined {
  const properties = treeAt(schema, 'properties') ?? {}
  const property = Object.hasOwn(properties, member) ? properties[member] : schema['additionalProperties']
  return isTree(property) ? property : undefined
}

const isWrongNull = (schema: Tree | undefined, value: unknown) =>
  value === null && schema !== undefined && schema['nullable'] !== true

function dropNulls(schema: Tree, value: unknown): void {
  if (Array.isArray(value)) {
    const items = treeAt(schema, 'items')
    if (items) for (const item of value) dropNulls(items, item)
  } else if (isTree(value)) {
    for (const [member, content] of Object.entries(value)) {
      const below = schemaOf(schema, member)
      if (below && isWrongNull(below, content) && below['default'] === undefined) delete value[member]
      else if (below) dropNulls(below, content)
    }
  }
}

/** Changes `value`. A null where none may be gives way to the default. */
export function fillSchemaDefaults(schema: Tree, value: unknown): void {
  if (Array.isArray(value)) {
    const items = treeAt(schema, 'items')
    if (items) for (const index of value.keys()) fillItem(items, value, index)
    return
  }
  if (!isTree(value)) return
  const properties = treeAt(schema, 'properties') ?? {}
  for (const [member, property] of Object.entries(properties)) if (isTree(property)) fillMember(property, value, member)
  for (const [member, content] of Object.entries(value)) {
    const below = schemaOf(schema, member)
    if (below) fillSchemaDefaults(below, content)
  }
}

function fillItem(items: Tree, list: unknown[], index: number): void {
  if (isWrongNull(items, list[index]) && items['default'] !== undefined) list[index] = structuredClone(items['default'])
  fillSchemaDefaults(items, list[index])
}

function fillMember(property: Tree, value: Tree, member: string): void {
  if (property['default'] === undefined) return
  if (!Object.hasOwn(value, member) || isWrongNull(property, value[member]))
    value[member] = structuredClone(property['default'])
}
