import { describe, expect, it } from 'vitest'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import type { Stored } from '../contracts/storage.ts'
import { openMemory } from '../storage/memory/memory.ts'
import { Attempt } from './attempt.ts'
import { Barrier } from './barrier.ts'

const number = { parse: (value: unknown) => Number(value) }

async function setup() {
  const memory = openMemory({ clock: systemClock, random: systemRandom })
  const outcomes: string[] = []
  const backend = Object.create(memory, {
    commit: {
      value: async (commit: Parameters<typeof memory.commit>[0]) => {
        // A commit takes as long as a disk does: others come in between.
        await new Promise((resolve) => setImmediate(resolve))
        const outcome = await memory.commit(commit)
        outcomes.push(outcome)
        return outcome
      },
    },
    read: { value: memory.read.bind(memory) },
    list: { value: memory.list.bind(memory) },
  }) as typeof memory
  const open = async () => {
    const barrier = new Barrier({ backend, clock: systemClock, random: systemRandom, log: silentLog })
    await barrier.unseal(Buffer.alloc(32, 7))
    return barrier
  }
  const first = new Barrier({ backend, clock: systemClock, random: systemRandom, log: silentLog })
  await first.initialise({ rootKey: Buffer.alloc(32, 7), plain: [] })
  const barrier = await open()
  const view = barrier.view('x/')
  outcomes.length = 0
  return { open, barrier, view, outcomes }
}

const increment = (barrier: Barrier, key = 'n') => {
  const view = barrier.view('x/')
  return view.transaction(async (tx) => tx.put(view, key, ((await tx.get(view, key, number)) ?? 0) + 1))
}

