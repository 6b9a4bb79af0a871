import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseJson } from '../../../lib/json/parse.ts'
import { stringifyJson } from '../../../lib/json/stringify.ts'
import { type JsonObject, RawJson } from '../../../lib/json/value.ts'
import { Refusal } from '../../contracts/request.ts'
import { kv } from './kv.ts'
import { TestKv } from './test-kv.ts'

const setUp = (options: Record<string, string> | null = { version: '2' }) => {
  const kit = new TestKv({ options })
  const { rows, clock, published, mounted, warnings } = kit
  const bound = { call: kit.call.bind(kit), show: kit.show.bind(kit), write: kit.write.bind(kit) }
  return { rows, clock, published, mounted, warnings, ...bound }
}

const refused = (status: number, message: string) => ({ status, message })

describe('data of version 2', () => {
  it('is written and read with Vault’s members and times', async () => {
    const { show, write } = setUp()
    const metadata = {
      created_time: '2026-01-02T03:04:05.12Z',
      custom_metadata: null,
      deletion_time: '',
      destroyed: false,
      version: 1,
    }
    expect(await write('app', { user: 'u' })).toEqual({ kind: 'data', status: undefined, data: metadata })
    const read = await show('read', 'data/app')
    expect(read).toEqual({ kind: 'data', status: undefined, data: { data: { user: 'u' }, metadata } })
    expect(Object.keys(read.data.metadata)).toEqual(Object.keys(metadata))
    expect(await show('read', 'data/none')).toMatchObject({ kind: 'none', status: undefined })
  })

  it('keeps the text of every number and the order of members', async () => {
    const { call } = setUp()
    const text = '{"z":1.0,"big":12345678901234567890,"a":1e400,"nested":[{"n":-0.10}]}'
    await call('update', 'data/n', { data: parseJson(text) as JsonObject })
    const reply = await call('read', 'data/n')
    expect(reply.kind === 'data' && stringifyJson(reply.data)).toContain(`"data":${text},`)
  })

  it('keeps versions and reads each; unknown ones are not found', async () => {
    const { show, write, clock } = setUp()
    for (const user of ['a', 'b', 'c']) {
      await write('app', { user })
      await clock.advance(1000)
    }
    expect((await show('read', 'data/app')).data).toMatchObject({ data: { user: 'c' }, metadata: { version: 3 } })
    expect((await show('read', 'data/app', { version: 1 })).data).toMatchObject({
      data: { user: 'a' },
      metadata: { version: 1, created_time: '2026-01-02T03:04:05.12Z' },
    })
    expect((await show('read', 'data/app', { version: 3 })).data.data).toEqual({ user: 'c' })
    expect((await show('read', 'data/app', { version: 9 })).kind).toBe('none')
  })

  it('needs no second row for the latest version', async () => {
    const { rows, call, write } = setUp()
    await write('app', { user: 'a' })
    await write('app', { user: 'b' })
    rows.reads = 0
    await call('read', 'data/app')
    expect(rows.reads).toBe(1)
  })

  it('takes null as a value and refuses what is no object', async () => {
    const { show, write } = setUp()
    await write('app', null)
    expect(await show('read', 'data/app')).toMatchObject({
      status: undefined,
      data: { data: null, metadata: { version: 1 } },
    })
    await expect(show('update', 'data/app', { user: 'u' })).rejects.toMatchObject(refused(400, 'no data provided'))
    await expect(show('update', 'data/app', { data: 'str' })).rejects.toMatchObject(
      refused(
        400,
        "error converting input for field \"data\": '' expected type 'map[string]interface {}', got unconvertible type 'string'",
      ),
    )
    expect((await show('read', 'metadata/app')).data.current_version).toBe(1)
  })

  it('is deleted softly: 404 with metadata, until undeleted; a missing key is fine', async () => {
    const { show, write, clock } = setUp()
    await write('app', { user: 'a' })
    await clock.advance(1000)
    expect(await show('delete', 'data/app')).toMatchObject({ kind: 'none' })
    expect(await show('read', 'data/app')).toMatchObject({
      status: 404,
      data: { data: null, metadata: { deletion_time: '2026-01-02T03:04:06.12Z', destroyed: false, version: 1 } },
    })
    await show('update', 'undelete/app', { versions: [1] })
    expect(await show('read', 'data/app')).toMatchObject({ status: undefined, data: { data: { user: 'a' } } })
    expect(await show('delete', 'data/none')).toMatchObject({ kind: 'none' })
  })
})

