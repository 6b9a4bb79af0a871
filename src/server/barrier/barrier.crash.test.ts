import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import type { StorageBackend } from '../contracts/storage.ts'
import { openMemory } from '../storage/memory/memory.ts'
import { crashing } from '../storage/test-crashing.ts'
import { Barrier, plainRows } from './barrier.ts'

const rootKey = () => Buffer.alloc(32, 7)
const plain = [
  { key: plainRows.sealConfig, value: Buffer.from('{}') },
  { key: plainRows.wrappedRootKey, value: Buffer.from('wrapped') },
]
const open = (backend: StorageBackend) =>
  new Barrier({ backend, clock: new FakeClock(), random: systemRandom, log: silentLog })

/** A server's first start and first writes. */
async function firstStart(backend: StorageBackend): Promise<void> {
  const barrier = open(backend)
  if (!(await barrier.initialised())) await barrier.initialise({ rootKey: rootKey(), plain })
  await barrier.unseal(rootKey())
  const view = barrier.view('sys/')
  for (const step of ['mounts', 'policies', 'tokens']) {
    await view.transaction(async (tx) => {
      if (await tx.getBytes(view, step)) return
      tx.put(view, step, Buffer.from(step))
      tx.put(view, `${step}-index`, Buffer.from(step))
    })
  }
  await barrier.rotate()
}

describe('a process that dies at a commit', () => {
  for (const when of ['before', 'after'] as const) {
    it.each([0, 1, 2, 3, 4])(
      `number %i, just ${when} it, leaves a storage that the next one starts from`,
      async (at) => {
        const backend = openMemory({ clock: new FakeClock(), random: systemRandom })
        await expect(firstStart(crashing(backend, at, when))).rejects.toThrow('the process died here')
        const done = when === 'after' ? at + 1 : at
        const keys = await backend.list('', { depth: 'all', limit: 100 })
        expect(keys.filter((key) => key.startsWith('core/'))).toHaveLength(done > 0 ? 5 : 0)
        // Each transaction's rows come in pairs: never one of them.
        expect(keys.filter((key) => key.startsWith('sys/'))).toHaveLength(Math.max(0, Math.min(done, 4) - 1) * 2)
        await firstStart(backend)
        const barrier = open(backend)
        await barrier.unseal(rootKey())
        for (const step of ['mounts', 'policies', 'tokens']) {
          expect(Buffer.from((await barrier.view('sys/').getBytes(`${step}-index`)) ?? []).toString()).toBe(step)
        }
      },
    )
  }
})
