/** Sets of completion indexes and their text in a Job's status: "1,3-5,7". */

/** What cannot be read or is `completions` or more is left out. */
export function parseIndexes(text: string | undefined, completions: number): Set<number> {
  const out = new Set<number>()
  for (const { first, last } of rangesOf(text, completions))
    for (let index = first; index <= last; index++) out.add(index)
  return out
}

/** How many indexes the text names, and how many of these are in `found`. A few letters can name two billion: none is written out. */
export function countNamed(text: string, completions: number, found: ReadonlySet<number>) {
  const ranges = rangesOf(text, completions).sort((a, b) => a.first - b.first)
  const named = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  let at = 0
  let both = 0
  for (const index of [...found].sort((a, b) => a - b)) {
    while ((ranges[at]?.last ?? Number.POSITIVE_INFINITY) < index) at += 1
    if ((ranges[at]?.first ?? Number.POSITIVE_INFINITY) <= index) both += 1
  }
  return { named, both }
}

function rangesOf(text: string | undefined, completions: number): { first: number; last: number }[] {
  return (text ?? '').split(',').flatMap((part) => {
    const range = /^(\d+)(?:-(\d+))?$/.exec(part)
    if (!range) return []
    const first = Number(range[1])
    const last = Math.min(Number(range[2] ?? range[1]), completions - 1)
    return first <= last ? [{ first, last }] : []
  })
}

/** Three or more in a row become a range. */
export function formatIndexes(indexes: ReadonlySet<number>): string {
  const ordered = [...indexes].sort((a, b) => a - b)
  const parts: string[] = []
  for (let i = 0; i < ordered.length; ) {
    let end = i
    while (ordered[end + 1] === (ordered[end] ?? 0) + 1) end += 1
    if (end - i >= 2) parts.push(`${ordered[i]}-${ordered[end]}`)
    else for (let j = i; j <= end; j++) parts.push(String(ordered[j]))
    i = end + 1
  }
  return parts.join(',')
}
