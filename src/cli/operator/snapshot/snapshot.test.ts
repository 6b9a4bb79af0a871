import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { afterAll, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { fakeTransport } from '../../../sdk/fake-transport.ts'
import type { TransferRequest } from '../../../sdk/transport.ts'
import { runCli } from '../../run.ts'
import type { LocalSnapshot } from './local-snapshot.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-cli-snapshot-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const report = {
  id: 'coffer-1',
  size: 30,
  index: 7,
  term: 2,
  version: 1,
  takenAt: '2026-01-02T03:04:05.000Z',
  cofferVersion: '0.1.0',
  clusterId: 'c',
  storage: 'lmdb',
  kinds: [
    { name: 'ns/root', count: 3, size: 20 },
    { name: 'core', count: 2, size: 10 },
  ],
}

interface World {
  readonly status?: number
  readonly body?: AsyncIterable<Uint8Array>
  readonly inspect?: LocalSnapshot['inspect']
  readonly terminal?: boolean
}

async function run(argv: string[], world: World = {}) {
  const asked: (TransferRequest & { sent: string })[] = []
  const out = new Collected()
  const err = Object.assign(new Collected(), { isTTY: world.terminal === true })
  const clock = new FakeClock()
  const status = await runCli(argv, {
    name: 'vault',
    version: '0',
    stdin: Readable.from([]),
    stdout: out,
    stderr: err,
    env: { VAULT_ADDR: 'http://127.0.0.1:8200', VAULT_TOKEN: 'canary-token', VAULT_MAX_RETRIES: '0' },
    clock,
    signal: new AbortController().signal,
    localSnapshot: async () => ({ inspect: world.inspect ?? (async () => report) }),
    openTransport: () => ({
      ...fakeTransport(() => ({ status: 500 })),
      transfer: async (request) => {
        let sent = ''
        for await (const part of request.source ?? []) {
          sent += Buffer.from(part).toString()
          await clock.advance(1500)
        }
        asked.push({ ...request, sent })
        return { status: world.status ?? 200, headers: {}, body: world.body ?? bytes('snapshot') }
      },
    }),
  })
  return { status, out: out.text, err: err.text, asked }
}

class Collected extends Writable {
  text = ''
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void) {
    this.text += chunk.toString()
    done()
  }
}

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

describe.each(['operator snapshot', 'operator raft snapshot'])('%s', (group) => {
  const words = group.split(' ')

  it('save writes a whole file that only its owner reads', async () => {
    const file = join(folder, 'a.snap')
    const { status, out, asked } = await run([...words, 'save', file])
    expect([status, out]).toEqual([0, `Saved snapshot coffer-1 (5 rows, 30 bytes) to ${file}\n`])
    expect(readFileSync(file, 'utf8')).toBe('snapshot')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(asked[0]).toMatchObject({ method: 'GET', path: '/v1/sys/storage/raft/snapshot' })
    expect(readdirSync(folder)).toEqual(['a.snap'])
  })

  it('restore sends the file, by force when asked', async () => {
    const file = join(folder, 'a.snap')
    writeFileSync(file, 'snapshot')
    for (const [flags, path] of [
      [[], '/v1/sys/storage/raft/snapshot'],
      [['-force'], '/v1/sys/storage/raft/snapshot-force'],
    ] as const) {
      const { status, out, asked } = await run([...words, 'restore', ...flags, file], { status: 204, body: bytes('') })
      expect(status).toBe(0)
      expect(out).toContain('revoked since then is valid again')
      expect(asked[0]).toMatchObject({ method: 'POST', path, sent: 'snapshot' })
    }
  })

  it('restore names what lives again, when the server can tell', async () => {
    const file = join(folder, 'a.snap')
    writeFileSync(file, 'snapshot')
    const told = async (data: unknown, warnings: readonly string[] = []) =>
      run([...words, 'restore', file], { body: bytes(JSON.stringify({ data, warnings })) })
    const undone = {
      tokens: { count: 3, named: ['accessor-1', 'accessor-2'], unnamed: 1 },
      mounts: { count: 1, named: ['kv\u001b[2J/'], unnamed: 0 },
      later: { count: 1, named: ['x'], unnamed: 0 },
    }
    const { status, out } = await told({ undone }, ['3 tokens'])
    expect(status).toBe(0)
    expect(out).toMatch(
      /^Success! .*\nWhat had been revoked, .*:\n\n3 tokens, by accessor\n {4}accessor-1\n {4}accessor-2\n/,
    )
    expect(out).toContain('    … and 1 more\n\n1 mounts\n    kv?[2J/\n\n1 later\n    x\n')
    const lost = await told({ undone: null }, ['is not known:\u001b look into the audit files'])
    expect(lost.out).toContain('revoked since then is valid again')
    expect(lost.out).toContain('is not known:? look into the audit files\n')
  })

  it('restore says that it happened when the answer is cut', async () => {
    const file = join(folder, 'a.snap')
    writeFileSync(file, 'snapshot')
    const cut = (async function* () {
      yield Buffer.from('{"data":')
      throw new Error('connection reset')
    })()
    const { status, err } = await run([...words, 'restore', file], { body: cut })
    expect(status).not.toBe(0)
    expect(err).toContain('The snapshot is restored, but not all of the answer came')
  })

  it('inspect shows what the file says, in all formats', async () => {
    const { status, out } = await run([...words, 'inspect', 'x.snap'])
    expect(status).toBe(0)
    expect(out).toContain('ID            coffer-1\n')
    expect(out).toContain('ns/root     3        20\n')
    expect(out).toContain('Total       5        30\n')
    const json = JSON.parse((await run([...words, 'inspect', '-format=json', 'x.snap'])).out)
    expect(json.Meta).toMatchObject({ ID: 'coffer-1', Size: 30, Index: 7, Term: 2, Version: 1 })
    expect(json).toMatchObject({
      TotalCountKV: 5,
      TotalSizeKV: 30,
      StatsKV: [{ Name: 'ns/root', Count: 3, Size: 20 }, {}],
    })
    const short = JSON.parse((await run([...words, 'inspect', '-details=false', '-format=json', 'x.snap'])).out)
    expect(Object.keys(short)).toEqual(['Meta'])
    expect((await run([...words, 'inspect', '-details=false', 'x.snap'])).out).not.toContain('Key Name')
  })
})

