import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { systemRandom, uuid } from '../../lib/random.ts'
import { commitId } from '../contracts/commit.ts'
import { StorageFull } from '../contracts/storage.ts'
import { localSnapshot } from './local-snapshot.ts'
import { openSnapshot } from './open-snapshot.ts'
import { Spool } from './spool.ts'
import { type Row, readState, writeState } from './state.ts'
import { takeSnapshot } from './take-snapshot.ts'
import { readTar, writeTar } from './tar.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-snapshot-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const place = { folder, minFreeBytes: 0 }
const spool = (more: object = {}) => Spool.open({ ...place, ...more }, uuid(systemRandom))
const maxValueBytes = 1024 * 1024

async function* iterate<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items
}
async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of source) parts.push(part)
  return Buffer.concat(parts)
}
const row = (key: string, value: Uint8Array): Row => [key, { value, version: commitId(systemRandom) }]
const about = { ID: 'x', Index: 1000, Term: 1, CofferVersion: '0', ClusterID: 'c', Storage: 'inmem' }

async function taken(rows: readonly Row[]): Promise<Buffer> {
  return collect(await takeSnapshot({ rows: iterate(rows), spool: await spool(), about, sealSums: (sums) => sums }))
}

describe('the state', () => {
  it('comes back as it was, whatever the sizes', async () => {
    const sizes = [0, 1, 511, 1024 * 1024, 1024 * 1024 - 1, 3]
    const rows = sizes.map((size, i) => row(`k${i}`, Buffer.from(systemRandom(size))))
    rows.push(row(`z${'é'.repeat(400)}`, Buffer.from('last')))
    const file = await spool()
    expect((await writeState(iterate(rows), file)).rows).toBe(rows.length)
    const again = [...readState(file, maxValueBytes)]
    expect(again.map(([key, { version }]) => [key, version])).toEqual(rows.map(([key, { version }]) => [key, version]))
    again.forEach(([, { value }], i) => {
      expect(Buffer.compare(value, rows[i]?.[1].value ?? Buffer.from('?'))).toBe(0)
    })
    await file.close()
  })

  it.each([
    ['rows out of order', [row('b', Buffer.alloc(1)), row('a', Buffer.alloc(1))], 'its rows are not in order'],
    ['a row twice', [row('a', Buffer.alloc(1)), row('a', Buffer.alloc(1))], 'its rows are not in order'],
    ['a NUL in a name', [row('a\0', Buffer.alloc(1))], 'the name of a row is not text'],
    ['a value that no storage takes', [row('a', Buffer.alloc(maxValueBytes + 1))], 'a row is too large'],
  ])('with %s is refused', async (_, rows, words) => {
    const file = await spool()
    await writeState(iterate(rows), file)
    expect(() => [...readState(file, maxValueBytes)]).toThrow(words)
    await file.close()
  })
})

describe('a spool', () => {
  it('has no name that others could open', async () => {
    const file = await spool()
    await file.write(Buffer.from('x'))
    expect(readdirSync(folder)).toEqual([])
    await file.close()
  })

  it('stops before the volume is too full, and says so', async () => {
    const full = { minFreeBytes: 1024 ** 3, statfs: async () => ({ bsize: 1, bavail: 1024 ** 3 }) }
    const file = await spool(full)
    await expect(file.write(Buffer.from('x'))).rejects.toThrow(StorageFull)
    await expect(file.write(Buffer.from('x'))).rejects.toThrow(/1024 MiB free.*1024 MiB must stay free/)
    await file.close()
  })

  it('of a snapshot that says it is larger than the volume takes none of it', async () => {
    const huge = writeTar([{ name: 'state.bin', size: 2 ** 45, body: [Buffer.from('x')] }], 0)
    const zipped = await import('node:zlib')
    const first = async function* () {
      for await (const chunk of huge) {
        yield zipped.gzipSync(chunk)
        return
      }
    }
    const file = await spool()
    const opening = openSnapshot({ source: first(), spool: file, maxValueBytes })
    await expect(opening).rejects.toThrow(StorageFull)
    expect(file.size).toBe(0)
    await file.close()
  })

  it('needs a folder that is there', async () => {
    await expect(Spool.open({ ...place, folder: join(folder, 'no') }, 'x')).rejects.toThrow(/ENOENT/)
  })
})

