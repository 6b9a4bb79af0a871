import { assertFormat, knownFormat, plainRows } from '../../server/barrier/barrier.ts'
import { generationRow, sealedRow } from '../../server/barrier/plain-rows.ts'
import { rowOverheadBytes } from '../../server/barrier/row-cipher.ts'
import type { Stored } from '../../server/contracts/storage.ts'
import { migrationKey } from '../../server/storage/migration.ts'
import { checkRow } from '../../server/storage/rules.ts'

/** Rows that are stored as they are. */
const unencrypted: readonly string[] = [
  plainRows.format,
  plainRows.sealConfig,
  plainRows.wrappedRootKey,
  plainRows.leader,
  sealedRow,
  generationRow,
  migrationKey,
]
/** Without these no key opens anything. */
const essential = [plainRows.format, plainRows.keyring, plainRows.sealConfig, plainRows.wrappedRootKey]
const maxProblems = 20
const sliceRows = 500

export interface Survey {
  readonly rows: number
  readonly bytes: number
  readonly problems: readonly string[]
  readonly kinds: readonly { readonly name: string; readonly rows: number; readonly bytes: number }[]
}

/** What can be said of rows without any key: their form, their order, what must be there, who has no owner. Never names of rows. */
export async function surveyRows(rows: AsyncIterable<readonly [string, Stored]>): Promise<Survey> {
  const survey = new Surveyor()
  let count = 0
  for await (const [key, row] of rows) {
    survey.add(key, row)
    count += 1
    if (count % sliceRows === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return survey.end()
}

class Surveyor {
  readonly #problems: string[] = []
  readonly #kinds = new Map<string, { rows: number; bytes: number }>()
  readonly #found = new Set<string>()
  /** Known by their rows, which come before what lies in them. */
  readonly #namespaces = new Set(['root'])
  readonly #ownerless = new Map<string, number>()
  #before: Buffer | undefined
  #rows = 0
  #bytes = 0

  add(key: string, row: Stored): void {
    const kind = kindOf(key)
    this.#rows += 1
    this.#look(kind, () => {
      const bytes = checkRow(key, row)
      this.#bytes += bytes
      const sum = this.#kinds.get(kind) ?? { rows: 0, bytes: 0 }
      this.#kinds.set(kind, { rows: sum.rows + 1, bytes: sum.bytes + bytes })
      const name = Buffer.from(key)
      if (this.#before && Buffer.compare(this.#before, name) >= 0) throw new Error('it is out of order')
      this.#before = name
      if (key === plainRows.format) assertFormat(row.value)
      if (!unencrypted.includes(key)) checkEncrypted(row.value)
    })
    if (essential.some((one) => one === key)) this.#found.add(key)
    const [area, id = ''] = key.split('/')
    if (key.startsWith('core/namespaces/')) this.#namespaces.add(key.slice('core/namespaces/'.length))
    if (area === 'ns' && !this.#namespaces.has(id)) this.#ownerless.set(id, (this.#ownerless.get(id) ?? 0) + 1)
  }

  end(): Survey {
    for (const key of essential) {
      if (!this.#found.has(key)) this.#problem(`the row "${key}" is missing: nothing can be unsealed without it`)
    }
    for (const [id, count] of this.#ownerless) {
      this.#problem(`${count} rows belong to the namespace ${JSON.stringify(id.slice(0, 40))}, which does not exist`)
    }
    const kinds = [...this.#kinds].map(([name, sums]) => ({ name, ...sums }))
    return { rows: this.#rows, bytes: this.#bytes, problems: this.#problems, kinds }
  }

  #look(kind: string, check: () => void): void {
    try {
      check()
    } catch (error) {
      this.#problem(`row ${this.#rows} (${kind}): ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #problem(text: string): void {
    if (this.#problems.length < maxProblems) this.#problems.push(text)
    else if (this.#problems.length === maxProblems) this.#problems.push('… and more')
  }
}

function checkEncrypted(value: Uint8Array): void {
  if (value.length < rowOverheadBytes) throw new Error(`it has ${value.length} bytes, an encrypted row has more`)
  const [format = 0] = value
  if (format < 1 || format > knownFormat) {
    throw new Error(`it has format ${format}, this Coffer knows formats 1 to ${knownFormat}`)
  }
}

/** The folder of a row, as far as no person chose its name. */
function kindOf(key: string): string {
  const [area = '', id = '', kind] = key.split('/')
  if (area === 'ns') return kind === undefined ? 'ns' : `ns/*/${kind}`
  return area === 'core' ? `core/${id}` : area
}