describe('check-and-set', () => {
  const mismatch = refused(400, 'check-and-set parameter did not match the current version')

  it('writes only over the version that it names; 0 means no version yet', async () => {
    const { write, show } = setUp()
    await write('app', { v: 1 }, { cas: 0 })
    await expect(write('app', { v: 2 }, { cas: 0 })).rejects.toMatchObject(mismatch)
    await write('app', { v: 2 }, { cas: '1' })
    await expect(write('app', { v: 3 }, { cas: 1 })).rejects.toMatchObject(mismatch)
    await show('delete', 'data/app')
    await expect(write('app', { v: 3 }, { cas: 0 }), 'a deleted version is one').rejects.toMatchObject(mismatch)
    await expect(write('app', { v: 3 }, { cas: 'x' })).rejects.toMatchObject({ status: 400 })
  })

  it('can be demanded by the mount or the key', async () => {
    const { write, show } = setUp()
    const required = refused(400, 'check-and-set parameter required for this call')
    await show('update', 'config', { cas_required: true })
    await expect(write('app', {})).rejects.toMatchObject(required)
    await write('app', {}, { cas: 0 })
    await show('update', 'config', { cas_required: false })
    await show('update', 'metadata/app', { cas_required: true })
    await expect(write('app', {})).rejects.toMatchObject(required)
  })

  it('of two writers of one version lets exactly one through', async () => {
    const { write } = setUp()
    const racing = await Promise.allSettled(Array.from({ length: 5 }, (_, i) => write('app', { i }, { cas: 0 })))
    expect(racing.filter((r) => r.status === 'fulfilled')).toHaveLength(1)
  })

  it('without it concurrent writers all get a version of their own', async () => {
    const { write, show } = setUp()
    const done = await Promise.all(Array.from({ length: 5 }, (_, i) => write('app', { i })))
    expect(done.map((r) => r.data.version).sort()).toEqual([1, 2, 3, 4, 5])
    expect((await show('read', 'metadata/app')).data.current_version).toBe(5)
  })
})

