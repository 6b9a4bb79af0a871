/** How the lists and maps of a custom resource merge, from its schema's x-kubernetes-list-type and -map-type. */
import { anyShape, type Field, type ListShape, type Scalar, type Shape, type StructShape } from '../shapes/shape.ts'
import { isTree, type Tree, textAt, textsAt, treeAt } from '../tree.ts'

const text: Shape = { kind: 'scalar', type: 'text' }
const field = (shape: Shape): Field => ({ shape, retainKeys: false })

export function shapeOfSchema(schema: Tree, metadata: Shape): Shape {
  const keeps = keepsUnknown(schema)
  return withTypeMembers(structOf(schema, treeAt(schema, 'properties') ?? {}, metadata, keeps), metadata)
}

function withTypeMembers(struct: StructShape, metadata: Shape): StructShape {
  const members: [string, Field][] = [
    ['apiVersion', field(text)],
    ['kind', field(text)],
    ['metadata', field(metadata)],
  ]
  return { ...struct, fields: new Map([...struct.fields, ...members]) }
}

const keepsUnknown = (schema: Tree) => schema['x-kubernetes-preserve-unknown-fields'] === true

/** `keeps`: unknown fields are kept here, as somewhere above it says. */
function shapeOf(schema: Tree, metadata: Shape, above: boolean): Shape {
  const keeps = above || keepsUnknown(schema)
  const properties = treeAt(schema, 'properties')
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true
  if (properties || isEmbedded) {
    const struct = structOf(schema, properties ?? {}, metadata, keeps)
    return isEmbedded ? withTypeMembers(struct, metadata) : struct
  }
  const atomic = textAt(schema, 'x-kubernetes-map-type') === 'atomic'
  const additional = treeAt(schema, 'additionalProperties')
  if (additional) return { kind: 'map', of: shapeOf(additional, metadata, keeps), atomic }
  const items = treeAt(schema, 'items')
  if (items) return { kind: 'list', of: shapeOf(items, metadata, keeps), mergeSet: false, owned: ownedBy(schema) }
  if (textAt(schema, 'type') === 'object') return { kind: 'map', of: anyShape, atomic }
  const scalar = scalarOf(schema)
  return scalar ? { kind: 'scalar', type: scalar } : anyShape
}

function structOf(schema: Tree, properties: Tree, metadata: Shape, keeps: boolean): StructShape {
  const fields = new Map<string, Field>()
  for (const [name, property] of Object.entries(properties)) {
    if (!isTree(property)) continue
    const { default: filled } = property
    const isKeyDefault = typeof filled === 'string' || typeof filled === 'number' || typeof filled === 'boolean'
    fields.set(name, {
      ...field(shapeOf(property, metadata, keeps)),
      ...(isKeyDefault ? { keyDefault: filled } : {}),
    })
  }
  const atomic = textAt(schema, 'x-kubernetes-map-type') === 'atomic'
  const isFree = keeps || schema['additionalProperties'] === true
  return { kind: 'struct', fields, atomic, ...(isFree ? { rest: anyShape } : {}) }
}

function scalarOf(schema: Tree): Scalar | undefined {
  const type = textAt(schema, 'type')
  const format = textAt(schema, 'format') ?? ''
  if (type === 'integer' || type === 'number' || type === 'boolean') return type
  // A format that is not bytes may stand for more than text.
  if (type === 'string') return format === '' || format === 'byte' ? 'text' : 'time'
  return undefined
}

function ownedBy(schema: Tree): ListShape['owned'] {
  const type = textAt(schema, 'x-kubernetes-list-type')
  if (type === 'map') return textsAt(schema, 'x-kubernetes-list-map-keys')
  return type === 'set' ? 'set' : 'atomic'
}