describe('transactions', () => {
  it('count exactly when fifty of one process change one row, without a single conflict', async () => {
    const { barrier, view, outcomes } = await setup()
    await Promise.all(Array.from({ length: 50 }, () => increment(barrier)))
    expect(await view.get('n', number)).toBe(50)
    expect(outcomes).toEqual(Array(50).fill('ok'))
  })

  it('keep their place when each also makes a row of its own', async () => {
    const { view, outcomes } = await setup()
    let made = 0
    const make = () =>
      view.transaction(async (tx) => {
        tx.put(view, 'n', ((await tx.get(view, 'n', number)) ?? 0) + 1)
        made += 1
        tx.create(view, `made/${made}`, 1)
      })
    await Promise.all(Array.from({ length: 50 }, make))
    expect(await view.get('n', number)).toBe(50)
    expect(outcomes).toEqual(Array(50).fill('ok'))
  })

  it('count exactly when two processes change one row', async () => {
    const { open, barrier, view } = await setup()
    const other = await open()
    await Promise.all(Array.from({ length: 20 }, (_, i) => increment(i % 2 ? barrier : other)))
    expect(await view.get('n', number)).toBe(20)
  })

  it('do not wait for one another when they change different rows', async () => {
    const { barrier, outcomes } = await setup()
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const view = barrier.view('x/')
    const slow = view.transaction(async (tx) => {
      await tx.get(view, 'a', number)
      await gate
      tx.put(view, 'a', 1)
    })
    await increment(barrier, 'b')
    expect(outcomes).toEqual(['ok'])
    open()
    await slow
  })

  it('do not wait in a circle when their rows change from attempt to attempt', async () => {
    const { view } = await setup()
    const both = (first: string, second: string) =>
      view.transaction(async (tx) => {
        const a = (await tx.get(view, first, number)) ?? 0
        tx.put(view, first, a + 1)
        if (a > 0) tx.put(view, second, ((await tx.get(view, second, number)) ?? 0) + 1)
      })
    await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? both('a', 'b') : both('b', 'a'))))
    const sum = ((await view.get('a', number)) ?? 0) + ((await view.get('b', number)) ?? 0)
    expect(sum).toBeGreaterThanOrEqual(38)
  })

  it('never both pass a check that the other one breaks', async () => {
    const { view } = await setup()
    await view.transaction(async (tx) => {
      tx.put(view, 'a', 1)
      tx.put(view, 'b', 1)
    })
    // Each may go to 0 only while the other is 1.
    const leave = (mine: string, other: string) =>
      view.transaction(async (tx) => {
        if ((await tx.get(view, other, number)) === 1) tx.put(view, mine, 0)
      })
    await Promise.all([leave('a', 'b'), leave('b', 'a')])
    expect([await view.get('a', number), await view.get('b', number)].sort()).toEqual([0, 1])
  })

  it('create a row once', async () => {
    const { barrier, view } = await setup()
    let made = 0
    const create = () =>
      view.transaction(async (tx) => {
        if ((await tx.get(view, 'only', number)) !== undefined) return false
        tx.create(view, 'only', 1)
        return true
      })
    for (const done of await Promise.all([create(), create(), create()])) if (done) made += 1
    expect(made).toBe(1)
    expect(barrier.sealed).toBe(false)
  })

  it('see their own writes', async () => {
    const { view } = await setup()
    await view.transaction(async (tx) => {
      tx.put(view, 'a', 1)
      expect(await tx.get(view, 'a', number)).toBe(1)
      tx.remove(view, 'a')
      expect(await tx.get(view, 'a', number)).toBe(undefined)
      tx.create(view, 'b', 2)
      tx.put(view, 'b', 3)
      expect(await tx.get(view, 'b', number)).toBe(3)
      expect(await view.get('b', number)).toBe(undefined)
    })
    expect(await view.get('a', number)).toBe(undefined)
    expect(await view.get('b', number)).toBe(3)
  })

  it('reach over several views in one commit', async () => {
    const { barrier, outcomes } = await setup()
    const [a, b] = [barrier.view('a/'), barrier.view('b/')]
    await a.transaction(async (tx) => {
      tx.put(a, 'x', 1)
      tx.put(b.at('deep/'), 'x', 2)
    })
    expect(outcomes).toEqual(['ok'])
    expect(await barrier.view('b/').get('deep/x', number)).toBe(2)
    expect(await barrier.view('').list('', { depth: 'children', limit: 10 })).toEqual(['a/', 'b/', 'core/'])
  })

  it('write nothing when they throw', async () => {
    const { view, outcomes } = await setup()
    const failed = view.transaction(async (tx) => {
      tx.put(view, 'a', 1)
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    expect(outcomes).toEqual([])
    await view.transaction(async (tx) => tx.put(view, 'a', 2))
    expect(await view.get('a', number)).toBe(2)
  })

  it('give up with 503 after eight conflicts', async () => {
    const { open, barrier, view } = await setup()
    const other = await open()
    await view.transaction(async (tx) => tx.put(view, 'n', 0))
    let runs = 0
    const loser = view.transaction(async (tx) => {
      runs += 1
      await tx.get(view, 'n', number)
      await increment(other)
      tx.put(view, 'n', -1)
    })
    await expect(loser).rejects.toMatchObject({ status: 503, with: { headers: { 'Retry-After': '1' } } })
    expect(runs).toBe(8)
    expect(await view.get('n', number)).toBe(8)
    await increment(barrier)
  })

  it('run again when rows that they only read changed in between', async () => {
    const { open, view } = await setup()
    const other = await open()
    await increment(other, 'a')
    await increment(other, 'b')
    let runs = 0
    const sum = await view.transaction(async (tx) => {
      runs += 1
      const a = (await tx.get(view, 'a', number)) ?? 0
      if (runs === 1) await Promise.all([increment(other, 'a'), increment(other, 'b')])
      return a + ((await tx.get(view, 'b', number)) ?? 0)
    })
    expect([sum, runs]).toEqual([4, 2])
  })

  it('run again when a row that they only read, and found absent, was made in between', async () => {
    const { view } = await setup()
    let runs = 0
    const seen = await view.transaction(async (tx) => {
      runs += 1
      const a = await tx.get(view, 'a', number)
      if (runs === 1) {
        await view.transaction(async (other) => {
          other.put(view, 'a', 1)
          other.put(view, 'b', 1)
        })
      }
      return [a, await tx.get(view, 'b', number)]
    })
    expect(seen).toEqual([1, 1])
  })

  it('run again when they throw over rows of two moments, and throw on over rows of one', async () => {
    const { view } = await setup()
    const set = (n: number) =>
      view.transaction(async (tx) => {
        tx.put(view, 'a', n)
        tx.put(view, 'b', n)
      })
    await set(1)
    let runs = 0
    const compare = (limit: number) =>
      view.transaction(async (tx) => {
        runs += 1
        const a = await tx.get(view, 'a', number)
        if (runs === 1) await set(2)
        const b = await tx.get(view, 'b', number)
        if (a !== b) throw new Error('the rows differ, which they never did')
        if ((b ?? 0) > limit) throw new Error('too many')
        return b
      })
    expect([await compare(5), runs]).toEqual([2, 2])
    await expect(compare(1)).rejects.toThrow('too many')
    expect(runs).toBe(3)
  })

  it('check a row that was read twice at once in the version that they were given', async () => {
    const answers = ['1', '2'].map((text) => ({ value: Buffer.from(text), version: `0000000000000${text}` }))
    const attempt = new Attempt({
      read: async () => answers.shift(),
      isReserved: () => false,
      format: 1,
      seed: new Map(),
    })
    const { view } = await setup()
    const [a, b] = await Promise.all([attempt.get(view, 'a', number), attempt.get(view, 'a', number)])
    expect([a, b]).toEqual([1, 1])
    expect(attempt.checks()).toEqual([{ key: 'x/a', version: '00000000000001' }])
  })

  it.each([
    ['a key over 1,024 bytes', 'k'.repeat(1023), 'v', 400],
    ['a key with NUL', 'a\0b', 'v', 400],
    ['a key with a lone surrogate', 'a\ud800', 'v', 400],
    ['a value over 1 MiB', 'a', 'v'.repeat(1024 * 1024), 413],
  ])('refuse %s', async (_, key, value, status) => {
    const { view } = await setup()
    await expect(view.transaction(async (tx) => tx.put(view, key, value))).rejects.toMatchObject({ status })
    expect(await view.getBytes(key)).toBe(undefined)
  })

  it('take a value of 1 MiB and keys of 1,024 bytes', async () => {
    const { view } = await setup()
    const key = 'é'.repeat(511)
    await view.transaction(async (tx) => tx.put(view, key, Buffer.alloc(1024 * 1024, 1)))
    expect((await view.getBytes(key))?.length).toBe(1024 * 1024)
  })

  it("refuse the barrier's own rows", async () => {
    const { barrier } = await setup()
    const all = barrier.view('')
    await expect(all.transaction(async (tx) => tx.put(all, 'core/keyring', 1))).rejects.toThrow(
      'belongs to the barrier',
    )
    await expect(all.transaction(async (tx) => tx.remove(all, 'core/format'))).rejects.toThrow('belongs to the barrier')
  })

  it('name the row that has not the expected form, not its content', async () => {
    const { view } = await setup()
    await view.transaction(async (tx) => tx.put(view, 'a', Buffer.from('canary {')))
    const error = await view.get('a', number).catch((e) => e)
    expect(error.message).toBe('the stored row "x/a" does not have the expected form')
  })
})

