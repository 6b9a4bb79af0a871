import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../../lib/fake-clock.ts'
import { systemRandom } from '../../../../lib/random.ts'
import { commitId } from '../../../contracts/commit.ts'
import { openMemory } from '../../../storage/memory/memory.ts'
import { countUndone } from './undone.ts'

const names = (folder: string, from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `${folder}${String(from + i).padStart(6, '0')}`)

const tokens = 'ns/root/tokens/id/'
const leases = 'ns/root/leases/at/'

async function storage(keys: readonly string[]) {
  const backend = openMemory({ clock: new FakeClock(), random: systemRandom })
  await backend.replace(rowsOf(keys), 0)
  return backend
}

const rowsOf = (keys: readonly string[]) =>
  [...keys].sort().map((key) => [key, { value: Buffer.from('v'), version: commitId(systemRandom) }] as const)

describe('what a restore undoes', () => {
  it('is what the snapshot has and the storage has not, over pages of both', async () => {
    const present = [...names(tokens, 1000, 3500), ...names(leases, 0, 10), 'ns/root/tokens/idle']
    const snapshot = [...names(tokens, 0, 2500), ...names(leases, 5, 12), 'ns/root/tokens/accessor/x', 'mnt/1/gone']
    expect(await countUndone(await storage(present), rowsOf(snapshot))).toEqual({ tokens: 1000, leases: 2 })
  })

  it('is everything where nothing is left, and nothing where nothing ended', async () => {
    const all = [...names(tokens, 0, 2001), ...names(leases, 0, 3)]
    expect(await countUndone(await storage([]), rowsOf(all))).toEqual({ tokens: 2001, leases: 3 })
    expect(await countUndone(await storage(all), rowsOf(all))).toEqual({ tokens: 0, leases: 0 })
    expect(await countUndone(await storage(all), [])).toEqual({ tokens: 0, leases: 0 })
  })
})