describe('metadata', () => {
  it('is answered as Vault does', async () => {
    const { write, show } = setUp()
    await write('app', { a: 1 })
    expect((await show('read', 'metadata/app')).data).toEqual({
      cas_required: false,
      created_time: '2026-01-02T03:04:05.12Z',
      current_metadata_version: 0,
      current_version: 1,
      custom_metadata: null,
      delete_version_after: '0s',
      max_versions: 0,
      metadata_cas_required: false,
      oldest_version: 0,
      updated_time: '2026-01-02T03:04:05.12Z',
      versions: { '1': { created_time: '2026-01-02T03:04:05.12Z', deletion_time: '', destroyed: false } },
    })
    expect((await show('read', 'metadata/none')).kind).toBe('none')
  })

  it('can exist before any version, which then is not found', async () => {
    const { show } = setUp()
    await show('update', 'metadata/app', { custom_metadata: { owner: 'team' } })
    expect((await show('read', 'metadata/app')).data).toMatchObject({
      current_version: 0,
      custom_metadata: { owner: 'team' },
      versions: {},
    })
    expect((await show('read', 'data/app')).kind).toBe('none')
    expect((await show('delete', 'data/app')).kind).toBe('none')
  })

  it('shows custom metadata with every answer; a patch merges it', async () => {
    const { write, show } = setUp()
    await write('app', { a: 1 })
    await show('update', 'metadata/app', { custom_metadata: { owner: 'one' } })
    await show('patch', 'metadata/app', { custom_metadata: { x: 'y', owner: null, z: 'w' } })
    expect((await write('app', { a: 2 })).data.custom_metadata).toEqual({ x: 'y', z: 'w' })
    expect((await show('read', 'metadata/app')).data.current_metadata_version).toBe(2)
    expect(await show('patch', 'metadata/none', {})).toMatchObject({ kind: 'none', status: 404 })
  })

  it.each([
    [Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, 'v'])), 'at most 64 keys'],
    [{ ['k'.repeat(129)]: 'v' }, 'is 129 but must be 0 < len(key) <= 128'],
    [{ '': 'v' }, 'length of key "" is 0 but must be 0 < len(key) <= 128'],
    [{ k: 'é'.repeat(257) }, 'length of value for key "k" is 514 but must be 0 < len(value) <= 512'],
    [{ k: '' }, 'length of value for key "k" is 0 but must be 0 < len(value) <= 512'],
    [{ k: 'a\u0000b' }, 'value for key "k" contains unprintable characters'],
    [{ 'a\nb': 'v' }, 'contains unprintable characters'],
    [{ a: '', b: '' }, '2 errors occurred:\n\t* custom_metadata validation failed: length of value for key "a"'],
  ])('refuses custom metadata beyond its limits', async (custom, message) => {
    const { show } = setUp()
    await expect(show('update', 'metadata/app', { custom_metadata: custom })).rejects.toThrow(message)
  })

  it('can be guarded by its own version', async () => {
    const { show } = setUp()
    const write = (input: JsonObject) => show('update', 'metadata/app', { custom_metadata: { a: 'b' }, ...input })
    await expect(write({ metadata_cas: 1 })).rejects.toMatchObject(
      refused(400, 'metadata_cas must be 0 when creating new metadata'),
    )
    await write({ metadata_cas: 0, metadata_cas_required: true })
    const mismatch = 'metadata check-and-set parameter does not match the current version'
    await expect(write({ metadata_cas: 0 })).rejects.toMatchObject(refused(400, mismatch))
    await expect(write({})).rejects.toMatchObject(
      refused(400, 'metadata check-and-set parameter required for this call'),
    )
    await show('patch', 'metadata/app', { metadata_cas: 1, metadata_cas_required: null })
    await show('update', 'config', { metadata_cas_required: true })
    await expect(show('patch', 'metadata/app', {})).rejects.toMatchObject({ status: 400 })
    expect((await show('read', 'config')).data.metadata_cas_required).toBe(true)
    expect((await show('read', 'metadata/app')).data).toMatchObject({
      current_metadata_version: 2,
      metadata_cas_required: false,
    })
  })

  it('patched with null is as it was at first; numbers may be strings; nonsense is refused', async () => {
    const { show, warnings } = setUp()
    await show('update', 'metadata/app', { max_versions: 3, cas_required: true, delete_version_after: '1h' })
    await show('patch', 'metadata/app', { max_versions: '5', cas_required: 'true', zz: 1, nope: 1 })
    expect(warnings).toEqual(['Endpoint ignored these unrecognized parameters: [nope zz]'])
    expect((await show('read', 'metadata/app')).data).toMatchObject({
      max_versions: 5,
      cas_required: true,
      delete_version_after: '1h0m0s',
    })
    await show('patch', 'metadata/app', { max_versions: null, cas_required: null, delete_version_after: null })
    expect((await show('read', 'metadata/app')).data).toMatchObject({
      max_versions: 0,
      cas_required: false,
      delete_version_after: '0s',
    })
    for (const bad of [
      { max_versions: 'x' },
      { max_versions: 1.5 },
      { max_versions: '' },
      { cas_required: 'perhaps' },
      { cas_required: 1 },
      { delete_version_after: true },
      { custom_metadata: 'x' },
      { custom_metadata: { a: { b: 1 } } },
    ]) {
      await expect(async () => show('patch', 'metadata/app', bad), JSON.stringify(bad)).rejects.toMatchObject({
        status: 400,
      })
    }
  })

  it('warns when a key turns off what the mount demands', async () => {
    const { show, warnings } = setUp()
    await show('update', 'config', { cas_required: true })
    await show('update', 'metadata/app', { cas_required: false })
    expect(warnings).toEqual([
      '"cas_required" set to false, but is mandated by backend config. This value will be ignored.',
    ])
  })

  it('deleted takes all versions along', async () => {
    const { rows, write, show } = setUp()
    for (let i = 0; i < 4; i += 1) await write('app', { i })
    await write('other', { i: 1 })
    await show('delete', 'metadata/app')
    expect([...rows.rows.keys()]).toEqual(['mount/u/key/other'])
    expect((await show('read', 'data/app', { version: 2 })).kind).toBe('none')
    expect((await write('app', { again: true })).data.version).toBe(1)
  })

  it('of a key whose limit fell by more than a commit takes are gone too, soon', async () => {
    const { show, write, mounted, rows } = setUp()
    await show('update', 'config', { max_versions: 500 })
    for (let v = 1; v <= 320; v += 1) await write('app', { v })
    await show('update', 'config', { max_versions: 2 })
    await write('app', { v: 321 })
    await mounted.tick?.({ key: '', version: '' }, new AbortController().signal)
    expect([...rows.rows.keys()].filter((key) => key.includes('/app'))).toEqual([
      'mount/u/key/app',
      'mount/u/version/app/320',
    ])
    expect((await show('read', 'data/app', { version: 320 })).data.data).toEqual({ v: 320 })
  })

  it('deleted takes along more versions than one commit holds', async () => {
    const { rows, write, show } = setUp()
    await show('update', 'config', { max_versions: 500 })
    for (let i = 0; i < 450; i += 1) await write('app', { i })
    await show('delete', 'metadata/app')
    expect([...rows.rows.keys()]).toEqual(['mount/u/config'])
  })
})

