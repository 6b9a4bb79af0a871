/** Finds the type of every part of an expression before it is evaluated, and says what can't be right, as cel-go does. */
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  dynType,
  errorType,
  formatArguments,
  formatType,
  intType,
  isOptional,
  listType,
  mapType,
  nullType,
  optionalType,
  parameterType,
  sameType,
  stringType,
  uintType,
  withoutOptional,
} from './cel-type.ts'
import type { Overload } from './overload.ts'
import type { Call, Comprehension, Issue, Literal, Node, OptionalMap, Select } from './syntax.ts'
import {
  assign,
  assignAll,
  type Bindings,
  isLarge,
  mostGeneral,
  renameParameters,
  substitute,
} from './type-inference.ts'

export interface Declarations {
  /** Also by qualified name: "google.protobuf.Timestamp". */
  readonly identifiers: ReadonlyMap<string, CelType>
  readonly functions: ReadonlyMap<string, readonly Overload[]>
}

export interface Checked {
  readonly type: CelType
  readonly issues: readonly Issue[]
  /** Which forms of a function a call can mean. */
  readonly overloads: ReadonlyMap<Node, readonly Overload[]>
  /** Names written with dots that are one identifier. */
  readonly qualified: ReadonlyMap<Node, string>
  /** Fields by another name than they have: a keyword for an escaped keyword. */
  readonly renamed: ReadonlyMap<Node, string>
  readonly types: ReadonlyMap<Node, CelType>
  /** All identifiers that were used. */
  readonly used: ReadonlySet<string>
}

export function checkExpression(node: Node, declarations: Declarations): Checked {
  const checker = new Checker(declarations)
  const type = checker.check(node, declarations.identifiers)
  const types = new Map([...checker.found].map(([part, found]) => [part, checker.known(found)] as const))
  const { issues, overloads, qualified, renamed, used } = checker
  return { issues, overloads, qualified, renamed, used, types, type: checker.known(type) }
}

type Scope = ReadonlyMap<string, CelType>

/** Lives for one expression. */
class Checker {
  readonly issues: Issue[] = []
  readonly overloads = new Map<Node, readonly Overload[]>()
  readonly qualified = new Map<Node, string>()
  readonly renamed = new Map<Node, string>()
  readonly found = new Map<Node, CelType>()
  readonly used = new Set<string>()
  readonly #declarations: Declarations
  #bindings: Bindings = new Map()
  #variables = 0

  constructor(declarations: Declarations) {
    this.#declarations = declarations
  }

  known(type: CelType): CelType {
    return substitute(this.#bindings, type, 'dyn')
  }

  check(node: Node, scope: Scope): CelType {
    const type = this.#typeOf(node, scope)
    const fitting = isLarge(this.#bindings, type)
      ? this.#report(node.at, 'the type of this part is too large to be written')
      : type
    this.found.set(node, fitting)
    return fitting
  }

  #typeOf(node: Node, scope: Scope): CelType {
    switch (node.kind) {
      case 'literal':
        return literalType(node.value)
      case 'identifier':
        return this.#identifier(node.name, node, scope)
      case 'select':
        return this.#select(node, scope)
      case 'call':
        return this.#call(node, scope)
      case 'list': {
        const items = node.items.map((item) => ({ node: item, type: this.check(item, scope) }))
        return listType(this.#join(items))
      }
      case 'map': {
        const pairs = node.entries.map(([key, value]) => ({
          key: { node: key, type: this.check(key, scope) },
          value: { node: value, type: this.check(value, scope) },
        }))
        return mapType(this.#join(pairs.map((pair) => pair.key)), this.#join(pairs.map((pair) => pair.value)))
      }
      case 'comprehension':
        return this.#comprehension(node, scope)
      case 'optional-map':
        return this.#optionalMap(node, scope)
    }
  }

  #report(at: number, message: string): CelType {
    this.issues.push({ at, message })
    return errorType
  }

  #identifier(name: string, node: Node, scope: Scope): CelType {
    const type = scope.get(name)
    if (!type) return this.#report(node.at, `undeclared reference to '${name}' (in container '')`)
    this.used.add(name)
    return type
  }

  #select(node: Select, scope: Scope): CelType {
    const name = node.optional || node.test ? undefined : qualifiedName(node)
    if (name !== undefined && scope.has(name)) {
      this.qualified.set(node, name)
      return this.#identifier(name, node, scope)
    }
    const operand = substitute(this.#bindings, this.check(node.operand, scope))
    const field = this.#fieldType(node, withoutOptional(operand))
    if (node.test) return boolType
    return isOptional(operand) || node.optional ? optionalType(field) : field
  }

  #fieldType(node: Select, type: CelType): CelType {
    switch (type.kind) {
      case 'map':
        return type.parameters[1] ?? dynType
      case 'object':
        return this.#objectField(node, type)
      case 'parameter':
        this.#assignable(dynType, type)
        return dynType
      case 'dyn':
      case 'error':
        return dynType
      default:
        this.#report(node.at, `type '${formatType(type)}' does not support field selection`)
        return dynType
    }
  }

