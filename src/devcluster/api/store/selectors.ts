/** Label and field selectors (k8s.io/apimachinery/pkg/labels, pkg/fields). */
import { badRequest } from '../status.ts'
import { textAt, textMapAt, textsAt, treesAt } from '../tree.ts'

export type LabelRequirement = {
  readonly key: string
  readonly operator: 'in' | 'notin' | 'exists' | '!'
  readonly values: readonly string[]
}

/** The query's form: "app=x,tier in (a,b),!old". */
export function parseLabelSelector(text: string): readonly LabelRequirement[] {
  return splitTop(text)
    .filter((part) => part.trim() !== '')
    .map((part) => labelRequirement(part.trim()))
}

function labelRequirement(part: string): LabelRequirement {
  const set = /^([^\s!=,()]+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(part)
  if (set)
    return requirement(
      set[1],
      set[2] === 'in' ? 'in' : 'notin',
      (set[3] ?? '').split(',').map((v) => v.trim()),
    )
  const equality = /^([^\s!=,()]+)\s*(==|=|!=)\s*([^\s!=,()]*)$/.exec(part)
  if (equality) return requirement(equality[1], equality[2] === '!=' ? 'notin' : 'in', [equality[3] ?? ''])
  const absent = /^!\s*([^\s!=,()]+)$/.exec(part)
  if (absent) return requirement(absent[1], '!', [])
  if (/^[^\s!=,()]+$/.test(part)) return requirement(part, 'exists', [])
  throw badRequest(`unable to parse requirement: ${JSON.stringify(part)} is not a label requirement`)
}

function requirement(
  key: string | undefined,
  operator: LabelRequirement['operator'],
  values: readonly string[],
): LabelRequirement {
  return { key: key ?? '', operator, values }
}

/** Splits at commas outside parentheses. */
function splitTop(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth += 1
    else if (text[i] === ')') depth -= 1
    else if (text[i] === ',' && depth === 0) {
      parts.push(text.slice(start, i))
      start = i + 1
    }
  }
  return [...parts, text.slice(start)]
}

/** The object's form: { matchLabels, matchExpressions }. An absent selector matches nothing, an empty one everything. */
export function readLabelSelector(selector: unknown): readonly LabelRequirement[] | undefined {
  if (selector === undefined || selector === null) return undefined
  const out: LabelRequirement[] = Object.entries(textMapAt(selector, 'matchLabels')).map(([key, value]) =>
    requirement(key, 'in', [value]),
  )
  const operators = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' } as const
  for (const expression of treesAt(selector, 'matchExpressions')) {
    const name = textAt(expression, 'operator') ?? ''
    const operator = Object.entries(operators).find(([known]) => known === name)?.[1]
    if (!operator) return undefined
    out.push(requirement(textAt(expression, 'key'), operator, textsAt(expression, 'values')))
  }
  return out
}

export function matchesLabels(
  requirements: readonly LabelRequirement[],
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return requirements.every(({ key, operator, values }) => {
    const value = labels && Object.hasOwn(labels, key) ? labels[key] : undefined
    if (operator === 'exists') return value !== undefined
    if (operator === '!') return value === undefined
    const among = value !== undefined && values.includes(value)
    return operator === 'in' ? among : !among
  })
}

export interface FieldRequirement {
  readonly field: string
  readonly value: string
  readonly equal: boolean
}

/** "metadata.name=x,status.phase!=Failed". `supported` says which fields there are. */
export function parseFieldSelector(text: string, supported: readonly string[]): readonly FieldRequirement[] {
  return text
    .split(',')
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const match = /^\s*([^=!\s]+)\s*(==|=|!=)(.*)$/.exec(part)
      if (!match) throw badRequest(`invalid selector: '${text}'; can't understand '${part}'`)
      const [, field = '', operator = '', value = ''] = match
      if (!supported.includes(field)) throw badRequest(`field label not supported: ${field}`)
      return { field, value: value.trim(), equal: operator !== '!=' }
    })
}

export function matchesFields(requirements: readonly FieldRequirement[], read: (field: string) => string): boolean {
  return requirements.every(({ field, value, equal }) => (read(field) === value) === equal)
}
