/** The LMDB storage of a server that is not running, for filling it without a request for each row. */
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { Barrier, plainRows } from '../../src/server/barrier/barrier.ts'
import type { Seal } from '../../src/server/contracts/devices.ts'
import type { StorageBackend } from '../../src/server/contracts/storage.ts'
import { decodeWrappedKey } from '../../src/server/seal/config/wrapped-key.ts'
import { openLmdb } from '../../src/server/storage/lmdb/lmdb.ts'

/** Refuses one that was not closed in order. */
export const openStorage = (path: string, more: { readonly minFreeBytes?: number } = {}): Promise<StorageBackend> =>
  openLmdb({
    ...more,
    path,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    check: { command: [process.execPath, '-e', 'process.exit(1)'] },
    fatal: (error) => {
      throw error
    },
  })

/** `seal`: that of the server which initialised it. */
export async function unsealed(backend: StorageBackend, seal: Pick<Seal, 'unwrap'>): Promise<Barrier> {
  const barrier = new Barrier({ backend, clock: systemClock, random: systemRandom, log: silentLog })
  const [row] = await backend.read([{ key: plainRows.wrappedRootKey }])
  if (!row || row === 'same') throw new Error('the storage was not initialised')
  const wrapped = decodeWrappedKey(row.value)
  await barrier.unseal(await seal.unwrap(wrapped.blob, wrapped.keyId))
  return barrier
}
