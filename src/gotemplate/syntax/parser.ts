import { TemplateError } from '../template-error.ts'
import { tokenize } from './lexer.ts'
import { readNumber, readRune, unquote } from './literals.ts'
import { type Arg, type Body, type Command, type List, type Node, nodeText, type Pipe, type Source } from './nodes.ts'
import { TokenCursor } from './token-cursor.ts'
import { type Token, type TokenType, tokenText } from './tokens.ts'

export interface ParseOptions {
  readonly left?: string
  readonly right?: string
  readonly hasFunction: (name: string) => boolean
}

/** The template's own body and, by name, all that it defines (itself included). */
export function parse(source: Source, options: ParseOptions): ReadonlyMap<string, Body> {
  const parser = new Parser(source, tokenize(source.text, options.left, options.right), options.hasFunction)
  return parser.run()
}

type End = { readonly kind: 'end' | 'else'; readonly text: string }
const maxDepth = 200
const operands = new Set<TokenType>([
  'bool',
  'charConstant',
  'complex',
  'dot',
  'field',
  'identifier',
  'number',
  'rawString',
  'string',
  'variable',
  'leftParen',
])

class Parser {
  readonly #source: Source
  readonly #cursor: TokenCursor
  readonly #hasFunction: (name: string) => boolean
  readonly #bodies = new Map<string, Body>()
  #variables = ['$']
  #rangeDepth = 0
  #depth = 0
  #actionLine = 0

  constructor(source: Source, tokens: readonly Token[], hasFunction: (name: string) => boolean) {
    this.#source = source
    this.#cursor = new TokenCursor(tokens)
    this.#hasFunction = hasFunction
  }

  run(): ReadonlyMap<string, Body> {
    const list: Node[] = []
    while (this.#cursor.peek().type !== 'eof') {
      if (this.#cursor.takeDefine()) {
        this.#definition()
        continue
      }
      const node = this.#textOrAction()
      if ('kind' in node) this.#fail(`unexpected ${node.text}`)
      else list.push(node)
    }
    this.#add(this.#source.name, list)
    return this.#bodies
  }

