/** The one JSON tokenizer (RFC 8259), bounded: everything in this folder that reads JSON reads it through here. */
import { endOfString, isSimple, simpleEscapes } from './string-text.ts'

/** All are refusals, not truncations. Lengths of strings count UTF-16 units. */
export interface JsonLimits {
  /** Bytes of the document (UTF-16 units when it is given as a string). */
  readonly maxBytes: number
  /** Containers inside one another. */
  readonly maxDepth: number
  /** Of one string value or key, after its escapes are read. */
  readonly maxStringLength: number
  /** String values and keys of the whole document together. */
  readonly maxStrings: number
  /** Array elements and object members of the whole document together. */
  readonly maxValues: number
  /** The text is known to be valid. */
  readonly checked?: boolean
}

export const defaultJsonLimits: JsonLimits = {
  maxBytes: 32 * 1024 * 1024,
  maxDepth: 64,
  maxStringLength: 1024 * 1024,
  maxStrings: 500_000,
  maxValues: 1_000_000,
}

/** Not JSON, or more than the limits allow. The message is safe for clients: where and what, never the content. */
export class JsonSyntaxError extends Error {
  override name = 'JsonSyntaxError'
  /** Where the reader stopped, in UTF-16 units from the start. */
  readonly offset: number

  constructor(what: string, offset: number) {
    super(`invalid JSON at offset ${offset}: ${what}`)
    this.offset = offset
  }
}

// A byte order mark stays in the text and is refused like any other character that may not stand there.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const maxNumberLength = 1024
/** Numbers and words are no longer, and what is is refused before its end. */
const longestScalar = maxNumberLength + 8
/** Of one unit of a string: `\u0041`. */
const longestEscape = 6
/** In one place, or as many as a string may have: they are skipped in one piece of work. Whoever wants short strings may indent. */
const maxSpaces = 64 * 1024

export function decodeUtf8(input: Uint8Array, limits: JsonLimits): string {
  if (input.length > limits.maxBytes) throw new JsonSyntaxError(`longer than ${limits.maxBytes} bytes`, limits.maxBytes)
  try {
    return utf8.decode(input)
  } catch {
    throw new JsonSyntaxError('not UTF-8', 0)
  }
}

/** Text that begins with `left`, which was there before, and goes on; undefined: nothing follows. */
export type NextText = (left: string) => string | undefined

export class Tokenizer {
  text: string
  readonly limits: JsonLimits
  /** In `text`. */
  pos = 0
  /** No character in the text needs a closer look inside a string: one fast test instead of a test per character. */
  #simple: boolean
  /** Only of text that comes in parts: a string of many megabytes costs as much in one go as all that is in it. */
  readonly #next: NextText | undefined
  /** Units of parts that are gone. */
  #gone = 0
  #depth = 0
  #strings = 0
  #values = 0
  /** Text before `#keptTo` that is not whitespace between tokens, in pieces. */
  #kept: string[] = []
  #keptTo = 0

  /** `next`: the text is a first part. Places in it hold until something is read; `canonical` is of the whole only. */
  constructor(text: string, limits: JsonLimits, next?: NextText) {
    if (text.length > limits.maxBytes)
      throw new JsonSyntaxError(`longer than ${limits.maxBytes} bytes`, limits.maxBytes)
    this.text = text
    this.limits = limits
    this.#simple = isSimple(text, limits.checked)
    this.#next = next
  }

  fail(what: string, offset = this.pos): never {
    throw new JsonSyntaxError(what, this.#gone + offset)
  }

  /** Of what is read next, from the start of the document. */
  get offset(): number {
    return this.#gone + this.pos
  }

  /** Lets text of which there is a next part begin at `pos`, and go on. */
  #goOn(): boolean {
    const text = this.#next?.(this.text.slice(this.pos))
    if (text === undefined) return false
    this.text = text
    this.#simple = isSimple(text, this.limits.checked)
    this.#gone += this.pos
    this.pos = 0
    return true
  }

  /** The code unit that starts the next token, NaN at the end of the text. */
  peek(): number {
    const code = this.text.charCodeAt(this.pos)
    return code > 0x20 ? code : this.#peekSlow(code)
  }