  #objectField(node: Select, { fields }: CelType): CelType {
    const known = fields?.get(node.field)
    if (known) return known
    const keyword = `__${node.field}__`
    const escaped = fields?.get(keyword)
    if (!escaped) return this.#report(node.at, `undefined field '${node.field}'`)
    this.renamed.set(node, keyword)
    return escaped
  }

  #call(node: Call, scope: Scope): CelType {
    const args = node.args.map((arg) => this.check(arg, scope))
    const { functions } = this.#declarations
    const prefix = node.target ? qualifiedName(node.target) : undefined
    const namespaced = prefix === undefined ? undefined : functions.get(`${prefix}.${node.name}`)
    if (namespaced) return this.#resolve(node, `${prefix}.${node.name}`, namespaced, args, false)
    const target = node.target ? [this.check(node.target, scope)] : []
    const overloads = functions.get(node.name)
    if (!overloads) return this.#report(node.at, `undeclared reference to '${node.name}' (in container '')`)
    return this.#resolve(node, node.name, overloads, [...target, ...args], node.target !== undefined)
  }

  #resolve(node: Call, name: string, overloads: readonly Overload[], args: readonly CelType[], member: boolean) {
    if (name === '_&&_' || name === '_||_') return this.#logic(node, args)
    const fitting: Overload[] = []
    let result: CelType | undefined
    for (const overload of overloads) {
      if (overload.member !== member) continue
      const [declared = dynType, ...parameters] = this.#fresh([overload.result, ...overload.parameters])
      const bindings = assignAll(this.#bindings, args, parameters)
      if (!bindings) continue
      this.#bindings = bindings
      fitting.push(overload)
      const type = substitute(bindings, declared)
      if (!result) result = type
      else if (result.kind !== 'dyn' && !sameType(result, type)) result = dynType
    }
    this.overloads.set(node, fitting)
    if (result) return result
    const shown = formatArguments(
      args.map((type) => this.known(type)),
      member,
    )
    return this.#report(node.at, `found no matching overload for '${name}' applied to '${shown}'`)
  }

  #logic(node: Call, args: readonly CelType[]): CelType {
    const wrong = node.args.filter((arg, index) => {
      const type = args[index] ?? dynType
      if (this.#assignable(type, boolType)) return false
      this.#mismatch(arg.at, boolType, type)
      return true
    })
    return wrong.length > 0 ? errorType : boolType
  }

  #mismatch(at: number, expected: CelType, found: CelType): CelType {
    const [a, b] = [expected, found].map((type) => formatType(substitute(this.#bindings, type)))
    return this.#report(at, `expected type '${a}' but found '${b}'`)
  }

  #assignable(a: CelType, b: CelType): boolean {
    const bindings = assign(this.#bindings, a, b)
    if (bindings) this.#bindings = bindings
    return bindings !== undefined
  }

  #fresh(types: readonly CelType[]): CelType[] {
    const call = this.#variables++
    return renameParameters(types, (name) => `_${name}${call}`)
  }

  /** What all parts are; of different types anything (expression.ts complains of that where it may not be). */
  #join(parts: readonly { readonly node: Node; readonly type: CelType }[]): CelType {
    let joined: CelType | undefined
    for (const { type } of parts) {
      if (!joined) joined = type
      else joined = this.#assignable(joined, type) ? mostGeneral(joined, type) : dynType
    }
    return joined ?? parameterType(`_empty${this.#variables++}`)
  }

  #comprehension(node: Comprehension, scope: Scope): CelType {
    const range = substitute(this.#bindings, this.check(node.range, scope))
    const [first = '', second] = node.names
    const [one, two] = this.#iterated(node, range)
    const inner = new Map(scope).set(first, second === undefined ? one : (two ?? dynType))
    if (second !== undefined) inner.set(first, one).set(second, two ?? dynType)
    if (node.filter) this.#condition(node, node.filter, inner)
    switch (node.macro) {
      case 'all':
      case 'exists':
      case 'existsOne':
        this.#condition(node, node.body, inner)
        return boolType
      case 'filter':
        this.#condition(node, node.body, inner)
        return listType(one)
      case 'map':
      case 'transformList':
        return listType(substitute(this.#bindings, this.check(node.body, inner)))
      case 'transformMap':
        return mapType(one, substitute(this.#bindings, this.check(node.body, inner)))
      case 'transformMapEntry':
        return substitute(this.#bindings, this.check(node.body, inner))
    }
  }

  /** The types of one or two loop variables. */
  #iterated(node: Comprehension, range: CelType): readonly [CelType, CelType?] {
    const [a = dynType, b = dynType] = range.parameters
    const two = node.names.length === 2
    switch (range.kind) {
      case 'list':
        return two ? [intType, a] : [a]
      case 'map':
        return two ? [a, b] : [a]
      case 'dyn':
      case 'error':
      case 'parameter':
        this.#assignable(dynType, range)
        return [dynType, dynType]
      default: {
        const shown = formatType(range)
        const words = `expression of type '${shown}' cannot be range of a comprehension (must be list, map, or dynamic)`
        this.#report(node.range.at, words)
        return [errorType, errorType]
      }
    }
  }

  #condition(node: Comprehension, condition: Node, scope: Scope): void {
    const type = this.check(condition, scope)
    if (this.#assignable(type, boolType)) return
    if (node.macro === 'all' || node.macro === 'exists') {
      this.#mismatch(condition.at, boolType, type)
      return
    }
    const branches = node.macro === 'existsOne' ? 'int, int' : ''
    const shown = formatType(this.known(type))
    const list = branches === '' ? this.#accumulated(node, scope) : branches
    this.#report(node.bodyAt, `found no matching overload for '_?_:_' applied to '(${shown}, ${list})'`)
  }

  /** What the branches of the step of filter and map are, as a complaint shows them. */
  #accumulated(node: Comprehension, scope: Scope): string {
    const of = node.macro === 'filter' ? (scope.get(node.names[0] ?? '') ?? dynType) : this.check(node.body, scope)
    const list = formatType(this.known(listType(of)))
    return `${list}, ${list}`
  }

  #optionalMap(node: OptionalMap, scope: Scope): CelType {
    const operand = substitute(this.#bindings, this.check(node.operand, scope))
    const fits = isOptional(operand) || operand.kind === 'dyn' || operand.kind === 'error'
    if (!fits)
      for (const method of ['hasValue', 'value'])
        this.#report(node.at, `found no matching overload for '${method}' applied to '${formatType(operand)}.()'`)
    const inner = fits ? withoutOptional(operand) : errorType
    const body = this.check(node.body, new Map(scope).set(node.name, inner))
    return node.flat ? body : optionalType(body)
  }
}

function literalType(value: Literal['value']): CelType {
  switch (typeof value) {
    case 'string':
      return stringType
    case 'bigint':
      return intType
    case 'number':
      return doubleType
    case 'boolean':
      return boolType
    default:
      if (value === null) return nullType
      return value instanceof Uint8Array ? bytesType : uintType
  }
}

/** "a.b.c" when the node is nothing else. */
export function qualifiedName(node: Node): string | undefined {
  if (node.kind === 'identifier') return node.name
  if (node.kind !== 'select' || node.test || node.optional) return undefined
  const operand = qualifiedName(node.operand)
  return operand === undefined ? undefined : `${operand}.${node.field}`
}