describe('the number of versions', () => {
  it('is ten, or the larger of key and mount; the oldest fall off and their rows go', async () => {
    const { rows, write, show } = setUp()
    for (let i = 1; i <= 12; i += 1) await write('app', { i })
    const found = (await show('read', 'metadata/app')).data
    expect(Object.keys(found.versions)).toEqual(['3', '4', '5', '6', '7', '8', '9', '10', '11', '12'])
    expect(found.oldest_version).toBe(3)
    expect((await show('read', 'data/app', { version: 2 })).kind).toBe('none')
    expect(rows.rows.size).toBe(10)
    await show('update', 'metadata/app', { max_versions: 2 })
    await write('app', { i: 13 })
    expect((await show('read', 'metadata/app')).data).toMatchObject({ oldest_version: 12 })
    expect(rows.rows.size).toBe(2)
    expect((await show('read', 'data/app', { version: 12 })).data.data).toEqual({ i: 12 })
  })

  it('may be one', async () => {
    const { rows, write, show } = setUp()
    await show('update', 'metadata/app', { max_versions: 1 })
    for (let i = 1; i <= 3; i += 1) await write('app', { i })
    expect(rows.rows.size).toBe(1)
    expect((await show('read', 'metadata/app')).data).toMatchObject({ oldest_version: 3, current_version: 3 })
  })
})

describe('delete_version_after', () => {
  it('lets a version end by itself', async () => {
    const { write, show, clock } = setUp()
    await show('update', 'config', { delete_version_after: '2h' })
    await show('update', 'metadata/app', { delete_version_after: '1h' })
    expect((await write('app', { a: 1 })).data.deletion_time).toBe('2026-01-02T04:04:05.12Z')
    expect((await show('read', 'data/app')).status).toBeUndefined()
    await clock.advance(3_600_000)
    expect((await show('read', 'data/app')).status).toBe(404)
    await show('update', 'metadata/app', { delete_version_after: '-1s' })
    expect((await write('app', { a: 2 })).data.deletion_time).toBe('')
    expect((await show('read', 'config')).data).toEqual({
      cas_required: false,
      delete_version_after: '2h0m0s',
      max_versions: 0,
      metadata_cas_required: false,
    })
  })
})

