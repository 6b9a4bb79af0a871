import { expect, it } from 'vitest'
import { systemClock } from '../../lib/clock.ts'
import { FakeClock } from '../../lib/fake-clock.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import { type StorageBackend, StorageFull, type Stored } from '../contracts/storage.ts'
import { openMemory } from '../storage/memory/memory.ts'
import { Barrier, FormatUnsupported, NewerRow } from './barrier.ts'

const rootKey = () => Buffer.alloc(32, 7)
const text = { parse: String }
const anything = { parse: (value: unknown) => value }

function setup() {
  // Who loses a race waits a moment.
  const clock = systemClock
  const backend = openMemory({ clock, random: systemRandom })
  const passed: string[] = []
  const lines: string[] = []
  const log = {
    ...silentLog,
    warn: (event: string, fields?: object) => void lines.push(event + JSON.stringify(fields)),
  }
  const node = async (name: string, knownFormat?: number, over: StorageBackend = backend) => {
    const barrier = new Barrier({
      ...{ backend: over, clock, random: systemRandom, log, passed: () => void passed.push(name) },
      ...(knownFormat === undefined ? {} : { knownFormat }),
    })
    if (!(await barrier.initialised())) await barrier.initialise({ rootKey: rootKey(), plain: [] })
    await barrier.unseal(rootKey())
    return { barrier, view: barrier.view('x/') }
  }
  return { backend, node, passed, lines }
}

async function rowsOf(barrier: Barrier): Promise<(readonly [string, Stored])[]> {
  const rows: (readonly [string, Stored])[] = []
  for await (const row of barrier.snapshot(new AbortController().signal)) rows.push(row)
  return rows
}

const sealed = { status: 503, message: 'Vault is sealed' }

it('a transaction of another node that began before a restore writes nothing after it, though what it read is unchanged', async () => {
  const { node, backend, passed } = setup()
  const a = await node('a')
  const b = await node('b')
  await a.view.transaction(async (tx) => tx.put(a.view, 'read', 'same'))
  const rows = await rowsOf(a.barrier)
  const writing = b.view.transaction(async (tx) => {
    const read = await tx.get(b.view, 'read', text)
    if (!passed.length) await a.barrier.replaceAll(rows, 1000).catch(() => undefined)
    tx.put(b.view, 'late', `after ${read}`)
  })
  await expect(writing).rejects.toMatchObject(sealed)
  expect(passed).toEqual(['b'])
  expect(await backend.list('x/', { depth: 'all', limit: 10 })).toEqual(['read'])
  b.barrier.seal()
  await b.barrier.unseal(rootKey())
  await b.view.transaction(async (tx) => tx.put(b.view, 'anew', 'x'))
  expect(await b.view.get('anew', text)).toBe('x')
})

it('a transaction that began before a restore writes nothing when its node was sealed and unsealed meanwhile', async () => {
  const { node, backend } = setup()
  const a = await node('a')
  const b = await node('b')
  await a.view.transaction(async (tx) => tx.put(a.view, 'read', 'same'))
  const rows = await rowsOf(a.barrier)
  const writing = b.view.transaction(async (tx) => {
    const read = await tx.get(b.view, 'read', text)
    await a.barrier.replaceAll(rows, 1000).catch(() => undefined)
    b.barrier.seal()
    await b.barrier.unseal(rootKey())
    tx.put(b.view, 'late', `after ${read}`)
  })
  await expect(writing).rejects.toMatchObject(sealed)
  expect(await backend.list('x/', { depth: 'all', limit: 10 })).toEqual(['read'])
})

