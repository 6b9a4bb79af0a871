/** Defaults of a schema must themselves fit it (apiserver/schema/defaulting/validation.go). */
import { type FieldProblem, invalid } from '../../field-problem.ts'
import { equal, isTree, type Tree, treeAt } from '../../tree.ts'
import { pruneObject } from '../schema-pruning.ts'
import { schemaProblems } from '../validation/schema-validation.ts'
import { ruleProblems, ruleTree } from '../validation/validation-rules.ts'

export function defaultProblems(schema: Tree, path: string, isRoot = true): FieldProblem[] {
  const out = schema['default'] === undefined || schema['default'] === null ? [] : ownProblems(schema, path, isRoot)
  const items = treeAt(schema, 'items')
  if (items) out.push(...defaultProblems(items, `${path}.items`, false))
  for (const [name, property] of Object.entries(treeAt(schema, 'properties') ?? {}))
    if (isTree(property)) out.push(...defaultProblems(property, `${path}.properties[${name}]`, false))
  return out
}

function ownProblems(schema: Tree, path: string, isRoot: boolean): FieldProblem[] {
  const value = schema['default']
  const field = `${path}.default`
  const out: FieldProblem[] = []
  const pruned = { value: structuredClone(value) }
  pruneObject({ properties: { value: schema } }, pruned)
  if (!equal(pruned.value, value)) out.push(invalid(field, value, 'must not have unknown fields'))
  const wrong = schemaProblems(schema, value, { field })
  if (wrong.length > 0) return [...out, ...wrong]
  const rules = ruleTree(schema, isRoot)
  if (!rules) return out
  const broken = ruleProblems(rules, value, value)
  const fresh = broken.length > 0 ? [] : ruleProblems(rules, value)
  return [...out, ...[...broken, ...fresh].map((one) => ({ ...one, field: fieldBelow(field, one.field) }))]
}

const fieldBelow = (field: string, own: string) => (own === '' || own.startsWith('[') ? field + own : `${field}.${own}`)
