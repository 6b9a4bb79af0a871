/** From text to a tree: the library parses, this turns its tree into ours with the places that cel-go would name. */
import { type ASTNode, Environment, ParseError } from '@marcbachmann/cel-js'
import { UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { expandMacro } from './macros.ts'
import { Uint } from './value.ts'

interface Placed {
  /** Where a message about this node points: offset in the text, in UTF-16 units. */
  readonly at: number
}
export interface Literal extends Placed {
  readonly kind: 'literal'
  readonly value: string | number | bigint | boolean | null | Uint8Array | Uint
}
export interface Identifier extends Placed {
  readonly kind: 'identifier'
  readonly name: string
}
export interface Select extends Placed {
  readonly kind: 'select'
  readonly operand: Node
  readonly field: string
  /** `.?field`: an optional. */
  readonly optional: boolean
  /** has(): only whether it is there. */
  readonly test: boolean
}
export interface Call extends Placed {
  readonly kind: 'call'
  readonly name: string
  readonly target: Node | undefined
  readonly args: readonly Node[]
}
export interface ListLiteral extends Placed {
  readonly kind: 'list'
  readonly items: readonly Node[]
}
export interface MapLiteral extends Placed {
  readonly kind: 'map'
  readonly entries: readonly (readonly [Node, Node])[]
}
export type MacroName =
  | 'all'
  | 'exists'
  | 'existsOne'
  | 'map'
  | 'filter'
  | 'transformList'
  | 'transformMap'
  | 'transformMapEntry'
export interface Comprehension extends Placed {
  readonly kind: 'comprehension'
  readonly macro: MacroName
  readonly range: Node
  /** One or two names. */
  readonly names: readonly string[]
  readonly filter: Node | undefined
  readonly body: Node
  /** Where a complaint about the condition of a quantifier points. */
  readonly bodyAt: number
}
/** optMap and optFlatMap. */
export interface OptionalMap extends Placed {
  readonly kind: 'optional-map'
  readonly flat: boolean
  readonly operand: Node
  readonly name: string
  readonly body: Node
}
export type Node = Literal | Identifier | Select | Call | ListLiteral | MapLiteral | Comprehension | OptionalMap

/** What is wrong with an expression, and where. */
export interface Issue {
  readonly at: number
  readonly message: string
}
export class SyntaxProblem extends Error {
  override name = 'SyntaxProblem'
  readonly issues: readonly Issue[]

  constructor(issues: readonly Issue[]) {
    super(issues[0]?.message)
    this.issues = issues
  }
}

/** Deeper or larger ones are refused: the walks over them are recursive. */
const limits = { maxAstNodes: 20_000, maxDepth: 100, maxListElements: 2000, maxMapEntries: 1000, maxCallArguments: 32 }

const maxTreeDepth = 300
const tooDeep: Issue = { at: 0, message: `Syntax error: operators are nested deeper than ${maxTreeDepth}` }

// Kept over expressions: it takes a millisecond to make, and only its parser is used.
const library = new Environment({ enableOptionalTypes: true, limits })

export function parseExpression(text: string): Node {
  let tree: ASTNode
  try {
    tree = library.parse(text).ast
  } catch (error) {
    // The library's own limit does not count operators in a row.
    if (error instanceof RangeError) throw new SyntaxProblem([tooDeep])
    if (!(error instanceof ParseError)) throw error
    throw new SyntaxProblem([{ at: error.range?.start ?? 0, message: syntaxWords(error) }])
  }
  const issues: Issue[] = []
  const node = convert(tree, { text, issues, depth: 0 })
  if (issues.length > 0) throw new SyntaxProblem(issues)
  return node
}

/** The commonest faults in cel-go's words, the rest in the library's. */
function syntaxWords(error: ParseError): string {
  if (error.code === 'invalid_macro_argument' && error.summary.includes('iteration variable'))
    return 'argument must be a simple name'
  if (error.summary === 'Unexpected token: EOF')
    return "Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
  return `Syntax error: ${error.summary}`
}

export interface Conversion {
  readonly text: string
  readonly issues: Issue[]
  readonly depth: number
}

const binaryNames: Readonly<Record<string, string>> = {
  '==': '_==_',
  '!=': '_!=_',
  '<': '_<_',
  '<=': '_<=_',
  '>': '_>_',
  '>=': '_>=_',
  '+': '_+_',
  '-': '_-_',
  '*': '_*_',
  '/': '_/_',
  '%': '_%_',
  in: '@in',
  '&&': '_&&_',
  '||': '_||_',
}

// Long because it names every kind of node of the library.
export function convert(tree: ASTNode, around: Conversion): Node {
  const { text } = around
  const conversion = { ...around, depth: around.depth + 1 }
  if (conversion.depth > maxTreeDepth) throw new SyntaxProblem([tooDeep])
  const to = (other: ASTNode) => convert(other, conversion)
  const call = (name: string, at: number, ...args: ASTNode[]): Call => ({
    kind: 'call',
    name,
    at,
    target: undefined,
    args: args.map(to),
  })
  switch (tree.op) {
    case 'value':
      return { kind: 'literal', at: tree.start, value: literalOf(tree.args) }
    case 'id':
      return { kind: 'identifier', at: tree.start, name: tree.args }
    case '.':
    case '.?': {
      const [operand, field] = tree.args
      const at = text.lastIndexOf('.', tree.pos)
      return { kind: 'select', at, operand: to(operand), field, optional: tree.op === '.?', test: false }
    }
    case '[]':
      return call('_[_]', operatorAt(text, tree.args[0].end, '['), ...tree.args)
    case '[?]':
      return call('_[?_]', operatorAt(text, tree.args[0].end, '['), ...tree.args)
    case 'call': {
      const [name, args] = tree.args
      const at = operatorAt(text, tree.start + name.length, '(')
      return expandMacro({ name, at, target: undefined, args, end: tree.end }, conversion)
    }
    case 'rcall': {
      const [name, target, args] = tree.args
      const at = operatorAt(text, text.indexOf(name, operatorAt(text, target.end, '.')) + name.length, '(')
      return expandMacro({ name, at, target, args, end: tree.end }, conversion)
    }
    case 'list':
      return { kind: 'list', at: tree.start, items: tree.args.map(to) }
    case 'map':
      return { kind: 'map', at: tree.start, entries: tree.args.map(([key, value]) => [to(key), to(value)] as const) }
    case '?:':
      return call('_?_:_', operatorAt(text, tree.args[0].end, '?'), ...tree.args)
    case '!_':
      return call('!_', tree.start, tree.args)
    case '-_':
      return negation(tree.start, to(tree.args))
    default: {
      const [left, right] = tree.args
      return call(binaryNames[tree.op] ?? tree.op, operatorAt(text, left.end, tree.op), left, right)
    }
  }
}

/** "-1" is a number, not a call. */
function negation(at: number, operand: Node): Node {
  if (operand.kind === 'literal' && (typeof operand.value === 'bigint' || typeof operand.value === 'number'))
    return { kind: 'literal', at, value: -operand.value }
  return { kind: 'call', name: '-_', at, target: undefined, args: [operand] }
}

/** The library leaves out parentheses, white space and comments between operand and operator. */
function operatorAt(text: string, from: number, operator: string): number {
  const found = text.indexOf(operator, from)
  return found < 0 ? from : found
}

function literalOf(value: unknown): Literal['value'] {
  if (value instanceof UnsignedInt) return new Uint(BigInt(String(value)))
  if (value === null || value instanceof Uint8Array) return value
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'bigint':
      return value
    default:
      throw new Error(`no literal: ${typeof value}`)
  }
}

const maxIssuesPrinted = 100

/** As cel-go prints them: message, line, a mark below the place. */
export function printIssues(text: string, issues: readonly Issue[]): string {
  const lines = text.split('\n')
  const sorted = [...issues].sort((a, b) => a.at - b.at)
  const printed = sorted.slice(0, maxIssuesPrinted).map(({ at, message }) => {
    const before = text.slice(0, at).split('\n')
    const line = (lines[before.length - 1] ?? '').replaceAll('\t', ' ')
    const column = [...(before.at(-1) ?? '')].length
    const marks = [...line]
      .slice(0, column)
      .map((letter) => (letter > '\u007f' ? '\uff0e' : '.'))
      .join('')
    return `ERROR: <input>:${before.length}:${column + 1}: ${message}\n | ${line}\n | ${marks}^`
  })
  if (sorted.length > maxIssuesPrinted) printed.push(`${sorted.length - maxIssuesPrinted} more errors were truncated`)
  return printed.join('\n')
}
