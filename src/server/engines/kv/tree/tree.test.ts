import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../../../lib/json/value.ts'
import { TestKv } from '../test-kv.ts'
import { glob } from './search.ts'

const all = () => true
/** Only what these patterns name, as "operation path". */
const only =
  (...allowed: string[]) =>
  (path: string, operation: string) =>
    allowed.some((rule) => glob(rule)(`${operation} ${path}`))

const filled = async (paths: readonly string[] = ['team/a', 'team/b/c', 'team/b/d', 'other']) => {
  const kit = new TestKv()
  for (const path of paths) await kit.write(path, { at: path })
  return kit
}
const post = async (kit: TestKv, path: string, input: JsonObject) => (await kit.show('update', path, input)).data

describe('a walk that stops at a key that its reader may not know of', () => {
  const many = Array.from({ length: 10_050 }, (_, i) => `secret-project/${String(i).padStart(5, '0')}`)
  it.each([
    ['coffer/search', {}],
    ['coffer/delete', { path: 'secret-project/' }],
    ['coffer/move', { from: 'secret-project/', to: 'x/' }],
  ] as const)('%s: names it to nobody, and goes on there', async (path, input) => {
    const kit = await filled(['zz'])
    await kit.rows.view('mount/u/').transaction(async (tx) => {
      const row = await tx.getBytes(kit.context.storage, 'key/zz')
      for (const name of [...many, 'secret-project/mine'])
        tx.put(kit.context.storage, `key/${name}`, row ?? Buffer.of())
    })
    kit.permits = only('* secret/*/zz', '* secret/*/secret-project/mine', '* secret/*/x/mine')
    const first = await post(kit, path, input)
    expect(first).toMatchObject({ keys: [], next: expect.stringMatching(/^~[\w-]+$/) })
    expect(JSON.stringify(first)).not.toMatch(/secret-project|09999/)
    // Not by its length either.
    expect(Buffer.from(first.next.slice(1), 'base64url')).toHaveLength(12 + 128 + 16)
    const second = await post(kit, path, { ...input, after: first.next })
    expect(second.next).toBe('')
    expect(JSON.stringify(second)).toContain('secret-project/mine')
    for (const after of ['~', '~AAAA', `${first.next}x`, first.next.slice(0, -2)])
      expect(await post(kit, path, { ...input, dry_run: true, after })).toBeDefined()
  })
})

