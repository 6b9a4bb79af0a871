/** The request target: checked, cut into path and query, decoded exactly once. Everyone after this sees that one string. */
import { Refusal } from '../contracts/request.ts'

export type Query = Readonly<Record<string, string | readonly string[]>>

const noQuery: Query = Object.freeze(Object.create(null))
const plainPath = /^[A-Za-z0-9_\-/.~:@!$&'()*+,;=]*$/
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Refuses (400) absolute-form and `*` targets, control characters, invalid UTF-8, `.`, `..` and empty segments, encoded or not. */
export function parseTarget(target: string): { path: string; query: Query } {
  if (target.charCodeAt(0) !== 0x2f) throw new Refusal(400, 'only origin-form request targets are supported')
  const mark = target.indexOf('?')
  const rawPath = mark < 0 ? target : target.slice(0, mark)
  const path = plainPath.test(rawPath) ? rawPath : decode(rawPath)
  checkSegments(path)
  return { path, query: mark < 0 ? noQuery : parseQuery(target.slice(mark + 1)) }
}

function checkSegments(path: string): void {
  if (path.includes('//')) throw new Refusal(400, "empty path segments ('//') are not supported")
  if (!path.includes('/.')) return
  for (const segment of path.split('/')) {
    if (segment === '.' || segment === '..') throw new Refusal(400, 'relative paths not supported')
  }
}

/** `%2F` becomes a slash, as in Go. The text holds one UTF-16 unit per byte, as Node's parser gives it. */
function decode(text: string): string {
  const bytes = Buffer.allocUnsafe(text.length)
  let length = 0
  for (let i = 0; i < text.length; i += 1) {
    let byte = text.charCodeAt(i)
    if (byte === 0x25) {
      const hex = text.slice(i + 1, i + 3)
      if (!/^[0-9a-fA-F]{2}$/.test(hex)) throw new Refusal(400, 'invalid percent-encoding in the request target')
      byte = Number.parseInt(hex, 16)
      i += 2
    }
    if (byte < 0x20 || byte === 0x7f) throw new Refusal(400, 'control characters are not allowed in the request target')
    if (byte > 0xff) throw new Refusal(400, 'the request target must be encoded as UTF-8')
    bytes[length] = byte
    length += 1
  }
  try {
    return utf8.decode(bytes.subarray(0, length))
  } catch {
    throw new Refusal(400, 'the request target is not valid UTF-8')
  }
}

function parseQuery(text: string): Query {
  const query: Record<string, string | string[]> = Object.create(null)
  for (const part of text.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decode((equals < 0 ? part : part.slice(0, equals)).replaceAll('+', ' '))
    const value = equals < 0 ? '' : decode(part.slice(equals + 1).replaceAll('+', ' '))
    const before = query[name]
    if (before === undefined) query[name] = value
    else if (typeof before === 'string') query[name] = [before, value]
    else before.push(value)
  }
  return query
}
