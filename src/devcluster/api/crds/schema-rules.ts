/**
 * Which schemas a CustomResourceDefinition may have: structural ones, without anything that could not be enforced here
 * (k8s.io/apiextensions-apiserver/pkg/apiserver/schema).
 */
import { RE2JS } from 're2js'
import { type FieldProblem, forbidden, invalid, required } from '../field-problem.ts'
import { isTree, listAt, type Tree, textAt, treeAt } from '../tree.ts'
import { knownFormats } from './schema-formats.ts'
import { schemaProblems } from './schema-validation.ts'

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']
/** Keywords of JSON Schema that no CustomResourceDefinition may use. */
const never = [
  '$ref',
  'definitions',
  'dependencies',
  'deprecated',
  'discriminator',
  'id',
  'patternProperties',
  'readOnly',
  'writeOnly',
  'xml',
  'additionalItems',
]
const logical = ['allOf', 'anyOf', 'oneOf'] as const

export function schemaDefinitionProblems(schema: Tree, path: string): FieldProblem[] {
  const out: FieldProblem[] = []
  const type = textAt(schema, 'type')
  if (type === undefined) out.push(required(`${path}.type`, 'must not be empty at the root'))
  else if (type !== 'object') out.push(invalid(`${path}.type`, type, 'must be object at the root'))
  walk(schema, path, 'root', out)
  return out
}

type Place = 'root' | 'field' | 'items' | 'logic'

function walk(schema: Tree, path: string, place: Place, out: FieldProblem[]): void {
  for (const keyword of never)
    if (schema[keyword] !== undefined) out.push(forbidden(`${path}.${keyword}`, `${keyword} is not supported`))
  if (listAt(schema, 'x-kubernetes-validations').length > 0)
    out.push(forbidden(`${path}.x-kubernetes-validations`, 'the development cluster can not evaluate CEL yet'))
  typeRules(schema, path, place, out)
  patternRules(schema, path, out)
  if (place !== 'logic') listRules(schema, path, out)
  if (schema['default'] !== undefined) {
    if (place === 'logic') out.push(forbidden(`${path}.default`, 'must be undefined to be structural'))
    else out.push(...schemaProblems(schema, schema['default'], `${path}.default`))
  }
  below(schema, path, place, out)
}

function typeRules(schema: Tree, path: string, place: Place, out: FieldProblem[]): void {
  const type = textAt(schema, 'type')
  if (type !== undefined && !types.includes(type))
    out.push(invalid(`${path}.type`, type, `must be one of ${types.join(', ')}`))
  const free = schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true
  if (type === undefined && !free && (place === 'field' || place === 'items'))
    out.push(
      required(
        `${path}.type`,
        `must not be empty for specified ${place === 'items' ? 'array items' : 'object fields'}`,
      ),
    )
  if (place === 'logic' && type !== undefined && schema['x-kubernetes-int-or-string'] !== true && !isIntOrString(type))
    out.push(forbidden(`${path}.type`, 'must be empty to be structural'))
  if (
    treeAt(schema, 'properties') &&
    schema['additionalProperties'] !== undefined &&
    schema['additionalProperties'] !== false
  )
    out.push(forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'))
  if (schema['additionalProperties'] === false)
    out.push(forbidden(`${path}.additionalProperties`, 'additionalProperties cannot be set to false'))
  if (type === 'array' && place !== 'logic' && !isTree(schema['items']))
    out.push(required(`${path}.items`, 'must be specified'))
}

/** `anyOf: [{type: integer}, {type: string}]` beside x-kubernetes-int-or-string is the one allowed type in logic. */
const isIntOrString = (type: string) => type === 'integer' || type === 'string'

function patternRules(schema: Tree, path: string, out: FieldProblem[]): void {
  const pattern = textAt(schema, 'pattern')
  if (pattern !== undefined) {
    try {
      RE2JS.compile(pattern)
    } catch (error) {
      out.push(
        invalid(
          `${path}.pattern`,
          pattern,
          `must be a valid regular expression, but isn't: ${error instanceof Error ? error.message : ''}`,
        ),
      )
    }
  }
  const format = textAt(schema, 'format')
  if (format !== undefined && format !== '' && !knownFormats.has(format))
    out.push(forbidden(`${path}.format`, `the development cluster does not know the format "${format}"`))
}

function listRules(schema: Tree, path: string, out: FieldProblem[]): void {
  const keys = listAt(schema, 'x-kubernetes-list-map-keys')
  const listType = textAt(schema, 'x-kubernetes-list-type')
  if (listType === 'map' && keys.length === 0)
    out.push(required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map'))
  if (listType !== 'map' && keys.length > 0)
    out.push(
      invalid(
        `${path}.x-kubernetes-list-type`,
        listType ?? null,
        'must be map if x-kubernetes-list-map-keys is non-empty',
      ),
    )
  if (schema['uniqueItems'] === true)
    out.push(
      forbidden(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    )
}

function below(schema: Tree, path: string, place: Place, out: FieldProblem[]): void {
  const inLogic = place === 'logic'
  for (const [name, property] of Object.entries(treeAt(schema, 'properties') ?? {})) {
    const at = `${path}.properties[${name}]`
    if (!isTree(property)) out.push(required(at, 'must be a schema'))
    else walk(property, at, inLogic ? 'logic' : 'field', out)
  }
  const additional = treeAt(schema, 'additionalProperties')
  if (additional) walk(additional, `${path}.additionalProperties`, inLogic ? 'logic' : 'field', out)
  const items = treeAt(schema, 'items')
  if (items) walk(items, `${path}.items`, inLogic ? 'logic' : 'items', out)
  for (const keyword of logical)
    listAt(schema, keyword).forEach((branch, index) => {
      if (isTree(branch)) walk(branch, `${path}.${keyword}[${index}]`, 'logic', out)
    })
  const not = treeAt(schema, 'not')
  if (not) walk(not, `${path}.not`, 'logic', out)
}