describe('search', () => {
  const keys = async (kit: TestKv, input: JsonObject) => (await kit.show('read', 'coffer/search', input)).data.keys

  it('finds by a part of the path, a pattern, or a folder', async () => {
    const kit = await filled(['team/db/main', 'team/db/backup', 'db', 'team/web'])
    expect(await keys(kit, {})).toEqual(['db', 'team/db/backup', 'team/db/main', 'team/web'])
    expect(await keys(kit, { path: 'db' })).toEqual(['db', 'team/db/backup', 'team/db/main'])
    expect(await keys(kit, { path: '*/db/*' })).toEqual(['team/db/backup', 'team/db/main'])
    expect(await keys(kit, { path: 'team/*main' })).toEqual(['team/db/main'])
    expect(await keys(kit, { folder: 'team/db' })).toEqual(['team/db/backup', 'team/db/main'])
    expect(await keys(kit, { folder: 'tea' })).toEqual([])
  })

  it('finds by custom metadata, all of it, and shows it', async () => {
    const kit = await filled()
    await kit.show('update', 'metadata/team/a', { custom_metadata: { owner: 'ann', tier: 'gold' } })
    await kit.show('update', 'metadata/other', { custom_metadata: { owner: 'anton' } })
    expect(await keys(kit, { custom_metadata: { owner: 'an*' } })).toEqual(['other', 'team/a'])
    expect(await keys(kit, { custom_metadata: { owner: '*', tier: 'gold' } })).toEqual(['team/a'])
    expect(await keys(kit, { custom_metadata: { owner: 'an' } })).toEqual([])
    expect(await keys(kit, { custom_metadata: { constructor: '*' } })).toEqual([])
    const { data } = await kit.show('update', 'coffer/search', { path: 'other' })
    expect(data).toEqual({
      keys: ['other'],
      key_info: {
        other: {
          current_version: 1,
          custom_metadata: { owner: 'anton' },
          updated_time: '2026-01-02T03:04:05.12Z',
        },
      },
      next: '',
    })
  })

  it('shows each reader only what it may list or read, and custom metadata only to who may read', async () => {
    const kit = await filled()
    await kit.show('update', 'metadata/team/a', { custom_metadata: { owner: 'canary' } })
    kit.permits = only('list secret/metadata/team/')
    expect(await kit.show('read', 'coffer/search')).toMatchObject({
      data: { keys: ['team/a'], key_info: { 'team/a': {} }, next: '' },
    })
    expect(await keys(kit, { custom_metadata: { owner: '*' } })).toEqual([])
    kit.permits = only('read secret/data/team/b/*')
    expect(await keys(kit, {})).toEqual(['team/b/c', 'team/b/d'])
    kit.permits = only('read secret/metadata/other')
    expect(await keys(kit, {})).toEqual(['other'])
    kit.permits = () => false
    expect(await keys(kit, {})).toEqual([])
  })

  it('goes on where it stopped, and costs each request only so much', async () => {
    const kit = await filled()
    const first = (await kit.show('read', 'coffer/search', { limit: 3 })).data
    expect(first).toMatchObject({ keys: ['other', 'team/a', 'team/b/c'], next: 'team/b/c' })
    expect(await keys(kit, { limit: 3, after: first.next })).toEqual(['team/b/d'])
    const row = kit.rows.rows.get('mount/u/key/other')
    if (!row) throw new Error('no row')
    for (let i = 0; i < 10_500; i += 1) kit.rows.rows.set(`mount/u/key/many/${String(i).padStart(5, '0')}`, row)
    kit.permits = only('read secret/data/team/*')
    const bounded = (await kit.show('read', 'coffer/search')).data
    expect(bounded).toMatchObject({ keys: [], next: expect.stringMatching(/^~/) })
    expect(await keys(kit, { after: bounded.next })).toEqual(['team/a', 'team/b/c', 'team/b/d'])
  })

  it('refuses limits that make no sense, and stops when the client is gone', async () => {
    const kit = await filled()
    for (const limit of [0, -1, 1001]) {
      await expect(kit.call('read', 'coffer/search', { limit })).rejects.toMatchObject({ status: 400 })
    }
    await expect(kit.call('read', 'coffer/search', {}, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
  })

  it.each([
    ['a*c', 'abc', true],
    ['a*c', 'ac', true],
    ['a*a', 'a', false],
    ['*', '', true],
    ['a*b*c', 'axbxbc', true],
    ['a*bc*c', 'abc', false],
    ['**x', 'x', true],
    ['plain', 'plain', true],
    ['plain', 'plain!', false],
    ['a.c*', 'abc', false],
  ])('the pattern %s and %s: %s', (pattern, text, matches) => {
    expect(glob(pattern)(text)).toBe(matches)
    expect(glob(pattern)(undefined)).toBe(false)
  })
})

describe('a move', () => {
  it('takes versions, their times, deletions and metadata along', async () => {
    const kit = await filled(['team/a'])
    await kit.write('team/a', { v: 2 })
    await kit.write('team/a', { v: 3 })
    await kit.show('update', 'delete/team/a', { versions: [2] })
    await kit.show('update', 'metadata/team/a', { custom_metadata: { owner: 'x' }, max_versions: 7 })
    const before = (await kit.show('read', 'metadata/team/a')).data
    await kit.clock.advance(60_000)
    expect(await post(kit, 'coffer/move', { from: 'team/', to: 'new/place' })).toEqual({
      dry_run: false,
      keys: [{ from: 'team/a', to: 'new/place/a', versions: 3 }],
      count: 1,
      versions: 3,
      skipped: [],
      next: '',
    })
    expect((await kit.show('read', 'metadata/new/place/a')).data).toEqual(before)
    expect((await kit.show('read', 'data/new/place/a', { version: 1 })).data.data).toEqual({ at: 'team/a' })
    expect((await kit.show('read', 'data/new/place/a', { version: 2 })).status).toBe(404)
    await kit.show('update', 'undelete/new/place/a', { versions: [2] })
    expect((await kit.show('read', 'data/new/place/a', { version: 2 })).data.data).toEqual({ v: 2 })
    expect((await kit.show('scan', 'metadata/')).data.keys).toEqual(['new/place/a'])
    expect([...kit.rows.rows.keys()].filter((key) => key.includes('team'))).toEqual([])
  })

  it('dry, says the same and changes nothing', async () => {
    const kit = await filled()
    await kit.write('new/a', {})
    const before = new Map(kit.rows.rows)
    const input = { from: 'team/', to: 'new/' }
    const dry = await post(kit, 'coffer/move', { ...input, dry_run: true })
    expect(kit.rows.rows).toEqual(before)
    const real = await post(kit, 'coffer/move', input)
    expect(dry).toEqual({ ...real, dry_run: true })
    expect(real).toMatchObject({
      count: 2,
      versions: 2,
      keys: [{ to: 'new/b/c' }, { to: 'new/b/d' }],
      skipped: [{ path: 'team/a', reason: 'there is a key at the new path' }],
    })
    expect((await kit.show('read', 'data/team/a')).data.data).toEqual({ at: 'team/a' })
    expect((await kit.show('read', 'data/new/a')).data.data).toEqual({})
  })

  it('of one key names the key; a folder of the same name stays', async () => {
    const kit = await filled(['x', 'x/inner'])
    expect(await post(kit, 'coffer/move', { from: '/x', to: 'y' })).toMatchObject({ keys: [{ from: 'x', to: 'y' }] })
    expect(await post(kit, 'coffer/move', { from: 'y', to: 'dir/' })).toMatchObject({ keys: [{ to: 'dir/y' }] })
    expect(await post(kit, 'coffer/move', { from: 'dir/y', to: '/' })).toMatchObject({ keys: [{ to: 'y' }] })
    expect((await kit.show('scan', 'metadata/')).data.keys).toEqual(['y', 'x/inner'])
    expect(await post(kit, 'coffer/move', { from: 'none', to: 'z' })).toMatchObject({ count: 0, skipped: [] })
  })

  it('goes on with "next", and begun anew does the rest', async () => {
    const kit = await filled()
    const first = await post(kit, 'coffer/move', { from: 'team/', to: 'new/', limit: 2 })
    expect(first).toMatchObject({ count: 2, next: 'team/b/c' })
    const rest = await post(kit, 'coffer/move', { from: 'team/', to: 'new/', limit: 2, after: first.next })
    expect(rest).toMatchObject({ count: 1, next: '' })
    expect(await post(kit, 'coffer/move', { from: 'team/', to: 'new/' })).toMatchObject({ count: 0, next: '' })
  })

  it('needs for each key what reading, writing and deleting it would need', async () => {
    const full = [
      'read secret/data/team/*',
      'read secret/metadata/team/*',
      'delete secret/metadata/team/*',
      'create secret/data/new/*',
      'create secret/metadata/new/*',
    ]
    for (const missing of full) {
      const kit = await filled(['team/a'])
      const rest = full.filter((rule) => rule !== missing)
      kit.permits = only('list secret/metadata/team/', ...rest)
      expect(await post(kit, 'coffer/move', { from: 'team/', to: 'new/' }), missing).toMatchObject({
        count: 0,
        skipped: [{ path: 'team/a', reason: 'permission denied' }],
      })
      kit.permits = all
      expect((await kit.show('scan', 'metadata/')).data.keys).toEqual(['team/a'])
    }
    const kit = await filled(['team/a'])
    kit.permits = only(...full)
    expect(await post(kit, 'coffer/move', { from: 'team/', to: 'new/' })).toMatchObject({ count: 1 })
  })

  it('says nothing of keys that the caller may not know of, and leaves them', async () => {
    const kit = await filled()
    kit.permits = only('* secret/data/team/b/c', '* secret/metadata/team/b/c', 'create *')
    expect(await post(kit, 'coffer/move', { from: 'team/', to: 'new/' })).toMatchObject({
      keys: [{ from: 'team/b/c' }],
      skipped: [],
    })
    kit.permits = all
    expect((await kit.show('scan', 'metadata/')).data.keys).toEqual(['other', 'new/b/c', 'team/a', 'team/b/d'])
  })

  it.each([
    [{ to: 'x' }, 'from is required'],
    [{ from: '', to: 'x' }, 'from is required'],
    [{ from: '/', to: 'x' }, 'from is required'],
    [{ from: 'a' }, 'to is required'],
    [{ from: 'a', to: 'a' }, 'same path'],
    [{ from: 'a/', to: 'a/b' }, 'within the other'],
    [{ from: 'a/b/', to: 'a' }, 'within the other'],
    [{ from: 'a/', to: '/' }, 'within the other'],
    [{ from: 'a/', to: 'a/' }, 'within the other'],
    [{ from: 'a//b', to: 'c' }, "empty segments ('//')"],
    [{ from: 'a', to: 'b//' }, "empty segments ('//')"],
    [{ from: 'a', to: '../b' }, 'relative paths not supported'],
    [{ from: './a', to: 'b' }, 'relative paths not supported'],
    [{ from: 'a', to: 'b\u0000' }, 'control characters'],
    [{ from: 'a\n', to: 'b' }, 'control characters'],
    [{ from: 'a', to: 'b', limit: 0 }, 'limit must be between 1 and 1000'],
    [{ from: 'a', to: 'b', limit: 1001 }, 'limit must be between 1 and 1000'],
  ])('refuses %j', async (input, words) => {
    const kit = await filled(['a', 'a/b/c'])
    await expect(async () => post(kit, 'coffer/move', input)).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining(words),
    })
  })

  it('passes over a path that storage would not take', async () => {
    const kit = await filled(['a'])
    expect(await post(kit, 'coffer/move', { from: 'a', to: 'é'.repeat(600) })).toMatchObject({
      skipped: [{ path: 'a', reason: 'the new path is too long' }],
    })
  })
})

