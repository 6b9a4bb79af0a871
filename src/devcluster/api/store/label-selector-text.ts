/** The text form of label selectors, read and refused as k8s.io/apimachinery/pkg/labels does it. */
import { aggregate } from '../field-problem.ts'
import { labelValueProblems, qualifiedNameProblems } from '../kinds/names.ts'
import { badRequest } from '../status.ts'
import type { LabelRequirement } from './selectors.ts'

interface Token {
  readonly kind: 'word' | 'symbol' | 'end' | 'error'
  readonly text: string
}

const symbols = [')', ',', '!', '==', '=', '>', '<', '!=', '(']

/** The query's form: "app=x,tier in (a,b),!old,count>3". */
export function parseLabelSelector(text: string): readonly LabelRequirement[] {
  const reader = new Reader(tokensOf(text))
  const out: LabelRequirement[] = []
  for (;;) {
    const next = reader.peek()
    if (next.kind === 'end') return out
    if (next.kind !== 'word' && next.text !== '!')
      throw badRequest(`found '${next.text}', expected: !, identifier, or 'end of string'`)
    out.push(requirementOf(reader))
    const after = reader.take()
    if (after.kind === 'end') return out
    if (after.text !== ',' || after.kind !== 'symbol')
      throw badRequest(`found '${after.text}', expected: ',' or 'end of string'`)
    const then = reader.peek()
    if (then.kind !== 'word' && then.text !== '!')
      throw badRequest(`found '${then.text}', expected: identifier after ','`)
  }
}

function tokensOf(text: string): Token[] {
  const out: Token[] = []
  let at = 0
  while (at < text.length) {
    const rest = text.slice(at)
    const [space = ''] = /^[ \t\r\n]+/.exec(rest) ?? []
    const [special = ''] = /^[=!(),><]+/.exec(rest) ?? []
    const [word = ''] = /^[^=!(),><\t\r\n ]+/.exec(rest) ?? []
    if (space !== '') {
      at += space.length
    } else if (word !== '') {
      out.push({ kind: 'word', text: word })
      at += word.length
    } else {
      const symbol = longestSymbol(special)
      out.push(
        symbol
          ? { kind: 'symbol', text: symbol }
          : { kind: 'error', text: `error expected: keyword found '${special}'` },
      )
      at += symbol?.length ?? special.length
    }
  }
  return [...out, { kind: 'end', text: '' }]
}

const longestSymbol = (special: string) =>
  [special.slice(0, 2), special.slice(0, 1)].find((start) => symbols.includes(start))

class Reader {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  peek(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: '' }
  }

  take(): Token {
    const token = this.peek()
    this.#at += 1
    return token
  }

  is(symbol: string): boolean {
    const { kind, text } = this.peek()
    return kind === 'symbol' && text === symbol
  }
}

const failed = (why: string) => badRequest(`unable to parse requirement: ${why}`)

function requirementOf(reader: Reader): LabelRequirement {
  const negated = reader.is('!')
  if (negated) reader.take()
  const name = reader.take()
  if (name.kind !== 'word') throw failed(`found '${name.text}', expected: identifier`)
  const key = name.text
  const wrongKey = qualifiedNameProblems(key)
  // A path that nobody gave is printed like that.
  if (wrongKey.length > 0) throw failed(`<nil>: Invalid value: ${JSON.stringify(key)}: ${wrongKey.join('; ')}`)
  if (negated) return { key, operator: '!', values: [] }
  if (reader.peek().kind === 'end' || reader.is(',')) return { key, operator: 'exists', values: [] }
  const operator = reader.take().text
  switch (operator) {
    case 'in':
    case 'notin':
      return checked({ key, operator, values: listedValues(reader) })
    case '=':
    case '==':
      return checked({ key, operator: 'in', values: [exactValue(reader)] })
    case '!=':
      return checked({ key, operator: 'notin', values: [exactValue(reader)] })
    case '>':
    case '<':
      return checked({ key, operator, values: [exactValue(reader)] })
    default:
      throw failed(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`)
  }
}

function exactValue(reader: Reader): string {
  if (reader.peek().kind === 'end' || reader.is(',')) return ''
  const value = reader.take()
  if (value.kind !== 'word') throw failed(`found '${value.text}', expected: identifier`)
  return value.text
}

/** "(a,b)"; between commas there may be nothing, which is the empty value. */
function listedValues(reader: Reader): string[] {
  const open = reader.take()
  if (open.text !== '(') throw failed(`found '${open.text}' expected: '('`)
  const values = new Set<string>()
  let expected = "',', ')' or identifier"
  for (;;) {
    const token = reader.take()
    const afterValue = expected === valueEnd
    const separates = token.kind === 'symbol' && (token.text === ',' || token.text === ')')
    if (!separates && (afterValue || token.kind !== 'word'))
      throw failed(`found '${token.text}', expected: ${expected}`)
    if (!separates) values.add(token.text)
    else if (!afterValue) values.add('')
    if (separates && token.text === ')') return [...values].sort()
    expected = separates ? "',', or identifier" : valueEnd
  }
}

const valueEnd = "',' or ')'"

function checked(requirement: LabelRequirement): LabelRequirement {
  const { key, operator, values } = requirement
  const problems = values.flatMap((value, index) => {
    if (operator === '>' || operator === '<')
      if (!/^[+-]?\d+$/.test(value))
        return [
          `values[${index}]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
        ]
    const wrong = labelValueProblems(value)
    return wrong.length === 0
      ? []
      : [`values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${wrong.join('; ')}`]
  })
  if (problems.length > 0) throw failed(aggregate(problems))
  return requirement
}
