/** What is written out in an expression and can't be right, known before there is an object (cel-go's validators, folding). */
import { type CelType, formatType, sameType } from './cel-type.ts'
import type { Checked } from './checker.ts'
import { functionLibrary } from './functions/library.ts'
import { formatFaults } from './functions/text-format.ts'
import { compilePattern } from './functions/texts.ts'
import { accepts } from './overload.ts'
import type { Call, Issue, Literal, Node } from './syntax.ts'
import { CelError } from './value.ts'

/** Faults that have a place in the text. */
export function staticIssues(root: Node, { types }: Checked): Issue[] {
  const issues: Issue[] = []
  visit(root, false, (node, inFormat) => {
    if (node.kind === 'call') issues.push(...literalIssues(node), ...formatIssues(node, types))
    if (node.kind === 'list' && !inFormat) issues.push(...mixed(node.items, types))
    if (node.kind === 'map' && !inFormat) {
      const keys = node.entries.map(([key]) => key)
      const values = node.entries.map(([, value]) => value)
      issues.push(...mixed(keys, types), ...mixed(values, types))
    }
  })
  return issues
}

/** A call that would fail whenever it is evaluated: its words. */
export function constantFault(root: Node): string | undefined {
  let fault: string | undefined
  visit(root, false, (node) => {
    if (node.kind === 'call' && fault === undefined) fault = patternFault(node) ?? conversionFault(node)
  })
  return fault
}

function visit(node: Node, inFormat: boolean, use: (node: Node, inFormat: boolean) => void): void {
  for (const child of childrenOf(node)) visit(child, inFormat || isFormat(node), use)
  use(node, inFormat)
}

const isFormat = (node: Node) => node.kind === 'call' && node.name === 'format'

function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'select':
      return [node.operand]
    case 'call':
      return node.target ? [node.target, ...node.args] : node.args
    case 'list':
      return node.items
    case 'map':
      return node.entries.flat()
    case 'comprehension':
      return [node.range, ...(node.filter ? [node.filter] : []), node.body]
    case 'optional-map':
      return [node.operand, node.body]
    default:
      return []
  }
}

/** The items of a list that is written out are of one type. */
function mixed(items: readonly Node[], types: ReadonlyMap<Node, CelType>): Issue[] {
  const [first] = items
  const wanted = first ? types.get(first) : undefined
  for (const item of items) {
    const type = types.get(item)
    if (wanted && type && !sameType(wanted, type))
      return [{ at: item.at, message: `expected type '${formatType(wanted)}' but found '${formatType(type)}'` }]
  }
  return []
}

function literalIssues(node: Call): Issue[] {
  const argument = node.name === 'matches' && !node.target ? node.args[1] : node.args[0]
  if (!['matches', 'duration', 'timestamp'].includes(node.name) || argument?.kind !== 'literal') return []
  const { value } = argument
  if (typeof value !== 'string') return []
  const fault =
    node.name === 'matches' ? failure(() => compilePattern(value)) : failure(() => converted(node.name, value))
  return fault === undefined ? [] : [{ at: argument.at, message: `invalid ${node.name} argument` }]
}

function formatIssues(node: Call, types: ReadonlyMap<Node, CelType>): Issue[] {
  const [list] = node.args
  const { target } = node
  if (!isFormat(node) || target?.kind !== 'literal' || typeof target.value !== 'string' || list?.kind !== 'list')
    return []
  const known = list.items.map((item) => types.get(item))
  return formatFaults(target.value, known).map(({ argument, message }) => ({
    at: (argument === undefined ? undefined : list.items[argument]?.at) ?? node.at,
    message,
  }))
}

function patternFault(node: Call): string | undefined {
  const [argument] = node.args
  if (!node.target || !['find', 'findAll'].includes(node.name) || argument?.kind !== 'literal') return undefined
  const { value } = argument
  return typeof value === 'string' ? failure(() => compilePattern(value)) : undefined
}

const conversions = ['bool', 'bytes', 'double', 'duration', 'int', 'string', 'timestamp', 'uint']

function conversionFault(node: Call): string | undefined {
  const [argument, second] = node.args
  if (node.target || second || !conversions.includes(node.name) || argument?.kind !== 'literal') return undefined
  return failure(() => converted(node.name, argument.value))
}

function converted(name: string, value: Literal['value']): unknown {
  return functionLibrary
    .get(name)
    ?.find((overload) => accepts(overload, [value]))
    ?.compute([value])
}

function failure(compute: () => unknown): string | undefined {
  try {
    compute()
    return undefined
  } catch (error) {
    if (error instanceof CelError) return error.message
    throw error
  }
}
