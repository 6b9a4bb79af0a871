/** x-kubernetes-validations: rules in CEL beside a schema, compiled with the definition and evaluated with each object. */
import { type CelType, optionalType } from '../../cel/cel-type.ts'
import { type Budget, BudgetError } from '../../cel/evaluator.ts'
import { CompilationError, compileExpression, type Expression } from '../../cel/expression.ts'
import { CelError, none, Optional, type Value } from '../../cel/value.ts'
import { duplicate, type FieldProblem, forbidden, invalid, required } from '../../field-problem.ts'
import { at, isTree, type Tree, textAt, treeAt, treesAt } from '../../tree.ts'
import { type Correlation, isUnchanged, itemOf, memberOf } from './correlation.ts'
import { readFieldPath } from './field-path.ts'
import { typeOfSchema, valueOfData } from './schema-values.ts'

/** What all rules together may cost for one object, and each of them, as the API server counts. */
const objectBudget = 10_000_000
const ruleBudget = 1_000_000
const maxMessage = 5 * 1024

export interface CompiledRule {
  readonly expression: Expression | undefined
  readonly fault: string | undefined
  readonly message: Expression | undefined
  readonly messageFault: string | undefined
  readonly usesOldSelf: boolean
}

export function compileRules(schema: Tree, isRoot: boolean): readonly CompiledRule[] {
  const rules = treesAt(schema, 'x-kubernetes-validations')
  if (rules.length === 0) return []
  const type = typeOfSchema(schema, isRoot, 'selfType')
  return rules.map((rule) => compileRule(rule, type))
}

function compileRule(rule: Tree, type: CelType | undefined): CompiledRule {
  const text = textAt(rule, 'rule') ?? ''
  const empty = { expression: undefined, fault: undefined, message: undefined, messageFault: undefined }
  if (text.trim() === '') return { ...empty, usesOldSelf: false }
  if (!type) return { ...empty, fault: 'failed to convert to declType for CEL validation rules', usesOldSelf: false }
  const old = rule['optionalOldSelf'] === true ? optionalType(type) : type
  const variables = new Map([
    ['self', type],
    ['oldSelf', old],
  ])
  const compiled = attempt(() => compileExpression(text, variables))
  if (typeof compiled === 'string') return { ...empty, fault: compiled, usesOldSelf: false }
  const usesOldSelf = compiled.uses('oldSelf')
  if (compiled.type.kind !== 'bool') return { ...empty, fault: 'cel expression must evaluate to a bool', usesOldSelf }
  const said = textAt(rule, 'messageExpression') ?? ''
  if (said === '') return { ...empty, expression: compiled, usesOldSelf }
  const message = attempt(() => compileExpression(said, variables))
  if (typeof message === 'string')
    return { ...empty, expression: compiled, usesOldSelf, messageFault: `messageExpression ${message}` }
  const messageFault = message.type.kind === 'string' ? undefined : 'messageExpression must evaluate to a string'
  return { ...empty, expression: compiled, usesOldSelf, message, messageFault }
}

function attempt(compile: () => Expression): Expression | string {
  try {
    return compile()
  } catch (error) {
    if (error instanceof CompilationError) return error.message
    throw error
  }
}

/** A schema whose rules, or whose parts' rules, are there. */
export interface RuleTree {
  readonly schema: Tree
  readonly isRoot: boolean
  readonly rules: readonly CompiledRule[]
  readonly properties: ReadonlyMap<string, RuleTree>
  readonly items: RuleTree | undefined
  readonly additional: RuleTree | undefined
}

/** Undefined when there is no rule in it. */
export function ruleTree(schema: Tree, isRoot = true): RuleTree | undefined {
  const below = (part: Tree | undefined) =>
    part ? ruleTree(part, part['x-kubernetes-embedded-resource'] === true) : undefined
  const properties = new Map<string, RuleTree>()
  for (const [name, property] of Object.entries(treeAt(schema, 'properties') ?? {})) {
    const tree = isTree(property) ? below(property) : undefined
    if (tree) properties.set(name, tree)
  }
  const rules = compileRules(schema, isRoot)
  const items = below(treeAt(schema, 'items'))
  const additional = below(treeAt(schema, 'additionalProperties'))
  if (rules.length === 0 && properties.size === 0 && !items && !additional) return undefined
  return { schema, isRoot, rules, properties, items, additional }
}

/** Evaluates all rules on an object, of a change with the state before it. */
export function ruleProblems(tree: RuleTree, object: unknown, before?: unknown): FieldProblem[] {
  const walk: Walk = { out: [], budget: { remaining: objectBudget }, over: false }
  const correlation = before === undefined ? undefined : { now: object, before, schema: tree.schema }
  visit(walk, tree, { data: object, old: before, path: '', correlation, parent: undefined })
  return walk.out
}

interface Walk {
  readonly out: FieldProblem[]
  readonly budget: Budget
  /** The budget is spent: nothing more is looked at. */
  over: boolean
}
interface Place {
  readonly data: unknown
  readonly old: unknown
  readonly path: string
  /** What tells that this was so before; then its faults are forgiven. */
  readonly correlation: Correlation | undefined
  /** The nearest thing above that could be told from before. */
  readonly parent: Correlation | undefined
}

function visit(walk: Walk, tree: RuleTree, place: Place): void {
  if (walk.over || place.data === null || place.data === undefined) return
  evaluateRules(walk, tree, place)
  if (Array.isArray(place.data)) visitItems(walk, tree, place, place.data)
  else if (isTree(place.data)) visitMembers(walk, tree, place, place.data)
}

