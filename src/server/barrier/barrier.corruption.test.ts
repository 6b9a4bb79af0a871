import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import type { Logger } from '../../lib/log.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import { commitId } from '../contracts/commit.ts'
import type { ReadKey, ReadResult, StorageBackend, Stored } from '../contracts/storage.ts'
import { openMemory } from '../storage/memory/memory.ts'
import { Barrier, DamagedRow, plainRows, UnknownTerm, WrongRootKey } from './barrier.ts'

/** A storage whose owner lies about single rows. */
class Tampered {
  readonly backend: StorageBackend
  readonly lies = new Map<string, Stored>()

  constructor(honest: StorageBackend) {
    this.backend = {
      ...{ type: honest.type, limits: honest.limits },
      read: async (keys: readonly ReadKey[]): Promise<readonly ReadResult[]> => {
        const rows = await honest.read(keys)
        return rows.map((row, i) => this.lies.get(keys[i]?.key ?? '') ?? row)
      },
      list: honest.list.bind(honest),
      commit: honest.commit.bind(honest),
      clear: honest.clear.bind(honest),
      snapshot: honest.snapshot.bind(honest),
      load: honest.load.bind(honest),
      replace: honest.replace.bind(honest),
      now: honest.now.bind(honest),
      changes: honest.changes.bind(honest),
      lead: honest.lead.bind(honest),
      announce: honest.announce.bind(honest),
      isAtWork: honest.isAtWork.bind(honest),
      close: honest.close.bind(honest),
    }
  }
}

const rootKey = () => Buffer.alloc(32, 7)

async function setup(log: Logger = silentLog) {
  const honest = openMemory({ clock: new FakeClock(), random: systemRandom })
  const tampered = new Tampered(honest)
  const barrier = new Barrier({ backend: tampered.backend, clock: new FakeClock(), random: systemRandom, log })
  await barrier.initialise({ rootKey: rootKey(), plain: [{ key: plainRows.wrappedRootKey, value: Buffer.from('w') }] })
  await barrier.unseal(rootKey())
  const view = barrier.view('kv/')
  const write = (key: string, value: string) => view.transaction(async (tx) => tx.put(view, key, Buffer.from(value)))
  const stored = async (key: string): Promise<Stored> => {
    const [row] = await honest.read([{ key: `kv/${key}` }])
    if (row === undefined || row === 'same') throw new Error('no such row')
    return row
  }
  const read = async (key: string) => Buffer.from((await view.getBytes(key)) ?? []).toString()
  return { tampered, barrier, view, write, stored, read }
}

