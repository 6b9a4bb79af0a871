import { Refusal } from '../../contracts/request.ts'

/** A Kubernetes LabelSelector; https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/ */
export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>>
  readonly matchExpressions: readonly LabelExpression[]
}
interface LabelExpression {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values: readonly string[]
}

/** Refusal 400 when the text is no LabelSelector. */
export async function parseSelector(text: string): Promise<LabelSelector> {
  const { parse } = await import('yaml')
  try {
    const value: unknown = parse(text, { maxAliasCount: 0 })
    return readSelector(value)
  } catch (cause) {
    throw new Refusal(
      400,
      'failed to parse "bound_service_account_namespace_selector" as k8s.io/api/meta/v1/LabelSelector object',
      { cause },
    )
  }
}

function readSelector(value: unknown): LabelSelector {
  const { matchLabels = {}, matchExpressions = [], ...unknown } = asRecord(value)
  if (Object.keys(unknown).length > 0) throw new Error('unknown members')
  if (!Array.isArray(matchExpressions)) throw new Error('matchExpressions is no list')
  const labels = asRecord(matchLabels)
  for (const label of Object.values(labels)) if (typeof label !== 'string') throw new Error('labels are strings')
  const selector = {
    matchLabels: labels as Record<string, string>,
    matchExpressions: matchExpressions.map(readExpression),
  }
  // An empty selector would match every namespace; nobody means that here.
  if (Object.keys(labels).length === 0 && selector.matchExpressions.length === 0) throw new Error('empty')
  return selector
}

function readExpression(value: unknown): LabelExpression {
  const { key, operator, values = [] } = asRecord(value)
  const known = (['In', 'NotIn', 'Exists', 'DoesNotExist'] as const).find((name) => name === operator)
  if (typeof key !== 'string' || !known || !Array.isArray(values)) throw new Error('bad expression')
  if (!values.every((v): v is string => typeof v === 'string')) throw new Error('values are strings')
  if ((known === 'In' || known === 'NotIn') !== values.length > 0) throw new Error('values do not fit the operator')
  return { key, operator: known, values }
}

function asRecord(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('not an object')
  return { ...value }
}

export function selectorMatches(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const label = (key: string) => (Object.hasOwn(labels, key) ? labels[key] : undefined)
  return (
    Object.entries(selector.matchLabels).every(([key, value]) => label(key) === value) &&
    selector.matchExpressions.every((expression) => expressionMatches(expression, label(expression.key)))
  )
}

function expressionMatches({ operator, values }: LabelExpression, value: string | undefined): boolean {
  switch (operator) {
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
  }
}
