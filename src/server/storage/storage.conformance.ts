/** What every storage backend promises, one test per promise: `describeStorage(name, open, options)`. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemRandom } from '../../lib/random.ts'
import { commitId } from '../contracts/commit.ts'
import {
  type Change,
  type Check,
  GenerationPassed,
  type ListPage,
  type Put,
  type ReadResult,
  type StorageBackend,
  StorageDown,
  type Stored,
} from '../contracts/storage.ts'

export interface Opened {
  readonly backend: StorageBackend
  /** The second writer: another process where the backend can be shared, else the same object. */
  readonly peer: Pick<StorageBackend, 'read' | 'commit' | 'list' | 'clear'>
  /** Moves the backend's clock. */
  advance(ms: number): Promise<void>
  close(): Promise<void>
}

export interface Unsupported {
  readonly reason: string
  readonly tests: readonly string[]
}

/** `open` gives an empty storage each time. */
export function describeStorage(
  name: string,
  open: () => Promise<Opened>,
  options: { readonly unsupported: readonly Unsupported[] },
): void {
  describe(`storage: ${name}`, () => {
    const suite = new Suite(open, options.unsupported)
    beforeAll(() => suite.start())
    afterAll(() => suite.stop())
    describe('reading and committing', () => rows(suite))
    describe('listing', () => listing(suite))
    describe('limits', () => limits(suite))
    describe('two writers', () => races(suite))
    describe('generations', () => generations(suite))
    describe('bulk', () => bulk(suite))
    describe('replacement', () => replacing(suite))
    describe('changes', () => changes(suite))
    describe('leading', () => leading(suite))
    describe('closing', () => closing(suite))
  })
}

class Suite {
  readonly #open: () => Promise<Opened>
  readonly #unsupported: Map<string, string>
  #opened: Opened | undefined
  #tests = 0

  constructor(open: () => Promise<Opened>, unsupported: readonly Unsupported[]) {
    this.#open = open
    this.#unsupported = new Map(unsupported.flatMap(({ reason, tests }) => tests.map((test) => [test, reason])))
  }

  async start() {
    this.#opened = await this.#open()
  }

  async stop() {
    await this.#opened?.close()
  }