describe('a save that fails', () => {
  const whole = join(folder, 'kept.snap')
  const keeps = async (world: World) => {
    writeFileSync(whole, 'before')
    const answer = await run(['operator', 'snapshot', 'save', whole], world)
    expect(readFileSync(whole, 'utf8')).toBe('before')
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([])
    expect(answer.err).not.toContain('canary-token')
    return answer
  }

  it('since the server says no', async () => {
    const { status, err } = await keeps({ status: 403, body: bytes('{"errors":["permission denied"]}') })
    expect(status).toBe(2)
    expect(err).toContain('Error taking the snapshot: ')
    expect(err).toContain('permission denied')
  })

  it('since the answer was cut', async () => {
    const cut = (async function* () {
      yield Buffer.from('a')
      throw new Error('aborted')
    })()
    expect(await keeps({ body: cut })).toMatchObject({ status: 2, err: 'Error taking the snapshot: aborted\n' })
  })

  it('since what came is not whole', async () => {
    const inspect = async () => Promise.reject(new Error('the snapshot is damaged: it ends too early'))
    expect(await keeps({ inspect })).toMatchObject({ status: 2, err: expect.stringContaining('Incomplete snapshot: ') })
  })

  it('since there is no such folder', async () => {
    const { status, err } = await run(['operator', 'snapshot', 'save', join(folder, 'no', 'x.snap')])
    expect([status, err]).toEqual([1, expect.stringContaining('ENOENT')])
  })
})

it('wrong use is 1, a refusal of the server 2', async () => {
  const run1 = async (...argv: string[]) => (await run(['operator', 'snapshot', ...argv])).status
  expect(await run1('restore', join(folder, 'absent.snap'))).toBe(1)
  expect(await run1('save')).toBe(1)
  expect(await run1('inspect', '-depth=0', 'x')).toBe(1)
  const broken = { inspect: async () => Promise.reject(new Error('the snapshot is damaged')) }
  expect(await run(['operator', 'snapshot', 'inspect', 'x'], broken)).toMatchObject({
    status: 1,
    err: 'Error reading x: the snapshot is damaged\n',
  })
  const file = join(folder, 'r.snap')
  writeFileSync(file, 'x')
  const refused = { status: 400, body: bytes('{"errors":["the snapshot is damaged"]}') }
  const answer = await run(['operator', 'snapshot', 'restore', file], refused)
  expect(answer).toMatchObject({ status: 2, err: expect.stringContaining('the snapshot is damaged') })
})

it('shows progress on a terminal only', async () => {
  const file = join(folder, 'p.snap')
  writeFileSync(file, 'x')
  const answer = { status: 204, body: bytes('') }
  expect((await run(['operator', 'snapshot', 'restore', file], { ...answer, terminal: true })).err).toBe(
    '\rsent 0.0 MiB\n',
  )
  expect((await run(['operator', 'snapshot', 'restore', file], answer)).err).toBe('')
})
