/** The annotation of client-side apply, when kubectl goes over to server-side apply. */
import type { Shape } from '../shapes/shape.ts'
import { isTree, type Tree, textAt } from '../tree.ts'
import { difference, type FieldSet, union } from './fields/field-set.ts'
import { compareFields, fieldsOf } from './fields/typed-fields.ts'
import { shapeProblem } from './fields/typed-validation.ts'

const annotation = 'kubectl.kubernetes.io/last-applied-configuration'
const maxAnnotationBytes = 256 * 1024

/** Fields that kubectl set itself and nobody changed since: no conflict. undefined: there is no annotation to tell. */
export function allowedByLastApplied(live: Tree, shape: Shape, apiVersion: string): FieldSet | undefined {
  const text = textAt(live, 'metadata', 'annotations', annotation)
  const last = text ? parse(text) : undefined
  if (!last || last['apiVersion'] !== apiVersion) return undefined
  if (shapeProblem(last, shape) !== undefined || shapeProblem(live, shape) !== undefined) return undefined
  const { modified, added, removed } = compareFields(last, live, shape)
  return difference(fieldsOf(last, shape), union(union(modified, added), removed))
}

function parse(text: string): Tree | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isTree(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** With the annotation that client-side apply would find, where there was one. */
export function withLastApplied(object: Tree, configuration: Tree): Tree {
  if (!textAt(object, 'metadata', 'annotations', annotation)) return object
  const metadata = isTree(object['metadata']) ? object['metadata'] : {}
  const annotations: Tree = isTree(metadata['annotations']) ? { ...metadata['annotations'] } : {}
  annotations[annotation] = `${JSON.stringify(sorted(plain(configuration)))}\n`
  const bytes = Object.entries(annotations).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(String(value)),
    0,
  )
  if (bytes > maxAnnotationBytes) delete annotations[annotation]
  return { ...object, metadata: { ...metadata, annotations } }
}

function plain(configuration: Tree): Tree {
  const { metadata } = configuration
  if (!isTree(metadata) || !isTree(metadata['annotations'])) return configuration
  const { [annotation]: _, ...annotations } = metadata['annotations']
  return { ...configuration, metadata: { ...metadata, annotations } }
}

/** As Go writes maps. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isTree(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((member) => [member, sorted(value[member])]),
  )
}
