import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { commitFunction } from './commit-function.ts'
import { tableFormat, tableNames } from './table-names.ts'

// A database that has a function of this name keeps it: another text needs another name, or it would never get there.
it('the text of the commit function is the one that bears its name', () => {
  const names = tableNames('coffer_rows')
  const text = names && commitFunction(names)
  expect([
    names?.commit,
    tableFormat,
    createHash('sha256')
      .update(text ?? '')
      .digest('hex'),
  ]).toEqual(['"coffer_rows_commit_3"', 1, '49bd17624e1623cb1c9d3ccc5b3b8778c55af00eb8d1984bc5685c74766c40c6'])
})
