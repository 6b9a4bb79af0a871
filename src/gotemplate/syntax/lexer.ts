import { keywords, type Token, type TokenType } from './tokens.ts'

/** Splits a template's source into tokens; the last one is `eof` or `error`. Trim markers and comments are dealt with here. */
export function tokenize(source: string, left = '{{', right = '}}'): Token[] {
  return new Lexer({ source, left: left || '{{', right: right || '}}' }).run()
}

const trimMarkerLength = 2
const isSpace = (c: string) => c === ' ' || c === '\t' || c === '\r' || c === '\n'
const isWord = (c: string) => /^[\p{L}\p{Nd}_]$/u.test(c)
const startsTrim = (rest: string) => rest[0] === '-' && isSpace(rest[1] ?? '')
const endsTrim = (rest: string) => isSpace(rest[0] ?? '') && rest[1] === '-'

const single: Readonly<Record<string, TokenType>> = { '=': 'assign', '|': 'pipe', '(': 'leftParen', ')': 'rightParen' }

class Lexer {
  readonly #source: string
  readonly #left: string
  readonly #right: string
  readonly #tokens: Token[] = []
  #pos = 0
  #start = 0
  #line = 1
  #parens = 0
  #failed = false

  constructor(o: { source: string; left: string; right: string }) {
    this.#source = o.source
    this.#left = o.left
    this.#right = o.right
  }

