import { expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { epochKey } from '../contracts/epochs.ts'
import { FakeRows } from '../contracts/fake-rows.ts'
import { PolicyStore } from './policy-store.ts'

const setUp = () => {
  const rows = new FakeRows()
  const clock = new FakeClock(1000)
  const store = new PolicyStore({ rows, namespaceId: 'root', clock })
  const epoch = () => rows.rows.get(epochKey('root', 'policies'))?.version ?? ''
  return { rows, clock, store, epoch }
}
const read = (path: string) => `path "${path}" { capabilities = ["read"] }`

it('keeps what was written under the lower-cased name, counting the writes', async () => {
  const { store } = setUp()
  expect(await store.put('Mixed', read('a'))).toBe('mixed')
  await store.put('mixed', read('b'))
  expect(await store.get('MIXED')).toEqual({ name: 'mixed', text: read('b'), version: 2, modifiedAt: 1000 })
  expect(await store.get('none')).toBeUndefined()
})

it('decodes base64', async () => {
  const { store } = setUp()
  await store.put('b', Buffer.from(read('a')).toString('base64'))
  expect((await store.get('b'))?.text).toBe(read('a'))
})

it('bumps the epoch in the commit of every change, and only then', async () => {
  const { rows, store, epoch } = setUp()
  await store.put('a', read('a'))
  expect(rows.commits).toBe(1)
  const first = epoch()
  await store.delete('absent')
  expect(epoch()).toBe(first)
  await store.delete('a')
  expect(epoch()).not.toBe(first)
  rows.failing = new Error('down')
  await expect(store.put('a', read('a'))).rejects.toThrow('down')
  rows.failing = undefined
  expect(await store.get('a')).toBeUndefined()
})

it('lists default and root among the written, sorted, without response-wrapping', async () => {
  const { store } = setUp()
  for (const name of ['zed', 'app', 'team/x']) await store.put(name, read('a'))
  expect(await store.list()).toEqual(['app', 'default', 'root', 'team/x', 'zed'])
})

it('keeps the immutable policies and says so', async () => {
  const { store } = setUp()
  await expect(store.put('root', read('a'))).rejects.toMatchObject({
    status: 400,
    message: 'cannot update "root" policy',
  })
  await expect(store.put('response-wrapping', read('a'))).rejects.toThrow('cannot update "response-wrapping" policy')
  await expect(store.delete('Root')).rejects.toThrow('cannot delete "root" policy')
  await expect(store.delete('default')).rejects.toMatchObject({ status: 400, message: 'cannot delete default policy' })
  expect((await store.get('root'))?.text).toBe('')
})

it('default can be rewritten, and then that counts', async () => {
  const { store, epoch } = setUp()
  const before = await store.acl(['default'], epoch())
  expect(before.check({ path: 'auth/token/lookup-self', operation: 'read' }).allowed).toBe(true)
  expect(before.check({ path: 'identity/entity/id/', operation: 'read' }).allowed, 'no identity, no rule').toBe(false)
  await store.put('default', read('only/this'))
  const after = await store.acl(['default'], epoch())
  expect(after.check({ path: 'auth/token/lookup-self', operation: 'read' }).allowed).toBe(false)
  expect(after.check({ path: 'only/this', operation: 'read' }).allowed).toBe(true)
})

it('a refused policy changes nothing', async () => {
  const { rows, store } = setUp()
  await expect(store.put('a', 'path "a" {')).rejects.toMatchObject({ status: 400 })
  await expect(store.put('a', '')).rejects.toThrow("'policy' parameter not supplied or empty")
  expect(rows.rows.size).toBe(0)
})

it('compiles once per epoch and names, in one read, and again after any change', async () => {
  const { rows, store, epoch } = setUp()
  await store.put('a', read('a'))
  await store.put('b', read('b'))
  const reads = rows.reads
  const [one, two] = await Promise.all([store.acl(['a', 'b'], epoch()), store.acl(['a', 'b'], epoch())])
  expect(two).toBe(one)
  expect(rows.reads).toBe(reads + 1)
  await store.put('a', read('c'))
  const three = await store.acl(['a', 'b'], epoch())
  expect(three.check({ path: 'a', operation: 'read' }).allowed).toBe(false)
  expect(three.check({ path: 'c', operation: 'read' }).allowed).toBe(true)
  expect(three.check({ path: 'b', operation: 'read' }).allowed).toBe(true)
})

it('an unknown policy grants nothing; root grants all; response-wrapping its two paths', async () => {
  const { store } = setUp()
  expect((await store.acl(['nope'], '')).reaches('')).toBe(false)
  expect((await store.acl(['root'], '')).root).toBe(true)
  const wrapping = await store.acl(['response-wrapping'], '')
  expect(wrapping.capabilities('cubbyhole/response')).toEqual(['read', 'create'])
  expect(wrapping.capabilities('sys/wrapping/unwrap')).toEqual(['update'])
})

it('a failed read is not remembered', async () => {
  const { rows, store } = setUp()
  await store.put('a', read('a'))
  const original = rows.read.bind(rows)
  rows.read = () => Promise.reject(new Error('storage away'))
  await expect(store.acl(['a'], 'e')).rejects.toThrow('storage away')
  rows.read = original
  expect((await store.acl(['a'], 'e')).capabilities('a')).toEqual(['read'])
})
