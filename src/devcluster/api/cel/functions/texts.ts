/** Functions of strings (cel-go's ext/strings version 2, Kubernetes' find). Positions count characters, not bytes. */
import { RE2JS } from 're2js'
import { fn, intOf, itemsOf, method, type Overload, textOf } from '../overload.ts'
import { CelError, textList, typeNameOf, type Value } from '../value.ts'
import { formatText } from './text-format.ts'

const outOfRange = (position: number | bigint) => new CelError(`index out of range: ${position}`)
const letters = (value: Value | undefined) => [...textOf(value)]

/** Go's regular expressions, linear in time. */
export function compilePattern(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern)
  } catch (error) {
    throw new CelError(error instanceof Error ? error.message : 'invalid regular expression')
  }
}

function charAt(text: readonly string[], position: bigint): string {
  if (position < 0n || position > BigInt(text.length)) throw outOfRange(position)
  return text[Number(position)] ?? ''
}

function indexOf(text: readonly string[], part: readonly string[], from: bigint): bigint {
  if (part.length === 0) return from
  if (from < 0n) throw outOfRange(from)
  for (let at = Number(from); at + part.length <= text.length; at++) if (startsAt(text, part, at)) return BigInt(at)
  return -1n
}

function lastIndexOf(text: readonly string[], part: readonly string[], from: bigint): bigint {
  if (part.length === 0) return from
  if (from < 0n) throw outOfRange(from)
  if (from >= BigInt(text.length)) return -1n
  for (let at = Math.min(Number(from), text.length - part.length); at >= 0; at--)
    if (startsAt(text, part, at)) return BigInt(at)
  return -1n
}

function startsAt(text: readonly string[], part: readonly string[], at: number): boolean {
  return part.every((letter, index) => text[at + index] === letter)
}

function substring(text: readonly string[], start: bigint, end?: bigint): string {
  const length = BigInt(text.length)
  if (end !== undefined && start > end) throw new CelError(`invalid substring range. start: ${start}, end: ${end}`)
  if (start < 0n || start > length) throw outOfRange(start)
  if (end !== undefined && (end < 0n || end > length)) throw outOfRange(end)
  return text.slice(Number(start), end === undefined ? undefined : Number(end)).join('')
}

/** Go's strings.SplitN. */
function split(text: string, separator: string, limit: bigint): Value {
  if (limit === 0n) return textList([])
  const parts = separator === '' ? [...text] : text.split(separator)
  const most = Number(limit)
  if (limit < 0n || parts.length <= most) return textList(parts)
  return textList([...parts.slice(0, most - 1), parts.slice(most - 1).join(separator)])
}

/** Go's strings.Replace. */
function replace(text: string, old: string, by: string, limit: bigint): string {
  const pieces = old === '' ? ['', ...text, ''] : text.split(old)
  if (old === '' && text === '') return limit === 0n ? '' : by
  const most = limit < 0n ? pieces.length - 1 : Math.min(Number(limit), pieces.length - 1)
  return pieces.reduce((out, piece, index) => {
    if (index === 0) return piece
    return out + (index <= most ? by : old) + piece
  }, '')
}

function join(items: readonly Value[], separator: string): string {
  for (const item of items) if (typeof item !== 'string') throw new CelError(`join: invalid input: ${typeNameOf(item)}`)
  return items.join(separator)
}

function findAll(text: string, pattern: string, limit: bigint): Value {
  const matcher = compilePattern(pattern).matcher(text)
  const found: string[] = []
  while ((limit < 0n || BigInt(found.length) < limit) && matcher.find()) found.push(matcher.group() ?? '')
  return textList(found)
}

const escapes: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
}
const quote = (text: string) => `"${[...text].map((letter) => escapes[letter] ?? letter).join('')}"`
const ascii = (text: string, pattern: RegExp, change: (letter: string) => string) => text.replace(pattern, change)

export const textFunctions: readonly Overload[] = [
  method('contains', 'string, string', 'bool', ([text, part]) => textOf(text).includes(textOf(part))),
  method('startsWith', 'string, string', 'bool', ([text, part]) => textOf(text).startsWith(textOf(part))),
  method('endsWith', 'string, string', 'bool', ([text, part]) => textOf(text).endsWith(textOf(part))),
  fn('matches', 'string, string', 'bool', ([text, pattern]) =>
    compilePattern(textOf(pattern)).matcher(textOf(text)).find(),
  ),
  method('matches', 'string, string', 'bool', ([text, pattern]) =>
    compilePattern(textOf(pattern)).matcher(textOf(text)).find(),
  ),
  method('find', 'string, string', 'string', ([text, pattern]) => {
    const matcher = compilePattern(textOf(pattern)).matcher(textOf(text))
    return matcher.find() ? (matcher.group() ?? '') : ''
  }),
  method('findAll', 'string, string', 'list(string)', ([text, pattern]) => findAll(textOf(text), textOf(pattern), -1n)),
  method('findAll', 'string, string, int', 'list(string)', ([text, pattern, limit]) =>
    findAll(textOf(text), textOf(pattern), intOf(limit)),
  ),
  method('charAt', 'string, int', 'string', ([text, at]) => charAt(letters(text), intOf(at))),
  method('indexOf', 'string, string', 'int', ([text, part]) => indexOf(letters(text), letters(part), 0n)),
  method('indexOf', 'string, string, int', 'int', ([text, part, from]) =>
    indexOf(letters(text), letters(part), intOf(from)),
  ),
  method('lastIndexOf', 'string, string', 'int', ([text, part]) => {
    const all = letters(text)
    if (textOf(part) === '') return BigInt(all.length)
    return all.length === 0 ? -1n : lastIndexOf(all, letters(part), BigInt(all.length - 1))
  }),
  method('lastIndexOf', 'string, string, int', 'int', ([text, part, from]) =>
    lastIndexOf(letters(text), letters(part), intOf(from)),
  ),
  method('lowerAscii', 'string', 'string', ([text]) => ascii(textOf(text), /[A-Z]/g, (c) => c.toLowerCase())),
  method('upperAscii', 'string', 'string', ([text]) => ascii(textOf(text), /[a-z]/g, (c) => c.toUpperCase())),
  method('replace', 'string, string, string', 'string', ([text, old, by]) =>
    replace(textOf(text), textOf(old), textOf(by), -1n),
  ),
  method('replace', 'string, string, string, int', 'string', ([text, old, by, limit]) =>
    replace(textOf(text), textOf(old), textOf(by), intOf(limit)),
  ),
  method('split', 'string, string', 'list(string)', ([text, by]) => split(textOf(text), textOf(by), -1n)),
  method('split', 'string, string, int', 'list(string)', ([text, by, limit]) =>
    split(textOf(text), textOf(by), intOf(limit)),
  ),
  method('substring', 'string, int', 'string', ([text, start]) => substring(letters(text), intOf(start))),
  method('substring', 'string, int, int', 'string', ([text, start, end]) =>
    substring(letters(text), intOf(start), intOf(end)),
  ),
  method('trim', 'string', 'string', ([text]) => textOf(text).trim()),
  method('format', 'string, list(dyn)', 'string', ([text, args]) => formatText(textOf(text), itemsOf(args))),
  fn('strings.quote', 'string', 'string', ([text]) => quote(textOf(text))),
  method('join', 'list(string)', 'string', ([items]) => join(itemsOf(items), '')),
  method('join', 'list(string), string', 'string', ([items, by]) => join(itemsOf(items), textOf(by))),
]
