import { anyOne, anyRun, type Glyph } from './wildcard.ts'

/** One step of a gjson path and what follows it. `each`: the step was ended by '.', so after '#' the rest is applied to each element. */
export interface Step {
  readonly kind: 'key' | 'count' | 'query' | 'modifier'
  /** The key with escapes resolved, the query's text, or the modifier's name. */
  readonly text: string
  /** For keys with * or ?. */
  readonly pattern?: readonly Glyph[]
  /** `#(...)#`: all matches, not the first. */
  readonly all?: boolean
  readonly each: boolean
  readonly rest: string | undefined
}

/** A gjson path that is legal there but not understood here. The message names what. */
export class UnsupportedPath extends Error {
  override name = 'UnsupportedPath'
}

/** The first step of a non-empty path. */
export function firstStep(path: string): Step {
  const head = path[0]
  if (head === '{' || head === '[' || head === '!') {
    throw new UnsupportedPath(`gjson multipaths and literals are not supported: ${JSON.stringify(path)}`)
  }
  if (head === '@') return modifierStep(path)
  if (path.startsWith('#(')) return queryStep(path)
  return keyStep(path)
}

function ended(path: string, at: number): { each: boolean; rest: string | undefined } {
  if (at >= path.length) return { each: false, rest: undefined }
  return { each: path[at] === '.', rest: path.slice(at + 1) }
}

function modifierStep(path: string): Step {
  const name = /^@[A-Za-z0-9_]*/.exec(path)?.[0] ?? '@'
  if (path[name.length] === ':') {
    throw new UnsupportedPath(`arguments of gjson modifiers are not supported: ${JSON.stringify(name)}`)
  }
  return { kind: 'modifier', text: name, ...ended(path, name.length) }
}

/** Where the bracket that opens at `open` closes; -1 if it doesn't. Quoted text and escapes count for nothing. */
export function closingBracket(text: string, open: number): number {
  let depth = 0
  let quoted = false
  for (let at = open; at < text.length; at += 1) {
    const char = text[at]
    if (char === '\\') at += 1
    else if (char === '"') quoted = !quoted
    else if (!quoted && char === '(') depth += 1
    else if (!quoted && char === ')') {
      depth -= 1
      if (depth === 0) return at
    }
  }
  return -1
}

function queryStep(path: string): Step {
  const close = closingBracket(path, 1)
  if (close < 0) throw new UnsupportedPath(`the gjson query is not closed: ${JSON.stringify(path)}`)
  const all = path[close + 1] === '#'
  return { kind: 'query', text: path.slice(2, close), all, ...ended(path, close + (all ? 2 : 1)) }
}

function keyStep(path: string): Step {
  const pattern: Glyph[] = []
  let key = ''
  let at = 0
  for (; at < path.length; at += 1) {
    let char = path[at] ?? ''
    if (char === '.' || char === '|') break
    const wild = char === '*' ? anyRun : char === '?' ? anyOne : undefined
    if (char === '\\' && at + 1 < path.length) {
      at += 1
      char = path[at] ?? ''
    }
    key += char
    pattern.push(wild ?? char)
  }
  const end = ended(path, at)
  if (key === '#' && path[0] === '#') return { kind: 'count', text: key, ...end }
  const isPattern = pattern.some((glyph) => typeof glyph === 'symbol')
  return { kind: 'key', text: key, ...(isPattern && { pattern }), ...end }
}