describe('a negative delete_version_after', () => {
  it('of the mount ends no version, whatever a key says', async () => {
    const { write, show } = setUp()
    await show('update', 'config', { delete_version_after: '-20m' })
    await show('update', 'metadata/app', { delete_version_after: '1h' })
    expect((await write('app', { a: 1 })).data.deletion_time).toBe('')
    expect((await show('read', 'config')).data.delete_version_after).toBe('-1s')
  })
})

describe('delete, undelete and destroy', () => {
  it('change the versions they name and ignore unknown ones', async () => {
    const { rows, write, show } = setUp()
    for (let i = 1; i <= 3; i += 1) await write('app', { i })
    await show('update', 'delete/app', { versions: [1, 3, 99] })
    expect((await show('read', 'data/app', { version: 1 })).status).toBe(404)
    await show('update', 'undelete/app', { versions: [1, 3] })
    expect((await show('read', 'data/app', { version: 1 })).data.data).toEqual({ i: 1 })
    await show('update', 'destroy/app', { versions: [1, 3] })
    for (const version of [1, 3]) {
      expect(await show('read', 'data/app', { version })).toMatchObject({
        status: 404,
        data: { data: null, metadata: { destroyed: true } },
      })
    }
    await show('update', 'undelete/app', { versions: [1, 3] })
    expect((await show('read', 'data/app')).status).toBe(404)
    expect([...rows.rows.values()].some((row) => Buffer.from(row.value).includes('{"i":3}'))).toBe(false)
    expect((await show('read', 'data/app', { version: 2 })).data.data).toEqual({ i: 2 })
    await write('app', { i: 4 })
    expect((await show('read', 'data/app')).data.data).toEqual({ i: 4 })
  })

  it('take more versions than one commit holds', async () => {
    const { show, write } = setUp()
    await show('update', 'config', { max_versions: 500 })
    for (let i = 1; i <= 450; i += 1) await write('app', { i })
    await show('update', 'destroy/app', { versions: Array.from({ length: 450 }, (_, i) => i + 1) })
    const { versions } = (await show('read', 'metadata/app')).data
    expect(Object.values<{ destroyed: boolean }>(versions).filter((v) => !v.destroyed)).toEqual([])
  })

  it('need version numbers', async () => {
    const { show } = setUp()
    await expect(show('update', 'delete/app', {})).rejects.toMatchObject(refused(400, 'No version number provided'))
  })
})

describe('patch', () => {
  it('merges into the latest version; null removes', async () => {
    const { write, show } = setUp()
    await write('app', { a: '1', b: '2', deep: { x: 1, y: 2 } })
    await show('patch', 'data/app', { data: { a: null, c: '3', deep: { y: null } } })
    expect((await show('read', 'data/app')).data).toMatchObject({
      data: { b: '2', c: '3', deep: { x: 1 } },
      metadata: { version: 2 },
    })
    expect(await show('patch', 'data/none', { data: {} })).toMatchObject({ status: 404, kind: 'none' })
    await write('null', null)
    await expect(show('patch', 'data/null', { data: { a: '1' } })).rejects.toMatchObject(
      refused(400, '1 error occurred:\n\t* resource does not exist\n\n'),
    )
    await show('delete', 'data/app')
    expect(await show('patch', 'data/app', { data: {} })).toMatchObject({ status: 404, data: { data: null } })
  })
})

