/** The rules of a Job that say what a failed pod means and when success is enough. */
import { duplicate, type FieldProblem, invalid, notSupported, required, tooLong, tooMany } from '../../field-problem.ts'
import { at, listAt, numberAt, type Tree, textAt, treeAt, treesAt } from '../../tree.ts'
import { qualifiedNameProblem } from '../names.ts'
import { indexCount } from './index-ranges.ts'

const maxRules = 20
const maxExitCodes = 255
const maxConditions = 20
const maxIndexesBytes = 64 * 1024
const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore']
const operators = ['In', 'NotIn']
const statuses = ['False', 'True', 'Unknown']

/** As Go's %q prints a list. */
const quoted = (values: readonly string[]) => `[${values.map((value) => JSON.stringify(value)).join(' ')}]`

export function podFailurePolicyProblems(spec: unknown, path: string): FieldProblem[] {
  const rules = treesAt(spec, 'podFailurePolicy', 'rules')
  const field = `${path}.podFailurePolicy.rules`
  const containers = ['containers', 'initContainers'].flatMap((member) =>
    treesAt(spec, 'template', 'spec', member).map((container) => textAt(container, 'name') ?? ''),
  )
  const perIndex = at(spec, 'backoffLimitPerIndex') !== undefined
  return [
    ...(rules.length > maxRules ? [tooMany(field, rules.length, maxRules)] : []),
    ...rules.flatMap((rule, index) => ruleProblems(rule, `${field}[${index}]`, containers, perIndex)),
  ]
}

function ruleProblems(rule: Tree, path: string, containers: readonly string[], perIndex: boolean): FieldProblem[] {
  const codes = treeAt(rule, 'onExitCodes')
  const conditions = treesAt(rule, 'onPodConditions')
  const out = actionProblems(textAt(rule, 'action') ?? '', `${path}.action`, perIndex)
  if (codes) out.push(...exitCodeProblems(codes, `${path}.onExitCodes`, containers))
  out.push(...conditionProblems(conditions, `${path}.onPodConditions`))
  if (codes && conditions.length > 0)
    out.push(broken(path, 'specifying both OnExitCodes and OnPodConditions is not supported'))
  if (!codes && conditions.length === 0)
    out.push(broken(path, 'specifying one of OnExitCodes and OnPodConditions is required'))
  return out
}

/** A problem of a whole object, which is not printed. */
const broken = (field: string, why: string): FieldProblem => ({
  reason: 'FieldValueInvalid',
  field,
  message: `Invalid value: ${why}`,
})

function actionProblems(action: string, field: string, perIndex: boolean): FieldProblem[] {
  if (action === '') return [required(field, `valid values: ${quoted(actions)}`)]
  if (!actions.includes(action)) return [notSupported(field, action, actions)]
  if (action !== 'FailIndex' || perIndex) return []
  return [invalid(field, action, 'requires the backoffLimitPerIndex to be set')]
}

function exitCodeProblems(codes: Tree, path: string, containers: readonly string[]): FieldProblem[] {
  const operator = textAt(codes, 'operator') ?? ''
  const container = textAt(codes, 'containerName')
  const values = listAt(codes, 'values').filter((value) => typeof value === 'number')
  const field = `${path}.values`
  const out: FieldProblem[] = []
  if (operator === '') out.push(required(`${path}.operator`, `valid values: ${quoted(operators)}`))
  else if (!operators.includes(operator)) out.push(notSupported(`${path}.operator`, operator, operators))
  if (container !== undefined && !containers.includes(container))
    out.push(
      invalid(
        `${path}.containerName`,
        container,
        'must be one of the container or initContainer names in the pod template',
      ),
    )
  if (values.length === 0) out.push(invalid(field, values, 'at least one value is required'))
  if (values.length > maxExitCodes) out.push(tooMany(field, values.length, maxExitCodes))
  for (const [index, value] of values.entries()) {
    if (operator === 'In' && value === 0)
      out.push(invalid(`${field}[${index}]`, value, 'must not be 0 for the In operator'))
    if (values.indexOf(value) < index) out.push(duplicate(`${field}[${index}]`, value))
  }
  if (values.some((value, index) => index > 0 && (values[index - 1] ?? 0) > value))
    out.push(invalid(field, values, 'must be ordered'))
  return out
}

function conditionProblems(conditions: readonly Tree[], path: string): FieldProblem[] {
  const each = conditions.flatMap((pattern, index) => {
    const type = textAt(pattern, 'type') ?? ''
    const status = textAt(pattern, 'status') ?? ''
    const field = `${path}[${index}]`
    const why = qualifiedNameProblem(type)
    const out = why ? [invalid(`${field}.type`, type, why)] : []
    if (status === '') out.push(required(`${field}.status`, `valid values: ${quoted(statuses)}`))
    else if (!statuses.includes(status)) out.push(notSupported(`${field}.status`, status, statuses))
    return out
  })
  return conditions.length > maxConditions ? [tooMany(path, conditions.length, maxConditions), ...each] : each
}

export function successPolicyProblems(spec: unknown, path: string): FieldProblem[] {
  const policy = `${path}.successPolicy`
  const rules = treesAt(spec, 'successPolicy', 'rules')
  if (textAt(spec, 'completionMode') !== 'Indexed')
    return [invalid(policy, { Rules: rules.map(goRule) }, 'requires indexed completion mode')]
  const field = `${policy}.rules`
  const completions = numberAt(spec, 'completions') ?? 0
  const out: FieldProblem[] = []
  if (rules.length === 0)
    out.push(required(field, 'at least one rules must be specified when the successPolicy is specified'))
  if (rules.length > maxRules) out.push(tooMany(field, rules.length, maxRules))
  return [...out, ...rules.flatMap((rule, index) => successRuleProblems(rule, `${field}[${index}]`, completions))]
}

/** As Go prints its internal type. */
const goRule = (rule: Tree) => ({
  SucceededIndexes: rule['succeededIndexes'] ?? null,
  SucceededCount: rule['succeededCount'] ?? null,
})

function successRuleProblems(rule: Tree, path: string, completions: number): FieldProblem[] {
  const count = numberAt(rule, 'succeededCount')
  const indexes = textAt(rule, 'succeededIndexes')
  const out: FieldProblem[] = []
  if (count === undefined && indexes === undefined)
    out.push(required(path, 'at least one of succeededCount or succeededIndexes must be specified'))
  const field = `${path}.succeededIndexes`
  const total = indexes === undefined ? 0 : indexCount(indexes, completions)
  if (indexes !== undefined && indexes.length > maxIndexesBytes) out.push(tooLong(field, maxIndexesBytes))
  if (typeof total === 'string') out.push(invalid(field, indexes, `error parsing succeededIndexes: ${total}`))
  if (count === undefined) return out
  const least = 'must be less than or equal to'
  const counted = `${path}.succeededCount`
  if (count < 0) out.push(invalid(counted, count, 'must be greater than or equal to 0'))
  if (count > completions)
    out.push(invalid(counted, count, `${least} ${completions} (the number of specified completions)`))
  const known = typeof total === 'string' ? 0 : total
  if (indexes !== undefined && count > known)
    out.push(
      invalid(counted, count, `${least} ${known} (the number of indexes in the specified succeededIndexes field)`),
    )
  return out
}