  /** One promise; tests share a storage and each has a prefix of its own. */
  it(promise: string, test: (s: Opened & { prefix: string }) => Promise<void>) {
    const reason = this.#unsupported.get(promise)
    if (reason !== undefined) it.skip(`${promise} (${reason})`)
    else {
      it(promise, async () => {
        this.#tests += 1
        if (!this.#opened) throw new Error('not open')
        await test({ ...this.#opened, prefix: `t${this.#tests}/` })
      })
    }
  }

  /** As `it`, with an empty storage of its own. */
  itAlone(promise: string, test: (s: Opened) => Promise<void>) {
    this.it(promise, async () => {
      const opened = await this.#open()
      try {
        await test(opened)
      } finally {
        await opened.close()
      }
    })
  }
}

const id = () => commitId(systemRandom)
const bytes = (text: string) => Buffer.from(text)
const text = (row: ReadResult) => (row === undefined || row === 'same' ? row : Buffer.from(row.value).toString())
const put = (key: string, value = key): Put => ({ key, value: bytes(value) })
const forever = () => new AbortController().signal
const all: ListPage = { depth: 'all', limit: 100_000 }
const children: ListPage = { depth: 'children', limit: 100_000 }

type Writer = Pick<StorageBackend, 'commit' | 'read'>

/** Commits without checks; answers the version. */
async function write(backend: Writer, ...puts: readonly Put[]): Promise<string> {
  const version = id()
  for (let i = 0; i < puts.length; i += 200) {
    expect(await backend.commit({ id: version, checks: [], put: puts.slice(i, i + 200) })).toBe('ok')
  }
  return version
}

async function one(backend: Writer, key: string): Promise<ReadResult> {
  return (await backend.read([{ key }]))[0]
}

const versionOf = (row: ReadResult) => (row === undefined || row === 'same' ? undefined : row.version)

function rows(suite: Suite) {
  suite.it('a key that was never written is undefined', async ({ backend, prefix }) => {
    expect(await backend.read([{ key: `${prefix}a` }, { key: 'x'.repeat(5000) }])).toEqual([undefined, undefined])
  })

  suite.it('a row has the value and the id of its commit', async ({ backend, prefix }) => {
    const version = await write(backend, put(`${prefix}a`, 'one'), { key: `${prefix}empty`, value: new Uint8Array() })
    const [a, empty] = await backend.read([{ key: `${prefix}a` }, { key: `${prefix}empty` }])
    expect([text(a), versionOf(a)]).toEqual(['one', version])
    expect([text(empty), versionOf(empty)]).toEqual(['', version])
  })

  suite.it('any bytes come back as they were', async ({ backend, prefix }) => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), async (value) => {
        await write(backend, { key: `${prefix}a`, value })
        const row = (await one(backend, `${prefix}a`)) as Stored
        expect(Buffer.compare(row.value, value)).toBe(0)
      }),
      { numRuns: 50 },
    )
  })

  suite.it('answers come in the order of the keys, also of repeated ones', async ({ backend, prefix }) => {
    await write(backend, put(`${prefix}a`), put(`${prefix}b`))
    const keys = ['b', 'none', 'a', 'b'].map((name) => ({ key: prefix + name }))
    expect((await backend.read(keys)).map(text)).toEqual([`${prefix}b`, undefined, `${prefix}a`, `${prefix}b`])
  })

  suite.it('what can be read without waiting is what a read answers', async ({ backend, prefix }) => {
    const known = await write(backend, put(`${prefix}a`), put(`${prefix}b`))
    const keys = [{ key: `${prefix}b` }, { key: `${prefix}none` }, { key: `${prefix}a`, known }]
    const now = backend.readNow?.(keys) ?? (await backend.read(keys))
    expect(now).toEqual(await backend.read(keys))
    expect(now.map((row) => (row === 'same' ? row : text(row)))).toEqual([`${prefix}b`, undefined, 'same'])
  })

  suite.it("a known version is 'same' until the row changes", async ({ backend, prefix }) => {
    const key = `${prefix}a`
    const known = await write(backend, put(key, 'one'))
    expect(await backend.read([{ key, known }])).toEqual(['same'])
    for (const other of [id(), '', 'never']) expect(text((await backend.read([{ key, known: other }]))[0])).toBe('one')
    await write(backend, put(key, 'two'))
    expect(text((await backend.read([{ key, known }]))[0])).toBe('two')
    await backend.commit({ id: id(), checks: [], remove: [key] })
    expect(await backend.read([{ key, known }])).toEqual([undefined])
  })

  suite.it('one read sees all of a commit or nothing of it', async ({ backend, peer, prefix }) => {
    const keys = ['a', 'b', 'c'].map((name) => prefix + name)
    let done = false
    const writing = (async () => {
      for (let i = 0; i < 50; i += 1) await write(peer, ...keys.map((key) => put(key, String(i))))
      done = true
    })()
    while (!done) {
      const seen = await backend.read(keys.map((key) => ({ key })))
      expect(new Set(seen.map(text)).size).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await writing
  })

  suite.it('an acknowledged commit of the other writer is seen by the next read', async ({ backend, peer, prefix }) => {
    for (let i = 0; i < 50; i += 1) {
      await write(peer, put(`${prefix}a`, String(i)))
      expect(text(await one(backend, `${prefix}a`))).toBe(String(i))
      await write(backend, put(`${prefix}a`, `-${i}`))
      expect(text(await one(peer, `${prefix}a`))).toBe(`-${i}`)
    }
  })

  suite.it('create conflicts with a row that exists and then writes nothing', async ({ backend, prefix }) => {
    await write(backend, put(`${prefix}a`, 'one'))
    const create = [put(`${prefix}new`), put(`${prefix}a`, 'two')]
    expect(await backend.commit({ id: id(), checks: [], create, put: [put(`${prefix}b`)] })).toBe('conflict')
    const found = await backend.read(['a', 'b', 'new'].map((name) => ({ key: prefix + name })))
    expect(found.map(text)).toEqual(['one', undefined, undefined])
  })

  suite.it('create makes a row that is absent', async ({ backend, prefix }) => {
    const version = id()
    expect(await backend.commit({ id: version, checks: [], create: [put(`${prefix}a`)] })).toBe('ok')
    expect(versionOf(await one(backend, `${prefix}a`))).toBe(version)
  })

  suite.it('a check of another version conflicts and then nothing is written', async ({ backend, prefix }) => {
    const key = `${prefix}a`
    const old = await write(backend, put(key, 'one'))
    const now = await write(backend, put(key, 'two'))
    for (const version of [old, id()]) {
      const commit = { id: id(), checks: [{ key, version }], put: [put(key, 'three')], remove: [`${prefix}gone`] }
      expect(await backend.commit(commit)).toBe('conflict')
    }
    expect(text(await one(backend, key))).toBe('two')
    expect(await backend.commit({ id: id(), checks: [{ key, version: now }], put: [put(key, 'three')] })).toBe('ok')
    expect(text(await one(backend, key))).toBe('three')
  })

  suite.it('a check of an absent row conflicts', async ({ backend, prefix }) => {
    const checks = [{ key: `${prefix}a`, version: id() }]
    expect(await backend.commit({ id: id(), checks, put: [put(`${prefix}b`)] })).toBe('conflict')
    expect(await one(backend, `${prefix}b`)).toBe(undefined)
  })

  suite.it('a check alone guards other rows', async ({ backend, prefix }) => {
    const version = await write(backend, put(`${prefix}guard`))
    const checks = [{ key: `${prefix}guard`, version }]
    expect(await backend.commit({ id: id(), checks, create: [put(`${prefix}child`)] })).toBe('ok')
    expect(versionOf(await one(backend, `${prefix}guard`))).toBe(version)
  })

  suite.it('a removed row is gone, and removing an absent one is fine', async ({ backend, prefix }) => {
    await write(backend, put(`${prefix}a`), put(`${prefix}b`))
    expect(await backend.commit({ id: id(), checks: [], remove: [`${prefix}a`, `${prefix}none`] })).toBe('ok')
    expect(await backend.list(prefix, all)).toEqual(['b'])
  })

  suite.it('a row that was removed and made anew is another row', async ({ backend, prefix }) => {
    const key = `${prefix}a`
    const version = await write(backend, put(key, 'same'))
    await backend.commit({ id: id(), checks: [], remove: [key] })
    await write(backend, put(key, 'same'))
    expect(await backend.commit({ id: id(), checks: [{ key, version }], put: [put(key, 'x')] })).toBe('conflict')
  })

  suite.it('nothing of a large commit remains when its last check fails', async ({ backend, prefix }) => {
    const names = Array.from({ length: 255 }, (_, i) => `${prefix}${i}`)
    const version = await write(backend, ...names.slice(0, 100).map((key) => put(key, 'old')))
    const checks: Check[] = names.slice(0, 100).map((key) => ({ key, version }))
    checks.push({ key: `${prefix}absent`, version })
    const outcome = await backend.commit({
      id: id(),
      checks,
      put: names.slice(0, 50).map((key) => put(key, 'new')),
      remove: names.slice(50, 100),
      create: names.slice(100).map((key) => put(key, 'new')),
    })
    expect(outcome).toBe('conflict')
    const found = await backend.read(names.map((key) => ({ key })))
    expect(found.map(text)).toEqual([...Array(100).fill('old'), ...Array(155).fill(undefined)])
  })

  suite.it('neither side can change the value through its buffer', async ({ backend, prefix }) => {
    const value = bytes('one')
    await write(backend, { key: `${prefix}a`, value })
    value.fill(0)
    const row = (await one(backend, `${prefix}a`)) as Stored
    expect(text(row)).toBe('one')
    row.value.fill(0)
    expect(text(await one(backend, `${prefix}a`))).toBe('one')
  })
}

