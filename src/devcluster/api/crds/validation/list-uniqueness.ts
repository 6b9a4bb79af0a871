/** Lists of type set and map hold nothing twice. */
import { duplicate, type FieldProblem, invalid } from '../../field-problem.ts'
import { isTree, type Tree, textAt, textsAt, treeAt } from '../../tree.ts'

export function uniquenessProblems(schema: Tree, value: unknown, path = ''): FieldProblem[] {
  if (Array.isArray(value)) {
    const items = treeAt(schema, 'items')
    const below = items ? value.flatMap((item, index) => uniquenessProblems(items, item, `${path}[${index}]`)) : []
    return [...ownProblems(schema, value, path), ...below]
  }
  if (!isTree(value)) return []
  const properties = treeAt(schema, 'properties') ?? {}
  const additional = treeAt(schema, 'additionalProperties')
  return Object.entries(value).flatMap(([member, content]) => {
    const property = Object.hasOwn(properties, member) ? properties[member] : undefined
    if (isTree(property)) return uniquenessProblems(property, content, path === '' ? member : `${path}.${member}`)
    return additional ? uniquenessProblems(additional, content, `${path}[${member}]`) : []
  })
}

function ownProblems(schema: Tree, value: readonly unknown[], path: string): FieldProblem[] {
  const type = textAt(schema, 'x-kubernetes-list-type')
  if (type === 'set') return repeated(value).map((index) => duplicate(`${path}[${index}]`, value[index]))
  if (type !== 'map') return []
  const odd = value.findIndex((item) => item !== null && !isTree(item))
  if (odd >= 0) return [invalid(`${path}[${odd}]`, value[odd], 'must be an object for an array of list-type map')]
  const keys = textsAt(schema, 'x-kubernetes-list-map-keys')
  const named = value.map((item) => keyOf(item, keys))
  return repeated(named).map((index) => duplicate(`${path}[${index}]`, named[index]))
}

function keyOf(item: unknown, keys: readonly string[]): Tree {
  const key: Tree = {}
  for (const name of keys) if (isTree(item) && Object.hasOwn(item, name)) key[name] = item[name]
  return key
}

/** Where a value comes the second time; a third is not told. */
function repeated(values: readonly unknown[]): number[] {
  const times = new Map<string, number>()
  return [...values.keys()].filter((index) => {
    const text = JSON.stringify(sorted(values[index]))
    const seen = times.get(text) ?? 0
    times.set(text, seen + 1)
    return seen === 1
  })
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isTree(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  )
}
