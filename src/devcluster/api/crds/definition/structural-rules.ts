/** Which schemas are structural: every part has a type, conditions say nothing of structure (apiserver/schema/validation.go). */
import { RE2JS } from 're2js'
import { type FieldProblem, forbidden, invalid, required } from '../../field-problem.ts'
import { equal, isTree, listAt, type Tree, textAt, treeAt, treesAt } from '../../tree.ts'

type Level = 'root' | 'items' | 'field'

export function structuralProblems(schema: Tree, path: string): FieldProblem[] {
  const out: FieldProblem[] = []
  invariants(schema, 'root', path, out)
  completeness(schema, schema, path, out)
  const shown = (problem: FieldProblem) => `${problem.field}: ${problem.message}`
  return out.sort((a, b) => (shown(a) < shown(b) ? -1 : 1))
}

const isSet = (schema: Tree, member: string) => schema[member] === true
const emptyTypeWords: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  items: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
}

// Long because it is the list of the rules of one node.
function invariants(schema: Tree, level: Level, path: string, out: FieldProblem[]): void {
  const type = textAt(schema, 'type') ?? ''
  const embedded = isSet(schema, 'x-kubernetes-embedded-resource')
  const preserves = isSet(schema, 'x-kubernetes-preserve-unknown-fields')
  const intOrString = isSet(schema, 'x-kubernetes-int-or-string')
  const items = treeAt(schema, 'items')
  const properties = treeAt(schema, 'properties') ?? {}
  if (type === 'array' && !items) out.push(required(`${path}.items`, 'must be specified'))
  if (items) invariants(items, 'items', `${path}.items`, out)
  for (const [name, property] of Object.entries(properties))
    if (isTree(property)) invariants(property, 'field', `${path}.properties[${name}]`, out)
  additionalRules(schema, level, path, out)
  if (intOrString) {
    const words = 'must be false if x-kubernetes-int-or-string is true'
    if (preserves) out.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, true, words))
    if (embedded) out.push(invalid(`${path}.x-kubernetes-embedded-resource`, true, words))
  }
  conditions(schema, path, { anyOf: isIntOrString(schema), allOf: isIntOrString(treesAt(schema, 'allOf')[0]) }, out)
  typeProblems(schema, level, path, out)
  metadataRules(properties, level, embedded, path, out)
  if (embedded && !preserves && Object.keys(properties).length === 0)
    out.push(
      required(
        `${path}.properties`,
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    )
}

function typeProblems(schema: Tree, level: Level, path: string, out: FieldProblem[]): void {
  const type = textAt(schema, 'type') ?? ''
  const free = isSet(schema, 'x-kubernetes-int-or-string') || isSet(schema, 'x-kubernetes-preserve-unknown-fields')
  if (isSet(schema, 'x-kubernetes-embedded-resource') && type !== 'object') {
    const words = 'must be object if x-kubernetes-embedded-resource is true'
    out.push(type === '' ? required(`${path}.type`, words) : invalid(`${path}.type`, type, words))
  } else if (type === '' && !free) {
    out.push(required(`${path}.type`, emptyTypeWords[level]))
  }
  if (level === 'root' && type !== '' && type !== 'object')
    out.push(invalid(`${path}.type`, type, 'must be object at the root'))
}

function additionalRules(schema: Tree, level: Level, path: string, out: FieldProblem[]): void {
  const { additionalProperties } = schema
  const at = `${path}.additionalProperties`
  if (additionalProperties === undefined || additionalProperties === null) return
  if (level === 'root') out.push(forbidden(at, 'must not be used at the root'))
  if (isTree(additionalProperties)) invariants(additionalProperties, 'field', at, out)
  if (isSet(schema, 'x-kubernetes-embedded-resource'))
    out.push(forbidden(at, 'must not be used if x-kubernetes-embedded-resource is set'))
}

function metadataRules(properties: Tree, level: Level, embedded: boolean, path: string, out: FieldProblem[]): void {
  const isResource = level === 'root' || embedded
  for (const name of ['kind', 'apiVersion']) {
    const property = treeAt(properties, name)
    const type = textAt(property, 'type') ?? ''
    if (property && isResource && type !== 'string')
      out.push(invalid(`${path}.properties[${name}].type`, type, 'must be string'))
  }
  const metadata = treeAt(properties, 'metadata')
  if (!metadata) return
  const at = `${path}.properties[metadata]`
  if (isResource && textAt(metadata, 'type') !== 'object')
    out.push(invalid(`${at}.type`, textAt(metadata, 'type') ?? '', 'must be object'))
  if (level !== 'root') return
  const names = Object.keys(treeAt(metadata, 'properties') ?? {})
  const { type: _, properties: __, default: ___, description: ____, ...rest } = metadata
  const only = names.every((name) => name === 'name' || name === 'generateName')
  if (!only || Object.keys(rest).length > 0 || metadata['description'] !== undefined)
    out.push(
      forbidden(at, 'must not specify anything other than name and generateName, but metadata is implicitly specified'),
    )
}

