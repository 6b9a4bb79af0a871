declare global {
  interface String {
    /** Node.js 20 has it, but not all of the ES2024 that TypeScript knows it from. */
    isWellFormed(): boolean
  }
}

const needsCare = /[\\\u0000-\u001f\ud800-\udfff]/

/**
 * Whether no character of a JSON text needs a closer look inside its strings. `checked`: the text is known to be valid; to see that
 * it is ASCII without a backslash takes a thirtieth of the time.
 */
export function isSimple(text: string, checked = false): boolean {
  return checked ? !text.includes('\\') && Buffer.byteLength(text) === text.length : !needsCare.test(text)
}

/** The quote that ends the string whose text begins at `start`, looked for from `from`; less than 0: there is none. */
export function endOfString(text: string, start: number, from = start): number {
  let end = text.indexOf('"', from)
  while (end > 0 && isEscaped(text, start, end)) end = text.indexOf('"', end + 1)
  return end
}

/** Whether an odd number of backslashes stands before the quote at `end`. */
function isEscaped(text: string, start: number, end: number): boolean {
  let at = end
  while (at > start && text.charCodeAt(at - 1) === 0x5c) at -= 1
  return (end - at) % 2 === 1
}

export const simpleEscapes: Readonly<Record<string, string>> = Object.assign(Object.create(null), {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
})
