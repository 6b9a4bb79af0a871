import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { envelopeOf } from '../../../sdk/fake-transport.ts'
import type { TransportRequest } from '../../../sdk/transport.ts'
import { runFake } from '../../fake-context.ts'
import { kvServer } from '../fake-kv.ts'

const bodyOf = (request: TransportRequest | undefined) => JSON.parse(request?.body ?? '{}')

/** Answers tree requests in two pages. */
const pages = (first: object[], second: object[] = [], skipped: object[] = []) =>
  kvServer((request) => {
    const { after, dry_run } = bodyOf(request)
    const keys = after === '' ? first : second
    const next = after === '' && second.length > 0 ? 'cursor' : ''
    return envelopeOf({
      data: {
        dry_run,
        keys,
        count: keys.length,
        versions: keys.length * 2,
        skipped: after === '' ? skipped : [],
        next,
      },
    })
  })

const terminal = (typed: string) => {
  const stdin = Object.assign(new PassThrough(), { isTTY: true })
  stdin.write(typed)
  return stdin
}

describe('kv move', () => {
  it('moves one key at once', async () => {
    const answer = pages([{ from: 'a', to: 'b', versions: 2 }])
    const { status, out, requests } = await runFake(['kv', 'move', '-mount=secret', 'a', 'b'], { answer })
    expect(requests).toHaveLength(3)
    expect([requests[2]?.path, bodyOf(requests[2])]).toEqual([
      '/v1/secret/coffer/move',
      { from: 'a', to: 'b', dry_run: false, after: '' },
    ])
    expect([status, out]).toEqual([0, 'Success! Moved 1 key with 2 versions from: secret/a\n'])
  })

  it('of a folder asks, goes on to the end, and says what stayed', async () => {
    const skipped = [{ path: 'a/z', reason: 'there is a key at the new path' }]
    const answer = pages([{ from: 'a/x', to: 'b/x', versions: 2 }], [{ from: 'a/y', to: 'b/y', versions: 2 }], skipped)
    const run = await runFake(['kv', 'move', '-recursive', 'secret/a', 'secret/b'], {
      answer,
      stdin: terminal('yes\n'),
    })
    expect(run.err).toContain('Move 2 keys with 4 versions to secret/b/? [y/N]')
    expect(run.requests.slice(2).map((request) => [bodyOf(request).dry_run, bodyOf(request).after])).toEqual([
      [true, ''],
      [true, 'cursor'],
      [false, ''],
      [false, 'cursor'],
    ])
    expect(bodyOf(run.requests[2])).toMatchObject({ from: 'a/', to: 'b/' })
    expect([run.status, run.out]).toEqual([2, 'Success! Moved 2 keys with 4 versions from: secret/a/\n'])
    expect(run.err).toContain('Passed over a/z: there is a key at the new path')
  })

  it.each([['n\n'], ['\n'], ['yep\n']])('answered with %j moves nothing', async (typed) => {
    const answer = pages([{ from: 'a/x', to: 'b/x', versions: 2 }])
    const run = await runFake(['kv', 'move', '-recursive', 'secret/a', 'secret/b'], { answer, stdin: terminal(typed) })
    expect([run.status, run.err.endsWith('Nothing was moved.\n')]).toEqual([1, true])
    expect(run.requests.every((request) => !request.body || bodyOf(request).dry_run === true)).toBe(true)
  })

  it('without a terminal needs -yes', async () => {
    const answer = pages([{ from: 'a/x', to: 'b/x', versions: 2 }])
    const argv = ['kv', 'move', '-recursive', 'secret/a', 'secret/b']
    const without = await runFake(argv, { answer })
    expect([without.status, without.err]).toEqual([1, 'stdin is no terminal to ask on: give -yes\n'])
    expect((await runFake([...argv, '-yes'], { answer })).status).toBe(0)
  })

  it('dry, shows where each would go', async () => {
    const answer = pages([{ from: 'a/x', to: 'b/x', versions: 2 }])
    const argv = ['kv', 'move', '-recursive', '-dry-run', 'secret/a', 'secret/b']
    const { status, out, requests } = await runFake(argv, { answer })
    expect([status, requests.length]).toEqual([0, 3])
    expect(out).toBe(
      'From    To     Versions\n----    --     --------\na/x     b/x    2\n\n1 key would move, nothing did.\n',
    )
    expect(JSON.parse((await runFake([...argv, '-format=json'], { answer })).out).keys).toHaveLength(1)
  })

  it('is only within one engine, and names what is not there', async () => {
    const answer = pages([])
    for (const argv of [['secret/a', 'old/b'], ['old/a', 'old/b'], ['secret/', 'secret/b'], ['secret/a']]) {
      expect((await runFake(['kv', 'move', ...argv], { answer })).status, argv.join(' ')).toBe(1)
    }
    const none = await runFake(['kv', 'move', 'secret/a', 'secret/b'], { answer })
    expect([none.status, none.err]).toEqual([2, 'No value found at secret/a\n'])
  })
})

