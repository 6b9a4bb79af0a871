/** Copies all rows of one storage into another, as they are: versions too, which their encryption depends on. */
import type { Clock } from '../../lib/clock.ts'
import type { RandomBytes } from '../../lib/random.ts'
import { commitId } from '../contracts/commit.ts'
import { type StorageBackend, StorageDown, type Stored } from '../contracts/storage.ts'
import { leaderKey } from './leadership.ts'
import { RowDigest } from './row-digest.ts'

type Row = readonly [string, Stored]

/** While it is there nobody may serve from the storage: it is being read, or it is a copy that nobody has compared yet. */
export const migrationKey = 'core/migration'

/** About who runs now, or about this migration: not copied and not compared. */
const ownKeys: readonly string[] = [leaderKey, migrationKey]
/** Without it a storage was never initialised. */
const keyringKey = 'core/keyring'

/** Longer than a leader that died is waited for. */
const leadPatienceMs = 20_000

export interface MigrationOptions {
  readonly from: StorageBackend
  /** Empty, or left by a migration that did not end. */
  readonly to: StorageBackend
  readonly clock: Clock
  readonly random: RandomBytes
  readonly signal: AbortSignal
  /** Called when both were read again; what it throws ends the migration. */
  readonly beforeEnd?: () => Promise<void>
  readonly onProgress?: (what: 'copied' | 'compared', rows: number, bytes: number) => void
}

export interface Migrated {
  readonly rows: number
  readonly bytes: number
  /** SHA-256 over all rows, of both. */
  readonly digest: string
}

/**
 * All or nothing: when it rejects, `to` is empty. Nobody else leads on `from` meanwhile; whatever was changed there in spite of
 * that is found when both are read again, and ends it.
 */
export async function migrate(options: MigrationOptions): Promise<Migrated> {
  const { from, clock, signal } = options
  const waiting = new AbortController()
  const until = AbortSignal.any([signal, waiting.signal])
  let migrated: Migrated | undefined
  const patience = new AbortController()
  const late = clock.sleep(leadPatienceMs, patience.signal).then(
    () => waiting.abort(new Error('not leading')),
    () => undefined,
  )
  const leading = from.lead(async (_, lost) => {
    patience.abort(new Error('leading'))
    migrated = await locked({ ...options, signal: AbortSignal.any([signal, lost]) })
  }, until)
  try {
    await leading
  } finally {
    patience.abort(new Error('ended'))
    await late
  }
  if (migrated) return migrated
  signal.throwIfAborted()
  throw new StorageDown('a server is at work on storage_source: stop all of its servers first')
}

async function locked(options: MigrationOptions): Promise<Migrated> {
  const { from, clock, random } = options
  const [keyring] = await from.read([{ key: keyringKey }])
  if (!keyring) throw new Error('storage_source holds nothing that a server could be unsealed with')
  const id = commitId(random)
  const value = lockOf(clock, 'source')
  if ((await from.commit({ id, checks: [], create: [{ key: migrationKey, value }] })) === 'conflict') {
    throw new Error(
      `storage migration in progress (started: ${(await readLock(from))?.start ?? 'unknown'}): if none is, run this with -reset first`,
    )
  }
  try {
    return await copy(options)
  } finally {
    await from.commit({ id: commitId(random), checks: [{ key: migrationKey, version: id }], remove: [migrationKey] })
  }
}

async function copy(options: MigrationOptions): Promise<Migrated> {
  const { from, to, random, signal, onProgress } = options
  await makeEmpty(to)
  const copied = new RowDigest()
  const id = commitId(random)
  const lock: Row = [migrationKey, { value: lockOf(options.clock, 'copy'), version: id }]
  const tell = () => onProgress?.('copied', copied.rows, copied.bytes)
  await to.load(withLock(lock, counted(rowsOf(from, signal), copied, tell)))
  const digest = copied.end()
  try {
    for (const [backend, problem] of [
      [to, 'storage_destination does not hold what was written to it'],
      [from, 'storage_source was changed meanwhile: stop all of its servers'],
    ] as const) {
      const found = new RowDigest()
      const rows = rowsOf(backend, signal)
      for await (const _ of counted(rows, found, () => onProgress?.('compared', found.rows, found.bytes)));
      if (found.end() !== digest) throw new Error(`${problem} (${copied.rows} rows copied, ${found.rows} found)`)
    }
    await options.beforeEnd?.()
    const unlocked = await to.commit({
      id: commitId(random),
      checks: [{ key: migrationKey, version: id }],
      remove: [migrationKey],
    })
    if (unlocked !== 'ok') throw new Error('storage_destination was changed meanwhile')
  } catch (error) {
    await to.replace([], 0)
    throw error
  }
  return { rows: copied.rows, bytes: copied.bytes, digest }
}

/** What a migration left that did not end was never served from. */
async function makeEmpty(to: StorageBackend): Promise<void> {
  if ((await readLock(to))?.role === 'copy') return to.replace([], 0)
  const [first] = await to.list('', { depth: 'all', limit: 1 })
  if (first !== undefined) {
    throw new Error(
      'storage_destination is not empty: a migration goes into an empty storage only, and changes no other',
    )
  }
}

async function* rowsOf(backend: StorageBackend, signal: AbortSignal): AsyncGenerator<Row> {
  for await (const row of backend.snapshot(signal)) if (!ownKeys.includes(row[0])) yield row
}

async function* counted(rows: AsyncIterable<Row>, digest: RowDigest, tell: () => void): AsyncGenerator<Row> {
  for await (const row of rows) {
    digest.add(...row)
    tell()
    yield row
  }
}

async function* withLock(lock: Row, rows: AsyncIterable<Row>): AsyncGenerator<Row> {
  yield lock
  yield* rows
}

interface Lock {
  readonly start: string
  /** A copy holds nothing that is not elsewhere too; a source is all there is. */
  readonly role: 'source' | 'copy'
}

const lockOf = (clock: Clock, role: Lock['role']) =>
  Buffer.from(JSON.stringify({ format: 1, start: new Date(clock.now()).toISOString(), role }))

async function readLock(backend: Pick<StorageBackend, 'read'>): Promise<Lock | undefined> {
  const [row] = await backend.read([{ key: migrationKey }])
  if (row === undefined || row === 'same') return undefined
  try {
    const { start, role }: { start?: unknown; role?: unknown } = JSON.parse(Buffer.from(row.value).toString())
    const at = new Date(String(start))
    const known = Number.isNaN(at.getTime()) ? 'unknown' : at.toISOString()
    return { start: known, role: role === 'copy' ? 'copy' : 'source' }
  } catch {
    return { start: 'unknown', role: 'source' }
  }
}

/** -reset: whoever asks says that no migration runs any more. */
export async function unlockMigration(backend: StorageBackend, random: RandomBytes): Promise<void> {
  const lock = await readLock(backend)
  if (lock === undefined) return
  if (lock.role === 'copy') {
    throw new Error('it is the destination of a migration that did not end: run that migration again')
  }
  await backend.commit({ id: commitId(random), checks: [], remove: [migrationKey] })
}

/** Before a server serves from it. Throws StorageDown. */
export async function refuseWhileMigrating(backend: Pick<StorageBackend, 'read'>): Promise<void> {
  const lock = await readLock(backend)
  if (lock === undefined) return
  throw new StorageDown(
    `Storage migration in progress (started: ${lock.start}). Server startup is prevented until the migration completes. ` +
      (lock.role === 'copy'
        ? 'If none is, this is what it left in its destination: run it again.'
        : "Use 'coffer operator migrate -reset' to force clear the migration lock."),
  )
}