  #peekSlow(first: number): number {
    const start = this.pos
    let code = this.#skipSpace(first)
    if (this.pos === start && !Number.isNaN(code)) return code
    if (this.#next) {
      const from = this.#gone + start
      this.#checkSpace(from)
      while (Number.isNaN(code) && this.#goOn()) {
        code = this.#skipSpace(this.text.charCodeAt(0))
        this.#checkSpace(from)
      }
    } else if (this.pos > start) {
      this.#checkSpace(start)
      if (start > this.#keptTo) this.#kept.push(this.text.slice(this.#keptTo, start))
      this.#keptTo = this.pos
    }
    return code
  }

  #skipSpace(first: number): number {
    let code = first
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) {
      this.pos += 1
      code = this.text.charCodeAt(this.pos)
    }
    return code
  }

  /** `from`: of the document. */
  #checkSpace(from: number): void {
    const length = this.offset - from
    if (length > maxSpaces && length > this.limits.maxStringLength)
      throw new JsonSyntaxError('too much white space', from)
  }

  /** What was read so far without the whitespace between tokens. */
  canonical(): string {
    if (this.#keptTo === 0) return this.pos === this.text.length ? this.text : this.text.slice(0, this.pos)
    return this.#kept.join('') + this.text.slice(this.#keptTo, this.pos)
  }

  end(): void {
    if (!Number.isNaN(this.peek())) this.fail('something follows the value')
  }

  /** Consumes '{' or '['. */
  open(): void {
    this.#depth += 1
    if (this.#depth > this.limits.maxDepth) this.fail(`deeper than ${this.limits.maxDepth} levels`)
    this.pos += 1
  }

  /** Consumes '}' or ']'. */
  close(): void {
    this.#depth -= 1
    this.pos += 1
  }

  /** True when `close` is next (an empty container); counts the first element otherwise. */
  isEmpty(close: number): boolean {
    if (this.peek() === close) return true
    this.#countValue()
    return false
  }

  /** After an element: consumes ',' and answers true, or answers false before `close`. */
  hasMore(close: number): boolean {
    const code = this.peek()
    if (code === 0x2c) {
      this.pos += 1
      this.#countValue()
      return true
    }
    if (code !== close) this.fail(close === 0x7d ? "expected ',' or '}'" : "expected ',' or ']'")
    return false
  }

  #countValue(): void {
    this.#values += 1
    if (this.#values > this.limits.maxValues) this.fail(`more than ${this.limits.maxValues} values`)
  }

  /** A member's name and its colon. */
  key(): string {
    if (this.peek() !== 0x22) this.fail('expected a key in double quotes')
    const key = this.string()
    if (this.peek() !== 0x3a) this.fail("expected ':'")
    this.pos += 1
    return key
  }

  /** In front of a scalar, where text comes in parts: has all of it in this one. */
  hold(): void {
    while (this.text.length - this.pos < longestScalar && this.#goOn()) {}
  }

  /** Consumes true, false, null or a number and answers its text. */
  scalar(): string {
    const code = this.text.charCodeAt(this.pos)
    if (code === 0x74) return this.#literal('true')
    if (code === 0x66) return this.#literal('false')
    if (code === 0x6e) return this.#literal('null')
    return this.#number()
  }

  #literal(word: string): string {
    if (!this.text.startsWith(word, this.pos)) this.fail('unexpected character')
    this.pos += word.length
    return word
  }

  /** Consumes a string (the caller has seen its quote) and answers what it says. */
  string(): string {
    this.#strings += 1
    if (this.#strings > this.limits.maxStrings) this.fail(`more than ${this.limits.maxStrings} strings`)
    if (this.#next && !this.#simple) this.#holdString()
    const text = this.text
    const start = this.pos + 1
    if (this.#simple) {
      const end = text.indexOf('"', start)
      if (end < 0) return this.#stringOfNext()
      this.pos = end + 1
      if (end - start > this.limits.maxStringLength) this.#tooLong(start)
      return text.slice(start, end)
    }
    for (let at = start; ; at += 1) {
      const code = text.charCodeAt(at)
      if (code === 0x22) {
        this.pos = at + 1
        if (at - start > this.limits.maxStringLength) this.#tooLong(start)
        return text.slice(start, at)
      }
      if (code >= 0x20 && code < 0xd800 && code !== 0x5c) continue
      if (code >= 0xe000) continue
      return this.#stringSlow(start, at)
    }
  }

  #stringOfNext(): string {
    // What came with the next part may have a fault before its end.
    if (!this.#holdString() && this.#simple) this.fail('the string does not end', this.text.length)
    this.#strings -= 1
    return this.string()
  }

  /** Has all of the string in this part of the text; false when it does not end. */
  #holdString(): boolean {
    let from = this.pos + 1
    while (endOfString(this.text, this.pos + 1, from) < 0) {
      const seen = this.text.length - this.pos
      if (seen > (this.#simple ? 1 : longestEscape) * this.limits.maxStringLength + 2) this.#tooLong(this.pos + 1)
      if (!this.#goOn()) return false
      from = this.pos + seen
    }
    return true
  }

  /** The rest of a string from its first escape, surrogate or fault at `from`. */
  #stringSlow(start: number, from: number): string {
    const native = this.#long(start, from)
    if (native !== undefined) return native
    const text = this.text
    let out = ''
    let copied = start
    let at = from
    for (;;) {
      const code = text.charCodeAt(at)
      if (code === 0x22) break
      if (code === 0x5c) {
        out += text.slice(copied, at)
        this.pos = at
        out += this.#escape()
        at = this.pos
        copied = at
      } else if (code >= 0xe000 || (code >= 0x20 && code < 0xd800)) {
        at += 1
      } else {
        at += this.#special(code, at)
      }
    }
    this.pos = at + 1
    out += text.slice(copied, at)
    if (out.length > this.limits.maxStringLength) this.#tooLong(start)
    return out
  }

  /**
   * All but short strings by JSON.parse, which reads escapes ten times faster; undefined for a short one, and for one that has a
   * fault, which the reader above names.
   */
  #long(start: number, from: number): string | undefined {
    const text = this.text
    const end = endOfString(text, start, from)
    if (end - start < longString) return undefined
    let value: string
    try {
      value = JSON.parse(text.slice(start - 1, end + 1))
    } catch {
      return undefined
    }
    if (!value.isWellFormed()) return undefined
    if (value.length > this.limits.maxStringLength) this.#tooLong(start)
    this.pos = end + 1
    return value
  }

  /** How many units the character at `at` has, if it may stand there. */
  #special(code: number, at: number): number {
    if (code >= 0xd800 && code < 0xe000) {
      const low = this.text.charCodeAt(at + 1)
      if (code < 0xdc00 && low >= 0xdc00 && low < 0xe000) return 2
      this.fail('lone surrogate', at)
    }
    if (Number.isNaN(code)) this.fail('the string does not end', this.text.length)
    this.fail('control character in a string', at)
  }

  #escape(): string {
    const code = this.text.charCodeAt(this.pos + 1)
    if (code !== 0x75) {
      const char = simpleEscapes[String.fromCharCode(code)]
      if (char === undefined) this.fail('unknown escape')
      this.pos += 2
      return char
    }
    const unit = this.#hex4(this.pos + 2)
    if (unit < 0xd800 || unit >= 0xe000) {
      this.pos += 6
      return String.fromCharCode(unit)
    }
    if (unit >= 0xdc00 || !this.text.startsWith('\\u', this.pos + 6)) this.fail('lone surrogate')
    const low = this.#hex4(this.pos + 8)
    if (low < 0xdc00 || low >= 0xe000) this.fail('lone surrogate')
    this.pos += 12
    return String.fromCharCode(unit, low)
  }

  #hex4(at: number): number {
    const digits = this.text.slice(at, at + 4)
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail('expected four hex digits')
    return Number.parseInt(digits, 16)
  }

  #tooLong(start: number): never {
    this.fail(`a string longer than ${this.limits.maxStringLength} characters`, start)
  }

  #number(): string {
    const text = this.text
    const start = this.pos
    let at = start
    if (text.charCodeAt(at) === 0x2d) at += 1
    if (text.charCodeAt(at) === 0x30) at += 1
    else at = this.#digits(at)
    if (text.charCodeAt(at) === 0x2e) at = this.#digits(at + 1)
    if ((text.charCodeAt(at) | 0x20) === 0x65) {
      const sign = text.charCodeAt(at + 1)
      at = this.#digits(sign === 0x2b || sign === 0x2d ? at + 2 : at + 1)
    }
    if (at - start > maxNumberLength) this.fail(`a number longer than ${maxNumberLength} characters`)
    this.pos = at
    return text.slice(start, at)
  }

  /** The end of one or more digits at `from`. */
  #digits(from: number): number {
    let at = from
    for (;;) {
      const code = this.text.charCodeAt(at)
      if (!(code >= 0x30 && code <= 0x39)) break
      at += 1
    }
    if (at === from) {
      if (at >= this.text.length) this.fail('the text ends too early', at)
      this.fail(from === this.pos ? 'unexpected character' : 'expected a digit', at)
    }
    return at
  }
}

const longString = 32