describe('kv delete -recursive', () => {
  const answer = pages([{ path: 'a/x', versions: 2 }], [{ path: 'a/y', versions: 2 }])

  it('asks, and deletes latest versions', async () => {
    const run = await runFake(['kv', 'delete', '-r', 'secret/a'], { answer, stdin: terminal('y\n') })
    expect(run.err).toContain('Delete the latest version of 2 keys below secret/a/? [y/N]')
    expect(run.requests.at(-1)?.path).toBe('/v1/secret/coffer/delete')
    expect(bodyOf(run.requests.at(-1))).toEqual({ path: 'a/', permanent: false, dry_run: false, after: 'cursor' })
    expect([run.status, run.out]).toEqual([0, 'Success! Deleted 2 keys below: secret/a/\n'])
  })

  it('of metadata deletes for good', async () => {
    const run = await runFake(['kv', 'metadata', 'delete', '-recursive', 'secret/a'], {
      answer,
      stdin: terminal('y\n'),
    })
    expect(run.err).toContain('Delete 2 keys with 4 versions for good below secret/a/?')
    expect(bodyOf(run.requests.at(-1)).permanent).toBe(true)
  })

  it('dry, only lists', async () => {
    const run = await runFake(['kv', 'delete', '-recursive', '-dry-run', 'secret/a'], { answer })
    expect(run.out).toBe(
      'Key    Versions\n---    --------\na/x    2\na/y    2\n\n2 keys would be deleted, nothing was.\n',
    )
    expect(run.requests.slice(1).every((request) => bodyOf(request).dry_run === true)).toBe(true)
  })

  it('never means a whole engine, version 1 or given versions; refuses before it asks', async () => {
    for (const argv of [['secret/'], ['old/a'], ['-versions=1', 'secret/a']]) {
      const run = await runFake(['kv', 'delete', '-recursive', '-yes', ...argv], { answer })
      expect([run.status, run.requests.length], argv.join(' ')).toEqual([1, 1])
    }
    expect((await runFake(['kv', 'delete', '-recursive', 'secret/a'], { answer })).status).toBe(1)
    const declined = await runFake(['kv', 'delete', '-recursive', 'secret/a'], { answer, stdin: terminal('no\n') })
    expect([declined.status, declined.err.endsWith('Nothing was deleted.\n')]).toEqual([1, true])
  })

  it('of nothing says so', async () => {
    const run = await runFake(['kv', 'delete', '-recursive', '-yes', 'secret/a'], { answer: pages([]) })
    expect([run.status, run.out]).toEqual([0, 'Nothing to delete below secret/a/\n'])
  })
})

describe('kv search', () => {
  const info = { current_version: 3, updated_time: '2026-01-02T03:04:05Z', custom_metadata: { owner: 'a' } }
  const answer = kvServer((request) => {
    const more = request.path.includes('after=&') || request.path.endsWith('after=')
    const key = more ? 'team/db' : 'web/db'
    return envelopeOf({ data: { keys: [key], key_info: { [key]: more ? info : {} }, next: more ? 'team/db' : '' } })
  })

  it('asks until there is no more', async () => {
    const argv = ['kv', 'search', '-name=db', '-custom-metadata=owner=a', '-custom-metadata=x=*', 'secret/team']
    const { status, out, requests } = await runFake(argv, { answer })
    const query = new URL(`http://x${requests[1]?.path}`).searchParams
    expect(requests[1]?.path).toMatch(/^\/v1\/secret\/coffer\/search\?/)
    expect([query.get('path'), query.get('folder'), query.getAll('custom_metadata')]).toEqual([
      'db',
      'team',
      ['owner=a', 'x=*'],
    ])
    expect([status, requests.length]).toEqual([0, 3])
    expect(out).toBe(
      [
        'Key        Version    Updated                 Custom metadata',
        '---        -------    -------                 ---------------',
        'team/db    3          2026-01-02T03:04:05Z    map[owner:a]',
        'web/db     n/a        n/a                     n/a',
        '',
      ].join('\n'),
    )
  })

  it('stops at the limit; nothing found is 2; version 1 and a limit of nothing are 1', async () => {
    const limited = await runFake(['kv', 'search', '-limit=1', 'secret/'], { answer })
    expect([limited.status, limited.requests.length]).toEqual([0, 2])
    const none = kvServer(() => envelopeOf({ data: { keys: [], key_info: {}, next: '' } }))
    const run = await runFake(['kv', 'search', '-name=x', 'secret/'], { answer: none })
    expect([run.status, run.err]).toEqual([2, 'No value found below secret/\n'])
    expect((await runFake(['kv', 'search', 'old/'], { answer })).status).toBe(1)
    expect((await runFake(['kv', 'search', '-limit=0', 'secret/'], { answer })).status).toBe(1)
  })
})
