/**
 * Version rows that no key row knows of any more, when there are too many for one commit: the commit that leaves them behind also
 * writes a row that says so, and whoever comes first removes them: the request itself, or any node's next tick.
 */
import type { SecretStorage, Tx } from '../../../contracts/secret-storage.ts'
import { nextTurn } from '../turn.ts'
import { keyRow, versionRow } from './key-row.ts'
import { storedKey } from './stored-key.ts'

/** Versions from..to of a path that was deleted or moved away. */
interface Leftover {
  readonly format: 1
  readonly from: number
  readonly to: number
}
/** A key with many versions is being copied here: what is swept meanwhile or copied by another is not this move's. */
export interface Arrival extends Leftover {
  readonly id: string
  readonly at: number
}

const leftoverSchema = {
  parse(value: unknown): Leftover {
    const { format, from, to } = (value ?? {}) as Partial<Leftover>
    if (format !== 1 || typeof from !== 'number' || typeof to !== 'number') throw new Error('an unknown leftover row')
    return { format, from, to }
  },
}
export const arrivalSchema = {
  parse(value: unknown): Arrival {
    const { id, at } = (value ?? {}) as Partial<Arrival>
    if (typeof id !== 'string' || typeof at !== 'number') throw new Error('an unknown arrival row')
    return { ...leftoverSchema.parse(value), id, at }
  },
}
const leftovers = 'sweep/'
const arrivals = 'arriving/'
export const arrivalRow = (path: string) => arrivals + path
/** Rows of 1 MiB each still fit in memory. */
const perCommit = 50
/** No request lives that long. */
const abandonedAfterMs = 3_600_000

/** In the commit that removes the key's row; `versions` in ascending order. */
export async function leaveBehind(
  tx: Tx,
  storage: SecretStorage,
  path: string,
  versions: readonly number[],
): Promise<void> {
  const [from = 0, to = 0] = [versions[0], versions.at(-1)]
  const before = await tx.get(storage, leftovers + path, leftoverSchema)
  tx.put(storage, leftovers + path, {
    format: 1,
    from: Math.min(from, before?.from ?? from),
    to: Math.max(to, before?.to ?? to),
  })
  await refuseArrival(tx, storage, path)
}

/** In the commit that takes a key from a path: what is being copied there lay among its versions and may have gone with them. */
export async function refuseArrival(tx: Tx, storage: SecretStorage, path: string): Promise<void> {
  if (await tx.get(storage, arrivalRow(path), arrivalSchema)) tx.remove(storage, arrivalRow(path))
}

/** Idempotent, and harmless beside anyone who writes the path anew. */
export async function sweepPath(storage: SecretStorage, path: string, signal: AbortSignal): Promise<void> {
  const leftover = await storage.get(leftovers + path, leftoverSchema)
  if (!leftover) return
  for (let version = leftover.from; version <= leftover.to; version += perCommit) {
    signal.throwIfAborted()
    await storage.transaction((tx) => sweepSome(tx, storage, path, version))
    await nextTurn()
  }
  await storage.transaction(async (tx) => {
    const now = await tx.get(storage, leftovers + path, leftoverSchema)
    if (now && now.from >= leftover.from && now.to <= leftover.to) tx.remove(storage, leftovers + path)
  })
}

/**
 * Each row is read before the key, so that it is among the commit's checks: a row that the key does not know of then is nobody's,
 * and who writes it later breaks the commit, as does the end of the sweep.
 */
async function sweepSome(tx: Tx, storage: SecretStorage, path: string, start: number): Promise<void> {
  const leftover = await tx.get(storage, leftovers + path, leftoverSchema)
  if (!leftover) return
  const found: number[] = []
  const end = Math.min(leftover.to, start + perCommit - 1)
  for (let version = start; version <= end; version += 1) {
    if ((await tx.getBytes(storage, versionRow(path, version))) !== undefined) found.push(version)
  }
  const row = await tx.getBytes(storage, keyRow(path))
  const known = new Set(row ? storedKey(row, 0).state.older.map((v) => v.version) : [])
  for (const version of found) if (!known.has(version)) tx.remove(storage, versionRow(path, version))
}

/** What processes that died have left: for the mount's tick. */
export async function sweepAll(storage: SecretStorage, now: number, signal: AbortSignal): Promise<void> {
  for await (const path of pathsBelow(storage, arrivals)) {
    await storage.transaction(async (tx) => {
      const arrival = await tx.get(storage, arrivalRow(path), arrivalSchema)
      if (arrival && arrival.at + abandonedAfterMs < now)
        await leaveBehind(tx, storage, path, [arrival.from, arrival.to])
    })
  }
  for await (const path of pathsBelow(storage, leftovers)) await sweepPath(storage, path, signal)
}

async function* pathsBelow(storage: SecretStorage, prefix: string): AsyncGenerator<string> {
  const limit = 100
  let after: string | undefined
  for (;;) {
    const page = await storage.list(prefix, { depth: 'all', limit, ...(after !== undefined && { after }) })
    yield* page
    if (page.length < limit) return
    after = page.at(-1)
  }
}
