/** Changes of a group's member rows inside a transaction. */
import type { Tx } from '../../contracts/secret-storage.ts'
import type { IdentityRows } from '../identity-rows.ts'
import type { Group } from './group-index.ts'
import { type GroupRow, membersPerRow } from './group-row.ts'

export const membersOf = (group: Group): string[] => [...group.row.members, ...group.more.flat()]

/** The row with these members; the further rows are written, those that are left over removed. */
export function withMembers(rows: IdentityRows, tx: Tx, row: GroupRow, members: readonly string[]): GroupRow {
  const pieces: (readonly string[])[] = []
  for (let i = membersPerRow; i < members.length; i += membersPerRow) pieces.push(members.slice(i, i + membersPerRow))
  for (const [n, piece] of pieces.entries()) putPiece(rows, tx, row.id, n, piece)
  for (let n = pieces.length; n < row.more; n += 1) tx.remove(rows.members, `${row.id}/${n}`)
  return { ...row, members: members.slice(0, membersPerRow), more: pieces.length }
}

/** Takes one out and puts others in, touching no more rows than that needs. Ids that are there already stay once. */
export function replaceMember(
  rows: IdentityRows,
  tx: Tx,
  group: Group,
  gone: readonly string[],
  come: readonly string[],
): GroupRow {
  const lists = [group.row.members, ...group.more]
  const present = new Set(lists.flat())
  const missing = come.filter((id) => !present.has(id))
  const after = lists.map((list) =>
    list.some((id) => gone.includes(id)) ? list.filter((id) => !gone.includes(id)) : list,
  )
  if (missing.length > 0) {
    const room = after.findIndex((list) => list.length + missing.length <= membersPerRow)
    if (room < 0) after.push(missing)
    else after[room] = [...(after[room] ?? []), ...missing]
  }
  for (const [i, list] of after.entries()) {
    if (i > 0 && list !== lists[i]) putPiece(rows, tx, group.row.id, i - 1, list)
  }
  return { ...group.row, members: after[0] ?? [], more: after.length - 1 }
}

/** What every change of a group does besides. */
export function putGroup(rows: IdentityRows, tx: Tx, row: GroupRow): GroupRow {
  const next = { ...row, updatedAt: row.modifyIndex === 0 ? row.createdAt : rows.now, modifyIndex: row.modifyIndex + 1 }
  tx.put(rows.groups, row.id, next)
  rows.bumpGroups(tx)
  return next
}

function putPiece(rows: IdentityRows, tx: Tx, id: string, n: number, members: readonly string[]): void {
  tx.put(rows.members, `${id}/${n}`, { format: 1, members })
}
