/** How the lists and maps of a custom resource merge, from its schema's x-kubernetes-list-type and -map-type. */
import { anyShape, type Field, type ListShape, type Shape } from '../shapes/shape.ts'
import { isTree, type Tree, textAt, textsAt, treeAt } from '../tree.ts'

export function shapeOfSchema(schema: Tree, metadata: Shape): Shape {
  const root = shapeOf(schema)
  if (root.kind !== 'struct') return anyShape
  return { ...root, fields: new Map([...root.fields, ['metadata', { shape: metadata, retainKeys: false }]]) }
}

function shapeOf(schema: Tree): Shape {
  const properties = treeAt(schema, 'properties')
  const atomic = textAt(schema, 'x-kubernetes-map-type') === 'atomic'
  if (properties) {
    const fields = new Map<string, Field>()
    for (const [name, property] of Object.entries(properties))
      if (isTree(property)) fields.set(name, { shape: shapeOf(property), retainKeys: false })
    return { kind: 'struct', fields, atomic }
  }
  const additional = treeAt(schema, 'additionalProperties')
  if (additional) return { kind: 'map', of: shapeOf(additional), atomic }
  const items = treeAt(schema, 'items')
  return items ? { kind: 'list', of: shapeOf(items), mergeSet: false, owned: ownedBy(schema) } : anyShape
}

function ownedBy(schema: Tree): ListShape['owned'] {
  const type = textAt(schema, 'x-kubernetes-list-type')
  if (type === 'map') return textsAt(schema, 'x-kubernetes-list-map-keys')
  return type === 'set' ? 'set' : 'atomic'
}
