/** matchConditions: expressions in CEL that say whether a webhook is asked at all. */
import {
  boolType,
  type CelType,
  dynType,
  formatType,
  listType,
  mapType,
  objectType,
  stringType,
} from '../cel/cel-type.ts'
import { type Budget, BudgetError } from '../cel/evaluator.ts'
import { CompilationError, compileExpression, type Expression } from '../cel/expression.ts'
import { CelError, CelList, mapOf, type Value } from '../cel/value.ts'
import { aggregate } from '../field-problem.ts'
import { isTree, type Tree, textAt, treesAt } from '../tree.ts'

/** What all conditions of a webhook may cost for one object, as the API server counts. */
const conditionsBudget = 2_500_000

const fields = (name: string, members: Readonly<Record<string, CelType>>) =>
  objectType(name, new Map(Object.entries(members)))
const kindType = fields('kubernetes.GroupVersionKind', { group: stringType, version: stringType, kind: stringType })
const resourceType = fields('kubernetes.GroupVersionResource', {
  group: stringType,
  version: stringType,
  resource: stringType,
})
const userType = fields('kubernetes.UserInfo', {
  username: stringType,
  uid: stringType,
  groups: listType(stringType),
  extra: mapType(stringType, listType(stringType)),
})
const requestType = fields('kubernetes.AdmissionRequest', {
  kind: kindType,
  resource: resourceType,
  subResource: stringType,
  requestKind: kindType,
  requestResource: resourceType,
  requestSubResource: stringType,
  name: stringType,
  namespace: stringType,
  operation: stringType,
  userInfo: userType,
  dryRun: boolType,
  options: dynType,
})
const variables: ReadonlyMap<string, CelType> = new Map([
  ['object', dynType],
  ['oldObject', dynType],
  ['namespaceObject', dynType],
  ['request', requestType],
])

/** Throws CompilationError, in the API server's words. */
export function compileCondition(text: string): Expression {
  let expression: Expression
  try {
    expression = compileExpression(text, variables)
  } catch (error) {
    if (error instanceof CompilationError && /\bauthorizer\b/.test(text))
      throw new CompilationError(
        'the development cluster has no "authorizer" in match conditions; object, oldObject and request are there',
      )
    throw error
  }
  if (expression.type.kind !== 'bool')
    throw new CompilationError(`must evaluate to bool but got ${formatType(expression.type)}`)
  return expression
}

/** True, false, or why it can't be told. */
export function meetsConditions(webhook: Tree, request: Tree): boolean | CelError {
  const conditions = treesAt(webhook, 'matchConditions')
  if (conditions.length === 0) return true
  const budget: Budget = { remaining: conditionsBudget }
  const { object, oldObject, uid: _, ...rest } = request
  const values = new Map<string, Value>([
    ['object', dynamic(object)],
    ['oldObject', dynamic(oldObject)],
    ['namespaceObject', null],
    ['request', dynamic(rest)],
  ])
  const faults: string[] = []
  for (const condition of conditions) {
    const text = (textAt(condition, 'expression') ?? '').trim()
    const outcome = evaluate(text, values, budget)
    if (outcome === false) return false
    if (outcome instanceof Error) faults.push(`expression '${text}' resulted in error: ${outcome.message}`)
  }
  return faults.length === 0 ? true : new CelError(aggregate(faults))
}

function evaluate(text: string, values: ReadonlyMap<string, Value>, budget: Budget): boolean | Error {
  try {
    const value = compileCondition(text).evaluate(values, budget)
    return typeof value === 'boolean' ? value : new CelError('cel expression must evaluate to a bool')
  } catch (error) {
    if (error instanceof CelError || error instanceof BudgetError || error instanceof CompilationError) return error
    throw error
  }
}

/** JSON as dynamic values: whole numbers are int. */
function dynamic(data: unknown): Value {
  if (Array.isArray(data)) return new CelList(data.map(dynamic))
  if (isTree(data))
    return mapOf(
      Object.entries(data)
        .filter(([, content]) => content !== undefined)
        .map(([key, content]) => [key, dynamic(content)] as const),
    )
  if (typeof data === 'number') return Number.isSafeInteger(data) ? BigInt(data) : data
  return typeof data === 'string' || typeof data === 'boolean' ? data : null
}