  run(): Token[] {
    while (!this.#failed && this.#text()) while (!this.#failed && !this.#action()) {}
    return this.#tokens
  }

  /** Up to and with the next left delimiter; false at the end of the source. */
  #text(): boolean {
    for (;;) {
      const at = this.#source.indexOf(this.#left, this.#pos)
      if (at < 0) {
        this.#pos = this.#source.length
        if (this.#pos > this.#start) this.#emit('text')
        this.#emit('eof')
        return false
      }
      const trim = startsTrim(this.#source.slice(at + this.#left.length, at + this.#left.length + 2))
      const before = this.#source.slice(this.#start, at)
      this.#pos = this.#start + (trim ? withoutSpaceAtEnd(before) : before.length)
      if (this.#pos > this.#start) this.#emit('text')
      this.#skipTo(at)
      const afterMarker = at + this.#left.length + (trim ? trimMarkerLength : 0)
      if (!this.#source.startsWith('/*', afterMarker)) {
        this.#pos = at + this.#left.length
        this.#emit('leftDelim')
        this.#skipTo(afterMarker)
        this.#parens = 0
        return true
      }
      this.#skipTo(afterMarker)
      if (!this.#comment()) return false
    }
  }

  #comment(): boolean {
    const end = this.#source.indexOf('*/', this.#pos + 2)
    if (end < 0) return this.#fail('unclosed comment')
    this.#pos = end + 2
    const closing = this.#atRight()
    if (!closing) return this.#fail('comment ends before closing delimiter')
    this.#pos += (closing === 'trim' ? trimMarkerLength : 0) + this.#right.length
    this.#skipTo(closing === 'trim' ? this.#afterSpaces() : this.#pos)
    return true
  }

  /** One token inside an action; true when it was the right delimiter. */
  #action(): boolean {
    const closing = this.#atRight()
    if (closing) {
      if (this.#parens > 0) return this.#fail('unclosed left paren')
      return this.#close(closing)
    }
    return this.#inside(this.#next())
  }

  #inside(char: string): boolean {
    if (char === '') return this.#fail('unclosed action')
    if (isSpace(char)) return this.#space()
    if (char === ':') return this.#next() === '=' ? this.#emit('declare') : this.#fail('expected :=')
    const type = single[char]
    if (type) return this.#single(type)
    if (char === '"') return this.#quoted('"', 'string', 'unterminated quoted string')
    if (char === "'") return this.#quoted("'", 'charConstant', 'unterminated character constant')
    if (char === '`') return this.#raw()
    if (char === '$') return this.#atTerminator() ? this.#emit('variable') : this.#name('variable')
    if (char === '.' && !/[0-9]/.test(this.#peek()))
      return this.#atTerminator() ? this.#emit('dot') : this.#name('field')
    if (/[.+\-0-9]/.test(char)) return this.#number()
    if (isWord(char)) return this.#name('identifier')
    if (char >= ' ' && char <= '~') return this.#emit('char')
    return this.#fail(`unrecognized character in action: ${unicode(char)}`)
  }

  #single(type: TokenType): boolean {
    if (type === 'leftParen') this.#parens += 1
    if (type === 'rightParen') this.#parens -= 1
    if (this.#parens < 0) return this.#fail('unexpected right paren')
    return this.#emit(type)
  }

  #close(how: 'plain' | 'trim'): boolean {
    if (how === 'trim') this.#skipTo(this.#pos + trimMarkerLength)
    this.#pos += this.#right.length
    this.#emit('rightDelim')
    if (how === 'trim') this.#skipTo(this.#afterSpaces())
    return true
  }

  /** The first space is consumed. A last space before "-}}" belongs to the delimiter. */
  #space(): boolean {
    while (isSpace(this.#peek())) this.#pos += 1
    const last = this.#pos - 1
    if (endsTrim(this.#source.slice(last, last + 2)) && this.#source.startsWith(this.#right, last + trimMarkerLength)) {
      this.#pos = last
      if (this.#pos === this.#start) return this.#close('trim')
    }
    return this.#emit('space')
  }

  #name(type: 'identifier' | 'field' | 'variable'): boolean {
    while (isWord(this.#peek())) this.#next()
    if (!this.#atTerminator()) return this.#fail(`bad character ${unicode(this.#peek())}`)
    const word = this.#source.slice(this.#start, this.#pos)
    if (type !== 'identifier') return this.#emit(type)
    if (keywords.has(word)) return this.#emit('keyword')
    return this.#emit(word === 'true' || word === 'false' ? 'bool' : 'identifier')
  }

  #quoted(mark: string, type: TokenType, problem: string): boolean {
    for (;;) {
      const char = this.#next()
      if (char === mark) return this.#emit(type)
      const bad = char === '\\' ? this.#next() : char
      if (bad === '' || bad === '\n') return this.#fail(problem)
    }
  }

  #raw(): boolean {
    const end = this.#source.indexOf('`', this.#pos)
    if (end < 0) return this.#fail('unterminated raw quoted string')
    this.#pos = end + 1
    return this.#emit('rawString')
  }

  #number(): boolean {
    this.#pos = this.#start
    if (!this.#scanNumber()) return this.#badNumber()
    if (this.#peek() !== '+' && this.#peek() !== '-') return this.#emit('number')
    if (!this.#scanNumber() || this.#source[this.#pos - 1] !== 'i') return this.#badNumber()
    return this.#emit('complex')
  }

  #badNumber(): boolean {
    return this.#fail(`bad number syntax: ${JSON.stringify(this.#source.slice(this.#start, this.#pos))}`)
  }

  /** Loose on purpose: what is no number is refused when it is converted. */
  #scanNumber(): boolean {
    const shape =
      /[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?/y
    shape.lastIndex = this.#pos
    shape.exec(this.#source)
    this.#pos = Math.max(this.#pos, shape.lastIndex)
    if (!isWord(this.#peek())) return true
    this.#next()
    return false
  }

  #atTerminator(): boolean {
    const char = this.#peek()
    return char === '' || isSpace(char) || '.,|:)('.includes(char) || this.#source.startsWith(this.#right, this.#pos)
  }

  #atRight(): 'plain' | 'trim' | undefined {
    const rest = this.#source.slice(this.#pos, this.#pos + trimMarkerLength)
    if (endsTrim(rest) && this.#source.startsWith(this.#right, this.#pos + trimMarkerLength)) return 'trim'
    return this.#source.startsWith(this.#right, this.#pos) ? 'plain' : undefined
  }

  #afterSpaces(): number {
    let end = this.#pos
    while (isSpace(this.#source[end] ?? '')) end += 1
    return end
  }

  #peek(): string {
    const code = this.#source.codePointAt(this.#pos)
    return code === undefined ? '' : String.fromCodePoint(code)
  }

  #next(): string {
    const char = this.#peek()
    this.#pos += char.length
    return char
  }

  #emit(type: TokenType): false {
    const text = this.#source.slice(this.#start, this.#pos)
    this.#tokens.push({ type, pos: this.#start, text, line: this.#line })
    this.#skipTo(this.#pos)
    return false
  }

  #skipTo(end: number) {
    for (let i = this.#start; i < end; i++) if (this.#source[i] === '\n') this.#line += 1
    this.#start = end
    this.#pos = end
  }

  #fail(message: string): false {
    this.#tokens.push({ type: 'error', pos: this.#start, text: message, line: this.#line })
    this.#failed = true
    return false
  }
}

function withoutSpaceAtEnd(text: string): number {
  let end = text.length
  while (end > 0 && isSpace(text[end - 1] ?? '')) end -= 1
  return end
}

function unicode(char: string): string {
  const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  return char === '' ? 'U+FFFFFFFFFFFFFFFF' : `U+${code} '${char}'`
}
