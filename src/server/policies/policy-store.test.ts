import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { epochKey, rootNamespace } from '../contracts/epochs.ts'
import { FakeRows } from '../contracts/fake-rows.ts'
import { PolicyStore } from './policy-store.ts'

const setUp = (namespace = rootNamespace) => {
  const rows = new FakeRows()
  const clock = new FakeClock(1000)
  const store = new PolicyStore({ rows, namespace, clock })
  const epoch = () => rows.rows.get(epochKey(namespace.id, 'policies'))?.version ?? ''
  return { rows, clock, store, epoch }
}
const read = (path: string) => `path "${path}" { capabilities = ["read"] }`

it('keeps what was written under the lower-cased name, counting the writes', async () => {
  const { store } = setUp()
  expect(await store.put('Mixed', { text: read('a') })).toBe('mixed')
  await store.put('mixed', { text: read('b') })
  expect(await store.get('MIXED')).toMatchObject({ name: 'mixed', text: read('b'), version: 2, modifiedAt: 1000 })
  expect(await store.get('none')).toBeUndefined()
})

it('decodes base64', async () => {
  const { store } = setUp()
  await store.put('b', { text: Buffer.from(read('a')).toString('base64') })
  expect((await store.get('b'))?.text).toBe(read('a'))
})

it('bumps the epoch in the commit of every change, and only then', async () => {
  const { rows, store, epoch } = setUp()
  await store.put('a', { text: read('a') })
  expect(rows.commits).toBe(1)
  const first = epoch()
  await store.delete('absent')
  expect(epoch()).toBe(first)
  await store.delete('a')
  expect(epoch()).not.toBe(first)
  rows.failing = new Error('down')
  await expect(store.put('a', { text: read('a') })).rejects.toThrow('down')
  rows.failing = undefined
  expect(await store.get('a')).toBeUndefined()
})

it('lists default and root among the written, sorted, without response-wrapping', async () => {
  const { store } = setUp()
  for (const name of ['zed', 'app', 'team/x']) await store.put(name, { text: read('a') })
  expect(await store.list()).toEqual(['app', 'default', 'root', 'team/x', 'zed'])
})

it('keeps the immutable policies and says so', async () => {
  const { store } = setUp()
  await expect(store.put('root', { text: read('a') })).rejects.toMatchObject({
    status: 400,
    message: 'cannot update "root" policy',
  })
  await expect(store.put('response-wrapping', { text: read('a') })).rejects.toThrow(
    'cannot update "response-wrapping" policy',
  )
  await expect(store.delete('Root')).rejects.toThrow('cannot delete "root" policy')
  await expect(store.delete('default')).rejects.toMatchObject({ status: 400, message: 'cannot delete default policy' })
  expect((await store.get('root'))?.text).toBe('')
})

it('default can be rewritten, and then that counts', async () => {
  const { store, epoch } = setUp()
  const before = await store.acl(['default'], epoch())
  expect(before.check({ path: 'auth/token/lookup-self', operation: 'read' }).allowed).toBe(true)
  expect(before.check({ path: 'identity/entity/id/', operation: 'read' }).allowed, 'no identity, no rule').toBe(false)
  await store.put('default', { text: read('only/this') })
  const after = await store.acl(['default'], epoch())
  expect(after.check({ path: 'auth/token/lookup-self', operation: 'read' }).allowed).toBe(false)
  expect(after.check({ path: 'only/this', operation: 'read' }).allowed).toBe(true)
})

it('a refused policy changes nothing', async () => {
  const { rows, store } = setUp()
  await expect(store.put('a', { text: 'path "a" {' })).rejects.toMatchObject({ status: 400 })
  await expect(store.put('a', { text: '' })).rejects.toThrow("'policy' parameter not supplied or empty")
  expect(rows.rows.size).toBe(0)
})

it('compiles once per epoch and names, in one read, and again after any change', async () => {
  const { rows, store, epoch } = setUp()
  await store.put('a', { text: read('a') })
  await store.put('b', { text: read('b') })
  const reads = rows.reads
  const [one, two] = await Promise.all([store.acl(['a', 'b'], epoch()), store.acl(['a', 'b'], epoch())])
  expect(two).toBe(one)
  expect(rows.reads).toBe(reads + 1)
  await store.put('a', { text: read('c') })
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
  await store.put('a', { text: read('a') })
  const original = rows.read.bind(rows)
  rows.read = () => Promise.reject(new Error('storage away'))
  await expect(store.acl(['a'], 'e')).rejects.toThrow('storage away')
  rows.read = original
  expect((await store.acl(['a'], 'e')).capabilities('a')).toEqual(['read'])
})

