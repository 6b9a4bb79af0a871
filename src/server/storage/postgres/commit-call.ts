import type { Commit } from '../../contracts/storage.ts'
import type { Kind } from './commit-function.ts'
import type { Parameter } from './connection/session.ts'
import { byteaArray, pack, plainArray, versionColumn } from './encoding.ts'
import type { Names } from './table-names.ts'

interface WrittenRow {
  readonly key: Buffer
  readonly kind: Kind
  /** That it must have; null: any, or none. */
  readonly version: string | null
  readonly value: Uint8Array
}

/** The call of the function in commit-function.ts. */
export function commitCall(names: Names, writer: string, commit: Commit): { text: string; values: Parameter[] } {
  // Compared and not locked: over this row nobody waits. No row has an empty key.
  const { key = '', version = '0' } = commit.generation ?? {}
  const rows = rowsOf(commit)
  const packed = pack(rows.map(({ value }) => value))
  return {
    // With their types: another function of the name, with others, must not be taken for it.
    text: `SELECT ${names.commit}($1::bigint, $2::bigint, $3::bytea, $4::bigint, $5::bytea[], $6::"char"[], $7::bigint[],
      $8::integer[], $9::integer[], $10::bytea)`,
    values: [
      versionColumn(commit.id),
      writer,
      Buffer.from(key),
      versionColumn(version),
      byteaArray(rows.map((row) => row.key)),
      plainArray(rows.map(({ kind }) => kind)),
      plainArray(rows.map((row) => row.version)),
      plainArray(packed.offsets),
      plainArray(packed.lengths),
      packed.bytes,
    ],
  }
}

const nothing = Buffer.alloc(0)
/** No row has it, and it is not what the function takes for the version of a row that is not there. */
const never = '-2'

/** Every row that the commit depends on or writes, each once, in key order. */
function rowsOf(commit: Commit): WrittenRow[] {
  const versions = new Map<string, string>()
  for (const { key, version } of commit.checks) {
    const column = versionColumn(version)
    versions.set(key, (versions.get(key) ?? column) === column ? column : never)
  }
  const rows: WrittenRow[] = []
  const add = (name: string, kind: Kind, value: Uint8Array = nothing) => {
    rows.push({ key: Buffer.from(name), kind, version: versions.get(name) ?? null, value })
    versions.delete(name)
  }
  for (const { key, value } of commit.create ?? []) add(key, 'c', value)
  for (const { key, value } of commit.put ?? []) add(key, 'p', value)
  for (const key of commit.remove ?? []) add(key, 'r')
  for (const key of [...versions.keys()]) add(key, 's')
  return rows.sort((a, b) => Buffer.compare(a.key, b.key))
}

/** Whether a commit can be seen: by one of its rows (an empty array: it wrote none), or by its notice from a horizon on. */
export const happenedText = ({ rows, changes }: Names) => `
  SELECT EXISTS (SELECT FROM ${rows} WHERE key = ANY ($1::bytea[]) AND version = $2::bigint)
    OR EXISTS (SELECT FROM ${changes} WHERE xid >= $4::text::xid8 AND writer = $3::bigint AND id = $2::bigint)`