function listing(suite: Suite) {
  suite.it('keys are in the order of their UTF-8 bytes', async ({ backend, prefix }) => {
    const names = ['a', 'a/', 'a/b', 'a.b', 'a0', '~', '\u0001', '\u0080', '\uFF5E', '\u{1F600}', 'B', 'é']
    await write(backend, ...names.map((name) => put(prefix + name)))
    const sorted = [...names].sort((x, y) => Buffer.compare(bytes(x), bytes(y)))
    expect(sorted.indexOf('\uFF5E')).toBeLessThan(sorted.indexOf('\u{1F600}'))
    expect(await backend.list(prefix, all)).toEqual(sorted)
  })

  suite.it('children are the names of one level, folders once', async ({ backend, prefix }) => {
    const inside = Array.from({ length: 1000 }, (_, i) => put(`${prefix}f/${i}`))
    await write(backend, ...inside, put(`${prefix}f`), put(`${prefix}f.x`), put(`${prefix}f0`), put(`${prefix}f/a/b/c`))
    expect(await backend.list(prefix, children)).toEqual(['f', 'f.x', 'f/', 'f0'])
    expect(await backend.list(`${prefix}f/`, { depth: 'children', limit: 1000 })).toHaveLength(1000)
    expect(await backend.list(`${prefix}f/a/`, children)).toEqual(['b/'])
  })

  suite.it('a prefix need not end at a slash, and its own key is no name below it', async ({ backend, prefix }) => {
    await write(backend, put(`${prefix}ab`), put(`${prefix}abc`), put(`${prefix}abd/e`), put(`${prefix}b`))
    expect(await backend.list(`${prefix}ab`, all)).toEqual(['c', 'd/e'])
    expect(await backend.list(`${prefix}ab`, children)).toEqual(['c', 'd/'])
    expect(await backend.list(`${prefix}x`, all)).toEqual([])
  })

  suite.it('pages follow one another without loss or repetition', async ({ backend, prefix }) => {
    const name = fc.string({
      unit: fc.constantFrom('a', 'b', '/', '.', '0', 'é', '\uFF5E', '\u{1F600}'),
      minLength: 1,
      maxLength: 6,
    })
    let round = 0
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(name, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 7 }),
        async (names, limit) => {
          round += 1
          const base = `${prefix}${round}/`
          await write(backend, ...names.map((n) => put(base + n)))
          for (const depth of ['all', 'children'] as const) {
            const found: string[] = []
            for (;;) {
              const page = await backend.list(base, { depth, limit, after: found.at(-1) })
              expect(page.length).toBeLessThanOrEqual(limit)
              if (page.length === 0) break
              found.push(...page)
            }
            expect(found).toEqual(expected(names, depth))
            for (const after of names) {
              const folder =
                depth === 'children' && after.includes('/') ? after.slice(0, after.indexOf('/') + 1) : after
              const rest = expected(names, depth).filter((n) => Buffer.compare(bytes(n), bytes(folder)) > 0)
              expect(await backend.list(base, { depth, limit: 100, after })).toEqual(rest)
            }
          }
        },
      ),
      { numRuns: 30 },
    )
  })
}

function expected(names: readonly string[], depth: 'all' | 'children'): string[] {
  const short = depth === 'all' ? names : names.map((n) => (n.includes('/') ? n.slice(0, n.indexOf('/') + 1) : n))
  return [...new Set(short)].sort((a, b) => Buffer.compare(bytes(a), bytes(b)))
}

