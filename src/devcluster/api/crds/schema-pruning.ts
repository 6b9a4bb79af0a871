/** Drops what a structural schema does not name, and fills its defaults. */
import { isTree, type Tree, treeAt } from '../tree.ts'

const keepsUnknown = (schema: Tree) => schema['x-kubernetes-preserve-unknown-fields'] === true
/** What every object has, also one embedded in another. */
const typeMembers = ['apiVersion', 'kind', 'metadata']

/** Changes `object`; answers the paths of what went. */
export function pruneObject(schema: Tree, object: Tree): string[] {
  const unknown: string[] = []
  pruneTree(schema, object, '', true, unknown)
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

/** Changes `value`. A null where none may be gives way to the default. */
export function fillSchemaDefaults(schema: Tree, value: unknown): void {
  if (Array.isArray(value)) {
    const items = treeAt(schema, 'items')
    if (items) for (const item of value) fillSchemaDefaults(items, item)
    return
  }
  if (!isTree(value)) return
  const properties = treeAt(schema, 'properties') ?? {}
  for (const [member, property] of Object.entries(properties)) if (isTree(property)) fillMember(property, value, member)
  const additional = treeAt(schema, 'additionalProperties')
  for (const [member, content] of Object.entries(value)) {
    const property = Object.hasOwn(properties, member) ? properties[member] : additional
    if (isTree(property)) fillSchemaDefaults(property, content)
  }
}

function fillMember(property: Tree, value: Tree, member: string): void {
  if (property['default'] === undefined) return
  const missing = !Object.hasOwn(value, member) || (value[member] === null && property['nullable'] !== true)
  if (missing) value[member] = structuredClone(property['default'])
}