it('a restore between the opening of a storage without a generation and its first one is noticed', async () => {
  const { node, backend } = setup()
  const a = await node('a')
  const rows = await rowsOf(a.barrier)
  await backend.commit({ id: '00000000000001', checks: [], remove: ['core/generation'] })
  let opened = 0
  const meanwhile: StorageBackend = Object.assign(Object.create(backend), {
    read: backend.read.bind(backend),
    commit: async (commit: Parameters<StorageBackend['commit']>[0]) => {
      if (commit.create?.some(({ key }) => key === 'core/generation')) await a.barrier.replaceAll(rows, 1000)
      return backend.commit(commit)
    },
  })
  const keyring = async (keys: Parameters<StorageBackend['read']>[0]) => {
    if (keys.some(({ key }) => key === 'core/keyring')) opened += 1
    return backend.read(keys)
  }
  Object.assign(meanwhile, { read: keyring })
  const b = new Barrier({ backend: meanwhile, clock: new FakeClock(), random: systemRandom, log: silentLog })
  await b.unseal(rootKey())
  expect(opened).toBe(2)
})

it('a sweep, a rotation and a rekeying of another node do nothing after a restore', async () => {
  const { node, backend } = setup()
  const a = await node('a')
  const b = await node('b')
  await a.view.transaction(async (tx) => tx.put(a.view, 'dead', 'alive in the snapshot'))
  const rows = await rowsOf(a.barrier)
  await a.barrier.replaceAll(rows, 1000)
  const [keyring] = await backend.read([{ key: 'core/keyring' }])
  await expect(b.barrier.clear('x/', 10)).rejects.toMatchObject(sealed)
  await expect(b.barrier.rotate()).rejects.toMatchObject(sealed)
  await expect(b.barrier.reroot({ rootKey: Buffer.alloc(32, 8) })).rejects.toMatchObject(sealed)
  expect(await backend.list('x/', { depth: 'all', limit: 10 })).toEqual(['dead'])
  expect(await backend.read([{ key: 'core/keyring' }])).toEqual([keyring])
})

it('a restore while a node unseals: what it opened is all of one generation', async () => {
  const { node, backend } = setup()
  const a = await node('a')
  const rows = await rowsOf(a.barrier)
  let restored = false
  const meanwhile: StorageBackend = Object.assign(Object.create(backend), {
    read: async (keys: Parameters<StorageBackend['read']>[0]) => {
      if (keys.some(({ key }) => key === 'core/keyring') && !restored) {
        restored = true
        await a.barrier.replaceAll(rows, 1000)
      }
      return backend.read(keys)
    },
    commit: backend.commit.bind(backend),
    clear: backend.clear.bind(backend),
  })
  const b = new Barrier({ backend: meanwhile, clock: new FakeClock(), random: systemRandom, log: silentLog })
  await b.unseal(rootKey())
  const view = b.view('x/')
  await view.transaction(async (tx) => tx.put(view, 'a', 'x'))
  expect(restored).toBe(true)
})

it('a storage from before there were generations gets one when it is unsealed', async () => {
  const { node, backend } = setup()
  const a = await node('a')
  a.barrier.seal()
  await backend.commit({ id: '00000000000001', checks: [], remove: ['core/generation'] })
  await a.barrier.unseal(rootKey())
  expect(await backend.read([{ key: 'core/generation' }])).toMatchObject([{ version: expect.any(String) }])
  const b = await node('b')
  await b.barrier.replaceAll(await rowsOf(b.barrier), 1000)
  await expect(a.view.transaction(async (tx) => tx.put(a.view, 'a', 'x'))).rejects.toMatchObject(sealed)
})

it('a full storage without a generation is opened and read, and gets one with the first write that has room', async () => {
  const { node, backend, passed } = setup()
  const a = await node('a')
  await a.view.transaction(async (tx) => tx.put(a.view, 'kept', 'x'))
  a.barrier.seal()
  await backend.commit({ id: '00000000000001', checks: [], remove: ['core/generation'] })
  let full = true
  const over: StorageBackend = Object.assign(Object.create(backend), {
    read: backend.read.bind(backend),
    commit: async (commit: Parameters<StorageBackend['commit']>[0]) => {
      if (full) throw new StorageFull('no room')
      return backend.commit(commit)
    },
  })
  const b = await node('b', undefined, over)
  expect(await b.view.get('kept', text)).toBe('x')
  const write = (key: string) => b.view.transaction(async (tx) => tx.put(b.view, key, 'x'))
  await expect(write('refused')).rejects.toThrow(StorageFull)
  full = false
  await Promise.all([write('one'), write('two')])
  expect(await backend.read([{ key: 'core/generation' }])).toMatchObject([{ version: expect.any(String) }])
  await a.barrier.unseal(rootKey())
  await a.barrier.replaceAll(await rowsOf(a.barrier), 1000)
  await expect(write('late')).rejects.toMatchObject(sealed)
  expect(passed).toEqual(['b'])
})