describe('a delete of a tree', () => {
  it('deletes latest versions, which can be undeleted', async () => {
    const kit = await filled()
    await kit.show('delete', 'data/team/b/c')
    const dry = await post(kit, 'coffer/delete', { path: 'team/', dry_run: true })
    const real = await post(kit, 'coffer/delete', { path: 'team/' })
    expect(dry).toEqual({ ...real, dry_run: true })
    expect(real).toMatchObject({ count: 2, keys: [{ path: 'team/a', versions: 1 }, { path: 'team/b/d' }], next: '' })
    expect((await kit.show('read', 'data/team/a')).status).toBe(404)
    await kit.show('update', 'undelete/team/a', { versions: [1] })
    expect((await kit.show('read', 'data/team/a')).data.data).toEqual({ at: 'team/a' })
    expect((await kit.show('read', 'data/other')).status).toBeUndefined()
  })

  it('for good takes versions and metadata along', async () => {
    const kit = await filled()
    await kit.write('team/a', { v: 2 })
    const dry = await post(kit, 'coffer/delete', { path: 'team/', permanent: true, dry_run: true })
    expect(dry).toMatchObject({ count: 3, versions: 4 })
    expect(await post(kit, 'coffer/delete', { path: 'team/', permanent: true })).toEqual({ ...dry, dry_run: false })
    expect([...kit.rows.rows.keys()]).toEqual(['mount/u/key/other'])
  })

  it('of one key leaves the folder of its name; the mount as a whole is never meant', async () => {
    const kit = await filled(['x', 'x/inner'])
    expect(await post(kit, 'coffer/delete', { path: 'x', permanent: true })).toMatchObject({ count: 1 })
    expect((await kit.show('scan', 'metadata/')).data.keys).toEqual(['x/inner'])
    for (const path of ['', '/', undefined]) {
      const input: JsonObject = path === undefined ? {} : { path }
      await expect(async () => post(kit, 'coffer/delete', input)).rejects.toMatchObject({ status: 400 })
    }
  })

  it('needs the right to delete each key: of data, or of metadata when it is for good', async () => {
    const kit = await filled(['team/a', 'team/b'])
    kit.permits = only('list *', 'delete secret/data/team/a', 'delete secret/metadata/team/b')
    const denied = (path: string) => [{ path, reason: 'permission denied' }]
    expect(await post(kit, 'coffer/delete', { path: 'team/' })).toMatchObject({
      keys: [{ path: 'team/a' }],
      skipped: denied('team/b'),
    })
    expect(await post(kit, 'coffer/delete', { path: 'team/', permanent: true })).toMatchObject({
      keys: [{ path: 'team/b' }],
      skipped: denied('team/a'),
    })
  })
})
