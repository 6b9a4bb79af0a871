import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import { commitId } from '../contracts/commit.ts'
import type { StorageBackend } from '../contracts/storage.ts'
import { openMemory } from '../storage/memory/memory.ts'
import { Barrier, FormatUnsupported, plainRows, WrongRootKey } from './barrier.ts'

const rootKey = () => Buffer.alloc(32, 7)
const text = { parse: (value: unknown) => String(value) }

const open = (backend: StorageBackend) =>
  new Barrier({ backend, clock: new FakeClock(), random: systemRandom, log: silentLog })

async function initialised() {
  const backend = openMemory({ clock: new FakeClock(), random: systemRandom })
  const barrier = open(backend)
  await barrier.initialise({ rootKey: rootKey(), plain: [{ key: plainRows.sealConfig, value: Buffer.from('{}') }] })
  return { backend, barrier }
}

async function allRows(backend: StorageBackend) {
  const rows: [string, Uint8Array][] = []
  for await (const [key, row] of backend.snapshot(new AbortController().signal)) rows.push([key, row.value])
  return rows
}

async function overwrite(backend: StorageBackend, key: string, value: Uint8Array) {
  await backend.commit({ id: commitId(systemRandom), checks: [], put: [{ key, value }] })
}

describe('the life of a barrier', () => {
  it('is made once', async () => {
    const { backend, barrier } = await initialised()
    const before = await allRows(backend)
    await expect(barrier.initialise({ rootKey: Buffer.alloc(32, 8), plain: [] })).rejects.toMatchObject({
      status: 400,
      message: 'Vault is already initialized',
    })
    expect(await allRows(backend)).toEqual(before)
    await barrier.unseal(rootKey())
  })

  it('is made by one of two that try at the same time', async () => {
    const backend = openMemory({ clock: new FakeClock(), random: systemRandom })
    const outcomes = await Promise.allSettled([
      open(backend).initialise({ rootKey: rootKey(), plain: [] }),
      open(backend).initialise({ rootKey: rootKey(), plain: [] }),
    ])
    expect(outcomes.map((o) => o.status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('says whether it was made', async () => {
    const backend = openMemory({ clock: new FakeClock(), random: systemRandom })
    expect(await open(backend).initialised()).toBe(false)
    await open(backend).initialise({ rootKey: rootKey(), plain: [] })
    expect(await open(backend).initialised()).toBe(true)
  })

  it('answers nothing but plaintext rows while sealed', async () => {
    const { barrier } = await initialised()
    const sealed = { status: 503, message: 'Vault is sealed' }
    const view = barrier.view('x/')
    expect(barrier.sealed).toBe(true)
    expect(Buffer.from((await barrier.readPlain(plainRows.sealConfig)) ?? []).toString()).toBe('{}')
    await expect(view.get('a', text)).rejects.toMatchObject(sealed)
    await expect(view.list('', { depth: 'all', limit: 1 })).rejects.toMatchObject(sealed)
    await expect(view.transaction(async (tx) => tx.put(view, 'a', 1))).rejects.toMatchObject(sealed)
    await expect(barrier.read([{ key: 'x/a' }])).rejects.toMatchObject(sealed)
  })

  it('keeps what was written across seal and unseal', async () => {
    const { backend, barrier } = await initialised()
    const key = rootKey()
    await barrier.unseal(key)
    expect(key).toEqual(rootKey())
    const view = barrier.view('x/')
    await view.transaction(async (tx) => tx.put(view, 'a', 'one'))
    barrier.seal()
    await expect(view.get('a', text)).rejects.toMatchObject({ status: 503 })
    const restarted = open(backend)
    await restarted.unseal(rootKey())
    expect(await restarted.view('x/').get('a', text)).toBe('one')
  })

  it('does not commit what was under way when it was sealed', async () => {
    const { backend, barrier } = await initialised()
    await barrier.unseal(rootKey())
    const view = barrier.view('x/')
    const before = await allRows(backend)
    const write = view.transaction(async (tx) => {
      tx.put(view, 'a', 'one')
      barrier.seal()
    })
    await expect(write).rejects.toMatchObject({ status: 503 })
    expect(await allRows(backend)).toEqual(before)
  })

  it('refuses a wrong root key and stays as it was', async () => {
    const { barrier } = await initialised()
    await expect(barrier.unseal(Buffer.alloc(32, 8))).rejects.toThrow(WrongRootKey)
    await expect(barrier.unseal(Buffer.alloc(16, 7))).rejects.toThrow('32 bytes')
    expect(barrier.sealed).toBe(true)
    await barrier.unseal(rootKey())
    const view = barrier.view('x/')
    await view.transaction(async (tx) => tx.put(view, 'a', 'one'))
    await expect(barrier.unseal(Buffer.alloc(32, 8))).rejects.toThrow(WrongRootKey)
    expect(await view.get('a', text)).toBe('one')
  })

  it('refuses an empty storage', async () => {
    const backend = openMemory({ clock: new FakeClock(), random: systemRandom })
    await expect(open(backend).unseal(rootKey())).rejects.toMatchObject({
      status: 400,
      message: 'Vault is not initialized',
    })
  })

  it('refuses a newer format in words that help', async () => {
    const { backend, barrier } = await initialised()
    await overwrite(backend, plainRows.format, Buffer.from('{"format":2}'))
    await expect(barrier.initialised()).rejects.toThrow(FormatUnsupported)
    await expect(barrier.unseal(rootKey())).rejects.toThrow('the storage has format 2, this Coffer knows up to 1')
  })

  it.each(['', '{', '{"format":"1"}', '{"format":0}', '[1]'])('refuses the damaged format row %j', async (row) => {
    const { backend, barrier } = await initialised()
    await overwrite(backend, plainRows.format, Buffer.from(row))
    await expect(barrier.unseal(rootKey())).rejects.toThrow(FormatUnsupported)
  })

  it('refuses plaintext rows that are not what initialise wrote, and names them', async () => {
    const { backend, barrier } = await initialised()
    await overwrite(backend, plainRows.sealConfig, Buffer.from('{"threshold":1}'))
    await expect(barrier.unseal(rootKey())).rejects.toThrow(`"${plainRows.sealConfig}" is damaged`)
    await backend.commit({ id: commitId(systemRandom), checks: [], remove: [plainRows.sealConfig] })
    await expect(barrier.unseal(rootKey())).rejects.toThrow(`"${plainRows.sealConfig}" is damaged`)
    expect(barrier.sealed).toBe(true)
  })

  it('reads the keyring again when another process has rotated it', async () => {
    const { backend, barrier } = await initialised()
    await barrier.unseal(rootKey())
    const other = open(backend)
    await other.unseal(rootKey())
    const view = barrier.view('x/')
    await view.transaction(async (tx) => tx.put(view, 'old', 'term 1'))
    expect(await barrier.rotate()).toBe(2)
    await view.transaction(async (tx) => tx.put(view, 'new', 'term 2'))
    expect(await other.view('x/').get('new', text)).toBe('term 2')
    expect(await other.view('x/').get('old', text)).toBe('term 1')
    expect(await other.rotate()).toBe(3)
    expect(await barrier.rotate()).toBe(4)
  })

  it('does not go back to an older term when the keyring is read during a rotation', async () => {
    const { backend, barrier } = await initialised()
    let opened = () => {}
    const gate = new Promise<void>((resolve) => {
      opened = resolve
    })
    let slow = false
    let held = () => {}
    const waiting = new Promise<void>((resolve) => {
      held = resolve
    })
    const slowly: StorageBackend = Object.create(backend, {
      commit: { value: backend.commit.bind(backend) },
      read: {
        value: async (keys: Parameters<StorageBackend['read']>[0]) => {
          const rows = await backend.read(keys)
          // The keyring with the rows beside it is what is read again for an unknown term.
          const waits = slow && keys.length === 2
          if (waits) {
            slow = false
            held()
            await gate
          }
          return rows
        },
      },
    })
    await barrier.unseal(rootKey())
    const other = open(slowly)
    await other.unseal(rootKey())
    await barrier.rotate()
    const view = barrier.view('x/')
    await view.transaction(async (tx) => tx.put(view, 'a', 'term 2'))
    slow = true
    const reading = other.view('x/').get('a', text)
    await waiting
    expect(await other.rotate()).toBe(3)
    opened()
    expect(await reading).toBe('term 2')
    const writing = other.view('x/')
    await writing.transaction(async (tx) => tx.put(writing, 'b', 'term 3'))
    const [row] = await backend.read([{ key: 'x/b' }])
    expect(typeof row === 'object' && Buffer.from(row.value).readUInt32BE(1)).toBe(3)
  })

  it('leaves no new key in the buffers that chance gave it', async () => {
    const drawn: Uint8Array[] = []
    const random = (size: number) => {
      const bytes = systemRandom(size)
      if (size === 32) drawn.push(bytes)
      return bytes
    }
    const backend = openMemory({ clock: new FakeClock(), random: systemRandom })
    const barrier = new Barrier({ backend, clock: new FakeClock(), random, log: silentLog })
    await barrier.initialise({ rootKey: rootKey(), plain: [] })
    await barrier.unseal(rootKey())
    await barrier.rotate()
    expect(drawn).toHaveLength(2)
    expect(drawn.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true)
  })

  it('stores no plaintext and no key', async () => {
    const { backend, barrier } = await initialised()
    await barrier.unseal(rootKey())
    const view = barrier.view('x/')
    await view.transaction(async (tx) => tx.put(view, 'a', 'canary-4711'))
    const stored = Buffer.concat((await allRows(backend)).map(([, value]) => Buffer.from(value)))
    expect(stored.includes('canary-4711')).toBe(false)
    expect(stored.includes(rootKey())).toBe(false)
  })
})
