import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import type { StorageBackend } from '../contracts/storage.ts'
import { openMemory } from '../storage/memory/memory.ts'
import { crashing } from '../storage/test-crashing.ts'
import { Barrier, plainRows, WrongRootKey } from './barrier.ts'

const key = (n: number) => Buffer.alloc(32, n)
const text = { parse: (value: unknown) => String(value) }
const plain = (words: string) => [{ key: plainRows.sealConfig, value: Buffer.from(words) }]
const open = (backend: StorageBackend, clock = new FakeClock()) =>
  new Barrier({ backend, clock, random: systemRandom, log: silentLog })

async function unsealed() {
  const backend = openMemory({ clock: new FakeClock(), random: systemRandom })
  const barrier = open(backend)
  await barrier.initialise({ rootKey: key(1), plain: plain('one'), recoveryKey: key(9) })
  await barrier.unseal(key(1))
  return { backend, barrier }
}

const put = (barrier: Barrier, name: string) =>
  barrier.view('x/').transaction(async (tx) => tx.put(barrier.view('x/'), name, name))

describe('another root key', () => {
  it('opens what the old one wrote, and the old one opens nothing any more', async () => {
    const { backend, barrier } = await unsealed()
    await put(barrier, 'a')
    await barrier.reroot({ rootKey: key(2), plain: plain('two') })
    await put(barrier, 'b')
    const next = open(backend)
    await expect(next.unseal(key(1))).rejects.toThrow(WrongRootKey)
    await next.unseal(key(2))
    expect(await next.view('x/').get('a', text)).toBe('a')
    expect(await next.view('x/').get('b', text)).toBe('b')
    expect(Buffer.from((await next.readPlain(plainRows.sealConfig)) ?? []).toString()).toBe('two')
  })

  it('is found by nodes that still have an older one, however often it changed since', async () => {
    const { backend, barrier } = await unsealed()
    const sleeper = open(backend)
    await sleeper.unseal(key(1))
    for (let n = 2; n < 8; n += 1) await barrier.reroot({ rootKey: key(n), plain: plain(String(n)) })
    await barrier.rotate()
    await put(barrier, 'a')
    expect(await sleeper.view('x/').get('a', text)).toBe('a')
    let found: Uint8Array | undefined
    await sleeper.reroot(async (rootKey) => {
      found = rootKey()
      return undefined
    })
    expect(Buffer.from(found ?? [])).toEqual(key(7))
    expect(await sleeper.rotate()).toBe(3)
    expect(await barrier.rotate()).toBe(4)
  })

  it('leaves at most eight steps back in storage', async () => {
    const { backend, barrier } = await unsealed()
    for (let n = 2; n < 14; n += 1) await barrier.reroot({ rootKey: key(n) })
    expect(await backend.list('core/root-upgrade/', { depth: 'all', limit: 100 })).toHaveLength(8)
  })

  it('is refused to one of two that change it at the same time', async () => {
    const { backend, barrier } = await unsealed()
    const other = open(backend)
    await other.unseal(key(1))
    const outcomes = await Promise.allSettled([
      barrier.reroot({ rootKey: key(2), plain: plain('two') }),
      other.reroot({ rootKey: key(3), plain: plain('three') }),
    ])
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0)
    const next = open(backend)
    const words = Buffer.from((await next.readPlain(plainRows.sealConfig)) ?? []).toString()
    await next.unseal(words === 'two' ? key(2) : key(3))
  })

  it.each(['before', 'after'] as const)('is whole or not there when the process dies %s the commit', async (when) => {
    const { backend } = await unsealed()
    const dying = open(crashing(backend, 0, when))
    await dying.unseal(key(1))
    await expect(dying.reroot({ rootKey: key(2), plain: plain('two'), recoveryKey: key(8) })).rejects.toThrow('died')
    const next = open(backend)
    await next.unseal(key(when === 'before' ? 1 : 2))
    expect(next.isRecoveryKey(key(when === 'before' ? 9 : 8))).toBe(true)
  })
})

describe('the recovery key', () => {
  it('is known by comparison, changes and goes', async () => {
    const { backend, barrier } = await unsealed()
    expect([
      barrier.isRecoveryKey(key(9)),
      barrier.isRecoveryKey(key(1)),
      barrier.isRecoveryKey(Buffer.alloc(3)),
    ]).toEqual([true, false, false])
    await barrier.reroot({ recoveryKey: key(8) })
    expect([barrier.isRecoveryKey(key(9)), barrier.isRecoveryKey(key(8))]).toEqual([false, true])
    await barrier.reroot({ recoveryKey: null })
    const next = open(backend)
    await next.unseal(key(1))
    expect(next.isRecoveryKey(key(8))).toBe(false)
  })
})

describe('the state of the active term', () => {
  it('is its number, when it came and how many rows it encrypted', async () => {
    const backend = openMemory({ clock: new FakeClock(), random: systemRandom })
    const clock = new FakeClock()
    const barrier = open(backend, clock)
    await barrier.initialise({ rootKey: key(1), plain: [] })
    await barrier.unseal(key(1))
    for (let i = 0; i < 5; i += 1) await put(barrier, `r${i}`)
    expect(await barrier.keyStatus()).toEqual({ term: 1, installedAt: clock.now(), encryptions: 5 })
    await clock.advance(5000)
    await barrier.rotate()
    expect(await barrier.keyStatus()).toEqual({ term: 2, installedAt: clock.now(), encryptions: 0 })
  })

  it('counts on beyond the first thousand by blocks of a million, which another process adds to', async () => {
    const { backend, barrier } = await unsealed()
    for (let i = 0; i < 1010; i += 1) await put(barrier, 'r')
    const { encryptions } = await barrier.keyStatus()
    expect(encryptions).toBeGreaterThanOrEqual(1010)
    expect(encryptions).toBeLessThan(1030)
    const other = open(backend)
    await other.unseal(key(1))
    // What the first has drawn and not used yet can't be known elsewhere: it counts.
    expect((await other.keyStatus()).encryptions).toBe(1_000_000)
    for (let i = 0; i < 1010; i += 1) await put(other, 's')
    expect((await other.keyStatus()).encryptions).toBeGreaterThan(1_001_000)
  })
})
