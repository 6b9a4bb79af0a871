/** Holds a value against an OpenAPI schema, with kube-openapi's messages and in its order. */
import { RE2JS } from 're2js'
import {
  type FieldProblem,
  invalid,
  notSupported,
  required,
  tooLong,
  tooMany,
  typeInvalid,
} from '../../field-problem.ts'
import { equal, isTree, numberAt, type Tree, textAt, textsAt, treeAt, treesAt } from '../../tree.ts'
import { type Correlation, isUnchanged, itemOf, memberOf } from './correlation.ts'
import { knownFormat } from './schema-formats.ts'

export interface ValidationOptions {
  /** Where the value is in the object, for the problems' fields; their words speak of the path within the value. */
  readonly field?: string
  /** The state before a change: what did not change is not held against it. */
  readonly correlation?: Correlation | undefined
}

export function schemaProblems(schema: Tree, value: unknown, options: ValidationOptions = {}): FieldProblem[] {
  const { problems } = checkForgiving(
    schema,
    value,
    { path: '', field: options.field ?? '', top: true },
    options.correlation,
  )
  return problems
}

interface Place {
  /** As the words name it: "spec.items[0]". */
  readonly path: string
  /** Put before it in the problem's field. */
  readonly field: string
  readonly top: boolean
}

/** How well a value fits, to tell which of several schemas was meant. */
interface Outcome {
  readonly problems: FieldProblem[]
  matches: number
}

function report(outcome: Outcome, ...found: readonly FieldProblem[]): void {
  for (const problem of found)
    if (!outcome.problems.some((other) => other.message === problem.message && other.field === problem.field))
      outcome.problems.push(problem)
}

function merge(outcome: Outcome, other: Outcome): void {
  report(outcome, ...other.problems)
  outcome.matches += other.matches
}

function fieldOf({ path, field }: Place): string {
  const own = path.replace(/^\./, '')
  if (own === '') return field === '' ? '<nil>' : field
  return field === '' ? own : `${field}.${own}`
}

/** Only what kube-openapi reaches by way of a field or an index can be forgiven. */
function checkForgiving(schema: Tree, value: unknown, place: Place, correlation: Correlation | undefined): Outcome {
  const outcome = check(schema, value, place, correlation)
  const forgiven = outcome.problems.length > 0 && isUnchanged(correlation)
  return forgiven ? { problems: [], matches: outcome.matches } : outcome
}

function check(schema: Tree, value: unknown, place: Place, correlation: Correlation | undefined): Outcome {
  const outcome: Outcome = { problems: [], matches: 0 }
  const types = typesOf(schema)
  const format = knownFormat(textAt(schema, 'format'))
  if (value === null) {
    if (types.length > 0 && schema['nullable'] !== true) report(outcome, wrongType(place, types.join(','), 'null'))
    enumRule(schema, value, place, outcome)
    return outcome
  }
  if (types.length > 0 || format) typeRule({ types, format: format?.name ?? '' }, value, place, outcome)
  logicRules(schema, value, place, outcome, correlation)
  if (typeof value === 'string') {
    textRules(schema, value, place, outcome)
    if (format && !format.fits(value)) report(outcome, wrongType(place, format.name, value))
    outcome.matches += format ? 2 : 1
  } else if (typeof value === 'number') {
    numberRules(schema, value, place, outcome)
    outcome.matches += 2
  } else if (Array.isArray(value)) {
    listRules(schema, value, place, outcome, correlation)
    outcome.matches += 2
  }
  enumRule(schema, value, place, outcome)
  if (isTree(value)) objectRules(schema, value, place, outcome, correlation)
  outcome.matches += isTree(value) ? 3 : 2
  return outcome
}

function typesOf(schema: Tree): readonly string[] {
  if (schema['x-kubernetes-int-or-string'] === true) return ['integer', 'string']
  const type = textAt(schema, 'type')
  return type === undefined ? [] : [type]
}

function wrongType(place: Place, wanted: string, found: string): FieldProblem {
  const words = `${place.path} in body must be of type ${wanted}: ${JSON.stringify(found)}`
  return typeInvalid(fieldOf(place), found, words)
}

interface Wanted {
  readonly types: readonly string[]
  readonly format: string
}

function typeRule({ types, format }: Wanted, value: unknown, place: Place, outcome: Outcome): void {
  const found = typeName(value)
  const isNumber = types.includes('number') || types.includes('integer')
  const isText = typeof value === 'string' || Array.isArray(value)
  const fits = types.includes(found) || (found === 'integer' && types.includes('number'))
  if (!isText && format !== '' && !fits) {
    report(outcome, wrongType(place, format, typeof value === 'number' ? numberFormat(value) : ''))
    return
  }
  outcome.matches += 1
  // Text with a format is left to the format.
  if (!isNumber && format !== '' && isText) return
  if (!fits) report(outcome, wrongType(place, types.join(','), found))
}

const numberFormat = (value: number) => (Number.isInteger(value) ? 'int64' : 'double')

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value
}

function enumRule(schema: Tree, value: unknown, place: Place, outcome: Outcome): void {
  const allowed = schema['enum']
  if (!Array.isArray(allowed) || allowed.length === 0) return
  if (value !== null && allowed.some((item) => equal(item, value))) return
  const shown = allowed.map((item) => (typeof item === 'string' ? item : JSON.stringify(item)))
  report(outcome, notSupported(fieldOf(place), value, shown))
}

