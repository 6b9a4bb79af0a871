import { isPrint, toBytes } from '../go-string.ts'

/** The escapers that text/template builds in. */

const htmlCodes: Readonly<Record<string, string>> = {
  '\0': '\uFFFD',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
}
export const escapeHtml = (text: string): string => text.replace(/[\0"'&<>]/g, (c) => htmlCodes[c] ?? c)

const jsCodes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
}
export const escapeJs = (text: string): string =>
  text.replace(/[\\'"<>&=\x00-\x1f]|[^\x00-\x7f]/gu, (c) => {
    const known = jsCodes[c]
    if (known !== undefined) return known
    const code = c.codePointAt(0) ?? 0
    if (code < 0x20) return `\\u00${code.toString(16).toUpperCase().padStart(2, '0')}`
    return isPrint(c) ? c : `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`
  })

/** net/url.QueryEscape. */
export function escapeQuery(text: string): string {
  let out = ''
  for (const byte of toBytes(text)) {
    const char = String.fromCharCode(byte)
    if (/[A-Za-z0-9\-_.~]/.test(char)) out += char
    else out += char === ' ' ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return out
}
