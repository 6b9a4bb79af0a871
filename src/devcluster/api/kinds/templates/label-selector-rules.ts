/** What makes a label selector invalid (k8s.io/apimachinery/pkg/apis/meta/v1/validation ValidateLabelSelector). */
import { type FieldProblem, forbidden, invalid, required } from '../../field-problem.ts'
import { type Tree, textAt, textMapAt, textsAt, treesAt } from '../../tree.ts'
import { labelProblems } from '../metadata-rules.ts'
import { labelValueProblem, qualifiedNameProblem } from '../names.ts'

export function labelSelectorProblems(selector: unknown, path: string): FieldProblem[] {
  return [
    ...labelProblems(textMapAt(selector, 'matchLabels'), `${path}.matchLabels`),
    ...treesAt(selector, 'matchExpressions').flatMap((expression, index) =>
      expressionProblems(expression, `${path}.matchExpressions[${index}]`),
    ),
  ]
}

function expressionProblems(expression: Tree, path: string): FieldProblem[] {
  const operator = textAt(expression, 'operator') ?? ''
  const values = textsAt(expression, 'values')
  const key = textAt(expression, 'key') ?? ''
  const wrongKey = qualifiedNameProblem(key)
  return [
    ...operatorProblems(operator, values, path),
    ...(wrongKey ? [invalid(`${path}.key`, key, wrongKey)] : []),
    ...values.flatMap((value, index) => {
      const why = labelValueProblem(value)
      return why ? [invalid(`${path}.values[${index}]`, value, why)] : []
    }),
  ]
}

function operatorProblems(operator: string, values: readonly string[], path: string): FieldProblem[] {
  if (operator === 'In' || operator === 'NotIn')
    return values.length > 0 ? [] : [required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")]
  if (operator === 'Exists' || operator === 'DoesNotExist')
    return values.length === 0
      ? []
      : [forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")]
  return [invalid(`${path}.operator`, operator, 'not a valid selector operator')]
}