  #definition() {
    const name = this.#templateName('define clause')
    this.#expect('rightDelim', 'define clause')
    this.#add(name, this.#body('define clause'))
  }

  /** A body with variables and ranges of its own, up to its end. */
  #body(context: string): List {
    const outer = { variables: this.#variables, ranges: this.#rangeDepth }
    this.#variables = ['$']
    this.#rangeDepth = 0
    const { list, end } = this.#itemList()
    if (end.kind !== 'end') this.#fail(`unexpected ${end.text} in ${context}`)
    this.#variables = outer.variables
    this.#rangeDepth = outer.ranges
    return list
  }

  #add(name: string, list: List) {
    const old = this.#bodies.get(name)
    if (!old || isEmpty(old.list)) this.#bodies.set(name, { name, source: this.#source, list })
    else if (!isEmpty(list)) this.#fail(`template: multiple definition of template ${JSON.stringify(name)}`)
  }

  #itemList(): { list: List; end: End } {
    this.#deeper('nesting too deep')
    const list: Node[] = []
    while (this.#cursor.peekNonSpace().type !== 'eof') {
      const node = this.#textOrAction()
      if ('kind' in node) {
        this.#depth -= 1
        return { list, end: node }
      }
      list.push(node)
    }
    return this.#fail('unexpected EOF')
  }

  #textOrAction(): Node | End {
    const token = this.#cursor.nextNonSpace()
    if (token.type === 'text') return { type: 'text', pos: token.pos, text: token.text }
    if (token.type !== 'leftDelim') return this.#unexpected(token, 'input')
    this.#actionLine = token.line
    const node = this.#action()
    this.#actionLine = 0
    return node
  }

  #action(): Node | End {
    const token = this.#cursor.nextNonSpace()
    if (token.type === 'keyword' && token.text !== 'nil') return this.#keyword(token)
    this.#cursor.back()
    return { type: 'action', pos: token.pos, pipe: this.#pipeline('command', 'rightDelim') }
  }

  #keyword(token: Token): Node | End {
    switch (token.text) {
      case 'if':
      case 'range':
      case 'with':
        return this.#control(token.text)
      case 'break':
      case 'continue':
        return this.#jump(token, token.text)
      case 'template':
        return this.#call()
      case 'block':
        return this.#block()
      case 'end':
        this.#expect('rightDelim', 'end')
        return { kind: 'end', text: '{{end}}' }
      case 'else':
        return this.#else()
      default:
        return this.#unexpected(token, 'command')
    }
  }

  #jump(token: Token, type: 'break' | 'continue'): Node {
    const next = this.#cursor.nextNonSpace()
    if (next.type !== 'rightDelim') return this.#unexpected(next, `{{${type}}}`)
    if (this.#rangeDepth === 0) return this.#fail(`{{${type}}} outside {{range}}`)
    return { type, pos: token.pos }
  }

  #else(): End {
    const next = this.#cursor.peekNonSpace()
    const chained = next.type === 'keyword' && (next.text === 'if' || next.text === 'with')
    if (!chained) this.#expect('rightDelim', 'else')
    return { kind: 'else', text: '{{else}}' }
  }

  #control(type: 'if' | 'range' | 'with'): Node {
    const scope = this.#variables.length
    const pipe = this.#pipeline(type, 'rightDelim')
    if (type === 'range') this.#rangeDepth += 1
    const { list, end } = this.#itemList()
    if (type === 'range') this.#rangeDepth -= 1
    const otherwise = end.kind === 'else' ? this.#otherwise(type) : undefined
    this.#variables.length = scope
    return { type, pos: pipe.pos, pipe, list, ...(otherwise ? { otherwise } : {}) }
  }

  #otherwise(type: 'if' | 'range' | 'with'): List {
    const next = this.#cursor.peek()
    if (type !== 'range' && next.type === 'keyword' && next.text === type) {
      this.#cursor.next()
      this.#deeper('nesting too deep')
      const list = [this.#control(type)]
      this.#depth -= 1
      return list
    }
    const { list, end } = this.#itemList()
    if (end.kind !== 'end') this.#fail(`expected end; found ${end.text}`)
    return list
  }

  #call(): Node {
    const token = this.#cursor.peekNonSpace()
    const name = this.#templateName('template clause')
    if (this.#cursor.peekNonSpace().type === 'rightDelim') {
      this.#cursor.nextNonSpace()
      return { type: 'template', pos: token.pos, name }
    }
    return { type: 'template', pos: token.pos, name, pipe: this.#pipeline('template clause', 'rightDelim') }
  }

  #block(): Node {
    const token = this.#cursor.peekNonSpace()
    const name = this.#templateName('block clause')
    const pipe = this.#pipeline('block clause', 'rightDelim')
    this.#add(name, this.#body('block clause'))
    return { type: 'template', pos: token.pos, name, pipe }
  }

  #templateName(context: string): string {
    const token = this.#cursor.nextNonSpace()
    if (token.type !== 'string' && token.type !== 'rawString') return this.#unexpected(token, context)
    return unquote(token.text) ?? this.#fail('invalid syntax')
  }

  #pipeline(context: string, end: TokenType): Pipe {
    const pos = this.#cursor.peekNonSpace().pos
    const { variables, assign } = this.#declarations(context)
    const commands: Command[] = []
    for (;;) {
      const token = this.#cursor.nextNonSpace()
      if (token.type === end) break
      if (!operands.has(token.type) && !(token.type === 'keyword' && token.text === 'nil')) {
        return this.#unexpected(token, context)
      }
      this.#cursor.back()
      commands.push(this.#command())
    }
    if (commands.length === 0) this.#fail(`missing value for ${context}`)
    commands.forEach((command, i) => {
      if (i > 0 && ['bool', 'dot', 'nil', 'number', 'string'].includes(command.args[0]?.type ?? '')) {
        this.#fail(`non executable command in pipeline stage ${i + 1}`)
      }
    })
    return { type: 'pipe', pos, assign, variables, commands }
  }

  #declarations(context: string): { variables: string[]; assign: boolean } {
    const variables: string[] = []
    for (;;) {
      const start = this.#cursor.mark()
      if (this.#cursor.peekNonSpace().type !== 'variable') return { variables, assign: false }
      const name = this.#cursor.nextNonSpace().text
      const after = this.#cursor.nextNonSpace()
      const comma = after.type === 'char' && after.text === ','
      if (!comma && after.type !== 'assign' && after.type !== 'declare') {
        this.#cursor.reset(start)
        return { variables, assign: false }
      }
      variables.push(name)
      this.#variables.push(name)
      if (!comma) return { variables, assign: after.type === 'assign' }
      if (context !== 'range' || variables.length > 1) this.#fail(`too many declarations in ${context}`)
      if (!['variable', 'rightDelim', 'rightParen'].includes(this.#cursor.peekNonSpace().type)) {
        this.#fail('range can only initialize variables')
      }
    }
  }

  #command(): Command {
    const pos = this.#cursor.peekNonSpace().pos
    const args: Arg[] = []
    for (;;) {
      this.#cursor.peekNonSpace()
      const operand = this.#operand()
      if (operand) args.push(operand)
      const token = this.#cursor.next()
      if (token.type === 'space') continue
      if (token.type === 'rightDelim' || token.type === 'rightParen') this.#cursor.back()
      else if (token.type !== 'pipe') return this.#unexpected(token, 'operand')
      break
    }
    if (args.length === 0) this.#fail('empty command')
    return { type: 'command', pos, args }
  }

  #operand(): Arg | undefined {
    const node = this.#term()
    if (!node || this.#cursor.peek().type !== 'field') return node
    // Go reports a chain at its second member; error messages keep that.
    const pos = this.#cursor.peek().pos
    const fields: string[] = []
    while (this.#cursor.peek().type === 'field') fields.push(this.#cursor.next().text.slice(1))
    switch (node.type) {
      case 'field':
        return { type: 'field', pos, fields: [...node.fields, ...fields] }
      case 'variable':
        return { ...node, pos, fields: [...node.fields, ...fields] }
      case 'bool':
      case 'string':
      case 'number':
      case 'nil':
      case 'dot':
        return this.#fail(`unexpected . after term ${JSON.stringify(nodeText(node))}`)
      default:
        return { type: 'chain', pos, node, fields }
    }
  }

  #term(): Arg | undefined {
    const token = this.#cursor.nextNonSpace()
    const { pos, text } = token
    switch (token.type) {
      case 'identifier':
        return this.#hasFunction(text)
          ? { type: 'identifier', pos, name: text }
          : this.#fail(`function ${JSON.stringify(text)} not defined`)
      case 'dot':
        return { type: 'dot', pos }
      case 'variable':
        return this.#variables.includes(text)
          ? { type: 'variable', pos, name: text, fields: [] }
          : this.#fail(`undefined variable ${JSON.stringify(text)}`)
      case 'field':
        return { type: 'field', pos, fields: [text.slice(1)] }
      case 'bool':
        return { type: 'bool', pos, value: text === 'true' }
      case 'charConstant':
      case 'complex':
      case 'number':
        return this.#number(token)
      case 'leftParen':
        return this.#parenthesized()
      case 'string':
      case 'rawString':
        return { type: 'string', pos, quoted: text, value: unquote(text) ?? this.#fail('invalid syntax') }
      default:
        if (token.type === 'keyword' && text === 'nil') return { type: 'nil', pos }
        this.#cursor.back()
        return undefined
    }
  }

  #number(token: Token): Arg {
    const { pos, text } = token
    if (token.type === 'complex' || text.endsWith('i')) return this.#fail(`complex numbers are not supported: ${text}`)
    if (token.type === 'charConstant') {
      const int =
        readRune(text) ?? this.#fail(text === "''" ? 'invalid syntax' : `malformed character constant: ${text}`)
      return { type: 'number', pos, text, value: { int, float: Number(int), isFloat: false } }
    }
    const value = readNumber(text) ?? this.#fail(`illegal number syntax: ${JSON.stringify(text)}`)
    if (value === 'overflow') return this.#fail(`integer overflow: ${JSON.stringify(text)}`)
    return { type: 'number', pos, text, value }
  }

  #parenthesized(): Pipe {
    this.#deeper('max expression depth exceeded')
    const pipe = this.#pipeline('parenthesized pipeline', 'rightParen')
    this.#depth -= 1
    return pipe
  }

  #deeper(problem: string) {
    this.#depth += 1
    if (this.#depth > maxDepth) this.#fail(problem)
  }

  #expect(type: TokenType, context: string) {
    const token = this.#cursor.nextNonSpace()
    if (token.type !== type) this.#unexpected(token, context)
  }

  #unexpected(token: Token, context: string): never {
    if (token.type !== 'error') return this.#fail(`unexpected ${tokenText(token)} in ${context}`)
    const started = this.#actionLine !== 0 && this.#actionLine !== token.line
    const where = started ? ` in action started at ${this.#source.name}:${this.#actionLine}` : ''
    return this.#fail(token.text + (token.text.endsWith(' action') ? where.replace(' in action', '') : where))
  }

  #fail(message: string): never {
    throw new TemplateError('parse', `template: ${this.#source.name}:${this.#cursor.line}: ${message}`)
  }
}

const isEmpty = (list: List): boolean => list.every((n) => n.type === 'text' && n.text.trim() === '')
