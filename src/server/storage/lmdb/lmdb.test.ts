import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import { commitId } from '../../contracts/commit.ts'
import { type Change, type ReadResult, StorageDown, StorageFull } from '../../contracts/storage.ts'
import { describeStorage } from '../storage.conformance.ts'
import { versionNumber, versionText } from './environment.ts'
import { type LmdbOptions, openLmdb } from './lmdb.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-lmdb-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let folders = 0
const newPath = () => {
  folders += 1
  return join(folder, String(folders))
}

const open = (path: string, options: Partial<LmdbOptions> = {}) =>
  openLmdb({
    path,
    clock: new FakeClock(),
    random: systemRandom,
    log: silentLog,
    // Whoever asks for a check here gets a refusal, which shows that it was asked for.
    check: { command: ['false'] },
    fatal: (error) => {
      throw error
    },
    minFreeBytes: 1024 * 1024,
    ...options,
  })

const put = (key: string, value = 'v') => ({
  id: commitId(systemRandom),
  checks: [],
  put: [{ key, value: Buffer.from(value) }],
})

// The same with a second process as peer: test/e2e/storage-processes.test.ts.
describeStorage(
  'lmdb, one process',
  async () => {
    const clock = new FakeClock()
    const backend = await open(newPath(), { clock })
    return { backend, peer: backend, advance: (ms) => clock.advance(ms), close: () => backend.close() }
  },
  { unsupported: [] },
)