function limits(suite: Suite) {
  const longest = (prefix: string) => prefix + 'é'.repeat(Math.floor((1024 - prefix.length) / 2))

  suite.it('a key may have 1,024 bytes and not one more', async ({ backend, prefix }) => {
    const key = longest(prefix).padEnd(1024 - Math.floor((1024 - prefix.length) / 2), 'x')
    expect(Buffer.byteLength(key)).toBe(1024)
    await write(backend, put(key, 'long'))
    expect(text(await one(backend, key))).toBe('long')
    expect(await backend.list(prefix, all)).toEqual([key.slice(prefix.length)])
    await expect(backend.commit({ id: id(), checks: [], put: [put(`${key}x`)] })).rejects.toThrow(RangeError)
    expect(await one(backend, `${key}x`)).toBe(undefined)
  })

  for (const [what, bad] of [
    ['an empty key', ''],
    ['a key with NUL', 'a\0b'],
    ['a key with a lone surrogate', 'a\ud800'],
  ] as const) {
    suite.it(`${what} is refused`, async ({ backend }) => {
      await expect(backend.commit({ id: id(), checks: [], put: [put(bad, 'v')] })).rejects.toThrow(RangeError)
      await expect(backend.commit({ id: id(), checks: [], create: [put(bad, 'v')] })).rejects.toThrow(RangeError)
      await expect(backend.commit({ id: id(), checks: [], remove: [bad] })).rejects.toThrow(RangeError)
    })
  }

  suite.it('a value may have limits.valueBytes and not one more', async ({ backend, prefix }) => {
    const value = Buffer.alloc(backend.limits.valueBytes, 1)
    await write(backend, { key: `${prefix}a`, value })
    expect(((await one(backend, `${prefix}a`)) as Stored).value.length).toBe(value.length)
    const more = { key: `${prefix}b`, value: Buffer.alloc(value.length + 1) }
    await expect(backend.commit({ id: id(), checks: [], put: [more] })).rejects.toThrow(RangeError)
  })

  suite.it(
    'a commit may have limits.commitRows rows with the longest keys, and not one more',
    async ({ backend, prefix }) => {
      const keys = Array.from({ length: backend.limits.commitRows }, (_, i) => `${prefix}${i}-`.padEnd(1024, 'k'))
      const create = keys.map((key, i) => put(key, String(i)))
      const version = id()
      expect(await backend.commit({ id: version, checks: [], create })).toBe('ok')
      const checks = keys.map((key) => ({ key, version }))
      const values = keys.map((key, i) => put(key, `new ${i}`))
      expect(await backend.commit({ id: id(), checks, put: values })).toBe('ok')
      expect((await backend.read(keys.map((key) => ({ key })))).map(text)).toEqual(keys.map((_, i) => `new ${i}`))
      const more = { id: id(), checks, put: [put(`${prefix}more`)] }
      await expect(backend.commit(more)).rejects.toThrow(RangeError)
    },
  )

  suite.it('a commit may have limits.commitBytes and not much more', async ({ backend, prefix }) => {
    const value = Buffer.alloc(backend.limits.valueBytes)
    const fit = Math.floor(backend.limits.commitBytes / (value.length + 20))
    const puts = Array.from({ length: fit + 1 }, (_, i) => ({ key: `${prefix}${i}`, value }))
    expect(await backend.commit({ id: id(), checks: [], put: puts.slice(0, fit) })).toBe('ok')
    await expect(backend.commit({ id: id(), checks: [], put: puts })).rejects.toThrow(RangeError)
  })

  suite.it('a key is written once in a commit', async ({ backend, prefix }) => {
    const twice = { id: id(), checks: [], put: [put(`${prefix}a`)], remove: [`${prefix}a`] }
    await expect(backend.commit(twice)).rejects.toThrow(RangeError)
  })

  suite.it('ids that are none are refused', async ({ backend, prefix }) => {
    for (const bad of ['', 'x', '3fffffffffffff', '00000000000001x']) {
      await expect(backend.commit({ id: bad, checks: [], put: [put(`${prefix}a`)] })).rejects.toThrow(RangeError)
    }
  })

  suite.it('a page has a limit', async ({ backend, prefix }) => {
    for (const limit of [0, -1, 1.5, Number.NaN]) {
      await expect(backend.list(prefix, { depth: 'all', limit })).rejects.toThrow(RangeError)
    }
  })
}