it('is refused a name that storage cannot hold, and an empty one', async () => {
  const { store } = setUp()
  await expect(store.put('x'.repeat(513), { text: read('a') })).rejects.toMatchObject({ status: 400 })
  await expect(store.put('', { text: read('a') })).rejects.toThrow('policy name must be provided in the URL')
})

it('lists a folder without its name', async () => {
  const { store } = setUp()
  for (const name of ['team/a', 'team/b/c', 'other']) await store.put(name, { text: read('a') })
  expect(await store.list('team/')).toEqual(['a', 'b/c'])
  expect(await store.list('none/')).toEqual([])
})

describe('check-and-set', () => {
  it('replaces only the version that it names', async () => {
    const { store } = setUp()
    await store.put('a', { text: read('a'), cas: 0 })
    await expect(store.put('a', { text: read('b'), cas: 0 })).rejects.toMatchObject({
      status: 400,
      message: 'check-and-set parameter did not match the current version',
    })
    await store.put('a', { text: read('b'), cas: 1 })
    expect((await store.get('a'))?.version).toBe(2)
  })

  it('-1 only creates', async () => {
    const { store } = setUp()
    await store.put('a', { text: read('a'), cas: -1 })
    await expect(store.put('a', { text: read('b'), cas: -1 })).rejects.toThrow('set to -1 on existing entry')
  })

  it('can be required, of the write that requires it and of the one that ends it', async () => {
    const { store } = setUp()
    const needed = 'check-and-set parameter required for this call'
    await expect(store.put('a', { text: read('a'), casRequired: true })).rejects.toThrow(needed)
    await store.put('a', { text: read('a'), casRequired: true, cas: 0 })
    await expect(store.put('a', { text: read('b') })).rejects.toThrow(needed)
    await store.put('a', { text: read('b'), cas: 1 })
    expect((await store.get('a'))?.casRequired).toBe(false)
  })
})

describe('a patch', () => {
  it('keeps what it does not name', async () => {
    const { store } = setUp()
    await store.put('a', { text: read('a'), allowSlashes: true, expiresAt: 9000 })
    await store.patch('A', { casRequired: true, cas: 1 })
    expect(await store.get('a')).toMatchObject({
      text: read('a'),
      allowSlashes: true,
      expiresAt: 9000,
      casRequired: true,
      version: 2,
    })
    await store.patch('a', { text: read('b'), cas: 2 })
    expect((await store.get('a'))?.text).toBe(read('b'))
  })

  it('creates nothing', async () => {
    const { store, rows } = setUp()
    await expect(store.patch('a', { text: read('a') })).rejects.toMatchObject({ status: 404 })
    await expect(store.patch('root', { text: read('a') })).rejects.toThrow('cannot update "root" policy')
    expect(rows.rows.size).toBe(0)
  })

  it('of the built-in default starts from its text', async () => {
    const { store } = setUp()
    await store.patch('default', { allowSlashes: true })
    expect(await store.get('default')).toMatchObject({ version: 1, allowSlashes: true })
    expect((await store.get('default'))?.text).toContain('auth/token/lookup-self')
  })
})

describe('a policy that expires', () => {
  it('grants until then and not after, without any write', async () => {
    const { store, clock, epoch } = setUp()
    await store.put('a', { text: read('a'), expiresAt: 5000 })
    const acl = await store.acl(['a'], epoch())
    expect(acl.capabilities('a')).toEqual(['read'])
    await clock.advance(4000)
    expect(acl.capabilities('a'), 'the compiled one too').toEqual(['deny'])
    expect(await store.get('a')).toBeUndefined()
    expect(await store.list()).toEqual(['default', 'root'])
  })

  it('does not stand in the way of a new one', async () => {
    const { store, clock } = setUp()
    await store.put('a', { text: read('a'), expiresAt: 5000, casRequired: true, cas: 0 })
    await clock.advance(4000)
    await store.put('a', { text: read('b'), cas: -1 })
    expect(await store.get('a')).toMatchObject({ text: read('b'), version: 2 })
    expect(await store.list()).toEqual(['a', 'default', 'root'])
  })

  it('must expire later than now, and default never', async () => {
    const { store } = setUp()
    await expect(store.put('a', { text: read('a'), expiresAt: 1000 })).rejects.toThrow('must be in the future')
    await expect(store.put('default', { text: read('a'), expiresAt: 5000 })).rejects.toThrow('cannot expire')
  })
})

