/** What a client is told besides the answer, as Warning headers (RFC 7234 5.5), no more of it than clients can take. */

/** k8s.io/apiserver's: above so many characters together every warning is cut, and those that still do not fit are left out. */
const totalCharacters = 4096
const cutCharacters = 256

export function warningLines(texts: readonly string[]): string[] {
  const all = [...new Set(texts)].filter((text) => text !== '').map(oneLine)
  return (fits(all) ? all : cut(all)).map((text) => `299 - ${JSON.stringify(text)}`)
}

function fits(texts: readonly string[]): boolean {
  let written = 0
  for (const text of texts) written += lengthOf(text)
  return written <= totalCharacters
}

/** The one that reaches the limit is still told. */
function cut(texts: readonly string[]): string[] {
  const out: string[] = []
  let written = 0
  for (const text of texts) {
    if (written >= totalCharacters) break
    const short = lengthOf(text) > cutCharacters ? [...text].slice(0, cutCharacters).join('') : text
    written += lengthOf(short)
    out.push(short)
  }
  return out
}

const lengthOf = (text: string) => [...text].length
const oneLine = (text: string) => text.replace(/[\u0000-\u001f\u007f]/g, ' ')
