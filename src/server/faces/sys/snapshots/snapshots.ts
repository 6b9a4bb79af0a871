/** sys/storage/raft/snapshot and snapshot-force, on any storage: that is where backup tools look. */
import { parseVaultDuration } from '../../../../lib/duration.ts'
import type { Logger } from '../../../../lib/log.ts'
import { uuid } from '../../../../lib/random.ts'
import { assertFormat, type Barrier, DamagedRow, plainRows, UnknownTerm } from '../../../barrier/barrier.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import { type OpenedSnapshot, openSnapshot } from '../../../snapshots/open-snapshot.ts'
import { Spool } from '../../../snapshots/spool.ts'
import type { SealControl } from '../seal/seal-control.ts'
import { scheduleStatusRoute } from './schedule-status.ts'
import { sumsName, type TakingOptions, takeNow } from './take-now.ts'
import { findUndone, type Undone } from './undone.ts'
import { countFields, countsOf, nameFields, undoneJson, warningsOf, whereToFind } from './undone-told.ts'

export interface SnapshotRoutesOptions extends TakingOptions {
  readonly seal: SealControl
  readonly log: Logger
  /** The largest value of a row that the storage takes. */
  readonly maxValueBytes: number
}

/** Without these no key opens anything. */
const essentialRows = [plainRows.format, plainRows.keyring, plainRows.sealConfig, plainRows.wrappedRootKey]

export function snapshotRoutes(options: SnapshotRoutesOptions): Route[] {
  const shared = { input: {}, namespaces: 'root', deadline: 'none' } as const
  const read = operation({ ...shared, handle: (call) => take(options, call) })
  const restoring = (force: boolean) =>
    operation({
      ...shared,
      access: 'sudo',
      body: 'stream',
      effect: 'storage',
      handle: (call) => restore(options, call, force),
    })
  return [
    {
      path: 'storage/raft/snapshot',
      summary: 'Takes a snapshot of everything that is stored, or restores one of this cluster.',
      on: { read, update: restoring(false) },
    },
    {
      path: 'storage/raft/snapshot-force',
      summary: 'Restores a snapshot, also of another cluster or from before a rekeying.',
      on: { update: restoring(true) },
    },
    scheduleStatusRoute(options),
  ]
}

async function take(options: SnapshotRoutesOptions, call: Call): Promise<Reply> {
  const body = await takeNow(options, call.signal)
  const headers = { 'Content-Disposition': 'attachment; filename="coffer.snap"' }
  return { kind: 'raw', contentType: 'application/gzip', headers, body }
}

const restored =
  'storage restored from a snapshot: what was written or revoked since it was taken is as it was then. The server is sealed: unseal it with the keys of that time'

/** Everything is looked at first; then all rows are replaced at once, and the keys of the storage before are forgotten. */
async function restore(options: SnapshotRoutesOptions, call: Call, force: boolean): Promise<Reply> {
  const { allRows: barrier, seal, log, maxValueBytes } = options
  refuseWrapping(call)
  const spool = await Spool.open(options.spoolPlace, uuid(options.random))
  try {
    const source = call.body ?? noBody()
    const opened = await openSnapshot({ source, spool, maxValueBytes, keep: essentialRows })
    checkEssential(opened)
    if (!force) await checkOurs(options, opened)
    call.signal.throwIfAborted()
    const { ID: snapshot, TakenAt: takenAt, Rows: rows } = opened.meta
    const undone = await undoneBy(options, opened)
    call.signal.throwIfAborted()
    const counts = undone && countsOf(undone)
    const shown = { snapshot, taken: takenAt, rows, force, ...(counts ? countFields(counts) : { undone: 'not known' }) }
    const restoredAt = new Date(options.clock.now()).toISOString()
    const mark = { snapshot, takenAt, restoredAt, ...(counts ? { undone: counts } : {}) }
    await barrier.replaceAll(opened.rows(), opened.bytes + opened.meta.Rows * rowCost, mark)
    call.stands({ words: `${restored}. ${whereToFind(undone, takenAt)}`, facts: shown })
    log.warn(restored, { ...shown, ...(undone ? nameFields(undone) : {}) })
    // Waits for this request's own answer, so it is not waited for here.
    void seal.close()
    if (undone?.size === 0) return { kind: 'none' }
    const data = { snapshot, taken_at: takenAt, undone: undoneJson(undone) }
    return { kind: 'data', data, warnings: warningsOf(undone, takenAt) }
  } finally {
    await spool.close()
  }
}

/** What waits for a wrapping token is stored: here the answer would come too late for the old rows, and be sealed out of the new ones. */
function refuseWrapping({ headers }: Call): void {
  if (!parseVaultDuration(headers['x-vault-wrap-ttl'] ?? '')) return
  throw new Refusal(400, 'the answer of a restore cannot be wrapped: it seals the server. Ask without X-Vault-Wrap-TTL')
}

/** Of another cluster's snapshot nothing is comparable; a storage that is damaged may be why it is replaced. */
async function undoneBy(
  { allRows, seal, log }: SnapshotRoutesOptions,
  { meta, rows }: OpenedSnapshot,
): Promise<Undone | undefined> {
  try {
    const { cluster } = await seal.status()
    if (cluster === undefined || meta.ClusterID !== cluster.id) return undefined
    return await findUndone(allRows, rows())
  } catch (error) {
    log.warn('what the restore undoes is not known: the storage can not be compared with the snapshot', {
      reason: error instanceof Error ? error.message : 'unknown reason',
    })
    return undefined
  }
}

/** What a storage keeps beside key and value, about. */
const rowCost = 64

async function* noBody(): AsyncGenerator<Uint8Array> {}

function checkEssential({ kept }: OpenedSnapshot): void {
  const missing = essentialRows.find((key) => !kept.has(key))
  if (missing) throw new Refusal(400, `the snapshot has no row "${missing}": nothing could unseal it`)
  try {
    assertFormat(kept.get(plainRows.format))
  } catch (cause) {
    throw new Refusal(400, `the snapshot can not be used: ${cause instanceof Error ? cause.message : 'unknown format'}`)
  }
}

/** The sums were sealed with a key of this cluster's, and the present unseal keys open what the snapshot holds. */
async function checkOurs({ allRows: barrier, seal }: SnapshotRoutesOptions, opened: OpenedSnapshot): Promise<void> {
  const [present, { recovery }] = await Promise.all([barrier.readPlain(plainRows.wrappedRootKey), seal.status()])
  const then = opened.kept.get(plainRows.wrappedRootKey)
  const sameKeys = present !== undefined && then !== undefined && Buffer.compare(present, then) === 0
  if (sameKeys && (await sumsAreOurs(barrier, opened))) return
  const keys = recovery ? 'a different autoseal key' : 'a different set of unseal keys'
  throw new Refusal(
    400,
    `could not verify hash file, possibly the snapshot is using ${keys}; use the snapshot-force API to bypass this check`,
  )
}

async function sumsAreOurs(barrier: Barrier, { sums, sealedSums }: OpenedSnapshot): Promise<boolean> {
  try {
    return Buffer.compare(await barrier.openApart(sumsName, sealedSums), sums) === 0
  } catch (error) {
    if (error instanceof DamagedRow || error instanceof UnknownTerm) return false
    throw error
  }
}