/** The races of the design's row "Consistency". */
function races(suite: Suite) {
  const rounds = 60
  const both = async (a: Promise<string>, b: Promise<string>) => (await Promise.all([a, b])).sort()

  suite.it('of two that change one version one wins', async ({ backend, peer, prefix }) => {
    for (let i = 0; i < rounds; i += 1) {
      const key = `${prefix}${i}`
      const checks = [{ key, version: await write(backend, put(key, 'old')) }]
      const mine = backend.commit({ id: id(), checks, put: [put(key, 'mine')] })
      const theirs = peer.commit({ id: id(), checks, put: [put(key, 'theirs')] })
      expect(await both(mine, theirs)).toEqual(['conflict', 'ok'])
      expect(text(await one(backend, key))).toBe((await mine) === 'ok' ? 'mine' : 'theirs')
    }
  })

  suite.it('of two that create one key one wins', async ({ backend, peer, prefix }) => {
    for (let i = 0; i < rounds; i += 1) {
      const create = (value: string) => ({ id: id(), checks: [], create: [put(`${prefix}${i}`, value)] })
      const [mine, theirs] = [backend.commit(create('mine')), peer.commit(create('theirs'))]
      expect(await both(mine, theirs)).toEqual(['conflict', 'ok'])
      expect(text(await one(peer, `${prefix}${i}`))).toBe((await mine) === 'ok' ? 'mine' : 'theirs')
    }
  })

  suite.it('of two that each break what the other checks one wins', async ({ backend, peer, prefix }) => {
    for (let i = 0; i < rounds; i += 1) {
      const [a, b] = [`${prefix}${i}a`, `${prefix}${i}b`]
      const version = await write(backend, put(a, 'on'), put(b, 'on'))
      const off = (mine: string, other: string) => ({
        id: id(),
        checks: [{ key: other, version }],
        put: [put(mine, 'off')],
      })
      expect(await both(backend.commit(off(a, b)), peer.commit(off(b, a)))).toEqual(['conflict', 'ok'])
      expect((await backend.read([{ key: a }, { key: b }])).map(text).sort()).toEqual(['off', 'on'])
    }
  })

  suite.it('nothing is added below a container that is being removed', async ({ backend, peer, prefix }) => {
    for (let i = 0; i < rounds; i += 1) {
      const [guard, child] = [`${prefix}${i}/guard`, `${prefix}${i}/child`]
      const checks = [{ key: guard, version: await write(backend, put(guard, 'live')) }]
      const add = backend.commit({ id: id(), checks, create: [put(child)] })
      const mark = peer.commit({ id: id(), checks, put: [put(guard, 'dead')] })
      const [added, marked] = await Promise.all([add, mark])
      // Adding only checks the guard, so both may win if it came first; then the sweep, which lists after the mark, sees it.
      expect(marked).toBe('ok')
      expect(await peer.list(`${prefix}${i}/`, all)).toEqual(added === 'ok' ? ['child', 'guard'] : ['guard'])
      expect(await backend.commit({ id: id(), checks, create: [put(`${child}2`)] })).toBe('conflict')
    }
  })

  suite.it('of a change and a removal of one version one wins', async ({ backend, peer, prefix }) => {
    for (let i = 0; i < rounds; i += 1) {
      const key = `${prefix}${i}`
      const checks = [{ key, version: await write(backend, put(key, 'old')) }]
      const change = backend.commit({ id: id(), checks, put: [put(key, 'new')] })
      const removal = peer.commit({ id: id(), checks, remove: [key] })
      expect(await both(change, removal)).toEqual(['conflict', 'ok'])
      expect(text(await one(backend, key))).toBe((await change) === 'ok' ? 'new' : undefined)
    }
  })

  suite.it('commits over the same rows in opposite order do not hang', async ({ backend, peer, prefix }) => {
    const keys = Array.from({ length: 20 }, (_, i) => `${prefix}${i}`)
    await write(backend, ...keys.map((key) => put(key)))
    for (let i = 0; i < rounds; i += 1) {
      const puts = keys.map((key) => put(key, String(i)))
      const mine = backend.commit({ id: id(), checks: [], put: puts })
      const theirs = peer.commit({ id: id(), checks: [], put: [...puts].reverse() })
      expect(await both(mine, theirs)).toEqual(['ok', 'ok'])
      const versions = (await backend.read(keys.map((key) => ({ key })))).map(versionOf)
      expect(new Set(versions).size).toBe(1)
    }
  })

  suite.it('counters that both increment end at the exact sum', async ({ backend, peer, prefix }) => {
    const key = `${prefix}n`
    await write(backend, put(key, '0'), put(`${key}2`, '0'))
    const increment = async (writer: Writer) => {
      for (;;) {
        const [n, twin] = (await writer.read([{ key }, { key: `${key}2` }])) as [Stored, Stored]
        expect(twin.version).toBe(n.version)
        const next = String(Number(text(n)) + 1)
        const checks = [{ key, version: n.version }]
        const puts = [put(key, next), put(`${key}2`, next)]
        if ((await writer.commit({ id: id(), checks, put: puts })) === 'ok') return
      }
    }
    const run = async (writer: Writer) => {
      for (let i = 0; i < 100; i += 1) await increment(writer)
    }
    await Promise.all([run(backend), run(peer), run(backend), run(peer)])
    expect(text(await one(backend, key))).toBe('400')
    expect(text(await one(peer, `${key}2`))).toBe('400')
  })

  suite.it('what a fence forbids is not written by a leader that was replaced', async ({ backend, peer, prefix }) => {
    for (let i = 0; i < rounds; i += 1) {
      const key = `${prefix}${i}/fence`
      const fence = { key, version: await write(backend, put(key, 'first')) }
      const takeOver = peer.commit({ id: id(), checks: [fence], put: [put(key, 'second')] })
      const work = backend.commit({ id: id(), checks: [fence], put: [put(`${prefix}${i}/work`)] })
      expect((await Promise.all([takeOver, work]))[0]).toBe('ok')
      expect(await backend.commit({ id: id(), checks: [fence], put: [put(`${prefix}${i}/late`)] })).toBe('conflict')
    }
  })
}