describe('lists', () => {
  it('names of one level with folders, in byte order, by pages', async () => {
    const { write, show, call } = setUp()
    for (const path of ['app', 'dir/one', 'dir/two/x', 'new', 'sub']) await write(path, {})
    const list = async (path: string, input?: JsonObject) => (await show('list', path, input)).data?.keys
    expect(await list('metadata/')).toEqual(['app', 'dir/', 'new', 'sub'])
    expect(await list('metadata/dir/')).toEqual(['one', 'two/'])
    expect(await list('metadata/dir')).toEqual(['one', 'two/'])
    expect(await list('metadata/', { limit: 1 })).toEqual(['app'])
    expect(await list('metadata/', { after: 'app', limit: 2 })).toEqual(['dir/', 'new'])
    expect((await call('list', 'metadata/none/')).kind).toBe('none')
    expect((await show('scan', 'metadata/')).data.keys).toEqual(['app', 'new', 'sub', 'dir/one', 'dir/two/x'])
  })

  it('go on after a name that is gone by then', async () => {
    const { write, show } = setUp()
    for (const path of ['a', 'b/c', 'b/d/e', 'b/z', 'f', 'g/h']) await write(path, {})
    const scan = async (input: JsonObject) => (await show('scan', 'metadata/', input)).data?.keys
    const all = ['a', 'f', 'b/c', 'b/z', 'b/d/e', 'g/h']
    expect(await scan({})).toEqual(all)
    for (const [i, after] of all.entries())
      expect(await scan({ after }), after).toEqual(i === 5 ? undefined : all.slice(i + 1))
    expect(await scan({ after: 'b/m', limit: 2 })).toEqual(['b/z', 'b/d/e'])
    expect(await scan({ after: 'c/x' })).toEqual(['g/h'])
    expect(await scan({ limit: 3 })).toEqual(['a', 'f', 'b/c'])
  })

  it('with details say what is known about each key, and nothing about folders', async () => {
    const { write, show, call } = setUp()
    for (const path of ['app', 'dir/one']) await write(path, {})
    const { data } = await show('list', 'detailed-metadata/')
    expect(data.keys).toEqual(['app', 'dir/'])
    expect(data.key_info).toEqual({ app: (await show('read', 'metadata/app')).data, 'dir/': {} })
    expect((await show('list', 'detailed-metadata/dir')).data.keys).toEqual(['one'])
    expect((await show('list', 'detailed-metadata/', { after: 'app' })).data.keys).toEqual(['dir/'])
    expect(Object.keys((await show('scan', 'detailed-metadata/')).data.key_info)).toEqual(['app', 'dir/one'])
    expect((await call('list', 'detailed-metadata/none')).kind).toBe('none')
  })

  it('all of a folder that is larger than a page', async () => {
    const { rows, show, write } = setUp()
    await write('k0000', {})
    const row = rows.rows.get('mount/u/key/k0000')
    if (!row) throw new Error('no row')
    for (let i = 1; i < 2500; i += 1) rows.rows.set(`mount/u/key/k${String(i).padStart(4, '0')}`, row)
    expect((await show('list', 'metadata/')).data.keys).toHaveLength(2500)
  })
})

describe('subkeys', () => {
  it('are the names without the values, as deep as asked', async () => {
    const { show, call } = setUp()
    const text = '{"a":{"b":{"c":"canary"},"none":{}},"d":["canary"],"__proto__":{"e":1.0}}'
    await call('update', 'data/app', { data: parseJson(text) as JsonObject })
    const subkeys = async (input?: JsonObject) => {
      const reply = await call('read', 'subkeys/app', input)
      return reply.kind === 'data' ? stringifyJson((reply.data as JsonObject)['subkeys'] ?? null) : reply.kind
    }
    expect(await subkeys()).toBe('{"a":{"b":{"c":null},"none":null},"d":null,"__proto__":{"e":null}}')
    expect(await subkeys({ depth: 1 })).toBe('{"a":null,"d":null,"__proto__":null}')
    expect(await subkeys({ depth: 2 })).toBe('{"a":{"b":null,"none":null},"d":null,"__proto__":{"e":null}}')
    expect((await show('read', 'subkeys/app')).data.metadata).toMatchObject({ version: 1, destroyed: false })
  })

  it('are those of a version; of deleted ones there are none', async () => {
    const { show, write } = setUp()
    await write('app', { one: 1 })
    await write('app', { two: 2 })
    await write('app', null)
    expect((await show('read', 'subkeys/app', { version: 1 })).data.subkeys).toEqual({ one: null })
    expect((await show('read', 'subkeys/app')).data.subkeys).toBeNull()
    await show('update', 'delete/app', { versions: [2] })
    expect(await show('read', 'subkeys/app', { version: 2 })).toMatchObject({
      status: 404,
      data: { subkeys: null, metadata: { version: 2 } },
    })
    expect((await show('read', 'subkeys/app', { version: 9 })).kind).toBe('none')
    expect((await show('read', 'subkeys/none')).kind).toBe('none')
    expect((await show('read', 'subkeys/')).kind).toBe('none')
  })
})

