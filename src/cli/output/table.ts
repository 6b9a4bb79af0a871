/** Columns as Vault prints them: four spaces between, "n/a" for what is empty, the heads underlined. */
export function tableOf(rows: readonly (readonly string[])[]): string {
  const [heads = [], ...body] = rows
  return columnsOf([heads, heads.map((head) => '-'.repeat(width(head))), ...body])
}

export function columnsOf(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => width(shown(row[i])))))
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? shown(cell) : shown(cell).padEnd(padTo(shown(cell), widths[i] ?? 0))))
        .join('    '),
    )
    .join('\n')
}

/** "== Secret Path ==": padded to about `length`, at least two signs on each side. */
export function heading(title: string, length: number): string {
  const signs = Math.max(4, length - (title.length + 2))
  const side = '='.repeat(Math.ceil(signs / 2))
  return `${side} ${title} ${side}`
}

/** The heading over a table of these members. */
export const headingFor = (title: string, members: object): string =>
  heading(title, Math.max(0, ...Object.keys(members).map((key) => key.length)) + 9)

const shown = (cell: string | undefined) => (cell === undefined || cell === '' ? 'n/a' : cell)

/** Characters, not UTF-16 units. */
const width = (text: string) => [...text].length

const padTo = (text: string, wanted: number) => wanted + (text.length - width(text))
