/** A literal character, or one of the two wildcards. */
export type Glyph = string | typeof anyRun | typeof anyOne
export const anyRun = Symbol('*')
export const anyOne = Symbol('?')

/** Linear in memory and at most quadratic in time: patterns come from whoever may write a manifest, so no regular expression. */
export function matchesWildcard(pattern: readonly Glyph[], text: string): boolean {
  const chars = [...text]
  let at = 0
  let step = 0
  let star = -1
  let resume = 0
  while (at < chars.length) {
    const glyph = pattern[step]
    if (glyph === anyRun) {
      star = step
      resume = at
      step += 1
    } else if (glyph === anyOne || (glyph !== undefined && glyph === chars[at])) {
      at += 1
      step += 1
    } else if (star >= 0) {
      step = star + 1
      resume += 1
      at = resume
    } else return false
  }
  return pattern.slice(step).every((glyph) => glyph === anyRun)
}

export function wildcardOf(text: string): Glyph[] {
  return [...text].map((char) => (char === '*' ? anyRun : char === '?' ? anyOne : char))
}