describe('identity', () => {
  const mine = 'path "own/{{identity.entity.name}}/*" { capabilities = ["read"] }'
  const as = (name: string, version = 1) => ({ key: `${name} ${version}`, template: () => name })

  it('compiles what it does not change once for all', async () => {
    const { store, epoch, rows } = setUp()
    await store.put('plain', { text: read('a') })
    const reads = rows.reads
    const one = await store.acl(['plain'], epoch(), as('bob'))
    expect(await store.acl(['plain', 'plain'], epoch(), as('eve'))).toBe(one)
    expect(rows.reads).toBe(reads + 1)
  })

  it('fills templates for each, and anew when its key changes', async () => {
    const { store, epoch } = setUp()
    await store.put('mine', { text: mine })
    const bob = await store.acl(['mine'], epoch(), as('bob'))
    const eve = await store.acl(['mine'], epoch(), as('eve'))
    expect(bob.capabilities('own/bob/x')).toEqual(['read'])
    expect(bob.capabilities('own/eve/x')).toEqual(['deny'])
    expect(eve.capabilities('own/eve/x')).toEqual(['read'])
    expect(await store.acl(['mine'], epoch(), as('bob'))).toBe(bob)
    const renamed = { ...as('bobby'), key: 'bob 2' }
    expect((await store.acl(['mine'], epoch(), renamed)).capabilities('own/bobby/x')).toEqual(['read'])
    expect((await store.acl(['mine'], epoch())).capabilities('own/bob/x'), 'nobody').toEqual(['deny'])
  })

  it('values with slashes or wildcards count only where the policy lets them', async () => {
    const { store, epoch } = setUp()
    await store.put('mine', { text: mine })
    expect((await store.acl(['mine'], epoch(), as('a/b'))).capabilities('own/a/b/x')).toEqual(['deny'])
    await store.put('mine', { text: mine, allowSlashes: true })
    expect((await store.acl(['mine'], epoch(), as('a/b'))).capabilities('own/a/b/x')).toEqual(['read'])
    expect((await store.acl(['mine'], epoch(), as('+'))).capabilities('own/any/x')).toEqual(['deny'])
    await store.put('mine', { text: mine, allowWildcards: true })
    expect((await store.acl(['mine'], epoch(), as('+'))).capabilities('own/any/x')).toEqual(['read'])
  })
})

describe('of another namespace', () => {
  const team = { id: 'abc123', path: 'team/' }

  it('knows no root, neither to list, nor to read, nor as a policy that permits everything', async () => {
    const { store } = setUp(team)
    expect(await store.list()).toEqual(['default'])
    expect(await store.get('root')).toBeUndefined()
    const acl = await store.acl(['root', 'default'], '')
    expect(acl.root).toBe(false)
    expect(acl.capabilities('secret/x')).toEqual(['deny'])
    await expect(store.put('root', { text: read('a') })).rejects.toThrow('cannot update "root" policy')
  })

  it('keeps its rows apart and names itself in what it grants', async () => {
    const { store, rows, epoch } = setUp(team)
    await store.put('a', { text: read('a') })
    expect([...rows.rows.keys()].every((key) => key.startsWith('ns/abc123/'))).toBe(true)
    const verdict = (await store.acl(['a'], epoch())).check({ path: 'a', operation: 'read' })
    expect(verdict.granting).toEqual([{ name: 'a', namespace: team, type: 'acl' }])
  })
})

it('a damaged row is an error, not an absent policy', async () => {
  const { store, rows } = setUp()
  await store.put('a', { text: read('a') })
  const row = rows.rows.get('ns/root/policy/a')
  if (row) rows.rows.set('ns/root/policy/a', { ...row, value: Buffer.from('{"format":2}') })
  await expect(store.acl(['a'], 'x')).rejects.toThrow('not a policy row')
})
