import type { Budget } from './budget.ts'
import { printValue } from './fmt/format.ts'
import { quote, sortedKeys, toBytes } from './go-string.ts'
import {
  type Arg,
  type Body,
  type BranchNode,
  type Command,
  type List,
  type Node,
  nodeText,
  type Pipe,
} from './syntax/nodes.ts'
import { TemplateError } from './template-error.ts'
import {
  assignable,
  canBeNil,
  type FunctionTable,
  type GoFunction,
  GoStruct,
  goTypeOf,
  isList,
  isMap,
  type ParamType,
  truth,
  typeName,
  type Value,
} from './value.ts'

export type MissingKey = 'default' | 'zero' | 'error'

export interface Program {
  readonly bodies: ReadonlyMap<string, Body>
  readonly functions: FunctionTable
  readonly missingKey: MissingKey
}

/** A value that came down the pipeline; absent for the first command. */
type Final = { readonly value: Value } | undefined
type Jump = 'break' | 'continue' | undefined
const maxDepth = 200

/** Runs one body. The output is a list of pieces; bytes that are no UTF-8 are escaped as go-string.ts says. */
export class Evaluator {
  readonly #program: Program
  readonly #budget: Budget
  readonly #body: Body
  readonly #depth: number
  readonly #out: string[]
  readonly #scope: { name: string; value: Value }[]
  #at: Node | Arg | Command | undefined

  constructor(o: { program: Program; budget: Budget; body: Body; data: Value; out: string[]; depth?: number }) {
    this.#program = o.program
    this.#budget = o.budget
    this.#body = o.body
    this.#depth = o.depth ?? 0
    this.#out = o.out
    this.#scope = [{ name: '$', value: o.data }]
  }

  run(dot: Value) {
    try {
      this.#list(dot, this.#body.list)
    } catch (error) {
      if (error instanceof TemplateError) throw error
      throw this.#error(error instanceof RangeError ? 'exceeded maximum depth' : message(error), error)
    }
  }

