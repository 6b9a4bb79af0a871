import { expect, it } from 'vitest'
import { findServer } from './server-record.ts'

it('the record of lowest priority and highest weight is the server; no records is none', async () => {
  const asked: string[] = []
  const records = [
    { name: 'c', port: 1, priority: 2, weight: 9 },
    { name: 'b', port: 2, priority: 1, weight: 1 },
    { name: 'a', port: 3, priority: 1, weight: 5 },
  ]
  const found = await findServer('vault.example', async (name) => {
    asked.push(name)
    return records
  })
  expect([asked, found?.name, found?.port]).toEqual([['_http._tcp.vault.example'], 'a', 3])
  expect(await findServer('x', async () => [])).toBeUndefined()
  expect(await findServer('x', () => Promise.reject(new Error('ENOTFOUND')))).toBeUndefined()
})
