/** The option `filter` of a device: go-bexpr, as far as Vault documents it for audit. What isn't understood is refused. */
import { RE2JS } from 're2js'
import type { AuditedRequest } from '../../contracts/audit.ts'
import { Refusal } from '../../contracts/request.ts'

export type AuditFilter = (request: AuditedRequest) => boolean

const properties: Readonly<Record<string, (request: AuditedRequest) => string>> = {
  mount_point: ({ namespace, mount }) => (mount ? namespace.path + mount.path : ''),
  mount_type: ({ mount }) => mount?.type ?? '',
  namespace: ({ namespace }) => namespace.path,
  operation: ({ operation }) => operation,
  path: ({ path }) => path,
}

type Token = { readonly kind: 'word' | 'text' | 'sign'; readonly text: string }

const maxLength = 4096
const maxDepth = 32

/** Refusal 400 that says what is wrong with the expression. */
export function parseFilter(text: string): AuditFilter {
  if (text.length > maxLength) throw refused(`it is longer than ${maxLength} characters`)
  const parser = new Parser(tokensOf(text))
  const filter = parser.either(0)
  parser.end()
  return filter
}

function refused(why: string): Refusal {
  return new Refusal(400, `cannot parse the audit filter: ${why}`)
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  const pattern = /\s*(?:(==|!=|\(|\))|"((?:[^"\\]|\\.)*)"|`([^`]*)`|([A-Za-z0-9_./+*-]+))/y
  for (let at = 0; at < text.trimEnd().length; at = pattern.lastIndex) {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (!match) throw refused(`character ${at + 1} is not understood`)
    const [, sign, quoted, raw, word] = match
    if (sign !== undefined) tokens.push({ kind: 'sign', text: sign })
    else if (word !== undefined) tokens.push({ kind: 'word', text: word })
    else tokens.push({ kind: 'text', text: raw ?? (quoted ?? '').replace(/\\(.)/g, '$1') })
  }
  return tokens
}

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  end(): void {
    const left = this.#tokens[this.#at]
    if (left) throw refused(`"${left.text}" is not expected there`)
  }

  either(depth: number): AuditFilter {
    if (depth > maxDepth) throw refused('it is nested too deeply')
    const left = this.#both(depth)
    if (!this.#word('or')) return left
    const right = this.either(depth + 1)
    return (request) => left(request) || right(request)
  }

  #both(depth: number): AuditFilter {
    if (depth > maxDepth) throw refused('it is nested too deeply')
    const left = this.#one(depth)
    if (!this.#word('and')) return left
    const right = this.#both(depth + 1)
    return (request) => left(request) && right(request)
  }

  #one(depth: number): AuditFilter {
    if (depth > maxDepth) throw refused('it is nested too deeply')
    if (this.#word('not')) {
      const inner = this.#one(depth + 1)
      return (request) => !inner(request)
    }
    if (this.#sign('(')) {
      const inner = this.either(depth + 1)
      if (!this.#sign(')')) throw refused('a ")" is missing')
      return inner
    }
    return this.#comparison()
  }

  /** `property operator value`, or `value [not] in property`. */
  #comparison(): AuditFilter {
    const first = this.#next('a property')
    if (this.#word('in')) return holds(propertyOf(this.#next('a property')), first.text, true)
    if (this.#sign('==')) return equals(propertyOf(first), this.#next('a value').text, true)
    if (this.#sign('!=')) return equals(propertyOf(first), this.#next('a value').text, false)
    const wanted = !this.#word('not')
    if (!wanted && this.#word('in')) return holds(propertyOf(this.#next('a property')), first.text, false)
    if (this.#word('contains')) return holds(propertyOf(first), this.#next('a value').text, wanted)
    if (this.#word('matches')) return matches(propertyOf(first), this.#next('a pattern').text, wanted)
    throw refused(`after "${first.text}" must come ==, !=, in, not in, contains, not contains, matches or not matches`)
  }

  #next(what: string): Token {
    const token = this.#tokens[this.#at]
    if (!token || token.kind === 'sign') throw refused(`${what} is missing${token ? ` before "${token.text}"` : ''}`)
    this.#at += 1
    return token
  }

  #word(text: string): boolean {
    return this.#take('word', text)
  }

  #sign(text: string): boolean {
    return this.#take('sign', text)
  }

  #take(kind: Token['kind'], text: string): boolean {
    const token = this.#tokens[this.#at]
    if (token?.kind !== kind || token.text !== text) return false
    this.#at += 1
    return true
  }
}

function propertyOf({ kind, text }: Token): (request: AuditedRequest) => string {
  const found = kind === 'word' && Object.hasOwn(properties, text) ? properties[text] : undefined
  if (!found) throw refused(`"${text}" is no property of an audit line: ${Object.keys(properties).join(', ')} are`)
  return found
}

function equals(property: (request: AuditedRequest) => string, value: string, wanted: boolean): AuditFilter {
  return (request) => (property(request) === value) === wanted
}

function holds(property: (request: AuditedRequest) => string, value: string, wanted: boolean): AuditFilter {
  return (request) => property(request).includes(value) === wanted
}

function matches(property: (request: AuditedRequest) => string, pattern: string, wanted: boolean): AuditFilter {
  let compiled: RE2JS
  try {
    compiled = RE2JS.compile(pattern)
  } catch (cause) {
    throw new Refusal(400, 'cannot parse the audit filter: the pattern after "matches" is no RE2 expression', { cause })
  }
  return (request) => compiled.matcher(property(request)).find() === wanted
}
