/** The field paths of rules and selectable fields: ".spec.a", ".spec['odd.name']"; each step must be in the schema. */
import { isTree, type Tree, treeAt } from '../../tree.ts'

export interface FieldPath {
  /** As problems name it. */
  readonly path: string
  readonly steps: readonly string[]
  readonly schema: Tree
}
export interface PathFault {
  readonly fault: string
}

const step = /\.([^.[\]']*)|\['((?:[^'\\]|\\.)*)'\]/y

export function readFieldPath(text: string, root: Tree, brackets = true): FieldPath | PathFault {
  let schema = root
  let path = ''
  const steps: string[] = []
  let end = 0
  step.lastIndex = 0
  while (end < text.length) {
    step.lastIndex = end
    const match = step.exec(text)
    if (text[end] === '[' && !brackets) return { fault: 'array notation is not allowed' }
    if (!match) return { fault: faultAt(text, end) }
    end = step.lastIndex
    const name = match[1] ?? (match[2] ?? '').replace(/\\(.)/g, '$1')
    const properties = treeAt(schema, 'properties')
    const below = properties
      ? Object.hasOwn(properties, name)
        ? properties[name]
        : undefined
      : schema['additionalProperties']
    if (!isTree(below)) return { fault: 'does not refer to a valid field' }
    path += properties ? (path === '' ? name : `.${name}`) : `[${name}]`
    steps.push(name)
    schema = below
  }
  return { path, steps, schema }
}

function faultAt(text: string, at: number): string {
  const rest = text.slice(at)
  if (rest[0] !== '[' && rest[0] !== '.') return `expected [ or . but got: ${/^[^.[\]]*/.exec(rest)?.[0] ?? rest}`
  if (rest === '[') return 'unexpected end of JSON path'
  return `expected single quoted string but got ${/^\[([^.[\]]*)/.exec(rest)?.[1] ?? ''}`
}
