import { describe, expect, it } from 'vitest'
import { runFake } from '../../fake-context.ts'
import { kvServer, refusal, versionsServer } from '../fake-kv.ts'
import { differences } from './diff.ts'

const done = kvServer(() => ({ status: 204 }))

describe.each([
  ['undelete', 'Undelete'],
  ['destroy', 'Destroy'],
])('kv %s', (verb, title) => {
  it('names the versions and says that it is done', async () => {
    for (const argv of [
      ['kv', verb, '-versions=1,2', 'secret/app'],
      ['kv', verb, '-mount=secret', '-versions=1', '-versions=2', 'app'],
    ]) {
      const { status, out, requests } = await runFake(argv, { answer: done })
      expect(requests[1]).toMatchObject({
        method: 'PUT',
        path: `/v1/secret/${verb}/app`,
        body: '{"versions":["1","2"]}',
      })
      expect([status, out]).toEqual([0, `Success! Data written to: secret/${verb}/app\n`])
    }
  })

  it('asks nothing of the server when it is used wrongly', async () => {
    const none = await runFake(['kv', verb, 'secret/app'], { answer: done })
    const words = `No versions provided, use the "-versions" flag to specify the version to ${verb}.`
    expect([none.status, none.err.trim(), none.requests]).toEqual([1, words, []])
    const wrong = await runFake(['kv', verb, '-versions=one', 'secret/app'], { answer: done })
    expect([wrong.status, wrong.requests]).toEqual([1, []])
    expect((await runFake(['kv', verb, '-versions=1'], { answer: done })).status).toBe(1)
  })

  it('is not for version 1, and ends with 2 when the server refuses', async () => {
    const one = await runFake(['kv', verb, '-versions=1', 'old/app'], { answer: done })
    expect([one.status, one.err.trim()]).toEqual([1, `${title} not supported on KV Version 1`])
    const no = await runFake(['kv', verb, '-versions=1', 'secret/app'], {
      answer: kvServer(() => refusal(403, 'permission denied')),
    })
    expect([no.status, no.err.startsWith(`Error writing data to secret/${verb}/app: `)]).toEqual([2, true])
  })
})

describe('kv rollback', () => {
  it('writes the earlier data over the version that it saw', async () => {
    const answer = versionsServer({ a: '1' }, { a: '2' }, null)
    const { status, out, requests } = await runFake(['kv', 'rollback', '-version=1', 'secret/app'], { answer })
    expect(requests[3]).toMatchObject({
      method: 'PUT',
      path: '/v1/secret/data/app',
      body: '{"data":{"a":"1"},"options":{"cas":3}}',
    })
    expect([status, out.startsWith('Key                Value\n---                -----\ncreated_time')]).toEqual([
      0,
      true,
    ])
  })

  it.each([
    [['secret/app'], 1, 'Version flag must be specified'],
    [['-version=0', 'secret/app'], 1, 'Invalid value 0 for the version flag'],
    [['-version=1', 'old/app'], 2, 'K/V engine mount must be version 2 for rollback support'],
    [['-version=9', 'secret/app'], 2, 'No value found at secret/data/app'],
    [['-version=2', 'secret/app'], 2, 'Cannot roll back to a version that has been deleted'],
  ])('%j ends with %i', async (argv, status, words) => {
    const answer = versionsServer({ a: 1 }, null, { a: 3 })
    const run = await runFake(['kv', 'rollback', ...argv], { answer })
    expect([run.status, run.err.trim()]).toEqual([status, words])
    expect(run.requests.some((request) => request.method === 'PUT')).toBe(false)
  })
})

describe('kv diff', () => {
  const answer = versionsServer(
    { same: '1', old: 'canary-1', changed: 'canary-2', deep: { x: '1', y: '2' } },
    { same: '1', new: 'canary-3', changed: 'canary-4', deep: { x: '1', y: '3' } },
    { same: '1' },
  )

  it('names what changed, without any value', async () => {
    const { status, out } = await runFake(['kv', 'diff', '-versions=1,2', 'secret/app'], { answer })
    expect(status).toBe(0)
    expect(out).toBe(
      'Key        Change\n---        ------\nchanged    changed\ndeep.y     changed\nnew        added\nold        removed\n',
    )
    const json = await runFake(['kv', 'diff', '-format=json', '-versions=1,2', 'secret/app'], { answer })
    expect(json.out).not.toContain('canary')
    expect(JSON.parse(json.out)).toMatchObject({ from_version: 1, to_version: 2, changes: { length: 4 } })
  })

  it('shows values when asked', async () => {
    const argv = ['kv', 'diff', '-show-values', '-versions=1,2', 'secret/app']
    const { out } = await runFake(argv, { answer })
    expect(out).toContain('Version 1    Version 2')
    expect(out).toMatch(/changed {4}changed {4}canary-2 {5}canary-4/)
    const json = JSON.parse((await runFake([...argv, '-format=json'], { answer })).out)
    expect(json.changes).toContainEqual({ key: 'new', change: 'added', to: 'canary-3' })
  })

  it('compares the last two versions unless told otherwise', async () => {
    const { out } = await runFake(['kv', 'diff', 'secret/app'], { answer })
    expect(out).toContain('changed    removed')
    const same = await runFake(['kv', 'diff', '-versions=1,1', 'secret/app'], { answer })
    expect(same.out).toBe('No differences between versions 1 and 1.\n')
  })

  it('ends with 1 for wrong use, 2 for what is not there', async () => {
    expect((await runFake(['kv', 'diff', '-versions=1', 'secret/app'], { answer })).status).toBe(1)
    expect((await runFake(['kv', 'diff', 'old/app'], { answer })).status).toBe(1)
    expect((await runFake(['kv', 'diff', '-versions=1,9', 'secret/app'], { answer })).status).toBe(2)
    const one = await runFake(['kv', 'diff', 'secret/app'], { answer: versionsServer({ a: 1 }) })
    expect([one.status, one.err.trim()]).toEqual([2, 'There is only one version at secret/data/app'])
    const gone = await runFake(['kv', 'diff', 'secret/app'], { answer: versionsServer({ a: 1 }, null) })
    expect([gone.status, gone.err.trim()]).toEqual([2, 'Cannot diff a version that has been deleted'])
  })

  it('tells a number from its text, and an object from what replaced it', () => {
    expect(differences({ a: 1, b: { c: 1 } }, { a: '1', b: 'x' })).toEqual([
      { key: 'a', change: 'changed', from: 1, to: '1' },
      { key: 'b', change: 'changed', from: { c: 1 }, to: 'x' },
    ])
  })
})