describe('paths of another kind', () => {
  it('explain themselves with 404', async () => {
    const { call } = setUp()
    for (const [verb, command] of [
      ['read', 'get'],
      ['update', 'put'],
      ['delete', 'delete'],
      ['list', 'list'],
    ] as const) {
      const reply = await call(verb, 'app')
      expect(reply).toMatchObject({ kind: 'none', status: 404 })
      expect(reply.warnings?.[0]).toContain(`use 'vault kv ${command}' for this operation.`)
    }
    expect((await call('read', 'metadata/')).warnings?.[0]).toContain('Non-listing operations on the root')
  })
})

describe('events', () => {
  const eventsAfter = async (
    work: (kit: ReturnType<typeof setUp>) => Promise<unknown>,
    rows = ['key/dir/app', 'version/dir/app/1'],
  ) => {
    const kit = setUp()
    await kit.write('dir/app', { password: 'canary' })
    await work(kit)
    kit.mounted.changed?.(rows)
    await kit.mounted.close?.()
    expect(JSON.stringify(kit.published)).not.toContain('canary')
    return kit.published.map(({ type, dataPath, metadata }) => ({ type, dataPath, metadata }))
  }

  it('tell what happened to which key, without values', async () => {
    expect(await eventsAfter((kit) => kit.write('dir/app', { password: 'canary' }))).toEqual([
      {
        type: 'kv-v2/data-write',
        dataPath: 'secret/data/dir/app',
        metadata: {
          path: 'secret/data/dir/app',
          data_path: 'secret/data/dir/app',
          operation: 'data-write',
          modified: 'true',
          current_version: '2',
          oldest_version: '0',
        },
      },
    ])
  })

  it.each([
    ['delete', 'data/dir/app', {}, 'kv-v2/data-delete'],
    ['update', 'delete/dir/app', { versions: [1] }, 'kv-v2/delete'],
    ['update', 'destroy/dir/app', { versions: [1] }, 'kv-v2/destroy'],
    ['update', 'metadata/dir/app', {}, 'kv-v2/metadata-write'],
    ['delete', 'metadata/dir/app', {}, 'kv-v2/metadata-delete'],
  ] as const)('%s %s', async (verb, path, input, type) => {
    const events = await eventsAfter((kit) => kit.call(verb, path, input))
    expect(events).toMatchObject([{ type, dataPath: 'secret/data/dir/app' }])
  })

  it('tell that the settings of the mount changed', async () => {
    const events = await eventsAfter((kit) => kit.call('update', 'config', { max_versions: 3 }), ['config'])
    const metadata = { path: 'secret/config', data_path: 'secret/config', operation: 'config-write', modified: 'true' }
    expect(events).toEqual([{ type: 'kv-v2/config-write', dataPath: 'secret/config', metadata }])
  })

  it('of version 1 are writes and deletions', async () => {
    const { call, mounted, published } = setUp(null)
    await call('update', 'dir/app', { password: 'canary' })
    mounted.changed?.(['key/dir/app', 'config'])
    await mounted.close?.()
    await call('delete', 'dir/app')
    mounted.changed?.(['key/dir/app'])
    await mounted.close?.()
    const at = { path: 'secret/dir/app', data_path: 'secret/dir/app', modified: 'true' }
    expect(published).toMatchObject([
      { type: 'kv-v1/write', dataPath: 'secret/dir/app', metadata: { ...at, operation: 'write' } },
      { type: 'kv-v1/delete', dataPath: 'secret/dir/app', metadata: { ...at, operation: 'delete' } },
    ])
    expect(JSON.stringify(published)).not.toContain('canary')
  })

  it('a reset publishes nothing', async () => {
    const kit = setUp()
    kit.mounted.changed?.('reset')
    await kit.mounted.close?.()
    expect(kit.published).toEqual([])
  })
})