describe('a tar', () => {
  it('holds its members, in pieces of any size', async () => {
    const parts = [
      ['a', Buffer.alloc(0)],
      ['b', Buffer.alloc(512, 1)],
      ['c', Buffer.alloc(513, 2)],
    ] as const
    const tar = await collect(
      writeTar(
        parts.map(([name, body]) => ({ name, size: body.length, body: [body] })),
        0,
      ),
    )
    for (const step of [1, 7, 512, 100_000]) {
      const pieces = Array.from({ length: Math.ceil(tar.length / step) }, (_, i) =>
        tar.subarray(i * step, (i + 1) * step),
      )
      const found: [string, Buffer][] = []
      for await (const { name, body } of readTar(iterate(pieces))) found.push([name, await collect(body)])
      expect(found).toEqual(parts)
    }
  })

  it('says sizes beyond eight gigabytes', async () => {
    const heads: Uint8Array[] = []
    for await (const chunk of writeTar([{ name: 'x', size: 2 ** 40 + 5, body: [] }], 0)) heads.push(chunk)
    for await (const { size } of readTar(iterate([heads[0] ?? Buffer.alloc(0)]))) {
      expect(size).toBe(2 ** 40 + 5)
      break
    }
  })
})

describe('a source of many pieces', () => {
  const open = async (source: AsyncIterable<Uint8Array>) => {
    const file = await spool()
    try {
      return await openSnapshot({ source, spool: file, maxValueBytes })
    } finally {
      await file.close()
    }
  }

  it('that is no gzip, or breaks off being one, is refused in words', async () => {
    const noise = Array.from({ length: 50 }, () => Buffer.alloc(65536, 'noise'))
    await expect(open(iterate(noise))).rejects.toThrow('this is not a snapshot: it is not compressed with gzip')
    const whole = await taken([row('a', systemRandom(1_000_000))])
    const broken = [whole.subarray(0, 300_000), ...noise]
    await expect(open(iterate(broken))).rejects.toMatchObject({ status: 400, message: /^the snapshot is damaged/ })
  })

  it('that fails gives its own reason', async () => {
    const whole = await taken([row('a', systemRandom(1_000_000))])
    const failing = async function* () {
      yield whole.subarray(0, 300_000)
      throw new Error('the client went away')
    }
    await expect(open(failing())).rejects.toThrow('the client went away')
  })
})

describe('inspecting a file', () => {
  it('counts rows by folder and shows no name of a row', async () => {
    const file = join(folder, 'a.snap')
    const rows = ['core/cluster', 'mnt/u/data/canary-name', 'mnt/u/data/x', 'single'].map((key) =>
      row(key, Buffer.alloc(9)),
    )
    writeFileSync(file, await taken(rows))
    const report = await localSnapshot.inspect(file, 3)
    expect(report.kinds.map(({ name, count }) => [name, count])).toEqual([
      ['mnt/u/data', 2],
      ['core', 1],
      ['single', 1],
    ])
    expect(JSON.stringify(report)).not.toContain('canary-name')
    expect((await localSnapshot.inspect(file, 1)).kinds[0]?.name).toBe('mnt')
    rmSync(file)
  })

  it('names what is wrong with it', async () => {
    const file = join(folder, 'bad.snap')
    writeFileSync(file, 'what is no snapshot')
    await expect(localSnapshot.inspect(file, 1)).rejects.toThrow('this is not a snapshot')
    writeFileSync(file, (await taken([row('a', Buffer.alloc(1000))])).subarray(0, -20))
    await expect(localSnapshot.inspect(file, 1)).rejects.toThrow('it ends too early')
    rmSync(file)
    await expect(localSnapshot.inspect(file, 1)).rejects.toThrow('ENOENT')
  })
})

it('a client that stops reading ends the file of the snapshot', async () => {
  const file = await spool()
  const body = await takeSnapshot({
    rows: iterate([row('a', Buffer.alloc(1e6))]),
    spool: file,
    about,
    sealSums: (s) => s,
  })
  for await (const _ of body) break
  await expect(file.write(Buffer.from('x'))).rejects.toThrow()
})
