/** Everything that is held against a custom resource, in the API server's order: schema, replicas, lists, embedded objects, rules. */
import type { KubeObject } from '../../../../kube/client.ts'
import { type FieldProblem, invalid, required } from '../../field-problem.ts'
import { dns1035Problem } from '../../kinds/names.ts'
import { at, isTree, type Tree, textAt, treeAt } from '../../tree.ts'
import { type Correlation, memberOf } from './correlation.ts'
import { uniquenessProblems } from './list-uniqueness.ts'
import { schemaProblems } from './schema-validation.ts'
import { ruleProblems, ruleTree } from './validation-rules.ts'

export interface ObjectValidator {
  whole(object: KubeObject, before: KubeObject | undefined): FieldProblem[]
  /** Of a change that came by the status subresource. */
  status(object: KubeObject, before: KubeObject): FieldProblem[]
}

const blocking = [
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]

export function objectValidator(schema: Tree, version: Tree): ObjectValidator {
  const rules = ruleTree(schema)
  const scale = treeAt(version, 'subresources', 'scale')
  const statusSchema = treeAt(schema, 'properties', 'status')
  const withRules = (found: FieldProblem[], object: KubeObject, before: KubeObject | undefined): FieldProblem[] => {
    if (!rules) return found
    if (!found.some((problem) => blocking.includes(problem.reason)))
      return [...found, ...ruleProblems(rules, object, before)]
    const words =
      'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation'
    return [...found, invalid('<nil>', null, words)]
  }
  const lists = (object: KubeObject, before: KubeObject | undefined) =>
    before && uniquenessProblems(schema, before).length > 0 ? [] : uniquenessProblems(schema, object)
  return {
    whole(object, before) {
      const correlation = correlationOf(object, before, schema)
      const found = schemaProblems(schema, withoutMetadata(object), { correlation })
      if (scale) found.push(...replicaProblems(object, scale, 'specReplicasPath'), ...statusScale(object, scale))
      found.push(...embeddedProblems(schema, object, ''), ...lists(object, before))
      return withRules(found, object, before)
    },
    status(object, before) {
      const correlation = memberOf(correlationOf(object, before, schema), 'status')
      const found =
        statusSchema && Object.hasOwn(object, 'status')
          ? schemaProblems(statusSchema, object['status'], { field: 'status', correlation })
          : []
      if (scale) found.push(...statusScale(object, scale))
      return withRules([...found, ...lists(object, before)], object, before)
    },
  }
}

function correlationOf(object: KubeObject, before: KubeObject | undefined, schema: Tree): Correlation | undefined {
  return before ? { now: withoutMetadata(object), before: withoutMetadata(before), schema } : undefined
}

/** The schema may describe metadata only in ways that the common rules already hold. */
function withoutMetadata(object: KubeObject): Tree {
  const { metadata, ...rest } = object
  const { name, generateName } = metadata
  return { ...rest, metadata: { ...(name ? { name } : {}), ...(generateName ? { generateName } : {}) } }
}

function replicaProblems(object: KubeObject, scale: Tree, member: string): FieldProblem[] {
  const path = textAt(scale, member) ?? ''
  const value = at(object, ...path.split('.').filter((step) => step !== ''))
  if (value === undefined) return []
  const say = (shown: unknown, words: string) => [invalid(path, shown, words)]
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    const type = typeof value === 'number' ? 'float64' : typeof value === 'boolean' ? 'bool' : typeof value
    return say(0, `${path} accessor error: ${String(value)} is of the type ${type}, expected int64`)
  }
  if (value < 0) return say(value, 'should be a non-negative integer')
  return value > 2 ** 31 - 1 ? say(value, `should be less than or equal to ${2 ** 31 - 1}`) : []
}

function statusScale(object: KubeObject, scale: Tree): FieldProblem[] {
  return replicaProblems(object, scale, 'statusReplicasPath')
}

/** Objects within the object have a version and a kind too. */
function embeddedProblems(schema: Tree, value: unknown, path: string): FieldProblem[] {
  if (Array.isArray(value)) {
    const items = treeAt(schema, 'items')
    return items ? value.flatMap((item, index) => embeddedProblems(items, item, `${path}[${index}]`)) : []
  }
  if (!isTree(value)) return []
  const own = schema['x-kubernetes-embedded-resource'] === true ? typeProblems(value, path) : []
  const properties = treeAt(schema, 'properties') ?? {}
  const additional = treeAt(schema, 'additionalProperties')
  const below = Object.entries(value).flatMap(([member, content]) => {
    const property = Object.hasOwn(properties, member) ? properties[member] : undefined
    if (isTree(property)) return embeddedProblems(property, content, path === '' ? member : `${path}.${member}`)
    return additional ? embeddedProblems(additional, content, `${path}[${member}]`) : []
  })
  return [...own, ...below]
}

function typeProblems(value: Tree, path: string): FieldProblem[] {
  const out: FieldProblem[] = []
  const field = (member: string) => (path === '' ? member : `${path}.${member}`)
  for (const member of ['apiVersion', 'kind'] as const) {
    const text = value[member]
    if (text === undefined) out.push(required(field(member)))
    else if (typeof text !== 'string') out.push(invalid(field(member), text, 'must be a string'))
    else if (text === '') out.push(invalid(field(member), text, 'must not be empty'))
    else if (member === 'kind') out.push(...kindProblems(text, field(member)))
    else if (text.split('/').length > 2)
      out.push(invalid(field(member), text, `unexpected GroupVersion string: ${text}`))
  }
  return out
}

function kindProblems(kind: string, field: string): FieldProblem[] {
  const problem = dns1035Problem(kind.toLowerCase())
  return problem ? [invalid(field, kind, `may have mixed case, but should otherwise match: ${problem}`)] : []
}