it('a row of a newer format is handed to nobody who does not know it, and is overwritten by nobody', async () => {
  const { node, lines } = setup()
  const old = await node('old')
  const next = await node('next', 2)
  await old.view.transaction(async (tx) => tx.put(old.view, 'plain', { format: 1, a: 1 }))
  await expect(next.view.transaction(async (tx) => tx.put(next.view, 'row', { format: 2 }))).rejects.toThrow(
    "a row of format 2 can't be written into a storage of format 1",
  )
  await next.barrier.raiseFormat(2, [])
  await next.view.transaction(async (tx) => {
    expect(tx.format).toBe(2)
    tx.put(next.view, 'row', { format: 2, unknown: 'canary' })
    tx.put(next.view, 'bytes', Buffer.from('canary'), 2)
  })
  const words =
    'what was asked for is stored in format 2, and this Coffer knows up to 1: ask a node of the newer version, and upgrade this one'
  for (const key of ['row', 'bytes']) {
    await expect(old.view.getBytes(key)).rejects.toThrow(NewerRow)
    await expect(old.view.getBytes(key)).rejects.toMatchObject({ status: 503, message: words })
  }
  // What it knows it still serves; it writes nothing, blindly neither.
  expect(await old.view.get('plain', anything)).toEqual({ format: 1, a: 1 })
  const blindly = old.view.transaction(async (tx) => tx.put(old.view, 'row', { format: 1 }))
  await expect(blindly).rejects.toMatchObject({
    status: 503,
    message:
      'this node can not write any more: the storage has format 2, this Coffer knows up to 1: start the version that wrote it, or a newer one',
  })
  expect(await next.view.get('row', anything)).toEqual({ format: 2, unknown: 'canary' })
  expect(lines.join()).toContain('"x/row"')
  expect(lines.join()).not.toContain('canary')
  old.barrier.seal()
  await expect(old.barrier.unseal(rootKey())).rejects.toMatchObject({
    status: 503,
    message: 'the storage has format 2, this Coffer knows up to 1: start the version that wrote it, or a newer one',
  })
  await expect(node('old again')).rejects.toThrow(FormatUnsupported)
})

it('another node that knows the newer format goes on, and writes it from its next transaction on', async () => {
  const { node } = setup()
  await node('old')
  const a = await node('a', 2)
  const b = await node('b', 2)
  await a.barrier.raiseFormat(2, [])
  expect([a.barrier.format, b.barrier.format]).toEqual([2, 1])
  const formats: number[] = []
  await b.view.transaction(async (tx) => {
    formats.push(tx.format)
    tx.put(b.view, 'row', { format: tx.format })
  })
  expect(formats).toEqual([1, 2])
  expect(await a.view.get('row', anything)).toEqual({ format: 2 })
  a.barrier.seal()
  await a.barrier.unseal(rootKey())
  expect(a.barrier.format).toBe(2)
})

it('the format is not raised when a row that it rests on has changed, nor beyond what the program knows', async () => {
  const { node, backend } = setup()
  await node('old')
  const a = await node('a', 2)
  await a.view.transaction(async (tx) => tx.put(a.view, 'guard', 'x'))
  const [guard] = await backend.read([{ key: 'x/guard' }])
  const checks = [{ key: 'x/guard', version: typeof guard === 'object' ? guard.version : '' }]
  await a.view.transaction(async (tx) => tx.put(a.view, 'guard', 'y'))
  await expect(a.barrier.raiseFormat(2, checks)).rejects.toMatchObject({ status: 503 })
  await expect(a.barrier.raiseFormat(3, [])).rejects.toThrow(RangeError)
  expect(a.barrier.format).toBe(1)
})
