import type { Token } from './tokens.ts'

/** A place in a list of tokens. After the last one (eof or error) it keeps seeing that. */
export class TokenCursor {
  readonly #tokens: readonly Token[]
  #at = 0
  #line = 1

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  /** The line of the token looked at last, for error messages. */
  get line(): number {
    return this.#line
  }

  mark(): number {
    return this.#at
  }

  reset(mark: number) {
    this.#at = mark
  }

  peek(): Token {
    const token = this.#tokens[Math.min(this.#at, this.#tokens.length - 1)] ?? {
      type: 'eof',
      pos: 0,
      text: '',
      line: 1,
    }
    this.#line = token.line
    return token
  }

  next(): Token {
    const token = this.peek()
    this.#at += 1
    return token
  }

  back() {
    this.#at -= 1
  }

  nextNonSpace(): Token {
    for (;;) {
      const token = this.next()
      if (token.type !== 'space') return token
    }
  }

  peekNonSpace(): Token {
    while (this.peek().type === 'space') this.#at += 1
    return this.peek()
  }

  /** Consumes `{{ define`, if that is next. */
  takeDefine(): boolean {
    if (this.peek().type !== 'leftDelim') return false
    let after = this.#at + 1
    while (this.#tokens[after]?.type === 'space') after += 1
    const token = this.#tokens[after]
    if (token?.type !== 'keyword' || token.text !== 'define') return false
    this.#at = after + 1
    return true
  }
}
