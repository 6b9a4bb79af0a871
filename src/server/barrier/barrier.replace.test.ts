import { expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import { OutcomeUnknown, type StorageBackend, StorageFull, type Stored } from '../contracts/storage.ts'
import { openMemory } from '../storage/memory/memory.ts'
import { Barrier, DamagedRow, UnknownTerm } from './barrier.ts'

const rootKey = () => Buffer.alloc(32, 7)

async function setup(change: (memory: StorageBackend) => Partial<StorageBackend> = () => ({})) {
  const clock = new FakeClock()
  const memory = openMemory({ clock, random: systemRandom })
  const methods = Object.fromEntries(
    (['read', 'list', 'commit', 'clear', 'snapshot', 'replace', 'now'] as const).map((name) => [
      name,
      memory[name].bind(memory),
    ]),
  )
  const backend: StorageBackend = Object.assign(Object.create(memory), methods, change(memory))
  const barrier = new Barrier({ backend, clock, random: systemRandom, log: silentLog })
  await barrier.initialise({ rootKey: rootKey(), plain: [] })
  await barrier.unseal(rootKey())
  return { memory, barrier, view: barrier.view('x/') }
}

async function rowsOf(barrier: Barrier): Promise<(readonly [string, Stored])[]> {
  const rows: (readonly [string, Stored])[] = []
  for await (const row of barrier.snapshot(new AbortController().signal)) rows.push(row)
  return rows
}

it('after a replacement nothing is read or written until it was sealed', async () => {
  const { barrier, view } = await setup()
  await view.transaction(async (tx) => tx.put(view, 'a', 'old'))
  const rows = await rowsOf(barrier)
  await view.transaction(async (tx) => tx.put(view, 'a', 'new'))
  await barrier.replaceAll(rows, 1000)
  const sealed = { status: 503, message: 'Vault is sealed' }
  await expect(view.get('a', { parse: String })).rejects.toMatchObject(sealed)
  await expect(view.transaction(async (tx) => tx.put(view, 'b', 'x'))).rejects.toMatchObject(sealed)
  await expect(barrier.clear('x/', 10)).rejects.toMatchObject(sealed)
  await expect(barrier.replaceAll(rows, 1000)).rejects.toMatchObject(sealed)
  await expect(rowsOf(barrier)).rejects.toMatchObject(sealed)
  barrier.seal()
  await barrier.unseal(rootKey())
  expect(await view.get('a', { parse: String })).toBe('old')
})

it('waits for writes that began before it, and lets none in that began after', async () => {
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let slow = false
  const { memory, barrier, view } = await setup((backend) => ({
    commit: async (commit) => {
      if (slow) await held
      return backend.commit(commit)
    },
  }))
  const rows = await rowsOf(barrier)
  slow = true
  const writing = view.transaction(async (tx) => tx.create(view, 'late', 'x'))
  const replacing = barrier.replaceAll(rows, 1000)
  await expect(view.transaction(async (tx) => tx.create(view, 'later', 'x'))).rejects.toMatchObject({ status: 503 })
  release()
  await writing.catch(() => undefined)
  await replacing
  expect(await memory.list('x/', { depth: 'all', limit: 10 })).toEqual([])
})

it('goes on as before when the replacement failed, and not when nobody knows', async () => {
  let error: Error = new StorageFull('no room')
  const { barrier, view } = await setup(() => ({ replace: async () => Promise.reject(error) }))
  await expect(barrier.replaceAll([], 0)).rejects.toThrow('no room')
  await view.transaction(async (tx) => tx.put(view, 'a', 'x'))
  error = new OutcomeUnknown('cut')
  await expect(barrier.replaceAll([], 0)).rejects.toThrow('cut')
  await expect(view.get('a', { parse: String })).rejects.toMatchObject({ status: 503 })
})

it('a snapshot has no row of who leads', async () => {
  const { memory, barrier } = await setup()
  await memory.commit({ id: '00000000000001', checks: [], create: [{ key: 'core/leader', value: Buffer.from('n') }] })
  const rows = await rowsOf(barrier)
  expect(rows.map(([key]) => key)).not.toContain('core/leader')
  await barrier.replaceAll([...rows, ['core/leader', { value: Buffer.from('n'), version: '00000000000001' }]], 10)
  expect(await memory.read([{ key: 'core/leader' }])).toEqual([undefined])
})

it('what is sealed apart opens under its name, on any node that has the term, and nowhere else', async () => {
  const { memory, barrier } = await setup()
  const other = new Barrier({ backend: memory, clock: new FakeClock(), random: systemRandom, log: silentLog })
  await other.unseal(rootKey())
  await barrier.rotate()
  const sealed = barrier.sealApart('sums', Buffer.from('text'))
  expect(Buffer.from(sealed).toString('latin1')).not.toContain('text')
  expect(Buffer.from(await other.openApart('sums', sealed)).toString()).toBe('text')
  await expect(other.openApart('other', sealed)).rejects.toThrow(DamagedRow)
  const { barrier: stranger } = await setup()
  await expect(stranger.openApart('sums', sealed)).rejects.toThrow(UnknownTerm)
})