function generations(suite: Suite) {
  suite.it('a commit of the present generation is written, one of another conflicts', async ({ backend, prefix }) => {
    const key = `${prefix}generation`
    const generation = { key, version: await write(backend, put(key)) }
    expect(await backend.commit({ id: id(), checks: [], create: [put(`${prefix}a`)], generation })).toBe('ok')
    expect(await backend.commit({ id: id(), checks: [generation], put: [put(`${prefix}b`)], generation })).toBe('ok')
    await write(backend, put(key, 'next'))
    for (const rest of [{ put: [put(`${prefix}c`)] }, { create: [put(`${prefix}c`)] }, { remove: [`${prefix}a`] }]) {
      expect(await backend.commit({ id: id(), checks: [], ...rest, generation })).toBe('conflict')
    }
    const none = { key: `${prefix}none`, version: id() }
    expect(await backend.commit({ id: id(), checks: [], put: [put(`${prefix}c`)], generation: none })).toBe('conflict')
    expect(await backend.list(prefix, all)).toEqual(['a', 'b', 'generation'])
  })

  suite.it('clear removes below the present generation only', async ({ backend, prefix }) => {
    const key = `${prefix}generation`
    const generation = { key, version: await write(backend, put(key)) }
    await write(backend, put(`${prefix}dead/a`), put(`${prefix}dead/b`))
    expect(await backend.clear(`${prefix}dead/`, 1, generation)).toBe(1)
    await write(backend, put(key, 'next'))
    await expect(backend.clear(`${prefix}dead/`, 1, generation)).rejects.toThrow(GenerationPassed)
    expect(await backend.list(`${prefix}dead/`, all)).toEqual(['b'])
  })

  suite.it('the generation is none of the rows of a commit, which may have as many as ever', async (opened) => {
    const { backend, prefix, peer } = opened
    const key = `${prefix}generation`
    const generation = { key, version: await write(backend, put(key)) }
    const puts = range(backend.limits.commitRows).map((i) => put(`${prefix}${i}`))
    expect(await peer.commit({ id: id(), checks: [], put: puts, generation })).toBe('ok')
    const bad = { key, version: 'x' }
    await expect(backend.commit({ id: id(), checks: [], put: [put(key)], generation: bad })).rejects.toThrow(RangeError)
  })
}

function bulk(suite: Suite) {
  suite.it('clear removes at most its limit, only below its prefix, and says how many', async ({ backend, prefix }) => {
    await write(backend, ...Array.from({ length: 25 }, (_, i) => put(`${prefix}dead/${i}`)))
    await write(backend, put(`${prefix}dead`), put(`${prefix}dead.`), put(`${prefix}dead0`))
    expect(await backend.clear(`${prefix}dead/`, 10)).toBe(10)
    expect(await backend.list(`${prefix}dead/`, all)).toHaveLength(15)
    expect(await backend.clear(`${prefix}dead/`, 100)).toBe(15)
    expect(await backend.clear(`${prefix}dead/`, 100)).toBe(0)
    expect(await backend.list(prefix, all)).toEqual(['dead', 'dead.', 'dead0'])
  })

  suite.it('clear takes nothing but a folder', async ({ backend, prefix }) => {
    for (const bad of ['', 'a', `${prefix}a`]) await expect(backend.clear(bad, 10)).rejects.toThrow(RangeError)
    await expect(backend.clear(prefix, 0)).rejects.toThrow(RangeError)
  })

  suite.itAlone(
    'a snapshot is one moment, and loads into an empty storage as it was',
    async ({ backend, close: _ }) => {
      const names = Array.from({ length: 500 }, (_, i) => `s/${String(i).padStart(3, '0')}`)
      const version = await write(backend, ...names.map((name) => put(name, 'before')), put('\u{1F600}'), put('\uFF5E'))
      const taken: [string, Stored][] = []
      for await (const row of backend.snapshot(forever())) {
        taken.push([...row])
        if (taken.length === 1) await write(backend, put('s/499', 'after'), put('zzz', 'after'))
      }
      expect(taken.map(([key]) => key)).toEqual([...names, '\uFF5E', '\u{1F600}'])
      expect(new Set(taken.map(([, row]) => row.version))).toEqual(new Set([version]))
      expect(text(taken[499]?.[1])).toBe('before')
      await backend.clear('s/', 1000)
      await backend.commit({ id: id(), checks: [], remove: ['zzz', '\uFF5E', '\u{1F600}'] })
      await backend.load(iterate(taken))
      const again: [string, Stored][] = []
      for await (const row of backend.snapshot(forever())) again.push([...row])
      expect(again.map(([key, row]) => [key, text(row), row.version])).toEqual(
        taken.map(([key, row]) => [key, text(row), row.version]),
      )
    },
  )

  suite.itAlone('a snapshot ends when it is aborted', async ({ backend }) => {
    await write(backend, put('a'), put('b'))
    const abort = new AbortController()
    const read = async () => {
      for await (const _ of backend.snapshot(abort.signal)) abort.abort(new Error('enough'))
    }
    await expect(read()).rejects.toThrow('enough')
  })

  suite.itAlone('load is refused when there are rows', async ({ backend }) => {
    await write(backend, put('a'))
    await expect(backend.load(iterate([['b', { value: bytes('b'), version: id() }]]))).rejects.toThrow(RangeError)
    expect(await backend.list('', all)).toEqual(['a'])
  })

  suite.itAlone('load refuses rows that no commit could have written', async ({ backend }) => {
    const good = ['a', { value: bytes('a'), version: id() }] as const
    for (const bad of [
      ['b', { value: bytes('b'), version: 'x' }],
      ['', { value: bytes('b'), version: id() }],
      ['b', { value: Buffer.alloc(backend.limits.valueBytes + 1), version: id() }],
    ] as const) {
      await expect(backend.load(iterate<readonly [string, Stored]>([good, bad]))).rejects.toThrow(RangeError)
      expect(await backend.list('', all)).toEqual([])
    }
  })

  suite.itAlone('load leaves nothing behind when its source fails', async ({ backend }) => {
    async function* failing(): AsyncGenerator<readonly [string, Stored]> {
      for (let i = 0; i < 3000; i += 1) yield [`k${i}`, { value: bytes('v'), version: id() }]
      throw new Error('cut')
    }
    await expect(backend.load(failing())).rejects.toThrow('cut')
    expect(await backend.list('', all)).toEqual([])
  })
}

