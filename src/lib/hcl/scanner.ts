import { HclError } from './tree.ts'

export type TokenKind =
  | 'EOF'
  | 'IDENT'
  | 'STRING'
  | 'HEREDOC'
  | 'NUMBER'
  | 'BOOL'
  | 'LBRACE'
  | 'RBRACE'
  | 'LBRACK'
  | 'RBRACK'
  | 'ASSIGN'
  | 'COMMA'

export interface Token {
  readonly kind: TokenKind
  /** What a string says; the text of everything else. */
  readonly text: string
  readonly offset: number
  readonly line: number
  readonly column: number
}

const punctuation: ReadonlyMap<string, TokenKind> = new Map([
  ['{', 'LBRACE'],
  ['}', 'RBRACE'],
  ['[', 'LBRACK'],
  [']', 'RBRACK'],
  ['=', 'ASSIGN'],
  [',', 'COMMA'],
])
const escapes: ReadonlyMap<string, string> = new Map([
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
  ['\\', '\\'],
  ['"', '"'],
])
const identifier = /\p{L}[\p{L}\p{Nd}_.-]*/uy
const identifierUnderscore = /_[\p{L}\p{Nd}_.-]*/uy
const number = /[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)/y
const numericEscape = /(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))/y
const heredoc = /<<(-?)([^\n]*)\n/y

/** HCL 1's lexical rules; https://github.com/hashicorp/hcl/blob/hcl1/README.md */
export class Scanner {
  readonly #text: string
  #at = 0
  #line = 1
  /** A place on the current line and its column: columns are counted on from here, so that a long line costs no more than a long text. */
  #mark = 0
  #markColumn = 1

  constructor(text: string) {
    this.#text = text
  }

  next(): Token {
    this.#skip()
    const start = this.#at
    const char = this.#text[start]
    // hashicorp/hcl counts the end as one more character, and its messages reach clients.
    if (char === undefined) return this.#token('EOF', '', start, 1)
    const kind = punctuation.get(char)
    if (kind !== undefined) {
      this.#at += 1
      return this.#token(kind, char, start)
    }
    if (char === '"') return this.#string(start)
    if (char === '<') return this.#heredoc(start)
    const word = this.#match(identifier) ?? this.#match(identifierUnderscore)
    if (word !== undefined) return this.#token(word === 'true' || word === 'false' ? 'BOOL' : 'IDENT', word, start)
    const digits = this.#match(number)
    if (digits !== undefined) return this.#token('NUMBER', digits, start)
    return this.#fail('illegal char', start)
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const text = pattern.exec(this.#text)?.[0]
    if (text !== undefined) this.#at += text.length
    return text
  }

  /** White space and comments. */
  #skip(): void {
    for (;;) {
      const char = this.#text[this.#at]
      if (char === ' ' || char === '\t' || char === '\r') this.#at += 1
      else if (char === '\n') this.#newline(this.#at)
      else if (char === '#' || this.#text.startsWith('//', this.#at)) this.#lineComment()
      else if (this.#text.startsWith('/*', this.#at)) this.#blockComment()
      else return
    }
  }

  #newline(at: number): void {
    this.#at = at + 1
    this.#line += 1
    this.#mark = this.#at
    this.#markColumn = 1
  }

  #lineComment(): void {
    const end = this.#text.indexOf('\n', this.#at)
    this.#at = end < 0 ? this.#text.length : end
  }

