/** A valid HCL document as it is laid out: items, values and comments as they were written. */

export type Entry =
  | { readonly kind: 'comment'; readonly text: string; readonly blankBefore: boolean }
  | {
      readonly kind: 'item'
      readonly keys: readonly string[]
      /** `key = value` rather than `key { … }`. */
      readonly assigned: boolean
      readonly value: Value
      /** A comment behind it on the same line. */
      readonly trailing?: string
      readonly blankBefore: boolean
    }
export interface ListValue {
  readonly kind: 'list'
  /** Written over several lines. */
  readonly tall: boolean
  readonly elements: readonly (Value | { readonly kind: 'comment'; readonly text: string })[]
}
export type Value =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'object'; readonly entries: readonly Entry[] }
  | ListValue

interface Token {
  readonly text: string
  readonly kind: 'comment' | 'mark' | 'word'
  /** Line ends between the token before and this one. */
  readonly breaks: number
}

const pattern =
  /(?<space>\s+)|(?<comment>#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/)|(?<mark>[{}[\]=,])|(?<word><<-?(?<anchor>\w+)\r?\n[\s\S]*?\n[ \t]*\k<anchor>(?=\r?\n)|"(?:[^"\\$]|\\[\s\S]|\$\{[^}]*\}|\$)*"|[^\s{}[\]=,"#]+)/gy

/** For text that the HCL parser accepts. */
export function readLayout(text: string): Entry[] {
  const tokens: Token[] = []
  let breaks = 0
  pattern.lastIndex = 0
  while (pattern.lastIndex < text.length) {
    const groups = pattern.exec(text)?.groups
    if (!groups) throw new Error('not a document that can be laid out')
    const { space, comment, mark, word = '' } = groups
    if (space !== undefined) breaks += space.split('\n').length - 1
    else {
      const kind = comment !== undefined ? 'comment' : mark !== undefined ? 'mark' : 'word'
      tokens.push({ kind, text: (comment ?? mark ?? word).replace(/\s+$/, ''), breaks })
      breaks = 0
    }
  }
  return new Reader(tokens).entries()
}

class Reader {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  /** Up to the closing brace or the end. */
  entries(): Entry[] {
    const found: Entry[] = []
    for (let token = this.#peek(); token && token.text !== '}'; token = this.#peek()) {
      const blankBefore = token.breaks > 1
      if (token.kind === 'comment') found.push({ kind: 'comment', text: this.#next().text, blankBefore })
      else if (token.text === ',') this.#next()
      else found.push(this.#item(blankBefore))
    }
    return found
  }

  #item(blankBefore: boolean): Entry {
    const keys: string[] = []
    while (this.#peek()?.kind === 'word') keys.push(this.#next().text)
    const assigned = this.#peek()?.text === '='
    if (assigned) this.#next()
    const value = this.#value()
    if (this.#peek()?.text === ',') this.#next()
    const behind = this.#peek()
    const trailing = behind?.kind === 'comment' && behind.breaks === 0 ? this.#next().text : undefined
    return { kind: 'item', keys, assigned, value, blankBefore, ...(trailing !== undefined && { trailing }) }
  }

  #value(): Value {
    const token = this.#next()
    if (token.text === '{') {
      const entries = this.entries()
      this.#next()
      return { kind: 'object', entries }
    }
    return token.text === '[' && token.kind === 'mark' ? this.#list() : { kind: 'text', text: token.text }
  }

  #list(): ListValue {
    const elements: ListValue['elements'][number][] = []
    let tall = false
    for (let token = this.#peek(); token && token.text !== ']'; token = this.#peek()) {
      tall ||= token.breaks > 0
      if (token.kind === 'comment') elements.push({ kind: 'comment', text: this.#next().text })
      else if (token.text === ',') this.#next()
      else elements.push(this.#value())
    }
    const end = this.#next()
    return { kind: 'list', tall: (tall || end.breaks > 0) && elements.length > 0, elements }
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at]
  }

  #next(): Token {
    const token = this.#tokens[this.#at]
    if (!token) throw new Error('the document ends too early to be laid out')
    this.#at += 1
    return token
  }
}
