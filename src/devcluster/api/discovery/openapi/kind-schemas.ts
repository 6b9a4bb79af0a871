/** The schema of a kind, of its list, and of everything these refer to. */
import type { Resource } from '../../resource.ts'
import { isTree, type Tree, treeAt } from '../../tree.ts'
import { builtInSchema, schemaName, schemaRef } from './built-in-schemas.ts'

interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

const kindMark = ({ group, version, kind }: GroupVersionKind): Tree => ({
  'x-kubernetes-group-version-kind': [{ group, version, kind }],
})

/** Built-in types by the API's packages, custom ones by their group read backwards. */
export function typeName(resource: Resource): string {
  if (typeof resource.schema === 'string') return schemaName(resource.schema)
  const { group, version, kind } = resource
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`
}

export const listName = (resource: Resource) => `${typeName(resource).replace(/\.[^.]+$/, '')}.${resource.listKind}`

/** Collects schemas; a type that is added brings along what it refers to. */
export class SchemaSet {
  readonly #schemas = new Map<string, Tree>()

  /** Sorted by name. */
  toTree(): Tree {
    return Object.fromEntries([...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  addBuiltIn(name: string, kind?: GroupVersionKind): void {
    if (this.#schemas.has(name)) return
    const schema = builtInSchema(name)
    if (!schema) throw new Error(`no schema of ${name}`)
    this.#add(name, { ...schema, ...(kind ? kindMark(kind) : {}) })
  }

  addKind(resource: Resource): void {
    const { group, version, kind, listKind } = resource
    const list = { group, version, kind: listKind }
    if (typeof resource.schema === 'string') {
      this.addBuiltIn(typeName(resource), { group, version, kind })
      this.addBuiltIn(listName(resource), list)
    } else {
      this.#add(typeName(resource), { ...customSchema(resource.schema), ...kindMark(resource) })
      this.#add(listName(resource), { ...listSchema(typeName(resource)), ...kindMark(list) })
    }
  }

  #add(name: string, schema: Tree): void {
    this.#schemas.set(name, schema)
    for (const found of refsIn(schema)) this.addBuiltIn(found)
  }
}

const text: Tree = { type: 'string' }
const metaRef = (kind: string): Tree => ({ allOf: [schemaRef(schemaName(`meta.${kind}`))] })

/** A definition's schema; what every object has is described by the server, not by the definition. */
function customSchema(schema: Tree): Tree {
  if (schema['x-kubernetes-preserve-unknown-fields'] === true && !treeAt(schema, 'properties'))
    return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  const own = treeAt(schema, 'properties') ?? {}
  const properties = {
    ...own,
    apiVersion: { ...text, ...description(own['apiVersion']) },
    kind: { ...text, ...description(own['kind']) },
    metadata: metaRef('ObjectMeta'),
  }
  return { ...schema, properties }
}

function description(schema: unknown): Tree {
  return isTree(schema) && typeof schema['description'] === 'string' ? { description: schema['description'] } : {}
}

function listSchema(item: string): Tree {
  return {
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: text,
      items: { type: 'array', items: schemaRef(item) },
      kind: text,
      metadata: metaRef('ListMeta'),
    },
  }
}

const prefix = '#/components/schemas/'

function* refsIn(value: unknown): Generator<string> {
  if (Array.isArray(value)) for (const item of value) yield* refsIn(item)
  if (!isTree(value)) return
  for (const [member, content] of Object.entries(value)) {
    if (member === '$ref' && typeof content === 'string' && content.startsWith(prefix))
      yield content.slice(prefix.length)
    else yield* refsIn(content)
  }
}
