/** Holds a value against an OpenAPI schema, with kube-openapi's messages. */
import { RE2JS } from 're2js'
import {
  duplicate,
  type FieldProblem,
  invalid,
  notSupported,
  required,
  tooLong,
  tooMany,
  typeInvalid,
} from '../field-problem.ts'
import { itemStep } from '../patch/field-set.ts'
import { anyShape } from '../shapes/shape.ts'
import { equal, isTree, numberAt, type Tree, textAt, textsAt, treeAt, treesAt } from '../tree.ts'
import { knownFormats } from './schema-formats.ts'

/** `path` is empty for the whole object. */
export function schemaProblems(schema: Tree, value: unknown, path: string): FieldProblem[] {
  const out: FieldProblem[] = []
  check(schema, value, path, out)
  return out
}

function check(schema: Tree, value: unknown, path: string, out: FieldProblem[]): void {
  if (value === null && schema['nullable'] === true) return
  const type = textAt(schema, 'type')
  if (!hasType(schema, type, value)) {
    const wanted = schema['x-kubernetes-int-or-string'] === true ? 'integer,string' : (type ?? '')
    out.push(
      typeInvalid(
        path,
        typeName(value),
        `${path} in body must be of type ${wanted}: ${JSON.stringify(typeName(value))}`,
      ),
    )
    return
  }
  enumRule(schema, value, path, out)
  formatRule(schema, value, path, out)
  if (typeof value === 'string') textRules(schema, value, path, out)
  else if (typeof value === 'number') numberRules(schema, value, path, out)
  else if (Array.isArray(value)) listRules(schema, value, path, out)
  else if (isTree(value)) objectRules(schema, value, path, out)
  logicRules(schema, value, path, out)
}

function hasType(schema: Tree, type: string | undefined, value: unknown): boolean {
  if (schema['x-kubernetes-int-or-string'] === true) return typeof value === 'string' || Number.isInteger(value)
  switch (type) {
    case undefined:
      return true
    case 'integer':
      return Number.isInteger(value)
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isTree(value)
    default:
      return typeof value === type
  }
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value
}

function enumRule(schema: Tree, value: unknown, path: string, out: FieldProblem[]): void {
  const allowed = schema['enum']
  if (!Array.isArray(allowed) || allowed.some((item) => equal(item, value))) return
  out.push(
    notSupported(
      path,
      value,
      allowed.map((item) => (typeof item === 'string' ? item : JSON.stringify(item))),
    ),
  )
}

function formatRule(schema: Tree, value: unknown, path: string, out: FieldProblem[]): void {
  const format = textAt(schema, 'format') ?? ''
  const fits = knownFormats.get(format)
  if (fits && !fits(value))
    out.push(typeInvalid(path, value, `${path} in body must be of type ${format}: ${JSON.stringify(value)}`))
}

function textRules(schema: Tree, value: string, path: string, out: FieldProblem[]): void {
  const length = [...value].length
  const most = numberAt(schema, 'maxLength')
  const least = numberAt(schema, 'minLength') ?? 0
  const pattern = textAt(schema, 'pattern')
  if (most !== undefined && length > most) out.push(tooLong(path, most))
  if (length < least) out.push(invalid(path, value, `${path} in body should be at least ${least} chars long`))
  if (pattern !== undefined && !RE2JS.compile(pattern).matcher(value).find())
    out.push(invalid(path, value, `${path} in body should match '${pattern}'`))
}

function numberRules(schema: Tree, value: number, path: string, out: FieldProblem[]): void {
  const most = numberAt(schema, 'maximum')
  const least = numberAt(schema, 'minimum')
  const step = numberAt(schema, 'multipleOf')
  const say = (words: string) => out.push(invalid(path, value, `${path} in body should be ${words}`))
  const noMost = schema['exclusiveMaximum'] === true
  const noLeast = schema['exclusiveMinimum'] === true
  if (most !== undefined && (noMost ? value >= most : value > most))
    say(`less than ${noMost ? '' : 'or equal to '}${most}`)
  if (least !== undefined && (noLeast ? value <= least : value < least))
    say(`greater than ${noLeast ? '' : 'or equal to '}${least}`)
  if (step !== undefined && value % step !== 0) say(`a multiple of ${step}`)
}

function listRules(schema: Tree, value: readonly unknown[], path: string, out: FieldProblem[]): void {
  const most = numberAt(schema, 'maxItems')
  const least = numberAt(schema, 'minItems') ?? 0
  if (most !== undefined && value.length > most) out.push(tooMany(path, value.length, most))
  if (value.length < least) out.push(invalid(path, value.length, `${path} in body should have at least ${least} items`))
  const items = treeAt(schema, 'items')
  if (items) for (const [index, item] of value.entries()) check(items, item, `${path}[${index}]`, out)
  const listType = textAt(schema, 'x-kubernetes-list-type')
  if (listType !== 'map' && listType !== 'set') return
  const seen = new Set<string>()
  const owned = listType === 'set' ? ('set' as const) : textsAt(schema, 'x-kubernetes-list-map-keys')
  value.forEach((item, index) => {
    const step = itemStep(item, { kind: 'list', of: anyShape, mergeSet: false, owned })
    if (seen.has(step)) out.push(duplicate(`${path}[${index}]`, JSON.parse(step.slice(2))))
    seen.add(step)
  })
}

function objectRules(schema: Tree, value: Tree, path: string, out: FieldProblem[]): void {
  const members = Object.keys(value)
  const most = numberAt(schema, 'maxProperties')
  const least = numberAt(schema, 'minProperties') ?? 0
  const below = (member: string) => (path === '' ? member : `${path}.${member}`)
  if (most !== undefined && members.length > most) out.push(tooMany(path, members.length, most))
  if (members.length < least)
    out.push(invalid(path, members.length, `${path} in body should have at least ${least} properties`))
  for (const member of textsAt(schema, 'required')) if (!Object.hasOwn(value, member)) out.push(required(below(member)))
  const properties = treeAt(schema, 'properties') ?? {}
  const additional = treeAt(schema, 'additionalProperties')
  for (const [member, content] of Object.entries(value)) {
    const property = Object.hasOwn(properties, member) ? properties[member] : additional
    if (isTree(property)) check(property, content, below(member), out)
  }
}

/** The API server names no field for these: the path is in the text. */
function logicRules(schema: Tree, value: unknown, path: string, out: FieldProblem[]): void {
  const say = (words: string) => out.push(invalid('<nil>', '', `"${path}" must ${words}`))
  for (const branch of treesAt(schema, 'allOf')) check(branch, value, path, out)
  const anyOf = treesAt(schema, 'anyOf').map((branch) => schemaProblems(branch, value, path))
  if (anyOf.length > 0 && anyOf.every((problems) => problems.length > 0)) {
    out.push(...fewest(anyOf))
    say('validate at least one schema (anyOf)')
  }
  const oneOf = treesAt(schema, 'oneOf').map((branch) => schemaProblems(branch, value, path))
  const fitting = oneOf.filter((problems) => problems.length === 0).length
  if (oneOf.length > 0 && fitting !== 1) {
    if (fitting === 0) out.push(...fewest(oneOf))
    say(
      `validate one and only one schema (oneOf). Found ${fitting === 0 ? 'none valid' : `${fitting} valid alternatives`}`,
    )
  }
  const not = treeAt(schema, 'not')
  if (not && schemaProblems(not, value, path).length === 0) say('not validate the schema (not)')
}

function fewest(branches: readonly FieldProblem[][]): readonly FieldProblem[] {
  return [...branches].sort((a, b) => a.length - b.length)[0] ?? []
}
