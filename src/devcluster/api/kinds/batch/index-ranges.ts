/** Sets of completion indexes as text: "1,3-5,7". */

export type IndexRange = readonly [first: number, last: number]

/** How many there are, or what is wrong with the text. */
export function indexCount(text: string, completions: number): number | string {
  const ranges = indexRanges(text, completions)
  return typeof ranges === 'string' ? ranges : ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0)
}

/** In growing order, or what is wrong with the text. */
export function indexRanges(text: string, completions: number): readonly IndexRange[] | string {
  const out: IndexRange[] = []
  if (text === '') return out
  for (const part of text.split(',')) {
    const range = rangeOf(part, completions)
    if (typeof range === 'string') return range
    const last = out.at(-1)?.[1]
    if (last !== undefined && last >= range[0]) return `non-increasing order, previous: ${last}, current: ${range[0]}`
    out.push(range)
  }
  return out
}

function rangeOf(part: string, completions: number): IndexRange | string {
  const ends = part.split('-')
  if (ends.length > 2)
    return `the fragment ${JSON.stringify(part)} violates the requirement that an index interval can have at most two parts separated by '-'`
  const numbers: number[] = []
  for (const end of ends) {
    if (!/^[+]?\d+$/.test(end)) return `cannot convert string to integer for index: ${JSON.stringify(end)}`
    if (Number(end) >= completions) return `too large index: ${JSON.stringify(end)}`
    numbers.push(Number(end))
  }
  const [first = 0, last = first] = numbers
  if (numbers.length === 2 && first >= last) return `non-increasing order, previous: ${first}, current: ${last}`
  return [first, last]
}

/** Both in growing order. */
export function firstOverlap(a: readonly IndexRange[], b: readonly IndexRange[]): number | undefined {
  let at = 0
  for (const [first, last] of a) {
    while ((b[at]?.[1] ?? Number.POSITIVE_INFINITY) < first) at += 1
    const other = b[at]?.[0] ?? Number.POSITIVE_INFINITY
    if (other <= last) return Math.max(first, other)
  }
  return undefined
}