describe('an overlay', () => {
  it('answers from what was read, also that a row is absent', async () => {
    const { barrier, view } = await setup()
    await view.transaction(async (tx) => tx.put(view, 'a', 1))
    const [a] = await barrier.read([{ key: 'x/a' }])
    await view.transaction(async (tx) => {
      tx.put(view, 'a', 2)
      tx.put(view, 'b', 2)
    })
    const rows = new Map<string, Stored | undefined>([
      ['x/a', a as Stored],
      ['x/b', undefined],
    ])
    const overlay = barrier.overlay(barrier.view(''), rows).at('x/')
    expect(await overlay.get('a', number)).toBe(1)
    expect(await overlay.get('b', number)).toBe(undefined)
    expect(await overlay.get('c', number)).toBe(undefined)
  })

  it('starts a transaction from what was read and reads anew on conflict', async () => {
    const { barrier, view, outcomes } = await setup()
    await increment(barrier)
    const [read] = await barrier.read([{ key: 'x/n' }])
    const rows = new Map([['x/n', read as Stored]])
    const overlay = barrier.overlay(view, rows)
    const bump = () =>
      overlay.transaction(async (tx) => {
        const n = (await tx.get(overlay, 'n', number)) ?? 0
        tx.put(overlay, 'n', n + 1)
        return n
      })
    expect(await bump()).toBe(1)
    expect(await bump()).toBe(2)
    expect(outcomes).toEqual(['ok', 'ok', 'conflict', 'ok'])
  })

  it('checks rows that were read before only when the transaction asks for them', async () => {
    const { barrier, view } = await setup()
    await increment(barrier)
    const [read] = await barrier.read([{ key: 'x/n' }])
    const overlay = barrier.overlay(view, new Map([['x/n', read as Stored]]))
    await increment(barrier)
    await overlay.transaction(async (tx) => tx.put(overlay, 'other', 1))
    expect(await view.get('other', number)).toBe(1)
  })
})

describe('reading', () => {
  it("answers 'same' for known versions, undefined for absent rows, values otherwise, in order", async () => {
    const { barrier, view } = await setup()
    await view.transaction(async (tx) => {
      tx.put(view, 'a', 1)
      tx.put(view, 'b', 2)
    })
    const [a] = await barrier.read([{ key: 'x/a' }])
    const version = (a as Stored).version
    const rows = await barrier.read([{ key: 'x/a', known: version }, { key: 'x/none' }, { key: 'x/b' }])
    expect(rows[0]).toBe('same')
    expect(rows[1]).toBe(undefined)
    expect(Buffer.from((rows[2] as Stored).value).toString()).toBe('2')
    expect((rows[2] as Stored).version).toBe(version)
  })
})