function textRules(schema: Tree, value: string, place: Place, outcome: Outcome): void {
  const length = [...value].length
  const most = numberAt(schema, 'maxLength')
  const least = numberAt(schema, 'minLength') ?? 0
  const pattern = textAt(schema, 'pattern') ?? ''
  const field = fieldOf(place)
  if (most !== undefined && length > most) report(outcome, tooLong(field, most))
  else if (length < least)
    report(outcome, invalid(field, value, `${place.path} in body should be at least ${least} chars long`))
  else if (pattern !== '' && !RE2JS.compile(pattern).matcher(value).find())
    report(outcome, invalid(field, value, `${place.path} in body should match '${pattern}'`))
}

function numberRules(schema: Tree, value: number, place: Place, outcome: Outcome): void {
  const most = numberAt(schema, 'maximum')
  const least = numberAt(schema, 'minimum')
  const step = numberAt(schema, 'multipleOf')
  const say = (words: string) =>
    report(outcome, invalid(fieldOf(place), value, `${place.path} in body should be ${words}`))
  const noMost = schema['exclusiveMaximum'] === true
  const noLeast = schema['exclusiveMinimum'] === true
  if (step !== undefined && !isMultiple(value, step)) say(`a multiple of ${step}`)
  if (least !== undefined && (noLeast ? value <= least : value < least))
    say(`greater than ${noLeast ? '' : 'or equal to '}${least}`)
  if (most !== undefined && (noMost ? value >= most : value > most))
    say(`less than ${noMost ? '' : 'or equal to '}${most}`)
}

function isMultiple(value: number, step: number): boolean {
  const quotient = step < 1 ? (1 / step) * value : value / step
  return Math.abs(quotient - Math.round(quotient)) < 1e-9
}

function listRules(
  schema: Tree,
  value: readonly unknown[],
  place: Place,
  outcome: Outcome,
  correlation: Correlation | undefined,
): void {
  const items = treeAt(schema, 'items')
  if (items)
    for (const [index, item] of value.entries()) {
      const below = { ...place, path: `${place.path}[${index}]`, top: false }
      merge(outcome, checkForgiving(items, item, below, itemOf(correlation, index)))
    }
  const most = numberAt(schema, 'maxItems')
  const least = numberAt(schema, 'minItems') ?? 0
  const field = fieldOf(place)
  if (value.length < least)
    report(outcome, invalid(field, value.length, `${place.path} in body should have at least ${least} items`))
  if (most !== undefined && value.length > most) report(outcome, tooMany(field, value.length, most))
}

function objectRules(
  schema: Tree,
  value: Tree,
  place: Place,
  outcome: Outcome,
  correlation: Correlation | undefined,
): void {
  const members = Object.keys(value)
  const most = numberAt(schema, 'maxProperties')
  const least = numberAt(schema, 'minProperties') ?? 0
  const field = fieldOf(place)
  if (members.length < least)
    report(outcome, invalid(field, members.length, `${place.path} in body should have at least ${least} properties`))
  if (most !== undefined && members.length > most) report(outcome, tooMany(field, members.length, most))
  const properties = treeAt(schema, 'properties') ?? {}
  const additional = treeAt(schema, 'additionalProperties')
  const below = (member: string, part: unknown, path: string) => {
    if (!isTree(part)) return
    // The server puts kind and version into every object itself.
    const same = place.top && (member === 'kind' || member === 'apiVersion') ? undefined : memberOf(correlation, member)
    merge(outcome, checkForgiving(part, value[member], { ...place, path, top: false }, same))
  }
  for (const member of members)
    if (additional && !Object.hasOwn(properties, member)) below(member, additional, `${place.path}.${member}`)
  for (const [member, property] of Object.entries(properties))
    if (Object.hasOwn(value, member)) below(member, property, place.path === '' ? member : `${place.path}.${member}`)
  for (const member of textsAt(schema, 'required'))
    if (!Object.hasOwn(value, member)) report(outcome, required(fieldOf({ ...place, path: `${place.path}.${member}` })))
}

/** The API server names no field for these: the path is in the words. */
function logicRules(
  schema: Tree,
  value: unknown,
  place: Place,
  outcome: Outcome,
  correlation: Correlation | undefined,
): void {
  const field = place.field === '' ? '<nil>' : place.field
  const say = (words: string) => report(outcome, invalid(field, '', `${JSON.stringify(place.path)} must ${words}`))
  const tried = (keyword: string) => treesAt(schema, keyword).map((part) => check(part, value, place, correlation))
  const anyOf = tried('anyOf')
  const fits = anyOf.find(({ problems }) => problems.length === 0)
  if (anyOf.length > 0 && !fits) say('validate at least one schema (anyOf)')
  const meant = fits ?? closest(anyOf)
  if (meant) merge(outcome, meant)
  const oneOf = tried('oneOf')
  const fitting = oneOf.filter(({ problems }) => problems.length === 0)
  if (oneOf.length > 0 && fitting.length !== 1) {
    const found = fitting.length === 0 ? 'none valid' : `${fitting.length} valid alternatives`
    say(`validate one and only one schema (oneOf). Found ${found}`)
  }
  const only = fitting.length === 0 ? closest(oneOf) : fitting.length === 1 ? fitting[0] : undefined
  if (only) merge(outcome, only)
  const allOf = tried('allOf')
  for (const one of allOf) merge(outcome, one)
  const valid = allOf.filter(({ problems }) => problems.length === 0).length
  if (valid !== allOf.length) say(`validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`)
  const not = treeAt(schema, 'not')
  if (not && check(not, value, place, correlation).problems.length === 0) say('not validate the schema (not)')
  outcome.matches += 1
}

/** The one of which most held. */
function closest(outcomes: readonly Outcome[]): Outcome | undefined {
  return outcomes.reduce<Outcome | undefined>(
    (best, one) => (best === undefined || one.matches > best.matches ? one : best),
    undefined,
  )
}
