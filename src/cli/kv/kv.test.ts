import { describe, expect, it } from 'vitest'
import { envelopeOf } from '../../sdk/fake-transport.ts'
import { runFake } from '../fake-context.ts'
import { kvServer, versionMetadata } from './fake-kv.ts'

const metadata = versionMetadata(1)
const kv = kvServer

describe('kv get', () => {
  const answer = kv(() => envelopeOf({ data: { data: { username: 'u', password: 'p' }, metadata } }))

  it('prints path, metadata and data in sections', async () => {
    for (const argv of [
      ['kv', 'get', 'secret/app'],
      ['kv', 'get', '-mount=secret', 'app'],
    ]) {
      const { out, requests } = await runFake(argv, { answer })
      expect(requests[1]?.path).toBe('/v1/secret/data/app')
      expect(out).toBe(`== Secret Path ==
secret/data/app

======= Metadata =======
Key                Value
---                -----
created_time       2026-01-02T03:04:05.678Z
custom_metadata    <nil>
deletion_time      n/a
destroyed          false
version            1

====== Data ======
Key         Value
---         -----
password    p
username    u
`)
    }
  })

  it('prints one key', async () => {
    expect((await runFake(['kv', 'get', '-field=username', 'secret/app'], { answer })).out).toBe('u')
  })

  it('asks for a version', async () => {
    const { requests } = await runFake(['kv', 'get', '-version=3', 'secret/app'], { answer })
    expect(requests[1]?.path).toBe('/v1/secret/data/app?version=3')
  })

  it('of a deleted version prints its metadata', async () => {
    const gone = kv(() => ({ ...envelopeOf({ data: { data: null, metadata } }), status: 404 }))
    const { status, out } = await runFake(['kv', 'get', 'secret/app'], { answer: gone })
    expect(status).toBe(0)
    expect(out).not.toContain('Data ==')
    expect(out).toContain('======= Metadata =======')
  })

  it('of nothing is 2', async () => {
    const none = kv(() => ({ status: 404, body: '{"errors":[]}' }))
    expect(await runFake(['kv', 'get', 'secret/app'], { answer: none })).toMatchObject({
      status: 2,
      err: 'No value found at secret/data/app\n',
    })
  })

  it('from version 1 reads the path itself', async () => {
    const one = kv(() => envelopeOf({ lease_duration: 2764800, data: { foo: 'bar' } }))
    const { out, requests } = await runFake(['kv', 'get', 'old/app'], { answer: one })
    expect(requests[1]?.path).toBe('/v1/old/app')
    expect(out).toBe('=== Data ===\nKey    Value\n---    -----\nfoo    bar\n')
  })

  it('finds a mount in a namespace below, by its path from there or from the root', async () => {
    for (const path of ['app/kv/', 'team/app/kv/']) {
      const { requests } = await runFake(['kv', 'get', '-ns=team', 'app/kv/a'], {
        answer: (request) =>
          request.path.startsWith('/v1/sys/internal/')
            ? envelopeOf({ data: { path, options: { version: '2' } } })
            : envelopeOf({ data: { data: { k: 'v' }, metadata: versionMetadata(1) } }),
      })
      expect(requests.at(-1)?.path).toBe('/v1/app/kv/data/a')
    }
  })

  it('without a mount says what the server said', async () => {
    const { status, err } = await runFake(['kv', 'get', 'nowhere/app'], { answer })
    expect(status).toBe(2)
    expect(err).toContain('preflight capability check returned 403')
  })
})

describe('kv put', () => {
  it('wraps the data for version 2 and prints the new version', async () => {
    const answer = kv(() => envelopeOf({ data: metadata }))
    const { out, requests } = await runFake(['kv', 'put', '-cas=0', 'secret/app', 'a=1'], { answer })
    expect(requests[1]).toMatchObject({
      method: 'PUT',
      path: '/v1/secret/data/app',
      body: '{"data":{"a":"1"},"options":{"cas":0}}',
    })
    expect(out).toContain('== Secret Path ==\nsecret/data/app\n\n======= Metadata =======\nKey                Value\n')
  })

  it('writes version 1 as it is', async () => {
    const { out, requests } = await runFake(['kv', 'put', 'old/app', 'a=1'], { answer: kv(() => ({ status: 204 })) })
    expect([requests[1]?.path, requests[1]?.body]).toEqual(['/v1/old/app', '{"a":"1"}'])
    expect(out).toBe('Success! Data written to: old/app\n')
  })

  it('shows a check-and-set that did not match', async () => {
    const words = 'check-and-set parameter did not match the current version'
    const answer = kv(() => ({ status: 400, body: JSON.stringify({ errors: [words] }) }))
    const { status, err } = await runFake(['kv', 'put', '-cas=1', 'secret/app', 'a=1'], { answer })
    expect([status, err.includes(`* ${words}`)]).toEqual([2, true])
  })
})

describe('kv list and delete', () => {
  it('lists metadata, also of the mount itself', async () => {
    const answer = kv(() => envelopeOf({ data: { keys: ['app', 'dir/'] } }))
    expect((await runFake(['kv', 'list', 'secret/'], { answer })).requests[1]?.path).toBe(
      '/v1/secret/metadata?list=true',
    )
    const { out, requests } = await runFake(['kv', 'list', '-mount=secret', 'dir'], { answer })
    expect([out, requests[1]?.path]).toEqual(['Keys\n----\napp\ndir/\n', '/v1/secret/metadata/dir?list=true'])
  })

  it('deletes the latest version or given ones', async () => {
    const answer = kv(() => ({ status: 204 }))
    const latest = await runFake(['kv', 'delete', 'secret/app'], { answer })
    expect(latest.requests[1]).toMatchObject({ method: 'DELETE', path: '/v1/secret/data/app' })
    expect(latest.out).toBe('Success! Data deleted (if it existed) at: secret/data/app\n')
    const some = await runFake(['kv', 'delete', '-versions=1,2', 'secret/app'], { answer })
    expect(some.requests[1]).toMatchObject({
      method: 'PUT',
      path: '/v1/secret/delete/app',
      body: '{"versions":["1","2"]}',
    })
  })
})
