import type { Commit } from '../../contracts/storage.ts'
import type { Parameter } from './connection/session.ts'
import { byteaArray, pack, plainArray, versionColumn } from './encoding.ts'
import type { Names } from './table-names.ts'

const byKey = (a: { key: Buffer }, b: { key: Buffer }) => Buffer.compare(a.key, b.key)

/** The call of the function in commit-function.ts. */
export function commitCall(names: Names, writer: string, commit: Commit): { text: string; values: Parameter[] } {
  const inOrder = (puts: Commit['put'] = []) =>
    puts.map(({ key, value }) => ({ key: Buffer.from(key), value })).sort(byKey)
  const creates = inOrder(commit.create)
  const puts = inOrder(commit.put)
  const packed = pack([...creates, ...puts].map(({ value }) => value))
  const part = (all: readonly number[], from: number, to: number) => plainArray(all.slice(from, to))
  const removes = (commit.remove ?? []).map((key) => Buffer.from(key))
  const locks = locksOf(commit)
  const told = [...(commit.create ?? []), ...(commit.put ?? [])].map(({ key }) => Buffer.from(key))
  // Compared and not locked: over this row nobody waits.
  const compared = commit.generation ? [...commit.checks, commit.generation] : commit.checks
  const count = creates.length
  const end = count + puts.length
  return {
    text: `SELECT ${names.commit}($1::bigint, $2::bigint, $3::bytea[], $4::boolean[], $5::bytea[], $6::bigint[], $7::bytea[],
      $8::integer[], $9::integer[], $10::bytea[], $11::integer[], $12::integer[], $13::bytea[], $14::bytea[], $15::bytea)`,
    values: [
      versionColumn(commit.id),
      writer,
      byteaArray(locks.map(({ key }) => key)),
      plainArray(locks.map(({ exclusive }) => exclusive)),
      byteaArray(compared.map(({ key }) => Buffer.from(key))),
      plainArray(compared.map(({ version }) => versionColumn(version))),
      byteaArray(creates.map(({ key }) => key)),
      part(packed.offsets, 0, count),
      part(packed.lengths, 0, count),
      byteaArray(puts.map(({ key }) => key)),
      part(packed.offsets, count, end),
      part(packed.lengths, count, end),
      byteaArray(removes),
      byteaArray([...told, ...removes]),
      packed.bytes,
    ],
  }
}

/** Every row that may exist and that the commit depends on, each once, in key order. Created ones must not exist. */
function locksOf(commit: Commit): { key: Buffer; exclusive: boolean }[] {
  const exclusive = new Map<string, boolean>()
  for (const { key } of commit.checks) exclusive.set(key, false)
  for (const { key } of commit.put ?? []) exclusive.set(key, true)
  for (const key of commit.remove ?? []) exclusive.set(key, true)
  return [...exclusive].map(([key, written]) => ({ key: Buffer.from(key), exclusive: written })).sort(byKey)
}

/** Whether a commit can be seen: by one of its rows (an empty array: it wrote none), or by its notice from a horizon on. */
export const happenedText = ({ rows, changes }: Names) => `
  SELECT EXISTS (SELECT FROM ${rows} WHERE key = ANY ($1::bytea[]) AND version = $2::bigint)
    OR EXISTS (SELECT FROM ${changes} WHERE xid >= $4::text::xid8 AND writer = $3::bigint AND id = $2::bigint)`