  #list(dot: Value, list: List): Jump {
    for (const node of list) {
      const jump = this.#node(dot, node)
      if (jump) return jump
    }
    return undefined
  }

  #node(dot: Value, node: Node): Jump {
    this.#budget.step()
    this.#at = node
    switch (node.type) {
      case 'text':
        this.#write(node.text)
        return undefined
      case 'action': {
        const value = this.#pipeline(dot, node.pipe)
        this.#at = node
        if (node.pipe.variables.length === 0) this.#write(printValue(value))
        return undefined
      }
      case 'if':
      case 'with':
        return this.#branch(dot, node)
      case 'range':
        return this.#range(dot, node)
      case 'template':
        this.#call(dot, node.name, node.pipe)
        return undefined
      default:
        return node.type
    }
  }

  #write(text: string) {
    this.#budget.write(text.length)
    this.#out.push(text)
  }

  #branch(dot: Value, node: BranchNode): Jump {
    const mark = this.#scope.length
    const value = this.#pipeline(dot, node.pipe)
    const inner = node.type === 'with' ? value : dot
    const jump = truth(value) ? this.#list(inner, node.list) : this.#list(dot, node.otherwise ?? [])
    this.#scope.length = mark
    return jump
  }

  #range(dot: Value, node: BranchNode): Jump {
    const outer = this.#scope.length
    const value = this.#pipeline(dot, node.pipe)
    const mark = this.#scope.length
    let turns = 0
    let jump: Jump
    for (const [key, item] of this.#items(value, node.pipe.variables.length)) {
      turns += 1
      this.#budget.step()
      this.#setRangeVariables(node.pipe, mark, key, item)
      jump = this.#list(item, node.list)
      this.#scope.length = mark
      if (jump === 'break') break
    }
    const after = turns === 0 ? this.#list(dot, node.otherwise ?? []) : undefined
    this.#scope.length = outer
    return after
  }

  #items(value: Value, variables: number): Iterable<readonly [Value, Value]> {
    if (value === undefined || value === null) return []
    if (isList(value)) return value.map((item, i) => [BigInt(i), item] as const)
    if (isMap(value)) return sortedKeys(value).map((key) => [key, value.get(key)] as const)
    if (typeof value !== 'bigint') throw new Error(`range can't iterate over a value of type ${typeName(value)}`)
    if (variables > 1) throw new Error("can't use an integer to iterate over more than one variable")
    return upTo(value)
  }

  #setRangeVariables(pipe: Pipe, mark: number, key: Value, item: Value) {
    const [first, second] = pipe.variables
    if (first === undefined) return
    if (pipe.assign) {
      this.#assign(first, second === undefined ? item : key)
      if (second !== undefined) this.#assign(second, item)
      return
    }
    this.#scope[mark - 1] = { name: second ?? first, value: item }
    if (second !== undefined) this.#scope[mark - 2] = { name: first, value: key }
  }

  #call(dot: Value, name: string, pipe: Pipe | undefined) {
    const body = this.#program.bodies.get(name)
    if (!body) throw new Error(`template ${quote(name)} not defined`)
    if (this.#depth >= maxDepth) throw new Error(`exceeded maximum template depth (${maxDepth})`)
    const data = pipe ? this.#pipeline(dot, pipe) : undefined
    const shared = { program: this.#program, budget: this.#budget, out: this.#out }
    new Evaluator({ ...shared, body, data, depth: this.#depth + 1 }).run(data)
  }

  #pipeline(dot: Value, pipe: Pipe): Value {
    this.#budget.step()
    this.#at = pipe
    let final: Final
    for (const command of pipe.commands) {
      const value = this.#command(dot, command, final)
      // The interface around a value is dropped between commands, and with it the difference of nil and nothing.
      final = { value: value === null ? undefined : value }
    }
    const value = final?.value
    for (const name of pipe.variables) {
      if (pipe.assign) this.#assign(name, value)
      else this.#scope.push({ name, value })
    }
    return value
  }

  #assign(name: string, value: Value) {
    const entry = this.#scope.findLast((v) => v.name === name)
    if (!entry) throw new Error(`undefined variable: ${name}`)
    entry.value = value
  }

  #command(dot: Value, command: Command, final: Final): Value {
    const [first, ...args] = command.args
    if (!first) throw new Error('empty command')
    if (first.type === 'identifier') return this.#function(dot, first, command, args, final)
    const value = this.#operand(dot, first)
    if (args.length === 0 && !final) return value
    this.#at = first.type === 'pipe' ? command : first
    if (first.type === 'field' || first.type === 'chain') {
      throw new Error(`${first.fields.at(-1)} is not a method but has arguments`)
    }
    throw new Error(`can't give argument to non-function ${nodeText(first)}`)
  }

  /** A term that isn't a function with arguments. */
  #operand(dot: Value, node: Arg): Value {
    this.#at = node
    switch (node.type) {
      case 'bool':
      case 'string':
        return node.value
      case 'dot':
        return dot
      case 'nil':
        throw new Error('nil is not a command')
      case 'number':
        return this.#constant(node.value)
      case 'identifier':
        return this.#function(dot, node, node, [], undefined)
      case 'pipe':
        return this.#pipeline(dot, node)
      case 'field':
        return this.#fields(dot, node.fields, node)
      case 'variable':
        return this.#fields(this.#variable(node.name), node.fields, node)
      case 'chain': {
        if (node.node.type === 'nil') throw new Error(`indirection through explicit nil in ${nodeText(node)}`)
        return this.#fields(this.#operand(dot, node.node), node.fields, node)
      }
    }
  }

  #constant(value: { int?: bigint; float?: number; isFloat: boolean }): Value {
    return value.isFloat ? value.float : value.int
  }

  #variable(name: string): Value {
    const entry = this.#scope.findLast((v) => v.name === name)
    if (!entry) throw new Error(`undefined variable: ${name}`)
    return entry.value
  }

  #fields(start: Value, fields: readonly string[], node: Arg): Value {
    let value = start
    fields.forEach((field, i) => {
      this.#budget.step()
      this.#at = node
      value = this.#field(value, field, i > 0)
    })
    return value
  }

  /** `inner`: the receiver came out of a map or list, so that Go knows it as an interface only. */
  #field(receiver: Value, name: string, inner: boolean): Value {
    if (receiver === undefined) {
      if (this.#program.missingKey === 'error') throw new Error(`nil data; no entry for key ${quote(name)}`)
      return undefined
    }
    if (receiver === null) throw new Error(`nil pointer evaluating interface {}.${name}`)
    if (isMap(receiver)) {
      if (receiver.has(name)) return receiver.get(name)
      if (this.#program.missingKey === 'error') throw new Error(`map has no entry for key ${quote(name)}`)
      return this.#program.missingKey === 'zero' ? null : undefined
    }
    if (receiver instanceof GoStruct && receiver.fields.has(name)) return receiver.fields.get(name)
    throw new Error(`can't evaluate field ${name} in type ${inner ? 'interface {}' : typeName(receiver)}`)
  }

  #function(
    dot: Value,
    node: Arg & { type: 'identifier' },
    whole: Arg | Command,
    args: readonly Arg[],
    final: Final,
  ): Value {
    this.#budget.step()
    this.#at = node
    const fn = this.#program.functions.get(node.name)
    if (!fn) throw new Error(`${quote(node.name)} is not a defined function`)
    checkCount(node.name, fn, args.length, final !== undefined)
    if (node.name === 'and' || node.name === 'or') return this.#shortCircuit(dot, node.name, args, final)
    const values = args.map((arg, i) => this.#argument(dot, arg, fn.params[i] ?? fn.rest ?? 'any'))
    if (final) values.push(this.#checked(final.value, fn.params[values.length] ?? fn.rest ?? 'any'))
    try {
      const result = fn.call(...values)
      if (typeof result === 'string') this.#budget.made(result.length)
      return result
    } catch (error) {
      if (error instanceof TemplateError) throw error
      this.#at = whole
      throw this.#error(`error calling ${node.name}: ${message(error)}`, error)
    }
  }

  #shortCircuit(dot: Value, name: 'and' | 'or', args: readonly Arg[], final: Final): Value {
    let value: Value
    for (const arg of args) {
      value = this.#argument(dot, arg, 'any')
      if (truth(value) === (name === 'or')) return value
    }
    return final ? final.value : value
  }

  #argument(dot: Value, node: Arg, type: ParamType): Value {
    this.#budget.step()
    this.#at = node
    switch (node.type) {
      case 'nil':
        if (canBeNil(type)) return undefined
        throw new Error(`cannot assign nil to ${goTypeOf(type)}`)
      case 'bool':
      case 'string':
      case 'number':
        return literal(node, type)
      default:
        return this.#checked(this.#operand(dot, node), type)
    }
  }

  #checked(value: Value, type: ParamType): Value {
    if (value === undefined) {
      if (canBeNil(type)) return undefined
      throw new Error(`invalid value; expected ${goTypeOf(type)}`)
    }
    if (assignable(value, type)) return value
    const got = value === null ? 'interface {}' : typeName(value)
    throw new Error(`wrong type for value; expected ${goTypeOf(type)}; got ${got}`)
  }

  #error(text: string, cause: unknown): TemplateError {
    const { name, source } = this.#body
    const node = this.#at
    if (!node) return new TemplateError('execute', `template: ${source.name}: ${text}`, { cause })
    const before = source.text.slice(0, node.pos)
    const line = before.split('\n').length
    const column = toBytes(before.slice(before.lastIndexOf('\n') + 1)).length
    const where = `${source.name}:${line}:${column}: executing ${quote(name)} at <${nodeText(node)}>`
    return new TemplateError('execute', `template: ${where}: ${text}`, { cause })
  }
}

