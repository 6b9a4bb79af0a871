import { describe, expect, it } from 'vitest'
import { envelopeOf } from '../../sdk/fake-transport.ts'
import { runFake } from '../fake-context.ts'
import { kvServer, refusal, versionMetadata, versionsServer } from './fake-kv.ts'

describe('kv patch', () => {
  const patched = kvServer(() => envelopeOf({ data: versionMetadata(2) }))

  it('sends a merge patch and prints the new version', async () => {
    const argv = ['kv', 'patch', '-cas=1', '-remove-data=old', '-remove-data=older', 'secret/app', 'a=1']
    const { status, out, requests } = await runFake(argv, { answer: patched })
    expect(requests[1]).toMatchObject({
      method: 'PATCH',
      path: '/v1/secret/data/app',
      body: '{"data":{"a":"1","old":null,"older":null},"options":{"cas":1}}',
    })
    expect(requests[1]?.headers['Content-Type']).toBe('application/merge-patch+json')
    expect([status, out.startsWith('== Secret Path ==\nsecret/data/app\n\n======= Metadata =======\n')]).toEqual([
      0,
      true,
    ])
  })

  it('without the right to patch reads and writes, unless told not to', async () => {
    const kept = versionsServer({ keep: '1', nothing: null, old: 'x' })
    const denied = (request: Parameters<typeof kept>[0]) =>
      request.method === 'PATCH' ? refusal(403, 'permission denied') : kept(request)
    const argv = ['kv', 'patch', '-remove-data=old', 'secret/app', 'a=1']
    const run = await runFake(argv, { answer: denied })
    expect(run.status).toBe(0)
    expect(run.err).toContain('the "patch" capability')
    expect(run.requests.at(-1)).toMatchObject({
      method: 'PUT',
      body: '{"data":{"keep":"1","nothing":null,"a":"1"},"options":{"cas":1}}',
    })
    const only = await runFake([...argv, '-method=patch'], { answer: denied })
    expect([only.status, only.requests.length]).toEqual([2, 2])
    const rw = await runFake([...argv, '-method=rw'], { answer: kept })
    expect(rw.requests.map((request) => request.method)).toEqual(['GET', 'GET', 'PUT'])
  })

  it.each([
    [['secret/app'], 1, 'Must supply data'],
    [['-method=odd', 'secret/app', 'a=1'], 2, 'Unsupported method provided to -method flag: odd'],
    [['old/app', 'a=1'], 2, 'K/V engine mount must be version 2 for patch support'],
  ])('%j ends with %i', async (argv, status, words) => {
    const run = await runFake(['kv', 'patch', ...argv], { answer: patched })
    expect([run.status, run.err.trim()]).toEqual([status, words])
  })

  it('of nothing is 2', async () => {
    const answer = kvServer(() => ({ status: 404, body: '' }))
    const run = await runFake(['kv', 'patch', 'secret/app', 'a=1'], { answer })
    expect([run.status, run.err.trim()]).toEqual([2, 'No value found at secret/data/app'])
  })
})

describe('kv enable-versioning', () => {
  it('tunes the mount', async () => {
    const { status, out, requests } = await runFake(['kv', 'enable-versioning', 'old/'], {
      answer: kvServer(() => ({ status: 204 })),
    })
    expect(requests[0]).toMatchObject({
      method: 'PUT',
      path: '/v1/sys/mounts/old/tune',
      body: '{"options":{"version":"2"}}',
    })
    expect([status, out]).toEqual([0, 'Success! Tuned the secrets engine at: old/\n'])
  })

  it('ends with 2 when the server refuses', async () => {
    const answer = kvServer(() => refusal(400, 'no mount'))
    const run = await runFake(['kv', 'enable-versioning', 'none'], { answer })
    expect([run.status, run.err.startsWith('Error tuning secrets engine none/: ')]).toEqual([2, true])
  })
})
