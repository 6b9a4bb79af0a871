import type { Logger } from '../../../lib/log.ts'
import { type TakingOptions, takeNow } from '../../../server/faces/sys/snapshots/take-now.ts'
import type { Telemetry } from '../../../server/telemetry/telemetry.ts'
import { SnapshotFolder } from './snapshot-folder.ts'
import type { SnapshotPlan } from './snapshots-stanza.ts'

export interface ScheduledSnapshotsOptions extends TakingOptions {
  readonly plan: SnapshotPlan
  readonly maxValueBytes: number
  readonly log: Logger
  readonly telemetry: Telemetry
}

const lookEveryMs = 60_000
/** After a failure; half the interval where that is shorter. */
const retryMs = 5 * 60_000

const stateRow = 'snapshot-schedule'
/** When the last one was taken, by the storage's clock: on whichever node. */
const stateSchema = {
  parse: (value: unknown): number =>
    typeof value === 'object' && value !== null && 'takenAt' in value ? Number(value.takenAt) : Number.NaN,
}

/** Run by whoever leads. A snapshot is taken beside its other work. */
export class ScheduledSnapshots {
  readonly #options: ScheduledSnapshotsOptions
  #nextLook = Number.NEGATIVE_INFINITY
  #taking: Promise<void> | undefined

  constructor(options: ScheduledSnapshotsOptions) {
    this.#options = options
  }

  /** Begins one when it is due; never waits for it. */
  run(signal: AbortSignal): void {
    const { clock } = this.#options
    if (this.#taking || clock.monotonic() < this.#nextLook) return
    this.#nextLook = clock.monotonic() + lookEveryMs
    this.#taking = this.#takeWhenDue(signal).finally(() => {
      this.#taking = undefined
    })
  }

  /** Resolves when none is being taken. */
  async idle(): Promise<void> {
    await this.#taking
    // The next leader, or this one after it was unsealed, looks at once.
    this.#nextLook = Number.NEGATIVE_INFINITY
  }

  async #takeWhenDue(signal: AbortSignal): Promise<void> {
    const { plan, log, clock, telemetry } = this.#options
    try {
      const folder = await this.#folder()
      if (folder && (await this.#isDue(folder))) await this.#take(folder, signal)
    } catch (error) {
      if (signal.aborted) return
      this.#nextLook = clock.monotonic() + Math.min(retryMs, plan.intervalMs / 2)
      telemetry.counter('autosnapshots.save.errors').add()
      log.error('scheduled snapshot failed', { path: plan.path, error: reason(error) })
    }
  }

  async #folder(): Promise<SnapshotFolder | undefined> {
    const { plan, seal, random, spoolPlace, maxValueBytes } = this.#options
    const { cluster } = await seal.status()
    return cluster && new SnapshotFolder({ path: plan.path, clusterId: cluster.id, random, spoolPlace, maxValueBytes })
  }

  /** Also when the folder has none: of a new node, or emptied by someone. */
  async #isDue(folder: SnapshotFolder): Promise<boolean> {
    const { allRows, plan } = this.#options
    const [last, now] = [await allRows.view('core/').get(stateRow, stateSchema), await allRows.now()]
    // After a clock that was ahead was put right, too.
    if (last === undefined || !(last <= now) || now - last >= plan.intervalMs) return true
    return (await folder.names()).length === 0
  }

  async #take(folder: SnapshotFolder, signal: AbortSignal): Promise<void> {
    const { allRows, plan, log, clock, telemetry } = this.#options
    const begun = clock.monotonic()
    const takenAt = await allRows.now()
    // Whatever ends it, the file that it is kept in meanwhile is closed.
    const done = new AbortController()
    try {
      const body = await takeNow(this.#options, AbortSignal.any([signal, done.signal]))
      const { name, bytes } = await folder.write(stopping(body, signal), takenAt)
      const core = allRows.view('core/')
      await core.transaction(async (tx) => tx.put(core, stateRow, { format: 1, takenAt, name }))
      const kept = await folder.keepNewest(plan.keep)
      telemetry.summary('autosnapshots.save.duration').observe(clock.monotonic() - begun)
      telemetry.gauge('autosnapshots.last.success.time').set(Math.floor(takenAt / 1000))
      telemetry.gauge('autosnapshots.snapshot.size').set(bytes)
      telemetry.gauge('autosnapshots.snapshots.in.storage').set(kept)
      log.info('snapshot taken', { path: plan.path, name, bytes, kept })
    } finally {
      done.abort(new Error('done'))
    }
  }
}

async function* stopping(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    signal.throwIfAborted()
    yield chunk
  }
}

const reason = (error: unknown) => (error instanceof Error ? error.message : String(error))
