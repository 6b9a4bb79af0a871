/** Filter expressions: go-bexpr, as far as Vault documents it for audit and events. What isn't understood is refused. */

export type Predicate<T> = (subject: T) => boolean

export interface FilterLanguage<T> {
  /** What can be asked of a subject, by name. */
  readonly properties: Readonly<Record<string, (subject: T) => string>>
  /** What the properties belong to, for messages: "an audit line". */
  readonly subject: string
  /** Whether a text has a match of this pattern; throws for what is no pattern. */
  compile(pattern: string): (text: string) => boolean
}

/** The message says what is wrong with the expression. */
export class FilterError extends Error {
  override name = 'FilterError'
}

type Token = { readonly kind: 'word' | 'text' | 'sign'; readonly text: string }

const maxLength = 4096
const maxDepth = 32

/** Throws FilterError. */
export function parseFilter<T>(text: string, language: FilterLanguage<T>): Predicate<T> {
  if (text.length > maxLength) throw refused(`it is longer than ${maxLength} characters`)
  const parser = new Parser(tokensOf(text), language)
  const filter = parser.either(0)
  parser.end()
  return filter
}

const refused = (why: string, cause?: unknown) => new FilterError(why, { cause })

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

class Parser<T> {
  readonly #tokens: readonly Token[]
  readonly #language: FilterLanguage<T>
  #at = 0

  constructor(tokens: readonly Token[], language: FilterLanguage<T>) {
    this.#tokens = tokens
    this.#language = language
  }

  end(): void {
    const left = this.#tokens[this.#at]
    if (left) throw refused(`"${left.text}" is not expected there`)
  }

  either(depth: number): Predicate<T> {
    if (depth > maxDepth) throw refused('it is nested too deeply')
    const left = this.#both(depth)
    if (!this.#word('or')) return left
    const right = this.either(depth + 1)
    return (subject) => left(subject) || right(subject)
  }

  #both(depth: number): Predicate<T> {
    if (depth > maxDepth) throw refused('it is nested too deeply')
    const left = this.#one(depth)
    if (!this.#word('and')) return left
    const right = this.#both(depth + 1)
    return (subject) => left(subject) && right(subject)
  }

  #one(depth: number): Predicate<T> {
    if (depth > maxDepth) throw refused('it is nested too deeply')
    if (this.#word('not')) {
      const inner = this.#one(depth + 1)
      return (subject) => !inner(subject)
    }
    if (this.#sign('(')) {
      const inner = this.either(depth + 1)
      if (!this.#sign(')')) throw refused('a ")" is missing')
      return inner
    }
    return this.#comparison()
  }

  /** `property operator value`, or `value [not] in property`. */
  #comparison(): Predicate<T> {
    const first = this.#next('a property')
    if (this.#word('in')) return holds(this.#property(this.#next('a property')), first.text, true)
    if (this.#sign('==')) return equals(this.#property(first), this.#next('a value').text, true)
    if (this.#sign('!=')) return equals(this.#property(first), this.#next('a value').text, false)
    const wanted = !this.#word('not')
    if (!wanted && this.#word('in')) return holds(this.#property(this.#next('a property')), first.text, false)
    if (this.#word('contains')) return holds(this.#property(first), this.#next('a value').text, wanted)
    if (this.#word('matches')) return this.#matches(this.#property(first), this.#next('a pattern').text, wanted)
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

  #property({ kind, text }: Token): (subject: T) => string {
    const { properties, subject } = this.#language
    const found = kind === 'word' && Object.hasOwn(properties, text) ? properties[text] : undefined
    if (!found) throw refused(`"${text}" is no property of ${subject}: ${Object.keys(properties).join(', ')} are`)
    return found
  }

  #matches(property: (subject: T) => string, pattern: string, wanted: boolean): Predicate<T> {
    let compiled: (text: string) => boolean
    try {
      compiled = this.#language.compile(pattern)
    } catch (cause) {
      throw refused('the pattern after "matches" is no RE2 expression', cause)
    }
    return (subject) => compiled(property(subject)) === wanted
  }
}

function equals<T>(property: (subject: T) => string, value: string, wanted: boolean): Predicate<T> {
  return (subject) => (property(subject) === value) === wanted
}

function holds<T>(property: (subject: T) => string, value: string, wanted: boolean): Predicate<T> {
  return (subject) => property(subject).includes(value) === wanted
}