function checkCount(name: string, fn: GoFunction, given: number, piped: boolean) {
  const count = given + (piped ? 1 : 0)
  const want = fn.params.length
  if (fn.rest !== undefined && count < want) {
    throw new Error(`wrong number of args for ${name}: want at least ${want} got ${given}`)
  }
  if (fn.rest === undefined && count !== want) {
    throw new Error(`wrong number of args for ${name}: want ${want} got ${count}`)
  }
}

/** A literal takes the type of its place, as Go's untyped constants do. */
function literal(node: Arg & { type: 'bool' | 'string' | 'number' }, type: ParamType): Value {
  if (node.type === 'number') {
    const { int, float, isFloat } = node.value
    if (type === 'int' && int !== undefined) return int
    if (type === 'float' && float !== undefined) return float
    if (type === 'any') return isFloat ? float : int
  } else if (type === 'any' || type === node.type) {
    return node.value
  }
  const wanted = literalNames[type]
  if (wanted !== undefined) throw new Error(`expected ${wanted}; found ${nodeText(node)}`)
  throw new Error(`can't handle ${nodeText(node)} for arg of type ${goTypeOf(type)}`)
}

const literalNames: Partial<Record<ParamType, string>> = {
  int: 'integer',
  float: 'float',
  bool: 'bool',
  string: 'string',
}

function* upTo(end: bigint): Iterable<readonly [Value, Value]> {
  for (let i = 0n; i < end; i++) yield [undefined, i]
}

const message = (error: unknown): string => (error instanceof Error ? error.message : 'unknown error')
