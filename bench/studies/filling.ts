/** Many secrets, put where the KV engine puts them, without a request for each. */
import { randomBytes } from 'node:crypto'
import { systemClock } from '../../src/lib/clock.ts'
import { RawJson } from '../../src/lib/json/value.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { encodeKey, keyRow } from '../../src/server/engines/kv/keys/key-row.ts'
import { addVersion, newKey } from '../../src/server/engines/kv/keys/versions.ts'
import { staticSeal } from '../../src/server/seal/static/static.ts'
import { openStorage, unsealed } from '../server/storage.ts'

const perCommit = 200
const lanes = 8
const mountLimits = { maxVersions: 0, casRequired: false, deleteAfterMs: 0, metadataCasRequired: false }

export interface Filling {
  /** The folder of an LMDB storage that no server has open. */
  readonly path: string
  /** The static seal's key. */
  readonly sealKey: { readonly id: string; readonly key: Uint8Array }
  /** Of the KV mount, as sys/mounts says. */
  readonly mountUuid: string
  /** Keys `bench/0` to `bench/<count - 1>`, each one string of 256 bytes. */
  readonly count: number
  readonly told: (stored: number) => void
}

export async function fill(filling: Filling): Promise<void> {
  const { path, sealKey, mountUuid, count, told } = filling
  const backend = await openStorage(path)
  try {
    const barrier = await unsealed(backend, staticSeal({ current: sealKey, random: systemRandom }))
    const view = barrier.view(`mnt/${mountUuid}/`)
    const now = systemClock.now()
    const { state } = addVersion(newKey(now), mountLimits, now, 'data-write')
    let next = 0
    let stored = 0
    const lane = async () => {
      while (next < count) {
        const first = next
        next = Math.min(next + perCommit, count)
        const last = next
        await view.transaction(async (tx) => {
          for (let n = first; n < last; n += 1) {
            const data = new RawJson(JSON.stringify({ value: randomBytes(128).toString('hex') }))
            tx.put(view, keyRow(`bench/${n}`), encodeKey(state, data))
          }
        })
        stored += last - first
        told(stored)
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane))
    barrier.seal()
  } finally {
    await backend.close()
  }
}