function replacing(suite: Suite) {
  const row = (value: string): Stored => ({ value: bytes(value), version: id() })

  suite.itAlone('a replacement leaves exactly its rows, with their versions', async ({ backend }) => {
    const before = Array.from({ length: 200 }, (_, i) => put(`old/${i}`))
    await write(backend, ...before, put('both', 'old'))
    const next: [string, Stored][] = [
      ['both', row('new')],
      ...range(1500).map((i): [string, Stored] => [`new/${i}`, row(`${i}`)]),
    ]
    await backend.replace(next, 10_000)
    const found = new Map<string, Stored>()
    for await (const [key, stored] of backend.snapshot(forever())) found.set(key, stored)
    expect(found.size).toBe(next.length)
    for (const [key, stored] of next) {
      expect(text(found.get(key))).toBe(text(stored))
      expect(found.get(key)?.version).toBe(stored.version)
    }
    // It can be written and read as before.
    const version = await write(backend, put('both', 'later'))
    expect(await backend.read([{ key: 'both', known: version }])).toEqual(['same'])
    expect((await one(backend, 'old/1')) ?? 'gone').toBe('gone')
  })

  suite.itAlone('a replacement that fails has changed nothing', async ({ backend }) => {
    const version = await write(backend, put('a'), put('b'))
    function* failing(): Generator<readonly [string, Stored]> {
      for (let i = 0; i < 3000; i += 1) yield [`k${i}`, row('v')]
      throw new Error('cut')
    }
    await expect(backend.replace(failing(), 10_000)).rejects.toThrow('cut')
    const bad = { value: bytes('b'), version: 'x' }
    await expect(
      backend.replace(
        [
          ['c', row('c')],
          ['d', bad],
        ],
        10,
      ),
    ).rejects.toThrow(RangeError)
    expect(await backend.list('', all)).toEqual(['a', 'b'])
    expect(await backend.read([{ key: 'a', known: version }])).toEqual(['same'])
    await write(backend, put('c'))
    expect(await backend.list('', all)).toEqual(['a', 'b', 'c'])
  })

  suite.itAlone('nothing that rests on the generation before is written after a replacement', async (suite) => {
    const { backend, peer } = suite
    for (let round = 0; round < 4; round += 1) {
      const generation = { key: 'generation', version: await write(backend, put('generation')) }
      await write(backend, put('guard'), ...range(20).map((i) => put(`dead/${i}`)))
      const [guard] = await backend.read([{ key: 'guard' }])
      const next: [string, Stored][] = [
        ['generation', row('next')],
        // As in a snapshot: checks of this row go on to hold.
        ['guard', typeof guard === 'object' ? guard : expect.unreachable('no guard')],
        ...range(20).map((i): [string, Stored] => [`dead/${i}`, row('alive again')]),
      ]
      let passed = false
      const writer = async (by: Pick<StorageBackend, 'commit'>, name: string) => {
        for (let i = 0; !passed; i += 1) {
          const checks = [{ key: 'guard', version: typeof guard === 'object' ? guard.version : '' }]
          const outcome = await by.commit({ id: id(), checks, put: [put(`${name}/${i}`)], generation })
          if (outcome === 'conflict') passed = true
        }
      }
      const writers = [writer(backend, 'mine'), writer(peer, 'theirs')]
      await backend.replace(next, 1000)
      await Promise.all(writers)
      // The one of another process crosses the border as text.
      await expect(peer.clear('dead/', 100, generation)).rejects.toThrow(
        'of a generation of the storage that has passed',
      )
      expect(await backend.list('', all)).toEqual(next.map(([key]) => key).sort())
    }
  })

  suite.itAlone("a replacement is a 'reset'", async ({ backend }) => {
    const abort = new AbortController()
    const feed = backend.changes(abort.signal)[Symbol.asyncIterator]()
    await backend.replace([['a', row('a')]], 2)
    expect((await feed.next()).value).toBe('reset')
    abort.abort()
  })
}

const range = (length: number) => Array.from({ length }, (_, i) => i)

async function* iterate<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

