import { compareUtf8 } from '../lib/json/stringify.ts'

/**
 * Go strings are bytes, JavaScript's are UTF-16. Bytes that are no UTF-8 (a decoded keystore) are carried as lone surrogates
 * U+DC80..U+DCFF, one per byte, and become bytes again on output (Python's surrogateescape, PEP 383).
 */

const loneSurrogate = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/

export function toBytes(text: string): Buffer {
  if (!loneSurrogate.test(text)) return Buffer.from(text, 'utf8')
  const parts: Buffer[] = []
  let plain = ''
  for (const char of text) {
    const code = char.charCodeAt(0)
    if (char.length === 1 && code >= 0xdc80 && code <= 0xdcff) {
      parts.push(Buffer.from(plain, 'utf8'), Buffer.of(code - 0xdc00))
      plain = ''
    } else {
      plain += char
    }
  }
  parts.push(Buffer.from(plain, 'utf8'))
  return Buffer.concat(parts)
}

export function fromBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = buffer.toString('utf8')
  if (!text.includes('\uFFFD')) return text
  let out = ''
  for (let i = 0; i < buffer.length; ) {
    const size = sequenceLength(buffer, i)
    if (size === 0) {
      out += String.fromCharCode(0xdc00 + (buffer[i] ?? 0))
      i += 1
    } else {
      out += buffer.toString('utf8', i, i + size)
      i += size
    }
  }
  return out
}

/** Length of the valid UTF-8 sequence at `at` (RFC 3629, no surrogates, shortest form); 0 when there is none. */
function sequenceLength(b: Buffer, at: number): number {
  const first = b[at] ?? 0
  if (first < 0x80) return 1
  const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
  if (first < 0xc2 || first > 0xf4 || at + size > b.length) return 0
  for (let i = 1; i < size; i++) if (((b[at + i] ?? 0) & 0xc0) !== 0x80) return 0
  const second = b[at + 1] ?? 0
  if (first === 0xe0 && second < 0xa0) return 0
  if (first === 0xed && second > 0x9f) return 0
  if (first === 0xf0 && second < 0x90) return 0
  if (first === 0xf4 && second > 0x8f) return 0
  return size
}

/** Go's len of a string. */
export const byteLength = (text: string): number =>
  loneSurrogate.test(text) ? toBytes(text).length : Buffer.byteLength(text, 'utf8')

/** Go's s[from:to], in bytes. */
export const sliceBytes = (text: string, from: number, to: number): string =>
  fromBytes(toBytes(text).subarray(from, to))

export const sortedKeys = (map: ReadonlyMap<string, unknown>): string[] => [...map.keys()].sort(compareUtf8)

/** strconv.Quote; `ascii`: strconv.QuoteToASCII. */
export function quote(text: string, ascii = false): string {
  return `"${[...text].map((c) => quoteChar(c, '"', ascii)).join('')}"`
}

/** strconv.QuoteRune. */
export const quoteRune = (char: string, ascii = false): string => `'${quoteChar(char, "'", ascii)}'`

const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}

function quoteChar(char: string, mark: string, ascii: boolean): string {
  if (char === mark) return `\\${mark}`
  const known = escapes[char]
  if (known !== undefined) return known
  const code = char.codePointAt(0) ?? 0
  if (char.length === 1 && code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`
  if (code < 0x7f || (!ascii && isPrint(char))) return char
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
}

/** strconv.IsPrint: letters, marks, numbers, punctuation, symbols and ASCII space. */
export const isPrint = (char: string): boolean => char === ' ' || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(char)
