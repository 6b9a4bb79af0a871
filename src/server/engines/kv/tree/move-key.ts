/** Moves one key with all its versions: whoever reads finds it at one of the two paths, whole, at any time. */
import { type RandomBytes, uuid } from '../../../../lib/random.ts'
import type { SecretStorage, Tx } from '../../../contracts/secret-storage.ts'
import { keyRow, versionRow } from '../keys/key-row.ts'
import { storedKey } from '../keys/stored-key.ts'
import { type Arrival, arrivalRow, arrivalSchema, leaveBehind, refuseArrival, sweepPath } from '../keys/sweep.ts'

export type MoveOutcome = 'moved' | 'gone' | 'exists' | 'busy'

export interface KeyMove {
  readonly storage: SecretStorage
  readonly from: string
  readonly to: string
  readonly now: number
  readonly random: RandomBytes
  readonly signal: AbortSignal
}

/** What one commit takes, with room for the key's own rows. */
const most = { rows: 100, bytes: 4 * 1024 * 1024 }
const attempts = 5

export async function moveKey(move: KeyMove): Promise<MoveOutcome> {
  const atOnce = await move.storage.transaction((tx) => moveAtOnce(tx, move))
  if (atOnce !== 'large') return atOnce
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const outcome = await moveInParts(move)
    if (outcome !== 'changed') return outcome
  }
  return 'busy'
}

async function moveAtOnce(tx: Tx, { storage, from, to }: KeyMove): Promise<MoveOutcome | 'large'> {
  const row = await tx.getBytes(storage, keyRow(from))
  if (!row) return 'gone'
  if (await tx.getBytes(storage, keyRow(to))) return 'exists'
  const versions = olderVersions(row)
  if (versions.length > most.rows) return 'large'
  const datas: (readonly [number, Uint8Array])[] = []
  let bytes = row.length
  for (const version of versions) {
    const data = await tx.getBytes(storage, versionRow(from, version))
    if (!data) continue
    bytes += data.length
    if (bytes > most.bytes) return 'large'
    datas.push([version, data])
  }
  tx.create(storage, keyRow(to), row)
  tx.remove(storage, keyRow(from))
  await refuseArrival(tx, storage, from)
  for (const [version, data] of datas) {
    tx.put(storage, versionRow(to, version), data)
    tx.remove(storage, versionRow(from, version))
  }
  return 'moved'
}

/** Copies versions, which nobody finds without the key's row; then the row moves; then the old versions are swept. */
async function moveInParts(move: KeyMove): Promise<MoveOutcome | 'changed'> {
  const { storage, from, to, now, random, signal } = move
  await sweepPath(storage, to, signal)
  const row = await storage.getBytes(keyRow(from))
  if (!row) return 'gone'
  const versions = olderVersions(row)
  const arrival: Arrival = { format: 1, id: uuid(random), at: now, from: versions[0] ?? 0, to: versions.at(-1) ?? 0 }
  await storage.transaction(async (tx) => tx.put(storage, arrivalRow(to), { ...arrival }))
  const copied = await copyVersions(move, versions, arrival)
  if (copied !== 'copied') return copied
  const outcome = await storage.transaction(async (tx) => {
    const current = await tx.getBytes(storage, keyRow(from))
    if (!current) return 'gone'
    if (await tx.getBytes(storage, keyRow(to))) return 'exists'
    if (!Buffer.from(current).equals(row) || !(await isOurs(tx, storage, to, arrival))) return 'changed'
    tx.create(storage, keyRow(to), current)
    tx.remove(storage, keyRow(from))
    tx.remove(storage, arrivalRow(to))
    await leaveBehind(tx, storage, from, versions)
    return 'moved'
  })
  if (outcome === 'moved') await sweepPath(storage, from, signal)
  return outcome
}

async function copyVersions(move: KeyMove, versions: readonly number[], arrival: Arrival) {
  const { storage, from, signal } = move
  let part: (readonly [number, Uint8Array])[] = []
  let bytes = 0
  for (const version of versions) {
    signal.throwIfAborted()
    const data = await storage.getBytes(versionRow(from, version))
    if (!data) continue
    if (part.length === most.rows || bytes + data.length > most.bytes) {
      const outcome = await copyPart(move, part, arrival)
      if (outcome !== 'copied') return outcome
      part = []
      bytes = 0
    }
    part.push([version, data])
    bytes += data.length
  }
  return copyPart(move, part, arrival)
}

/** Versions are read before the key: without a key they belong to nobody, and who makes the key breaks the commit by writing them. */
function copyPart(
  { storage, to }: KeyMove,
  part: readonly (readonly [number, Uint8Array])[],
  arrival: Arrival,
): Promise<'copied' | 'changed' | 'exists'> {
  return storage.transaction(async (tx) => {
    const there = new Set<number>()
    for (const [version] of part) if (await tx.getBytes(storage, versionRow(to, version))) there.add(version)
    if (await tx.getBytes(storage, keyRow(to))) return 'exists'
    if (!(await isOurs(tx, storage, to, arrival))) return 'changed'
    for (const [version, data] of part) {
      if (there.has(version)) tx.put(storage, versionRow(to, version), data)
      else tx.create(storage, versionRow(to, version), data)
    }
    return 'copied'
  })
}

async function isOurs(tx: Tx, storage: SecretStorage, to: string, arrival: Arrival): Promise<boolean> {
  return (await tx.get(storage, arrivalRow(to), arrivalSchema))?.id === arrival.id
}

/** In ascending order; the latest version's data is in the key's row. */
function olderVersions(row: Uint8Array): readonly number[] {
  return storedKey(row, 0).state.older.map((v) => v.version)
}
