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
  ]).toEqual(['"coffer_rows_commit_2"', 1, '50c0307fb926c3b3fb9d81c69206b9768c997f1cea06024e9ddb64d3eabf7caa'])
})