describe('an LMDB file', () => {
  it('keeps its rows and versions when it is opened again', async () => {
    const path = newPath()
    const first = await open(path)
    const commit = put('a', 'one')
    await first.commit(commit)
    await first.close()
    const second = await open(path)
    expect(await second.read([{ key: 'a', known: commit.id }])).toEqual(['same'])
    await second.close()
  })

  it('answers each row whole and for itself, whatever lay where it was read to', async () => {
    const backend = await open(newPath())
    // Around the 32 KiB up to which lmdb reads into one place, and the largest.
    const sizes = [0, 1, 100, 32_763, 32_764, 32_765, 65_536, backend.limits.valueBytes]
    const rows = sizes.map((size, i) => ({ key: `row-${size}`, value: Buffer.alloc(size, i + 1) }))
    const ids = rows.map(() => commitId(systemRandom))
    for (const [i, row] of rows.entries()) await backend.commit({ id: ids[i] ?? '', checks: [], put: [row] })
    const order = [...rows.keys(), ...[...rows.keys()].reverse()]
    const found = await backend.read(order.flatMap((i) => [{ key: `row-${sizes[i]}` }, { key: 'none' }]))
    const again = await backend.read(order.map((i) => ({ key: `row-${sizes[i]}`, known: ids[0] ?? '' })))
    // Buffers of a megabyte are compared as bytes: `toEqual` takes a second for each.
    const told = (row: ReadResult | undefined) =>
      row === undefined || row === 'same'
        ? row
        : { row: rows.findIndex(({ value }) => value.equals(row.value)), version: row.version }
    for (const [n, i] of order.entries()) {
      const expected = { row: i, version: ids[i] }
      expect(told(found[2 * n])).toEqual(expected)
      expect(told(found[2 * n + 1])).toBe(undefined)
      expect(told(again[n])).toEqual(i === 0 ? 'same' : expected)
    }
    await backend.close()
  })

  it('keeps every bit of a version', () => {
    for (const id of ['00000000000001', '1fffffffffffff', '000000ffffffff', '00000100000000', '10000000000000']) {
      expect(versionText(versionNumber(id))).toBe(id)
    }
    for (let i = 0; i < 1000; i += 1) {
      const id = commitId(systemRandom)
      expect(versionText(versionNumber(id))).toBe(id)
    }
  })

  it('can be read by its owner alone', async () => {
    const path = newPath()
    const backend = await open(path)
    expect(statSync(path).mode & 0o777).toBe(0o700)
    for (const name of ['coffer.mdb', 'coffer.mdb-lock']) expect(statSync(join(path, name)).mode & 0o777).toBe(0o600)
    await backend.close()
  })

  it('leaves no mark of an opening that was closed', async () => {
    const path = newPath()
    const backend = await open(path)
    expect(readdirSync(join(path, 'holders'))).toHaveLength(1)
    await backend.close()
    expect(readdirSync(join(path, 'holders'))).toEqual([])
  })

  it.each([
    ['a process that is gone', { pid: 2 ** 22 + 1 }],
    ['an earlier process with our number', { pid: process.pid, startTime: '1' }],
    ['a mark that was cut off', undefined],
  ])('is checked before it is opened when %s had it open', async (_, holder) => {
    const path = newPath()
    await (await open(path)).close()
    const here = { startTime: '', boot: read('/proc/sys/kernel/random/boot_id').trim(), pidNamespace: '' }
    const mark = join(path, 'holders', '00000000-0000-4000-8000-000000000000')
    writeFileSync(mark, holder ? JSON.stringify({ ...here, ...holder, pidNamespace: pidNamespace() }) : '{"pid":')
    await expect(open(path)).rejects.toThrow(`the storage file ${join(path, 'coffer.mdb')} did not pass its check`)
    expect(existsSync(mark)).toBe(true)
    const passed = await open(path, { check: { command: ['true'] } })
    expect(existsSync(mark)).toBe(false)
    await passed.close()
    await (await open(path)).close()
  })

  it('is checked when it is not as it was left', async () => {
    const path = newPath()
    await (await open(path)).close()
    utimesSync(join(path, 'coffer.mdb'), new Date(0), new Date(0))
    await expect(open(path)).rejects.toThrow(StorageDown)
  })

  it.each([
    ['says why', ['sh', '-c', 'echo "Error: row 7 is out of order" >&2; exit 1'], 'row 7 is out of order'],
    ['is killed', ['sh', '-c', 'kill -BUS $$'], 'ended by SIGBUS'],
    ['ends without a word', ['false'], 'ended with status 1'],
    ['can not be started', ['/no/such/program'], 'could not be started'],
  ])('is not opened when its check %s', async (_, command, why) => {
    const path = newPath()
    await (await open(path)).close()
    rmSync(join(path, 'closed.json'))
    await expect(open(path, { check: { command } })).rejects.toThrow(why)
  })

  it('is refused while another host or container shows signs of life, and taken over when it does not', async () => {
    const path = newPath()
    await (await open(path)).close()
    const mark = join(path, 'holders', '00000000-0000-4000-8000-000000000000')
    writeFileSync(mark, JSON.stringify({ pid: 1, startTime: '1', boot: 'another', pidNamespace: 'another' }))
    utimesSync(mark, new Date(0), new Date(0))
    const clock = new FakeClock()
    /** Opens, and once the mark is being watched runs `then` and lets the time pass. */
    const openWhile = async (then: () => void) => {
      const watching = new Promise<void>((begin) => {
        const sleep = (ms: number, signal?: AbortSignal) => {
          begin()
          return clock.sleep(ms, signal)
        }
        const watched = {
          now: () => clock.now(),
          monotonic: () => clock.monotonic(),
          after: clock.after.bind(clock),
          sleep,
        }
        opening = open(path, { clock: watched, check: { command: ['true'] } })
        opening.catch(() => undefined)
      })
      await watching
      then()
      await clock.advance(2500)
    }
    let opening: ReturnType<typeof open> | undefined
    await openWhile(() => utimesSync(mark, new Date(1000), new Date(1000)))
    await expect(opening).rejects.toThrow('in use by another host or container')
    expect(existsSync(mark)).toBe(true)
    await openWhile(() => undefined)
    // Watched once to see who is alive, and once more when the dead are cleared away.
    const again = await whileTimePasses(clock, opening)
    expect(existsSync(mark)).toBe(false)
    await again?.close()
  })

  it.each([
    [0x6969, 'NFS'],
    // As Node gives it where the system's number is signed.
    [0xff534d42 | 0, 'CIFS'],
    [0x01021997, '9P'],
  ])('is refused on a network file system (%i, %s)', async (type, name) => {
    const statfs = async () => ({ type, bsize: 4096, bavail: 1e9 })
    const path = newPath()
    const opening = open(path, { statfs })
    if (process.platform === 'linux')
      await expect(opening).rejects.toThrow(`${path} is on a network file system (${name})`)
    else await (await opening).close()
  })

  it('is made with the folders above it, which only the owner enters, unless one can not be made', async () => {
    const path = join(newPath(), 'a', 'b')
    await (await open(path)).close()
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700)
    const file = newPath()
    writeFileSync(file, '')
    await expect(open(join(file, 'a'))).rejects.toThrow(`EEXIST: file already exists, mkdir '${file}'`)
    await expect(open(file)).rejects.toThrow('EEXIST')
    // Where Node's own way never ends.
    await expect(open('/proc/coffer-nothing')).rejects.toThrow('ENOENT')
  })

  it('is refused when it is a folder or can not be opened', async () => {
    const path = newPath()
    mkdirSync(join(path, 'coffer.mdb'), { recursive: true })
    await expect(open(path, { check: { command: ['true'] } })).rejects.toThrow(StorageDown)
  })
})