function changes(suite: Suite) {
  const keysOf = (change: Change | undefined) => (change === undefined || change === 'reset' ? change : change.keys)

  suite.it('own commits are told once they can be read, conflicts are not', async ({ backend, prefix }) => {
    const abort = new AbortController()
    const feed = backend.changes(abort.signal)[Symbol.asyncIterator]()
    await write(backend, put(`${prefix}a`), put(`${prefix}b`))
    await backend.commit({ id: id(), checks: [], create: [put(`${prefix}a`)] })
    await backend.commit({ id: id(), checks: [], create: [put(`${prefix}c`)], remove: [`${prefix}a`] })
    expect(keysOf((await feed.next()).value)).toEqual([`${prefix}a`, `${prefix}b`])
    expect(text(await one(backend, `${prefix}b`))).toBe(`${prefix}b`)
    expect(keysOf((await feed.next()).value)).toEqual([`${prefix}c`, `${prefix}a`])
    await backend.clear(prefix, 100)
    expect(keysOf((await feed.next()).value)).toEqual([`${prefix}b`, `${prefix}c`])
    abort.abort()
    expect((await feed.next()).done).toBe(true)
  })

  suite.it('a beat comes each second with the time of the storage', async ({ backend, advance }) => {
    const abort = new AbortController()
    const feed = backend.changes(abort.signal)[Symbol.asyncIterator]()
    const first = feed.next()
    await advance(1000)
    expect((await first).value).toEqual({ keys: [], at: await backend.now() })
    const second = feed.next()
    await advance(1000)
    expect((await second).value).toEqual({ keys: [], at: await backend.now() })
    abort.abort()
  })

  suite.it('each of several listeners is told everything', async ({ backend, prefix }) => {
    const abort = new AbortController()
    const feeds = [1, 2].map(() => backend.changes(abort.signal)[Symbol.asyncIterator]())
    await write(backend, put(`${prefix}a`))
    for (const feed of feeds) expect(keysOf((await feed.next()).value)).toEqual([`${prefix}a`])
    abort.abort()
  })

  suite.itAlone("a load is a 'reset'", async ({ backend }) => {
    const abort = new AbortController()
    const feed = backend.changes(abort.signal)[Symbol.asyncIterator]()
    await backend.load(iterate([['a', { value: bytes('a'), version: id() }] as const]))
    expect((await feed.next()).value).toBe('reset')
    abort.abort()
  })

  suite.it('who is too far behind gets a reset instead of a queue without end', async ({ backend, prefix }) => {
    const abort = new AbortController()
    const feed = backend.changes(abort.signal)[Symbol.asyncIterator]()
    const puts = Array.from({ length: 250 }, (_, i) => put(`${prefix}${i}`, 'v'))
    for (let i = 0; i < 41; i += 1) await backend.commit({ id: id(), checks: [], put: puts })
    expect((await feed.next()).value).toBe('reset')
    await write(backend, put(`${prefix}last`))
    expect(keysOf((await feed.next()).value)).toEqual([`${prefix}last`])
    abort.abort()
  })
}

function leading(suite: Suite) {
  suite.itAlone('one leads at a time, and the next one after it', async ({ backend }) => {
    const log: string[] = []
    let finish = () => {}
    const gate = new Promise<void>((resolve) => {
      finish = resolve
    })
    const until = new AbortController()
    const work = (name: string) => async (fence: Check) => {
      log.push(`${name} begins`)
      expect(await backend.commit({ id: id(), checks: [fence], put: [put(`did/${name}`)] })).toBe('ok')
      if (name === 'a') await gate
      log.push(`${name} ends`)
    }
    const a = backend.lead(work('a'), until.signal)
    const b = backend.lead(work('b'), until.signal)
    await new Promise((resolve) => setImmediate(resolve))
    finish()
    await Promise.all([a, b])
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
  })

  suite.itAlone('a fence is worth nothing once its leader has gone', async ({ backend }) => {
    let old: Check | undefined
    await backend.lead(async (fence) => {
      old = fence
    }, forever())
    expect(await backend.commit({ id: id(), checks: old ? [old] : [], put: [put('late')] })).toBe('conflict')
  })

  suite.itAlone(
    'who loses the fence is told within a second and leads anew later',
    async ({ backend, peer, advance }) => {
      const until = new AbortController()
      const fences: Check[] = []
      const leading = backend.lead(async (fence, signal) => {
        fences.push(fence)
        if (fences.length === 2) return
        // Someone else takes over, and goes.
        await write(peer, put(fence.key, 'another'))
        const lost = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
        while (!signal.aborted) await Promise.race([lost, advance(1000)])
      }, until.signal)
      while (fences.length < 2) await advance(1000)
      await leading
      expect(fences[1]?.version).not.toBe(fences[0]?.version)
    },
  )

  suite.itAlone('leading ends with its work, its error or its signal', async ({ backend }) => {
    await backend.lead(async () => undefined, forever())
    const failing = backend.lead(async () => {
      throw new Error('broken')
    }, forever())
    await expect(failing).rejects.toThrow('broken')
    const until = new AbortController()
    const waiting = backend.lead(async (_, signal) => {
      until.abort()
      expect(signal.aborted).toBe(true)
    }, until.signal)
    await waiting
    await backend.lead(() => expect.unreachable('its signal was aborted before'), until.signal)
    expect(await backend.list('core/', all)).toEqual([])
  })
}

function closing(suite: Suite) {
  suite.itAlone('a closed storage answers nothing, and its feeds end', async ({ backend }) => {
    const feed = backend.changes(forever())[Symbol.asyncIterator]()
    await write(backend, put('a'))
    await backend.close()
    await expect(backend.read([{ key: 'a' }])).rejects.toThrow(StorageDown)
    await expect(backend.list('', all)).rejects.toThrow(StorageDown)
    await expect(backend.commit({ id: id(), checks: [], put: [put('b')] })).rejects.toThrow(StorageDown)
    expect((await feed.next()).value).toMatchObject({ keys: ['a'] })
    expect((await feed.next()).done).toBe(true)
    for await (const _ of backend.changes(forever())) expect.unreachable('it is closed')
    await backend.close()
  })
}
