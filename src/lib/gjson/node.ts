/** One JSON value with the text it came from: gjson answers in the document's own spelling. */
export type Node =
  | { readonly kind: 'object'; readonly raw: string; readonly entries: readonly (readonly [string, Node])[] }
  | { readonly kind: 'array'; readonly raw: string; readonly items: readonly Node[] }
  | { readonly kind: 'string'; readonly raw: string; readonly value: string }
  | { readonly kind: 'number' | 'true' | 'false' | 'null'; readonly raw: string }

// A string's end is searched by hand: a pattern would need a stack as deep as the string is long.
const token = /[ \t\n\r]*(?:([{}[\],:])|(")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null))/y
const maxDepth = 128

/** Undefined when `text` is not one JSON value. */
export function parseNode(text: string): Node | undefined {
  const reader = { text, at: 0, depth: 0 }
  const node = readValue(reader)
  return node && text.slice(reader.at).trim() === '' ? node : undefined
}

interface Cursor {
  readonly text: string
  at: number
  depth: number
}

interface Token {
  readonly mark?: string
  readonly string?: string
  readonly number?: string
  readonly word?: string
}

function next(cursor: Cursor): Token | undefined {
  token.lastIndex = cursor.at
  const match = token.exec(cursor.text)
  if (!match) return undefined
  cursor.at = token.lastIndex
  const [, mark, quote, number, word] = match
  if (quote === undefined) return { mark, number, word }
  const start = cursor.at - 1
  for (let at = cursor.at; at < cursor.text.length; at += 1) {
    if (cursor.text[at] === '\\') at += 1
    else if (cursor.text[at] === '"') {
      cursor.at = at + 1
      return { string: cursor.text.slice(start, cursor.at) }
    }
  }
  return undefined
}

function readValue(cursor: Cursor): Node | undefined {
  const { mark, string, number, word } = next(cursor) ?? {}
  if (string !== undefined) return stringNode(string)
  if (number !== undefined) return { kind: 'number', raw: number }
  if (word === 'true' || word === 'false' || word === 'null') return { kind: word, raw: word }
  if ((mark !== '{' && mark !== '[') || cursor.depth >= maxDepth) return undefined
  const start = cursor.at - 1
  cursor.depth += 1
  const node = mark === '{' ? readObject(cursor, start) : readArray(cursor, start)
  cursor.depth -= 1
  return node
}

function stringNode(raw: string): Node | undefined {
  try {
    return { kind: 'string', raw, value: String(JSON.parse(raw)) }
  } catch {
    return undefined
  }
}

function readObject(cursor: Cursor, start: number): Node | undefined {
  const entries: [string, Node][] = []
  for (;;) {
    const key = next(cursor)
    if (key?.mark === '}' && entries.length === 0) break
    const name = key?.string === undefined ? undefined : stringNode(key.string)
    if (name?.kind !== 'string' || next(cursor)?.mark !== ':') return undefined
    const value = readValue(cursor)
    if (!value) return undefined
    entries.push([name.value, value])
    const mark = next(cursor)?.mark
    if (mark === '}') break
    if (mark !== ',') return undefined
  }
  return { kind: 'object', raw: cursor.text.slice(start, cursor.at), entries }
}

function readArray(cursor: Cursor, start: number): Node | undefined {
  const items: Node[] = []
  for (;;) {
    const before = cursor.at
    if (items.length === 0 && next(cursor)?.mark === ']') break
    if (items.length === 0) cursor.at = before
    const value = readValue(cursor)
    if (!value) return undefined
    items.push(value)
    const mark = next(cursor)?.mark
    if (mark === ']') break
    if (mark !== ',') return undefined
  }
  return { kind: 'array', raw: cursor.text.slice(start, cursor.at), items }
}

export function arrayNode(items: readonly Node[]): Node {
  return { kind: 'array', raw: `[${items.map((item) => item.raw).join(',')}]`, items }
}

export function objectNode(entries: readonly (readonly [string, Node])[]): Node {
  const raw = `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${value.raw}`).join(',')}}`
  return { kind: 'object', raw, entries }
}

export function textNode(value: string): Node {
  return { kind: 'string', raw: JSON.stringify(value), value }
}