describe('a disk that fills up', () => {
  it('is not written to below its reserve, and the refusal names it', async () => {
    let bavail = 1_000_000
    const clock = new FakeClock()
    const path = newPath()
    const statfs = async () => ({ type: 0xef53, bsize: 4096, bavail })
    const backend = await open(path, { clock, statfs, minFreeBytes: 256 * 1024 * 1024 })
    await backend.commit(put('a'))
    bavail = 60_000
    await clock.advance(1000)
    const refusal: Error = await backend.commit(put('b')).then(
      () => expect.unreachable(),
      (error) => error,
    )
    expect(refusal).toBeInstanceOf(StorageFull)
    expect(refusal.message).toMatch(/^the volume \/\S* \(storage in .*\) has 234 MiB free and 256 MiB must stay free/)
    expect(refusal.message).toContain(path)
    await expect(backend.clear('x/', 1)).rejects.toThrow(StorageFull)
    expect((await backend.read([{ key: 'a' }]))[0]).toMatchObject({ version: expect.any(String) })
    bavail = 1_000_000
    await clock.advance(1000)
    expect(await backend.commit(put('b'))).toBe('ok')
    await backend.close()
  })

  it('is measured anew before a large commit', async () => {
    let bavail = 1_000_000
    const statfs = async () => ({ type: 0xef53, bsize: 4096, bavail })
    const backend = await open(newPath(), { statfs, minFreeBytes: 256 * 1024 * 1024 })
    bavail = 60_000
    await expect(backend.commit(put('a', 'x'.repeat(1024 * 1024)))).rejects.toThrow(StorageFull)
    await backend.close()
  })

  it.each([
    ['small', 1, 100],
    // Each of them is measured anew, before the others are on the disk.
    ['large', 95_400, 20],
  ])('is not run over by many %s commits at once', async (_, repeat, count) => {
    let asked = 0
    const statfs = async () => {
      asked += 1
      const turns = asked
      for (let i = 0; i < turns; i += 1) await new Promise((resolve) => setImmediate(resolve))
      return { type: 0xef53, bsize: 4096, bavail: 256 * 256 + 20 * 256 }
    }
    const path = newPath()
    const backend = await open(path, {
      statfs,
      minFreeBytes: 256 * 1024 * 1024 + (repeat === 1 ? 19 * 1024 * 1024 : 0),
    })
    const value = 'xxxxxxxxxxx'.repeat(repeat)
    const outcomes = await Promise.allSettled(
      Array.from({ length: count }, (_, i) => backend.commit(put(`k${i}`, value))),
    )
    const done = outcomes.filter(({ status }) => status === 'fulfilled').length
    expect(done).toBeGreaterThan(1)
    expect(done).toBeLessThan(count)
    expect(done * value.length).toBeLessThan(20 * 1024 * 1024)
    await backend.close()
  })

  it('is written to as long as it has room, however much was set aside since it was measured', async () => {
    const statfs = async () => ({ type: 0xef53, bsize: 4096, bavail: 256 * 256 + 256 })
    const backend = await open(newPath(), { statfs, minFreeBytes: 256 * 1024 * 1024 })
    for (let i = 0; i < 100; i += 1) expect(await backend.commit(put(`k${i}`))).toBe('ok')
    await backend.close()
  })

  it('holds nothing of a load that it had no room for', async () => {
    let bavail = 1_000_000
    const clock = new FakeClock()
    const backend = await open(newPath(), { clock, statfs: async () => ({ type: 0xef53, bsize: 4096, bavail }) })
    async function* rows() {
      for (let i = 0; i < 3000; i += 1) {
        if (i === 2000) {
          bavail = 0
          await clock.advance(1000)
        }
        yield [`k${i}`, { value: Buffer.from('v'), version: commitId(systemRandom) }] as const
      }
    }
    await expect(backend.load(rows())).rejects.toThrow(StorageFull)
    expect(await backend.list('', { depth: 'all', limit: 10 })).toEqual([])
    await backend.close()
  })
})

describe('peers', () => {
  it('are told of commits, and what they tell is passed on', async () => {
    const told: string[][] = []
    let tell: (change: Change) => void = () => undefined
    const peers = {
      publish: (keys: readonly string[]) => told.push([...keys]),
      listen: (heard: (change: Change) => void) => {
        tell = heard
      },
    }
    const backend = await open(newPath(), { peers })
    const abort = new AbortController()
    const feed = backend.changes(abort.signal)[Symbol.asyncIterator]()
    await backend.commit(put('a'))
    expect(told).toEqual([['a']])
    tell({ keys: ['theirs'], at: 5 })
    tell('reset')
    expect((await feed.next()).value).toBe('reset')
    tell({ keys: ['more'], at: 6 })
    expect((await feed.next()).value).toEqual({ keys: ['more'], at: 6 })
    abort.abort()
    await backend.close()
  })
})

const read = (path: string) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

async function whileTimePasses<T>(clock: FakeClock, promise: Promise<T> | undefined): Promise<T | undefined> {
  let done = false
  promise?.finally(() => {
    done = true
  })
  while (!done) await clock.advance(500)
  return promise
}
