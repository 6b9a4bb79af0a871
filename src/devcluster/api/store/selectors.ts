/** Label and field selectors (k8s.io/apimachinery/pkg/labels, pkg/fields). */
import { badRequest } from '../status.ts'
import { textAt, textMapAt, textsAt, treesAt } from '../tree.ts'

export type LabelRequirement = {
  readonly key: string
  readonly operator: 'in' | 'notin' | 'exists' | '!' | '>' | '<'
  readonly values: readonly string[]
}

function requirement(
  key: string | undefined,
  operator: LabelRequirement['operator'],
  values: readonly string[],
): LabelRequirement {
  return { key: key ?? '', operator, values }
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
    if (operator === '>' || operator === '<') return compares(value, operator, values[0] ?? '')
    const among = value !== undefined && values.includes(value)
    return operator === 'in' ? among : !among
  })
}

/** Of whole numbers; anything else is on no side. */
function compares(value: string | undefined, operator: '>' | '<', limit: string): boolean {
  if (value === undefined || !/^[+-]?\d+$/.test(value)) return false
  return operator === '>' ? BigInt(plain(value)) > BigInt(plain(limit)) : BigInt(plain(value)) < BigInt(plain(limit))
}

const plain = (number: string) => number.replace(/^\+/, '')

export interface FieldRequirement {
  readonly field: string
  readonly value: string
  readonly equal: boolean
}

/** "metadata.name=x,status.phase!=Failed"; commas and backslashes in values are escaped by a backslash. */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  return splitTerms(text)
    .sort()
    .filter((part) => part !== '')
    .map((part) => {
      const match = /^(.*?)(!=|==|=)(.*)$/s.exec(part)
      if (!match) throw badRequest(`invalid selector: '${text}'; can't understand '${part}'`)
      const [, field = '', operator = '', value = ''] = match
      return { field, value: unescaped(value), equal: operator !== '!=' }
    })
}

/** A backslash at the end stays where it is, to be refused. */
function splitTerms(text: string): string[] {
  return [...(text.match(/(?:\\.|[^\\,]|\\$)+/gs) ?? [])]
}

/** What is not escaped as it must be is refused: whoever reads a selector for rights and whoever filters by it must read the same. */
function unescaped(value: string): string {
  return value.replace(/\\(.?)|[,=]/gsu, (found, letter: string | undefined) => {
    if (letter === undefined)
      throw badRequest(`invalid field selector: unescaped character in value: ${found.codePointAt(0)}`)
    if (letter === '' || !'\\,='.includes(letter))
      throw badRequest(`invalid field selector: invalid escape sequence: ${found}`)
    return letter
  })
}

export function matchesFields(requirements: readonly FieldRequirement[], read: (field: string) => string): boolean {
  return requirements.every(({ field, value, equal }) => (read(field) === value) === equal)
}
