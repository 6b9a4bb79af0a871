import { expect, it } from 'vitest'
import { encodeMark, readMark } from './restored-mark.ts'

const mark = { snapshot: 's', takenAt: 't', restoredAt: 'r' }
const rows = (value?: Uint8Array) => ({
  read: async () => [value && { value, version: '00000000000001' }],
})

it('a restored storage says from what and what came alive; of another cluster it says nothing about that', async () => {
  const undone = { tokens: 3, changed_policies: 1 }
  expect(await readMark(rows(encodeMark('1', { ...mark, undone })))).toEqual({ ...mark, undone })
  expect(await readMark(rows(encodeMark('1', mark)))).toEqual(mark)
  const forged = JSON.stringify({ format: 1, mark: { ...mark, undone: { tokens: 'x', '\u001b[2J': 1, leases: 2 } } })
  expect(await readMark(rows(Buffer.from(forged)))).toEqual({ ...mark, undone: { leases: 2 } })
})

it('a storage that was not restored, or sealed by hand since, says nothing', async () => {
  expect(await readMark(rows())).toBeUndefined()
  expect(await readMark(rows(encodeMark('1', undefined)))).toBeUndefined()
  for (const text of ['', 'null', '[]', '{"mark":7}', '\u0001\u0000encrypted'])
    expect(await readMark(rows(Buffer.from(text)))).toBeUndefined()
})
