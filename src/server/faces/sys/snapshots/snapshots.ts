/** sys/storage/raft/snapshot and snapshot-force, on any storage: that is where backup tools look. */
import type { Clock } from '../../../../lib/clock.ts'
import type { Logger } from '../../../../lib/log.ts'
import { type RandomBytes, uuid } from '../../../../lib/random.ts'
import { assertFormat, type Barrier, DamagedRow, plainRows, UnknownTerm } from '../../../barrier/barrier.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import { type OpenedSnapshot, openSnapshot } from '../../../snapshots/open-snapshot.ts'
import { Spool, type SpoolPlace } from '../../../snapshots/spool.ts'
import { takeSnapshot } from '../../../snapshots/take-snapshot.ts'
import type { SealControl } from '../seal/seal-control.ts'

export interface SnapshotRoutesOptions {
  readonly allRows: Barrier
  readonly seal: SealControl
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  readonly cofferVersion: string
  readonly storageType: string
  /** The largest value of a row that the storage takes. */
  readonly maxValueBytes: number
  /** Where what is larger than memory is kept meanwhile. */
  readonly spoolPlace: SpoolPlace
}

/** Without these no key opens anything. */
const essentialRows = [plainRows.format, plainRows.keyring, plainRows.sealConfig, plainRows.wrappedRootKey]
const sumsName = 'SHA256SUMS'

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
  ]
}

async function take(options: SnapshotRoutesOptions, call: Call): Promise<Reply> {
  const { allRows: barrier, seal, clock, random, cofferVersion, storageType: storage } = options
  const [{ term }, { cluster }] = await Promise.all([barrier.keyStatus(), seal.status()])
  const spool = await Spool.open(options.spoolPlace, uuid(random))
  call.signal.addEventListener('abort', () => void spool.close(), { once: true })
  const at = clock.now()
  try {
    const body = await takeSnapshot({
      rows: barrier.snapshot(call.signal),
      spool,
      about: {
        ID: `coffer-${new Date(at).toISOString().replace(/[-:]|\.\d+/g, '')}-${Buffer.from(random(4)).toString('hex')}`,
        Index: at,
        Term: term,
        CofferVersion: cofferVersion,
        ClusterID: cluster?.id ?? '',
        Storage: storage,
      },
      sealSums: (sums) => barrier.sealApart(sumsName, sums),
    })
    const headers = { 'Content-Disposition': 'attachment; filename="coffer.snap"' }
    return { kind: 'raw', contentType: 'application/gzip', headers, body }
  } catch (error) {
    await spool.close()
    throw error
  }
}

/** Everything is looked at first; then all rows are replaced at once, and the keys of the storage before are forgotten. */
async function restore(options: SnapshotRoutesOptions, call: Call, force: boolean): Promise<Reply> {
  const { allRows: barrier, seal, log, maxValueBytes } = options
  const spool = await Spool.open(options.spoolPlace, uuid(options.random))
  try {
    const source = call.body ?? noBody()
    const opened = await openSnapshot({ source, spool, maxValueBytes, keep: essentialRows })
    checkEssential(opened)
    if (!force) await checkOurs(options, opened)
    call.signal.throwIfAborted()
    const { ID: snapshot, TakenAt: taken, Rows: rows } = opened.meta
    await barrier.replaceAll(opened.rows(), opened.bytes + opened.meta.Rows * rowCost)
    log.warn(
      'storage restored from a snapshot: what was written or revoked since it was taken is as it was then. The server is sealed: unseal it with the keys of that time',
      { snapshot, taken, rows, force },
    )
  } finally {
    await spool.close()
  }
  // Waits for this request's own answer, so it is not waited for here.
  void seal.close()
  return { kind: 'none' }
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
