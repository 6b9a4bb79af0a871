import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../../lib/fake-clock.ts'
import type { S3Calls, S3Upload } from './s3-calls.ts'
import { S3Place } from './s3-place.ts'

const clusterId = 'abcdef01-2345-6789-abcd-ef0123456789'
const at = Date.UTC(2026, 0, 2, 3, 4, 5)
const key = 'b/coffer-abcdef012345-20260102T030405Z.snap'
const signal = new AbortController().signal
const partBytes = 10_000

/** A bucket in memory. `fail`: what the next call of that name throws. */
function bucket(fail: Partial<Record<keyof S3Calls, Error>> = {}) {
  const objects = new Map<string, Buffer>()
  const uploads = new Map<string, { upload: S3Upload; parts: Buffer[] }>()
  let [open, ids] = [0, 0]
  const may = (name: keyof S3Calls, until: AbortSignal) => {
    until.throwIfAborted()
    if (fail[name]) throw fail[name]
  }
  const calls: S3Calls = {
    put: async (name, body, until) => {
      may('put', until)
      objects.set(name, Buffer.from(body))
    },
    begin: async (name, until) => {
      may('begin', until)
      ids += 1
      uploads.set(`u${ids}`, { upload: { key: name, id: `u${ids}` }, parts: [] })
      return `u${ids}`
    },
    part: async ({ id }, number, body, until) => {
      const { parts } = uploads.get(id) ?? expect.unreachable()
      // What was sent must be what was meant, although its memory is used again.
      if (parts.push(Buffer.from(body)) === 2) may('part', until)
      return { number, etag: `e${number}` }
    },
    complete: async ({ id, key: name }, parts, until) => {
      may('complete', until)
      const found = uploads.get(id) ?? expect.unreachable()
      expect(parts.map(({ number, etag }) => `${number}${etag}`)).toEqual(
        found.parts.map((_, i) => `${i + 1}e${i + 1}`),
      )
      expect(found.parts.slice(0, -1).every(({ length }) => length === partBytes)).toBe(true)
      objects.set(name, Buffer.concat(found.parts))
      uploads.delete(id)
    },
    abandon: async ({ id }, until) => {
      may('abandon', until)
      uploads.delete(id)
    },
    unfinished: async (prefix, until) => {
      may('unfinished', until)
      return [...uploads.values()].map(({ upload }) => upload).filter((upload) => upload.key.startsWith(prefix))
    },
    list: async (prefix, until) => {
      may('list', until)
      return [...objects]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, { length }]) => ({ key: name, bytes: length }))
    },
    remove: async (name, until) => {
      may('remove', until)
      objects.delete(name)
    },
    close: () => {
      open -= 1
    },
  }
  const place = new S3Place({
    ...{ bucket: 'bucket', prefix: 'b/', clusterId, clock: new FakeClock(), partBytes },
    open: async () => {
      open += 1
      return calls
    },
  })
  return { objects, uploads, place, calls, opened: () => open }
}

/** In chunks that fit no part. */
async function* bytes(count: number) {
  const chunk = 701
  for (let from = 0; from < count; from += chunk) {
    yield Buffer.alloc(Math.min(chunk, count - from), `${from}-`)
  }
}
const joined = async (body: AsyncIterable<Uint8Array>) => {
  const all: Uint8Array[] = []
  for await (const chunk of body) all.push(chunk)
  return Buffer.concat(all)
}

describe('a snapshot in S3', () => {
  it.each([
    ['is one object', 1000],
    ['goes in parts of the same size when it is larger than one', 2 * partBytes + 17],
    ['that fills its parts exactly has no empty one', 2 * partBytes],
    ['that is as large as a part is whole', partBytes],
  ])('%s', async (_, size) => {
    const { place, objects, uploads, opened } = bucket()
    expect(await place.write(bytes(size), at, signal)).toEqual({ name: key.slice(2), bytes: size })
    expect([...objects.keys()]).toEqual([key])
    expect(objects.get(key)?.equals(await joined(bytes(size)))).toBe(true)
    expect([uploads.size, opened()]).toEqual([0, 0])
  })

  it.each(['part', 'complete'] as const)('whose %s fails leaves nothing and says why', async (name) => {
    const { place, objects, uploads, opened } = bucket({ [name]: new Error('why') })
    await expect(place.write(bytes(3 * partBytes), at, signal)).rejects.toThrow('why')
    expect([objects.size, uploads.size, opened()]).toEqual([0, 0, 0])
  })

  it('that is cut by the loss of the lead leaves nothing', async () => {
    const { place, objects, uploads } = bucket()
    const stop = new AbortController()
    async function* cut() {
      yield* bytes(partBytes + 1)
      stop.abort(new Error('sealing'))
      stop.signal.throwIfAborted()
    }
    await expect(place.write(cut(), at, stop.signal)).rejects.toThrow('sealing')
    expect([objects.size, uploads.size]).toEqual([0, 0])
  })

  it('removes the parts that a killed server left, of this cluster only', async () => {
    const { place, uploads, calls } = bucket()
    await calls.begin(key, signal)
    await calls.begin('b/coffer-ffffffffffff-20260102T030405Z.snap', signal)
    await calls.begin('b/coffer-abcdef012345-of-someone', signal)
    await place.write(bytes(10), at, signal)
    expect([...uploads.keys()]).toEqual(['u2', 'u3'])
  })

  it('is kept with as many others as are to be kept; names of others are left alone', async () => {
    const { place, objects } = bucket()
    const others = [
      'b/coffer-ffffffffffff-20250101T000000Z.snap',
      'b/coffer-abcdef012345-20250101T000000Z.snap.old',
      'coffer-abcdef012345-20250101T000000Z.snap',
      'b/deeper/coffer-abcdef012345-20250101T000000Z.snap',
    ]
    for (const name of others) objects.set(name, Buffer.alloc(1))
    for (let i = 0; i < 4; i += 1) await place.write(bytes(10), at + i * 1000, signal)
    const latest = 'coffer-abcdef012345-20260102T030408Z.snap'
    expect(await place.keepNewest(2, latest, signal)).toBe(2)
    const own = [7, 8].map((second) => `b/coffer-abcdef012345-20260102T03040${second}Z.snap`)
    expect([...objects.keys()].sort()).toEqual([...others, ...own].sort())
    expect(await place.keepNewest(5, latest, signal)).toBe(2)
  })

  it('goes before those from when the clock was ahead', async () => {
    const { place, objects } = bucket()
    for (let day = 1; day <= 3; day += 1) await place.write(bytes(10), Date.UTC(2030, 0, day), signal)
    await place.keepNewest(3, 'coffer-abcdef012345-20300103T000000Z.snap', signal)
    for (let second = 0; second < 3; second += 1) {
      const { name } = await place.write(bytes(10), at + second * 1000, signal)
      expect(await place.keepNewest(3, name, signal)).toBe(3)
      expect([...objects.keys()]).toContain(`b/${name}`)
    }
    expect([...objects.keys()].some((name) => name.includes('-2030'))).toBe(false)
  })

  it('is missing where the last one went elsewhere', async () => {
    const { place } = bucket()
    expect(place.where).toBe('s3://bucket/b/')
    expect(await place.lacks('s3://bucket/b/')).toBe(false)
    expect(await place.lacks('/var/backups')).toBe(true)
    expect(await place.lacks(undefined)).toBe(true)
  })
})
