/** Computes a checked expression, step by counted step. */
import type { Checked } from './checker.ts'
import { qualifiedName } from './checker.ts'
import { callCost } from './cost.ts'
import {
  add,
  compareValues,
  contains,
  divide,
  equalValues,
  find,
  index,
  modulo,
  multiply,
  negate,
  subtract,
} from './operators.ts'
import { accepts } from './overload.ts'
import type { Call, Comprehension, Node, OptionalMap, Select } from './syntax.ts'
import { CelError, CelList, CelMap, mapOf, none, noSuchOverload, Optional, typeNameOf, type Value } from './value.ts'

/** How much work is left. Shared by the rules of one object. */
export interface Budget {
  remaining: number
}

/** Not caught by `||` and `all()`: nothing goes on when the budget is gone. */
export class BudgetError extends Error {
  override name = 'BudgetError'
  constructor() {
    super('operation cancelled: actual cost limit exceeded')
  }
}

/** What names mean at a place: those of the loops around it, then the variables of the rule. */
interface Scope {
  get(name: string): Value | undefined
}

function within(outer: Scope, names: readonly string[], values: readonly Value[]): Scope {
  return {
    get(name) {
      const at = names.indexOf(name)
      return at < 0 ? outer.get(name) : values[at]
    },
  }
}

export class Evaluator {
  readonly #checked: Checked
  readonly #budget: Budget

  constructor(checked: Checked, budget: Budget) {
    this.#checked = checked
    this.#budget = budget
  }

  run(node: Node, scope: Scope): Value {
    this.#spend(1)
    switch (node.kind) {
      case 'literal':
        return node.value
      case 'identifier':
        return lookUp(node.name, scope)
      case 'select':
        return this.#select(node, scope)
      case 'call':
        return this.#call(node, scope)
      case 'list':
        return new CelList(node.items.map((item) => this.run(item, scope)))
      case 'map':
        return mapOf(node.entries.map(([key, value]) => [this.run(key, scope), this.run(value, scope)] as const))
      case 'comprehension':
        return this.#comprehension(node, scope)
      case 'optional-map':
        return this.#optionalMap(node, scope)
    }
  }

  #spend(steps: number): void {
    this.#budget.remaining -= steps
    if (this.#budget.remaining < 0) throw new BudgetError()
  }

  #select(node: Select, scope: Scope): Value {
    const name = this.#checked.qualified.get(node)
    if (name !== undefined) return lookUp(name, scope)
    const operand = this.run(node.operand, scope)
    const optional = node.optional || operand instanceof Optional
    const inner = operand instanceof Optional ? operand.value : operand
    if (inner === undefined) return node.test ? false : none
    if (!(inner instanceof CelMap)) throw noSuchOverload()
    const found = inner.get(this.#checked.renamed.get(node) ?? node.field)
    if (node.test) return found !== undefined
    if (optional) return found === undefined ? none : new Optional(found)
    if (found === undefined) throw new CelError(`no such key: ${node.field}`)
    return found
  }

