/** Calls that are loops or tests in disguise: has(), all(), exists(), map(), filter(), those with two names, optMap(). */
import type { ASTNode } from '@marcbachmann/cel-js'
import { type Conversion, convert, type MacroName, type Node } from './syntax.ts'

export interface CallSyntax {
  readonly name: string
  readonly at: number
  readonly target: ASTNode | undefined
  readonly args: readonly ASTNode[]
  readonly end: number
}

interface Form {
  readonly macro: MacroName
  readonly names: number
  readonly filter: boolean
}

/** By name and number of arguments. */
const loops: ReadonlyMap<string, Form> = new Map([
  ['all/2', { macro: 'all', names: 1, filter: false }],
  ['exists/2', { macro: 'exists', names: 1, filter: false }],
  ['exists_one/2', { macro: 'existsOne', names: 1, filter: false }],
  ['existsOne/2', { macro: 'existsOne', names: 1, filter: false }],
  ['map/2', { macro: 'map', names: 1, filter: false }],
  ['map/3', { macro: 'map', names: 1, filter: true }],
  ['filter/2', { macro: 'filter', names: 1, filter: false }],
  ['all/3', { macro: 'all', names: 2, filter: false }],
  ['exists/3', { macro: 'exists', names: 2, filter: false }],
  ['exists_one/3', { macro: 'existsOne', names: 2, filter: false }],
  ['existsOne/3', { macro: 'existsOne', names: 2, filter: false }],
  ['transformList/3', { macro: 'transformList', names: 2, filter: false }],
  ['transformList/4', { macro: 'transformList', names: 2, filter: true }],
  ['transformMap/3', { macro: 'transformMap', names: 2, filter: false }],
  ['transformMap/4', { macro: 'transformMap', names: 2, filter: true }],
  ['transformMapEntry/3', { macro: 'transformMapEntry', names: 2, filter: false }],
  ['transformMapEntry/4', { macro: 'transformMapEntry', names: 2, filter: true }],
])

export function expandMacro(call: CallSyntax, conversion: Conversion): Node {
  const { name, target, args, at } = call
  const to = (tree: ASTNode) => convert(tree, conversion)
  if (!target && name === 'has' && args.length === 1) return presence(call, conversion)
  const form = target ? loops.get(`${name}/${args.length}`) : undefined
  if (target && form) return loop(call, target, form, conversion)
  if (target && (name === 'optMap' || name === 'optFlatMap') && args.length === 2) {
    const [variable, body] = args
    if (variable && body) {
      const known = nameOf(variable, 'argument must be a variable name', conversion)
      return { kind: 'optional-map', at, flat: name === 'optFlatMap', operand: to(target), name: known, body: to(body) }
    }
  }
  return { kind: 'call', name, at, target: target ? to(target) : undefined, args: args.map(to) }
}

function presence({ args, at }: CallSyntax, conversion: Conversion): Node {
  const [argument] = args
  const select = argument ? convert(argument, conversion) : undefined
  if (select?.kind === 'select' && !select.optional) return { ...select, at, test: true }
  conversion.issues.push({ at: select?.at ?? at, message: 'invalid argument to has() macro' })
  return { kind: 'literal', at, value: false }
}

function loop({ at, args }: CallSyntax, target: ASTNode, form: Form, conversion: Conversion): Node {
  const names = args.slice(0, form.names).map((tree) => nameOf(tree, 'argument must be a simple name', conversion))
  const [first, second] = args.slice(form.names).map((tree) => convert(tree, conversion))
  const body = form.filter ? second : first
  if (!first || !body) throw new Error('the number of arguments was looked up')
  return {
    kind: 'comprehension',
    at,
    macro: form.macro,
    range: convert(target, conversion),
    names,
    filter: form.filter ? first : undefined,
    body,
    bodyAt: at,
  }
}

function nameOf(tree: ASTNode, complaint: string, { issues }: Conversion): string {
  if (tree.op === 'id') return tree.args
  issues.push({ at: tree.start, message: complaint })
  return '_'
}