function visitItems(walk: Walk, { schema, items }: RuleTree, place: Place, list: readonly unknown[]): void {
  if (!items) return
  const parent = place.correlation ?? place.parent
  for (const [index, data] of list.entries()) {
    const correlation = itemOf(place.correlation, index)
    const old = oldItem(schema, place.old, data)
    visit(walk, items, { data, old, path: `${place.path}[${index}]`, correlation, parent })
  }
}

function visitMembers(walk: Walk, { properties, additional }: RuleTree, place: Place, members: Tree): void {
  const parent = place.correlation ?? place.parent
  for (const [member, data] of Object.entries(members)) {
    const below = properties.get(member) ?? additional
    if (!below) continue
    const step = additional ? `[${member}]` : place.path === '' ? member : `.${member}`
    const correlation = memberOf(place.correlation, member)
    visit(walk, below, { data, old: at(place.old, member), path: place.path + step, correlation, parent })
  }
}

/** Items are told apart only by the keys of a list of type map. */
function oldItem(schema: Tree, old: unknown, item: unknown): unknown {
  return itemOf({ now: [item], before: old, schema }, 0)?.before
}

function evaluateRules(walk: Walk, tree: RuleTree, place: Place): void {
  if (tree.rules.length === 0) return
  const written = treesAt(tree.schema, 'x-kubernetes-validations')
  let bound: Bound | undefined
  for (const [index, compiled] of tree.rules.entries()) {
    const rule = written[index] ?? {}
    const optional = rule['optionalOldSelf'] === true
    const isNew = place.old === undefined || place.old === null
    if (!compiled.expression || walk.over || (compiled.usesOldSelf && isNew && !optional)) continue
    bound ??= bind(tree, place)
    evaluateRule(walk, { tree, place, rule, compiled }, optional ? bound.withOptional : bound.variables)
  }
}

interface Bound {
  readonly variables: ReadonlyMap<string, Value>
  readonly withOptional: ReadonlyMap<string, Value>
}

function bind(tree: RuleTree, { data, old }: Place): Bound {
  const self = valueOfData(data, tree.schema, tree.isRoot)
  const before = old === undefined || old === null ? undefined : valueOfData(old, tree.schema, tree.isRoot)
  return {
    variables: new Map([['self', self], ...(before === undefined ? [] : [['oldSelf', before] as const])]),
    withOptional: new Map([
      ['self', self],
      ['oldSelf', before === undefined ? none : new Optional(before)],
    ]),
  }
}

interface Evaluation {
  readonly tree: RuleTree
  readonly place: Place
  readonly rule: Tree
  readonly compiled: CompiledRule
}

function evaluateRule(walk: Walk, evaluation: Evaluation, variables: ReadonlyMap<string, Value>): void {
  const { tree, place, rule, compiled } = evaluation
  const say = (words: string) => walk.out.push(invalid(place.path, textAt(tree.schema, 'type') ?? '', words))
  const shown = (textAt(rule, 'message') || textAt(rule, 'rule') || '').trim()
  const outcome = spend(walk, () => compiled.expression?.evaluate(variables, walk.budget))
  if (outcome instanceof BudgetError) {
    say(
      `'${outcome.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${shown}`,
    )
    walk.over = true
  } else if (outcome instanceof CelError) {
    say(
      outcome.message.startsWith('no such overload')
        ? `'${outcome.message}': call arguments did not match a supported operator, function or macro signature for rule: ${shown}`
        : `${outcome.message} evaluating rule: ${shown}`,
    )
  } else if (outcome !== true) {
    if (!compiled.usesOldSelf && isUnchanged(place.correlation ?? place.parent)) return
    walk.out.push(violation(walk, evaluation, variables))
  }
}

/** With a limit of its own within that of the object. */
function spend(walk: Walk, compute: () => Value | undefined): Value | undefined | CelError | BudgetError {
  const before = walk.budget.remaining
  const allowed = Math.min(before, ruleBudget)
  walk.budget.remaining = allowed
  try {
    return compute()
  } catch (error) {
    if (error instanceof CelError || error instanceof BudgetError) return error
    throw error
  } finally {
    walk.budget.remaining = before - (allowed - walk.budget.remaining)
  }
}

function violation(walk: Walk, { tree, place, rule, compiled }: Evaluation, variables: ReadonlyMap<string, Value>) {
  const type = textAt(tree.schema, 'type') ?? ''
  const below = textAt(rule, 'fieldPath') ? readFieldPath(textAt(rule, 'fieldPath') ?? '', tree.schema) : undefined
  const path = below && 'path' in below ? joinPaths(place.path, below.path) : place.path
  const fixed = (textAt(rule, 'message') ?? '').trim() || `failed rule: ${(textAt(rule, 'rule') ?? '').trim()}`
  const said = compiled.message ? spend(walk, () => compiled.message?.evaluate(variables, walk.budget)) : undefined
  return problemFor(textAt(rule, 'reason'), path, type, usable(said) ?? fixed)
}

/** The words of a message expression, if they are fit to be shown. */
function usable(said: unknown): string | undefined {
  const words = typeof said === 'string' ? said.trim() : ''
  return words === '' || words.includes('\n') || Buffer.byteLength(words) > maxMessage ? undefined : words
}

const joinPaths = (a: string, b: string) => (a === '' || b.startsWith('[') ? a + b : `${a}.${b}`)

function problemFor(reason: string | undefined, path: string, type: string, words: string): FieldProblem {
  switch (reason) {
    case 'FieldValueForbidden':
      return forbidden(path, words)
    case 'FieldValueRequired':
      return required(path, words)
    case 'FieldValueDuplicate':
      return duplicate(path, type)
    default:
      return invalid(path, type, words)
  }
}