  #call(node: Call, scope: Scope): Value {
    const lazy = this.#lazy(node, scope)
    if (lazy !== undefined) return lazy
    const namespaced =
      node.target !== undefined &&
      this.#checked.overloads.get(node)?.[0]?.member === false &&
      qualifiedName(node.target)
    const operands = node.target && !namespaced ? [node.target, ...node.args] : node.args
    const args = operands.map((operand) => this.run(operand, scope))
    this.#spend(callCost(node.name, args, this.#budget.remaining))
    const computed = operate(node.name, args)
    if (computed !== undefined) return computed
    const overload = this.#checked.overloads.get(node)?.find((candidate) => accepts(candidate, args))
    if (overload) return overload.compute(args)
    if (node.name === 'matches' && node.args.at(-1)?.kind === 'literal') throw noSuchOverload()
    throw noSuchOverload(`${node.name}(${args.map(typeNameOf).join(', ')})`)
  }

  /** What does not need all its arguments. */
  #lazy(node: Call, scope: Scope): Value | undefined {
    const [first, second, third] = node.args
    if (node.name === '_&&_' && first && second) return this.#logic(false, first, second, scope)
    if (node.name === '_||_' && first && second) return this.#logic(true, first, second, scope)
    if (node.name === '_?_:_' && first && second && third) {
      const condition = this.run(first, scope)
      if (typeof condition !== 'boolean') throw noSuchOverload()
      return this.run(condition ? second : third, scope)
    }
    if (node.target && first && (node.name === 'orValue' || node.name === 'or')) {
      const optional = this.run(node.target, scope)
      if (!(optional instanceof Optional)) throw noSuchOverload(node.name)
      if (optional.value !== undefined) return node.name === 'or' ? optional : optional.value
      return this.run(first, scope)
    }
    return undefined
  }

  /** One side that decides makes the other's error nothing. */
  #logic(deciding: boolean, left: Node, right: Node, scope: Scope): boolean {
    const a = this.#attempt(left, scope)
    if (a === deciding) return deciding
    const b = this.#attempt(right, scope)
    if (b === deciding) return deciding
    if (a instanceof CelError) throw a
    if (b instanceof CelError) throw b
    if (typeof a !== 'boolean' || typeof b !== 'boolean') throw noSuchOverload()
    return !deciding
  }

  #attempt(node: Node, scope: Scope): Value | CelError {
    try {
      return this.run(node, scope)
    } catch (error) {
      if (error instanceof CelError) return error
      throw error
    }
  }

  #comprehension(node: Comprehension, scope: Scope): Value {
    const range = this.run(node.range, scope)
    const rounds = this.#rounds(node, range, scope)
    switch (node.macro) {
      case 'all':
        return this.#quantify(false, node.body, rounds)
      case 'exists':
        return this.#quantify(true, node.body, rounds)
      case 'existsOne': {
        let holding = 0
        for (const round of rounds) if (this.#holds(node.body, round)) holding += 1
        return holding === 1
      }
      case 'filter': {
        const kept: Value[] = []
        for (const round of rounds) if (this.#holds(node.body, round)) kept.push(lookUp(node.names[0] ?? '', round))
        return new CelList(kept)
      }
      default:
        return this.#transform(node, rounds)
    }
  }

  /** One after another, each paid for: a long list costs nothing before its items are looked at. */
  *#rounds(node: Comprehension, range: Value, scope: Scope): Generator<Scope> {
    for (const values of roundsOf(range, node.names.length)) {
      this.#spend(1)
      yield within(scope, node.names, values)
    }
  }

  #transform(node: Comprehension, rounds: Iterable<Scope>): Value {
    const { filter } = node
    const pairs: (readonly [Value, Value])[] = []
    for (const round of rounds)
      if (filter === undefined || this.#holds(filter, round))
        pairs.push([lookUp(node.names[0] ?? '', round), this.run(node.body, round)])
    if (node.macro === 'transformMap') return mapOf(pairs)
    if (node.macro !== 'transformMapEntry') return new CelList(pairs.map(([, value]) => value))
    const entries = new Map<string, readonly [Value, Value]>()
    for (const [, made] of pairs) {
      if (!(made instanceof CelMap)) throw noSuchOverload()
      for (const [key, entry] of made.entries) {
        if (entries.has(key)) throw new CelError(`insert failed: key ${String(entry[0])} already exists`)
        entries.set(key, entry)
      }
    }
    return new CelMap(entries)
  }

  #holds(node: Node, scope: Scope): boolean {
    const value = this.run(node, scope)
    if (typeof value !== 'boolean') throw noSuchOverload()
    return value
  }

  #quantify(deciding: boolean, body: Node, rounds: Iterable<Scope>): boolean {
    let failed: CelError | undefined
    for (const round of rounds) {
      const value = this.#attempt(body, round)
      if (value === deciding) return deciding
      if (value instanceof CelError) failed ??= value
      else if (typeof value !== 'boolean') failed ??= noSuchOverload()
    }
    if (failed) throw failed
    return !deciding
  }

  #optionalMap(node: OptionalMap, scope: Scope): Value {
    const operand = this.run(node.operand, scope)
    if (!(operand instanceof Optional)) throw noSuchOverload('hasValue')
    if (operand.value === undefined) return none
    const body = this.run(node.body, within(scope, [node.name], [operand.value]))
    return node.flat ? body : new Optional(body)
  }
}

function lookUp(name: string, scope: Scope): Value {
  const value = scope.get(name)
  if (value === undefined) throw new CelError(`no such attribute(s): ${name}`)
  return value
}

/** The values of the loop variables, round by round. */
function* roundsOf(range: Value, names: number): Generator<readonly Value[]> {
  if (range instanceof CelMap) yield* range.entries.values()
  else if (!(range instanceof CelList)) throw noSuchOverload()
  else for (const [at, item] of range.items.entries()) yield names === 2 ? [BigInt(at), item] : [item]
}

/** Undefined when `name` is no operator. */
function operate(name: string, args: readonly Value[]): Value | undefined {
  const [a, b] = args
  if (a === undefined) return undefined
  if (b === undefined) return name === '-_' ? negate(a) : name === '!_' ? negated(a) : undefined
  switch (name) {
    case '_==_':
      return equalValues(a, b)
    case '_!=_':
      return !equalValues(a, b)
    case '_<_':
      return compareValues(a, b, name) < 0
    case '_<=_':
      return compareValues(a, b, name) <= 0
    case '_>_':
      return compareValues(a, b, name) > 0
    case '_>=_':
      return compareValues(a, b, name) >= 0
    case '_+_':
      return add(a, b)
    case '_-_':
      return subtract(a, b)
    case '_*_':
      return multiply(a, b)
    case '_/_':
      return divide(a, b)
    case '_%_':
      return modulo(a, b)
    case '@in':
      return contains(b, a)
    case '_[_]':
      return a instanceof Optional ? optionalMember(a, b) : index(a, b)
    case '_[?_]':
      return optionalMember(a, b)
    default:
      return undefined
  }
}

function negated(value: Value): boolean {
  if (typeof value !== 'boolean') throw noSuchOverload('!_')
  return !value
}

function optionalMember(container: Value, key: Value): Optional {
  const inner = container instanceof Optional ? container.value : container
  const found = inner === undefined ? undefined : find(inner, key)
  return found === undefined ? none : new Optional(found)
}