function isIntOrString(schema: Tree | undefined): boolean {
  return equal(schema?.['anyOf'], [{ type: 'integer' }, { type: 'string' }])
}

/** Of anyOf, allOf, oneOf and not, and of the pattern. */
function conditions(
  schema: Tree,
  path: string,
  skip: { readonly anyOf: boolean; readonly allOf: boolean },
  out: FieldProblem[],
): void {
  const none = { anyOf: false, allOf: false }
  const anyOf = skip.anyOf ? [] : treesAt(schema, 'anyOf')
  for (const [index, one] of anyOf.entries()) nested(one, `${path}.anyOf[${index}]`, none, out)
  treesAt(schema, 'allOf').forEach((one, index) => {
    nested(one, `${path}.allOf[${index}]`, { anyOf: skip.allOf && index === 0, allOf: false }, out)
  })
  for (const [index, one] of treesAt(schema, 'oneOf').entries()) nested(one, `${path}.oneOf[${index}]`, none, out)
  const not = treeAt(schema, 'not')
  if (not) nested(not, `${path}.not`, none, out)
  const pattern = textAt(schema, 'pattern') ?? ''
  const fault = pattern === '' ? undefined : patternFault(pattern)
  if (fault) out.push(invalid(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${fault}`))
}

function patternFault(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : 'invalid'
  }
}

/** What a condition may not say, and how that is put. */
const structure: readonly (readonly [string, string])[] = [
  ['type', 'must be empty to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
]

function nested(
  schema: Tree,
  path: string,
  skip: { readonly anyOf: boolean; readonly allOf: boolean },
  out: FieldProblem[],
): void {
  const none = { anyOf: false, allOf: false }
  conditions(schema, path, skip, out)
  const items = treeAt(schema, 'items')
  if (items) nested(items, `${path}.items`, none, out)
  const properties = treeAt(schema, 'properties') ?? {}
  for (const [name, property] of Object.entries(properties))
    if (isTree(property)) nested(property, `${path}.properties[${name}]`, none, out)
  for (const [member, words] of structure) {
    const value = schema[member]
    const unset = value === undefined || value === null || value === '' || value === false
    if (!unset && !(Array.isArray(value) && value.length === 0)) out.push(forbidden(`${path}.${member}`, words))
  }
  if (properties['metadata'] !== undefined)
    out.push(forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context'))
}

/** Every field that a condition at the root names is in the structure too. */
function completeness(structure: Tree | undefined, schema: Tree, path: string, out: FieldProblem[]): void {
  const at = (keyword: string) => listAt(schema, keyword)
  for (const keyword of ['allOf', 'anyOf', 'oneOf'])
    at(keyword).forEach((one, index) => {
      if (isTree(one)) complete(structure, one, `${path}.${keyword}[${index}]`, path, out)
    })
  const not = treeAt(schema, 'not')
  if (not) complete(structure, not, `${path}.not`, path, out)
}

function complete(structure: Tree | undefined, schema: Tree, where: string, path: string, out: FieldProblem[]): void {
  const items = treeAt(schema, 'items')
  if (items) {
    const known = treeAt(structure, 'items')
    if (!known) out.push(required(`${path}.items`, `because it is defined in ${where}.items`))
    else complete(known, items, `${where}.items`, `${path}.items`, out)
  }
  for (const [name, property] of Object.entries(treeAt(schema, 'properties') ?? {})) {
    if (!isTree(property)) continue
    const known = treeAt(structure, 'properties', name)
    const below = `properties[${name}]`
    if (!known) out.push(required(`${path}.${below}`, `because it is defined in ${where}.${below}`))
    else complete(known, property, `${where}.${below}`, `${path}.${below}`, out)
  }
  for (const keyword of ['allOf', 'anyOf', 'oneOf'])
    listAt(schema, keyword).forEach((one, index) => {
      if (isTree(one)) complete(structure, one, `${where}.${keyword}[${index}]`, path, out)
    })
  const not = treeAt(schema, 'not')
  if (not) complete(structure, not, `${where}.not`, path, out)
}
