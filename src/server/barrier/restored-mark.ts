import type { Rows } from '../contracts/secret-storage.ts'
import type { Stored } from '../contracts/storage.ts'
import { generationValue } from './generation.ts'
import { generationRow, plainRows, sealedRow } from './plain-rows.ts'

/** What a restore says about itself, for whoever unseals the storage after it. */
export interface RestoredMark {
  /** Of the snapshot. */
  readonly snapshot: string
  readonly takenAt: string
  readonly restoredAt: string
  /** How many of each kind had ended and live again; absent: the storage that was replaced could not be compared. */
  readonly undone?: Readonly<Record<string, number>>
}

/** Written without keys, so anybody who writes the storage may have: only for people to read. */
export const encodeMark = (id: string, mark: RestoredMark | undefined): Uint8Array =>
  Buffer.from(JSON.stringify({ format: 1, restored: id, mark }))

/** Undefined when the storage was not restored since it was last sealed by hand. */
export async function readMark(rows: Pick<Rows, 'read'>): Promise<RestoredMark | undefined> {
  const [row] = await rows.read([{ key: sealedRow }])
  if (row === undefined || row === 'same') return undefined
  try {
    const { mark }: { mark?: Partial<RestoredMark> } = JSON.parse(Buffer.from(row.value).toString())
    if (typeof mark?.snapshot !== 'string') return undefined
    const { undone } = mark
    return {
      snapshot: mark.snapshot,
      takenAt: String(mark.takenAt),
      restoredAt: String(mark.restoredAt),
      ...(undone ? { undone: countsIn(undone) } : {}),
    }
  } catch {
    // Sealed by hand since: encrypted.
    return undefined
  }
}

const countsIn = (undone: object): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(undone).filter(([kind, count]) => /^[a-z_]{1,40}$/.test(kind) && Number.isSafeInteger(count)),
  )

/**
 * The rows of a snapshot without those about nodes of its time, the mark that makes every node forget the keys of the storage
 * before, and a new generation, so that nothing is written any more that was worked out from the rows before.
 */
export function* restoredRows(
  rows: Iterable<readonly [string, Stored]>,
  id: string,
  mark: RestoredMark | undefined,
): Generator<readonly [string, Stored]> {
  const own: readonly string[] = [plainRows.leader, sealedRow, generationRow]
  for (const row of rows) if (!own.includes(row[0]) && !row[0].startsWith('core/nodes/')) yield row
  yield [sealedRow, { value: encodeMark(id, mark), version: id }]
  yield [generationRow, { value: generationValue(id), version: id }]
}
