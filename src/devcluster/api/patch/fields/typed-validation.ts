/** Holds a configuration for server-side apply against its shape, in the words of structured-merge-diff. */
import { memberShape, type Scalar, type Shape } from '../../shapes/shape.ts'
import { isTree, type Tree } from '../../tree.ts'
import { itemStep, printStep, ShapeMismatch } from './field-path.ts'
import { formOf, ownedList } from './typed-fields.ts'

/** undefined when it fits. A live object may have an item twice. */
export function shapeProblem(value: unknown, shape: Shape, twice = false): string | undefined {
  const problems: string[] = []
  walk(value, shape, '', { problems, twice })
  if (problems.length < 2) return problems[0]
  return ['errors:', ...problems.map((problem) => `  ${problem}`)].join('\n')
}

interface Findings {
  readonly problems: string[]
  readonly twice: boolean
}

function walk(value: unknown, shape: Shape, path: string, out: Findings): void {
  const say = (words: string) => out.problems.push(path === '' ? words : `${path}: ${words}`)
  if (value === null || value === undefined) return
  const form = formOf(shape, value)
  if (form === 'scalar') {
    const words = shape.kind === 'scalar' ? scalarProblem(value, shape.type) : undefined
    if (words) say(words)
  } else if (form === 'list') {
    if (Array.isArray(value)) walkItems(value, shape, path, out)
    else say(`expected list, got &{${goText(value)}}`)
  } else if (isTree(value)) {
    walkMembers(value, shape, path, out)
  } else {
    say(`expected map, got &{${goText(value)}}`)
  }
}

function walkMembers(value: Tree, shape: Shape, path: string, out: Findings): void {
  for (const [member, content] of Object.entries(value)) {
    const here = `${path}.${member}`
    if (shape.kind === 'struct' && !shape.fields.has(member) && shape.rest === undefined) {
      out.problems.push(`${here}: field not declared in schema`)
      return
    }
    walk(content, memberShape(shape, member), here, out)
  }
}

function walkItems(items: readonly unknown[], shape: Shape, path: string, out: Findings): void {
  if (shape.kind !== 'list') return
  const list = ownedList(shape)
  const seen = new Set<string>()
  for (const [index, item] of items.entries()) {
    let step = `i:${index}`
    if (list) {
      try {
        step = itemStep(item, list)
      } catch (error) {
        if (!(error instanceof ShapeMismatch)) throw error
        out.problems.push(`${path}: element ${index}: ${error.message}`)
        return
      }
    }
    if (seen.has(step) && !out.twice) out.problems.push(`${path}: duplicate entries for key ${printStep(step)}`)
    seen.add(step)
    walk(item, shape.of, path + printStep(step), out)
  }
}

function scalarProblem(value: unknown, type: Scalar): string | undefined {
  switch (type) {
    case 'integer':
    case 'number':
      return typeof value === 'number' ? undefined : `expected numeric (int or float), got ${goType(value)}`
    case 'text':
    case 'bytes':
      return typeof value === 'string'
        ? undefined
        : `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `expected boolean, got &{${goText(value)}}`
    case 'time':
    case 'quantity':
    case 'intOrText':
      return typeof value === 'object' ? `expected any scalar, got &{${goText(value)}}` : undefined
  }
}

function goType(value: unknown): string {
  if (typeof value === 'string') return 'string'
  if (typeof value === 'boolean') return 'bool'
  return Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}'
}

/** Go's %v. */
export function goText(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`
  if (!isTree(value)) return String(value)
  const members = Object.keys(value).sort()
  return `map[${members.map((member) => `${member}:${goText(value[member])}`).join(' ')}]`
}

/** Go's %#v. */
function goSyntax(value: unknown): string {
  if (value === null || value === undefined) return 'interface {}(nil)'
  if (typeof value === 'string') return JSON.stringify(value)
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`
  if (!isTree(value)) return String(value)
  const members = Object.keys(value).sort()
  return `map[string]interface {}{${members.map((m) => `${JSON.stringify(m)}:${goSyntax(value[m])}`).join(', ')}}`
}
