import { statfs } from 'node:fs/promises'
import { type Clock, systemClock } from '../../../lib/clock.ts'
import { type RandomBytes, uuid } from '../../../lib/random.ts'
import { commitId } from '../../../server/contracts/commit.ts'
import type { StorageBackend } from '../../../server/contracts/storage.ts'
import { defaultMinFreeBytes } from '../../../server/storage/lmdb/volume.ts'
import type { ServerConfig } from '../configuration.ts'
import type { Outcome } from './findings.ts'

const slowMs = 100
const skewMs = 2000

/** Writes a row that nobody else knows, reads it, finds it and removes it. */
export async function checkAccess(backend: StorageBackend, clock: Clock, random: RandomBytes): Promise<Outcome> {
  const folder = 'diagnose/latency/'
  const name = uuid(random)
  const key = folder + name
  const slow: string[] = []
  const timed = async <T>(what: string, work: Promise<T>): Promise<T> => {
    const begun = clock.monotonic()
    const done = await work
    const tookMs = Math.round(clock.monotonic() - begun)
    if (tookMs > slowMs) slow.push(`Latency above ${slowMs} ms: duration: ${tookMs} ms, operation: ${what}`)
    return done
  }
  const value = Buffer.from(random(32))
  const id = commitId(random)
  const written = await timed('write', backend.commit({ id, checks: [], create: [{ key, value }] }))
  if (written !== 'ok') throw new Error('a row that was not there could not be created')
  try {
    const [row] = await timed('read', backend.read([{ key }]))
    if (row === undefined || row === 'same' || !Buffer.from(row.value).equals(value)) {
      throw new Error('a row that was written reads as something else')
    }
    const names = await timed('list', backend.list(folder, { depth: 'children', limit: 1000 }))
    if (!names.includes(name)) throw new Error('a row that was written is not in the list')
  } finally {
    await timed('delete', backend.commit({ id: commitId(random), checks: [], remove: [key] }))
  }
  return { warnings: slow }
}

/** Leases end by the storage's clock, certificates and this machine's log by its own. */
export async function checkClock(backend: StorageBackend): Promise<Outcome> {
  const apartMs = Math.round((await backend.now()) - systemClock.now())
  return Math.abs(apartMs) > skewMs
    ? { warnings: [`the clock of the storage is ${apartMs} ms away from that of this machine`] }
    : { message: `within ${skewMs / 1000} s of the storage's` }
}

export async function checkSpace(config: Extract<ServerConfig['storage'], { kind: 'lmdb' }>): Promise<Outcome> {
  const { bavail, bsize } = await statfs(config.path)
  const free = bavail * bsize
  const least = config.minFreeBytes ?? defaultMinFreeBytes
  const shown = `${Math.round(free / 1024 ** 2)} MiB free`
  if (free < least)
    throw new Error(`${shown}: below min_free of ${Math.round(least / 1024 ** 2)} MiB writes are refused`)
  return { message: shown, warnings: free < 4 * least ? [`${shown}: writes are refused below a quarter of that`] : [] }
}