  #blockComment(): void {
    const end = this.#text.indexOf('*/', this.#at + 2)
    if (end < 0) this.#fail('comment not terminated', this.#at)
    this.#lines(this.#at, end)
    this.#at = end + 2
  }

  /** Counts the line ends between two offsets. */
  #lines(from: number, to: number): void {
    for (let at = this.#text.indexOf('\n', from); at >= 0 && at < to; at = this.#text.indexOf('\n', at + 1)) {
      this.#newline(at)
    }
  }

  /** `${…}` stays as it is, with the quotes and line ends inside; a line end elsewhere ends the string too early. */
  #string(start: number): Token {
    const place = this.#token('STRING', '', start)
    let out = ''
    for (let at = start + 1; ; ) {
      const char = this.#text[at]
      if (char === undefined || char === '\n') return this.#fail('literal not terminated', start)
      if (char === '"') {
        this.#at = at + 1
        return { ...place, text: out }
      }
      if (char === '\\') {
        const [value, length] = this.#escape(at)
        out += value
        at += length
      } else {
        const end = this.#text.startsWith('${', at) ? this.#interpolation(at, start) : at + 1
        out += this.#text.slice(at, end)
        at = end
      }
    }
  }

  /** The offset after the brace that closes the `${` at `from`. */
  #interpolation(from: number, start: number): number {
    let braces = 0
    for (let at = from + 1; ; at += 1) {
      const char = this.#text[at]
      if (char === undefined) return this.#fail('literal not terminated', start)
      if (char === '\n') this.#newline(at)
      if (char === '{') braces += 1
      if (char === '}') braces -= 1
      if (braces === 0) return at + 1
    }
  }

  #escape(at: number): [string, number] {
    const simple = escapes.get(this.#text[at + 1] ?? '')
    if (simple !== undefined) return [simple, 2]
    numericEscape.lastIndex = at + 1
    const match = numericEscape.exec(this.#text)
    if (!match) return this.#fail('illegal char escape', at + 1)
    const [all, hex2, hex4, hex8, octal] = match
    const code = octal === undefined ? Number.parseInt(hex2 ?? hex4 ?? hex8 ?? '', 16) : Number.parseInt(octal, 8)
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return this.#fail('illegal char escape', at + 1)
    return [String.fromCodePoint(code), all.length + 1]
  }

  /** `<<EOF` keeps its lines; `<<-EOF` takes the closing line's indentation off each, if all lines have it. */
  #heredoc(start: number): Token {
    heredoc.lastIndex = start
    const open = heredoc.exec(this.#text)
    if (!open) return this.#fail('heredoc anchor not found', start)
    const anchor = (open[2] ?? '').replace(/\r$/, '')
    if (anchor === '') return this.#fail('zero-length heredoc anchor', start)
    if (!/^[\p{L}\p{Nd}]+$/u.test(anchor)) return this.#fail('invalid characters in heredoc anchor', start)
    const place = this.#token('HEREDOC', '', start)
    const indented = open[1] === '-'
    const lines: string[] = []
    for (let from = start + open[0].length; ; ) {
      const end = this.#text.indexOf('\n', from)
      if (end < 0) return this.#fail('heredoc not terminated', start)
      const line = this.#text.slice(from, end).replace(/\r$/, '')
      if (line.trimStart() === anchor) {
        this.#lines(start, end)
        this.#at = end
        const indent = line.slice(0, line.length - anchor.length)
        // Without '-' the closing line's indentation belongs to the text: so says hashicorp/hcl.
        return { ...place, text: indented ? unindent(lines, indent) : `${unindent(lines, '')}${indent}` }
      }
      lines.push(line)
      from = end + 1
    }
  }

  #token(kind: TokenKind, text: string, offset: number, beyond = 0): Token {
    for (; this.#mark < offset; this.#mark += 1) {
      const unit = this.#text.charCodeAt(this.#mark)
      // The second half of a surrogate pair is no character of its own.
      if (unit < 0xdc00 || unit > 0xdfff) this.#markColumn += 1
    }
    const column = this.#markColumn + beyond
    return { kind, text, offset, line: this.#line, column }
  }

  #fail(reason: string, offset: number): never {
    throw new HclError(reason, this.#token('EOF', '', offset))
  }
}

function unindent(lines: readonly string[], indent: string): string {
  const strip = indent !== '' && lines.every((line) => line.startsWith(indent))
  return lines.map((line) => `${strip ? line.slice(indent.length) : line}\n`).join('')
}