const flip = (row: Stored, bit: number): Stored => {
  const value = Buffer.from(row.value)
  value[bit >> 3] = (value[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return { value, version: row.version }
}

describe('a barrier over a storage that lies', () => {
  it('refuses every single flipped bit of a row', async () => {
    const { tampered, write, stored, read } = await setup()
    await write('a', 'secret')
    const row = await stored('a')
    for (let bit = 0; bit < row.value.length * 8; bit += 1) {
      tampered.lies.set('kv/a', flip(row, bit))
      const error: Error = await read('a').then(
        () => expect.unreachable(`bit ${bit} made no difference`),
        (e) => e,
      )
      // Bits of the term lead to a keyring that lacks it; either way nothing is served and the row is named.
      expect(error instanceof DamagedRow || error instanceof UnknownTerm).toBe(true)
      expect(error.message).toContain('kv/a')
      expect(error.message).not.toContain('secret')
    }
    tampered.lies.clear()
    expect(await read('a')).toBe('secret')
  })

  it('refuses every shorter row', async () => {
    const { tampered, write, stored, read } = await setup()
    await write('a', 'secret')
    const row = await stored('a')
    for (let length = 0; length < row.value.length; length += 1) {
      tampered.lies.set('kv/a', { value: row.value.subarray(0, length), version: row.version })
      await expect(read('a')).rejects.toThrow(DamagedRow)
    }
    tampered.lies.set('kv/a', { value: Buffer.concat([row.value, Buffer.alloc(1)]), version: row.version })
    await expect(read('a')).rejects.toThrow(DamagedRow)
  })

  it('refuses a value moved to another key', async () => {
    const { tampered, view, stored, read } = await setup()
    // One commit, so that even the versions agree.
    await view.transaction(async (tx) => {
      tx.put(view, 'mine', Buffer.from('m'))
      tx.put(view, 'yours', Buffer.from('y'))
    })
    tampered.lies.set('kv/mine', await stored('yours'))
    await expect(read('mine')).rejects.toThrow('"kv/mine" is damaged or was tampered with')
    expect(await read('yours')).toBe('y')
  })

  it('refuses an older value under the present version', async () => {
    const { tampered, write, stored, read } = await setup()
    await write('a', 'old')
    const old = await stored('a')
    await write('a', 'new')
    tampered.lies.set('kv/a', { value: old.value, version: (await stored('a')).version })
    await expect(read('a')).rejects.toThrow('"kv/a" is damaged')
  })

  it('refuses an older value of another key under the present version', async () => {
    const { tampered, write, stored, read } = await setup()
    await write('b', 'old')
    const old = await stored('b')
    await write('b', 'new')
    await write('a', 'mine')
    tampered.lies.set('kv/a', { value: old.value, version: (await stored('a')).version })
    await expect(read('a')).rejects.toThrow('"kv/a" is damaged')
  })

  it('refuses a version that is not the one of the commit', async () => {
    const { tampered, write, stored, read } = await setup()
    await write('a', 'x')
    tampered.lies.set('kv/a', { value: (await stored('a')).value, version: commitId(systemRandom) })
    await expect(read('a')).rejects.toThrow(DamagedRow)
  })

  it('refuses a row that another storage wrote', async () => {
    const mine = await setup()
    const theirs = await setup()
    await mine.write('a', 'mine')
    await theirs.write('a', 'theirs')
    mine.tampered.lies.set('kv/a', await theirs.stored('a'))
    await expect(mine.read('a')).rejects.toThrow(DamagedRow)
  })

  it('does not use a damaged row in a transaction either', async () => {
    const { tampered, view, write, stored } = await setup()
    await write('a', 'x')
    tampered.lies.set('kv/a', flip(await stored('a'), 300))
    const increment = view.transaction(async (tx) => {
      await tx.getBytes(view, 'a')
      tx.put(view, 'b', Buffer.from('y'))
    })
    await expect(increment).rejects.toThrow('"kv/a" is damaged')
    expect(await view.getBytes('b')).toBe(undefined)
  })

  it('tells the operator which row it was, without its content', async () => {
    const lines: unknown[] = []
    const log: Logger = { ...silentLog, error: (event, fields) => lines.push({ event, ...fields }) }
    const { tampered, write, stored, read } = await setup(log)
    await write('a', 'canary-4711')
    tampered.lies.set('kv/a', flip(await stored('a'), 300))
    await expect(read('a')).rejects.toThrow(DamagedRow)
    expect(lines).toEqual([{ event: 'stored row is damaged', key: 'kv/a' }])
  })

  it('refuses every flipped bit of the keyring and of the plaintext rows beside it', async () => {
    const { tampered, barrier } = await setup()
    barrier.seal()
    for (const [key, refusal] of [
      [plainRows.keyring, WrongRootKey],
      [plainRows.wrappedRootKey, DamagedRow],
    ] as const) {
      const [row] = await tampered.backend.read([{ key }])
      if (row === undefined || row === 'same') throw new Error('no such row')
      for (let bit = 0; bit < row.value.length * 8; bit += 1) {
        tampered.lies.set(key, flip(row, bit))
        await expect(barrier.unseal(rootKey())).rejects.toThrow(refusal)
        expect(barrier.sealed).toBe(true)
      }
      tampered.lies.clear()
    }
    await barrier.unseal(rootKey())
  })
})