describe('version 1', () => {
  it('is read as it was written, with the lease that it names or the mount has', async () => {
    const { call } = setUp(null)
    const text = '{"x":"1","n":2.0,"ttl":"30m"}'
    expect(await call('update', 'a', parseJson(text) as JsonObject)).toEqual({ kind: 'none' })
    expect(await call('read', 'a')).toEqual({ kind: 'data', data: new RawJson(text), leaseMs: 1_800_000 })
    await call('update', 'b/c', { x: 1 })
    expect(await call('read', 'b/c')).toMatchObject({ leaseMs: 2_764_800_000 })
    expect(await call('list', '')).toMatchObject({ data: { keys: ['a', 'b/'] } })
    await expect(async () => call('update', 'a', {})).rejects.toMatchObject(refused(400, 'missing data fields'))
    await call('delete', 'a')
    expect(await call('read', 'a')).toEqual({ kind: 'none' })
  })
})

it('a mount says its version, and is never downgraded', async () => {
  expect(kv.options?.({ version: '2' })).toEqual({ version: '2' })
  expect(kv.options?.(null)).toBeNull()
  expect(() => kv.options?.({ version: '3' })).toThrow(Refusal)
  const { mounted, rows } = setUp(null)
  const tx = {} as never
  await mounted.tuned?.(tx, { options: null })
  await expect(mounted.tuned?.(tx, { options: { version: '2' } })).rejects.toMatchObject(
    refused(400, 'cannot downgrade mount from version 2'),
  )
  expect(rows.rows.size).toBe(0)
})

it('whatever is written, in whatever order, each readable version is the one that was written', async () => {
  const op = fc.oneof(
    fc.record({
      kind: fc.constant('write' as const),
      value: fc.dictionary(
        fc.string({ minLength: 1 }),
        fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer(), fc.constant(null)),
        { maxKeys: 4, noNullPrototype: true },
      ),
    }),
    fc.record({
      kind: fc.constantFrom('delete' as const, 'undelete' as const, 'destroy' as const),
      version: fc.integer({ min: 1, max: 8 }),
    }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(op, { maxLength: 15 }), async (ops) => {
      const { show, write } = setUp()
      await show('update', 'metadata/k', { max_versions: 4 })
      const model: { data: unknown; state: 'live' | 'deleted' | 'destroyed' }[] = []
      for (const step of ops) {
        if (step.kind === 'write') {
          await write('k', step.value)
          model.push({ data: step.value, state: 'live' })
          continue
        }
        await show('update', `${step.kind}/k`, { versions: [step.version] })
        const known = step.version > model.length - 4 ? model[step.version - 1] : undefined
        if (known && known.state !== 'destroyed')
          known.state = step.kind === 'delete' ? 'deleted' : step.kind === 'destroy' ? 'destroyed' : 'live'
      }
      for (const [i, expected] of model.entries()) {
        const found = await show('read', 'data/k', { version: i + 1 })
        if (i < model.length - 4) expect(found.kind).toBe('none')
        else if (expected.state === 'live') expect(found.data.data).toEqual(JSON.parse(JSON.stringify(expected.data)))
        else
          expect(found).toMatchObject({
            status: 404,
            data: { data: null, metadata: { destroyed: expected.state === 'destroyed' } },
          })
      }
    }),
    { numRuns: 200 },
  )
})
