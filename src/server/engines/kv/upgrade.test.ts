import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { parseJson } from '../../../lib/json/parse.ts'
import { stringifyJson } from '../../../lib/json/stringify.ts'
import type { JsonObject } from '../../../lib/json/value.ts'
import { start, TestKv } from './test-kv.ts'

const text = '{"user":"u","n":1.0,"big":12345678901234567890}'
const upgrading =
  'Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly.'

/** A mount with keys of version 1, before and after it was tuned; `old` is what a node that does not know yet still runs. */
const upgraded = async (keys: readonly string[] = ['app', 'dir/one']) => {
  const clock = new FakeClock(start)
  const old = new TestKv({ options: null, clock })
  for (const key of keys) await old.call('update', key, parseJson(text) as JsonObject)
  await clock.advance(60_000)
  const now = new TestKv({ clock, storage: old.context.storage })
  const commits = old.rows.commits
  await old.context.storage.transaction(async (tx) => now.mounted.tuned?.(tx, { options: null, config: {} }))
  return { old, now, clock, commits: old.rows.commits - commits }
}

describe('a mount of version 1 that becomes one of version 2', () => {
  it('does so in one commit, whatever it holds', async () => {
    const { old, commits } = await upgraded(Array.from({ length: 600 }, (_, i) => `k${i}`))
    expect(commits).toBe(1)
    expect(old.rows.rows.size).toBe(601)
  })

  it('answers each value at once as version 1, made when the mount was upgraded, with the text of its numbers', async () => {
    const { now } = await upgraded()
    const metadata = {
      created_time: '2026-01-02T03:05:05.12Z',
      custom_metadata: null,
      deletion_time: '',
      destroyed: false,
      version: 1,
    }
    for (const version of [undefined, 0, 1]) {
      const reply = await now.call('read', 'data/app', version === undefined ? {} : { version })
      expect(reply.kind === 'data' && stringifyJson(reply.data)).toBe(
        `{"data":${text},"metadata":${JSON.stringify(metadata)}}`,
      )
    }
    expect((await now.call('read', 'data/app', { version: 2 })).kind).toBe('none')
    expect((await now.show('read', 'metadata/app')).data).toMatchObject({
      current_version: 1,
      created_time: '2026-01-02T03:05:05.12Z',
      versions: { '1': { destroyed: false } },
    })
    expect((await now.show('read', 'subkeys/app')).data.subkeys).toEqual({ user: null, n: null, big: null })
    expect((await now.show('scan', 'metadata/')).data.keys).toEqual(['app', 'dir/one'])
    expect((await now.show('list', 'detailed-metadata/')).data.key_info.app.current_version).toBe(1)
    expect((await now.show('read', 'coffer/search', { path: 'app' })).data.key_info.app.current_version).toBe(1)
  })

  it('lets every operation work on it as on any key', async () => {
    const { now } = await upgraded(['write', 'patch', 'delete', 'destroy', 'meta', 'gone', 'move', 'cas'])
    expect((await now.write('write', { second: 2 })).data.version).toBe(2)
    expect((await now.show('read', 'data/write', { version: 1 })).data.data).toMatchObject({ user: 'u' })
    await now.show('patch', 'data/patch', { data: { user: 'v' } })
    expect((await now.show('read', 'data/patch')).data).toMatchObject({ data: { user: 'v' }, metadata: { version: 2 } })
    await now.show('delete', 'data/delete')
    expect((await now.show('read', 'data/delete')).status).toBe(404)
    await now.show('update', 'undelete/delete', { versions: [1] })
    expect((await now.show('read', 'data/delete')).data.data).toMatchObject({ user: 'u' })
    await now.show('update', 'destroy/destroy', { versions: [1] })
    expect((await now.show('read', 'data/destroy')).data).toMatchObject({ data: null, metadata: { destroyed: true } })
    await now.show('update', 'metadata/meta', { custom_metadata: { owner: 'team' } })
    expect((await now.show('read', 'data/meta')).data).toMatchObject({
      data: { user: 'u' },
      metadata: { version: 1, custom_metadata: { owner: 'team' }, created_time: '2026-01-02T03:05:05.12Z' },
    })
    await now.show('delete', 'metadata/gone')
    expect((await now.call('read', 'data/gone')).kind).toBe('none')
    await now.show('update', 'coffer/move', { from: 'move', to: 'moved' })
    expect((await now.show('read', 'data/moved')).data.data).toMatchObject({ user: 'u' })
    await expect(now.write('cas', {}, { cas: 0 })).rejects.toMatchObject({ status: 400 })
    expect((await now.write('cas', {}, { cas: 1 })).data.version).toBe(2)
  })

  it('keeps its limits, and when it was upgraded, when it is configured', async () => {
    const { now } = await upgraded()
    await now.show('update', 'config', { max_versions: 3 })
    expect((await now.show('read', 'metadata/app')).data.created_time).toBe('2026-01-02T03:05:05.12Z')
    expect((await now.show('read', 'config')).data.max_versions).toBe(3)
  })

  it('tells of changes to its keys', async () => {
    const { now } = await upgraded()
    now.mounted.changed?.(['key/app'])
    await now.mounted.close?.()
    expect(now.published).toMatchObject([{ type: 'kv-v2/data-write', metadata: { current_version: '1' } }])
  })

  it('loses nothing to requests that began before: versions are neither overwritten, removed nor shown raw', async () => {
    const { old, now } = await upgraded()
    await now.write('app', { second: 2 })
    for (const [verb, input] of [
      ['read', {}],
      ['update', { late: 1 }],
      ['delete', {}],
    ] as const) {
      await expect(async () => old.call(verb, 'app', input)).rejects.toMatchObject({ status: 400, message: upgrading })
    }
    expect((await now.show('read', 'data/app')).data.data).toEqual({ second: 2 })
    // A key that has no versions yet: the late value is its version 1.
    await old.call('update', 'late', { late: 1 })
    await old.call('update', 'dir/one', { late: 1 })
    expect((await now.show('read', 'data/late')).data).toMatchObject({ data: { late: 1 }, metadata: { version: 1 } })
    expect((await now.show('read', 'data/dir/one')).data.data).toEqual({ late: 1 })
  })

  it('of a late write and a new one that race, none is lost', async () => {
    const { old, now } = await upgraded()
    const racing = await Promise.allSettled([
      old.call('update', 'app', { late: 1 }),
      now.write('app', { v: 'a' }),
      old.call('update', 'app', { late: 2 }),
      now.write('app', { v: 'b' }),
    ])
    expect([racing[1]?.status, racing[3]?.status]).toEqual(['fulfilled', 'fulfilled'])
    const { data } = await now.show('read', 'metadata/app')
    expect(data.current_version).toBe(3)
    for (const version of [1, 2, 3]) {
      expect((await now.show('read', 'data/app', { version })).data.data, `version ${version}`).toBeTruthy()
    }
  })
})
