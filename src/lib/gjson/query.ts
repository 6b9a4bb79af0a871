import type { Node } from './node.ts'
import { closingBracket, UnsupportedPath } from './path.ts'
import { matchesWildcard, wildcardOf } from './wildcard.ts'

/** `name=="x"`: left path, operator, right value. Operators: == = != < <= > >= % !%. No operator: the path exists. */
export interface Query {
  readonly path: string
  readonly operator: string
  readonly value: string
}

export function parseQuery(text: string): Query {
  let quoted = false
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? ''
    if (char === '\\') at += 1
    else if (char === '"') quoted = !quoted
    else if (!quoted && char === '(') at = Math.max(at, closingBracket(text, at))
    else if (!quoted) {
      const operator = /^(==|!=|<=|>=|!%|=|<|>|%)/.exec(text.slice(at))?.[0]
      if (!operator) continue
      const value = text.slice(at + operator.length).trim()
      if (value.startsWith('~')) throw new UnsupportedPath(`the gjson query operator "~" is not supported`)
      return { path: text.slice(0, at).trim(), operator: operator === '=' ? '==' : operator, value }
    }
  }
  return { path: text.trim(), operator: '', value: '' }
}

/** gjson compares only values of one kind; a string is compared by its content, a number as a double. */
export function matches(node: Node | undefined, query: Query): boolean {
  if (!node) return false
  if (query.operator === '') return true
  if (node.kind === 'string') return compareStrings(node.value, query)
  if (node.kind === 'number') {
    const right = Number(query.value)
    return query.value !== '' && !Number.isNaN(right) && ordered(Number(node.raw) - right, query.operator)
  }
  if (node.kind === 'true' || node.kind === 'false' || node.kind === 'null') {
    if (query.operator === '==') return node.kind === query.value
    if (query.operator === '!=') return node.kind !== query.value
  }
  return false
}

function compareStrings(left: string, query: Query): boolean {
  const quoted = query.value.length > 1 && query.value.startsWith('"') && query.value.endsWith('"')
  const right = quoted ? query.value.slice(1, -1).replace(/\\(.)/g, '$1') : query.value
  if (query.operator === '%' || query.operator === '!%') {
    return matchesWildcard(wildcardOf(right), left) === (query.operator === '%')
  }
  return ordered(left < right ? -1 : left > right ? 1 : 0, query.operator)
}

function ordered(difference: number, operator: string): boolean {
  if (operator === '==') return difference === 0
  if (operator === '!=') return difference !== 0
  if (operator === '<') return difference < 0
  if (operator === '<=') return difference <= 0
  if (operator === '>') return difference > 0
  return operator === '>=' && difference >= 0
}
