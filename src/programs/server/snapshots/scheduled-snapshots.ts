import type { Logger } from '../../../lib/log.ts'
import { type TakingOptions, takeNow } from '../../../server/faces/sys/snapshots/take-now.ts'
import { noteSchedule, readSchedule } from '../../../server/snapshots/schedule-row.ts'
import type { Telemetry } from '../../../server/telemetry/telemetry.ts'
import type { SnapshotPlace } from './snapshot-names.ts'
import type { SnapshotPlan } from './snapshot-plan.ts'

export interface ScheduledSnapshotsOptions extends TakingOptions {
  readonly plan: SnapshotPlan
  readonly maxValueBytes: number
  readonly log: Logger
  readonly telemetry: Telemetry
}

const lookEveryMs = 60_000
/** After a failure; half the interval where that is shorter. */
const retryMs = 5 * 60_000

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
    let where = ''
    try {
      const place = await this.#place()
      if (!place) return
      where = place.where
      if (!(await this.#isDue(place))) return
      await this.#take(place, signal)
    } catch (error) {
      if (signal.aborted) return
      this.#failed('autosnapshots.save.errors', 'scheduled snapshot failed', where, error)
      // Perhaps it is the storage that is full, or away.
      await this.#noteFailure(error).catch(() => undefined)
    }
  }

  async #place(): Promise<SnapshotPlace | undefined> {
    const { cluster } = await this.#options.seal.status()
    return cluster && this.#options.plan.open({ ...this.#options, clusterId: cluster.id })
  }

  async #isDue(place: SnapshotPlace): Promise<boolean> {
    const { allRows, plan } = this.#options
    const [last, now] = [await readSchedule(allRows.view('core/')), await allRows.now()]
    const takenAt = last?.takenAt
    // After a clock that was ahead was put right, too.
    if (takenAt === undefined || takenAt > now || now - takenAt >= plan.intervalMs) return true
    return place.lacks(last?.where)
  }

  async #take(place: SnapshotPlace, signal: AbortSignal): Promise<void> {
    const { allRows, plan, log, clock, telemetry } = this.#options
    const { where } = place
    const begun = clock.monotonic()
    const takenAt = await allRows.now()
    // Whatever ends it, the file that it is kept in meanwhile is closed.
    const done = new AbortController()
    let latest: string
    try {
      const body = await takeNow(this.#options, AbortSignal.any([signal, done.signal]))
      const { name, bytes } = await place.write(stopping(body, signal), takenAt, signal)
      const endedAt = await allRows.now()
      const succeeded = { takenAt, endedAt, name, where, intervalMs: plan.intervalMs, failures: 0, error: '' }
      await noteSchedule(allRows.view('core/'), () => succeeded)
      telemetry.summary('autosnapshots.save.duration').observe(clock.monotonic() - begun)
      telemetry.gauge('autosnapshots.last.success.time').set(Math.floor(takenAt / 1000))
      telemetry.gauge('autosnapshots.snapshot.size').set(bytes)
      log.info('snapshot taken', { where, name, bytes })
      latest = name
    } finally {
      done.abort(new Error('done'))
    }
    await this.#removeOld(place, latest, signal)
  }

  /** What stays too long is no reason to take the same snapshot again. */
  async #removeOld(place: SnapshotPlace, latest: string, signal: AbortSignal): Promise<void> {
    const { plan, telemetry } = this.#options
    try {
      const kept = await place.keepNewest(plan.keep, latest, signal)
      telemetry.gauge('autosnapshots.snapshots.in.storage').set(kept)
    } catch (error) {
      if (!signal.aborted) this.#failed('autosnapshots.rotate.errors', 'old snapshots not removed', place.where, error)
    }
  }

  async #noteFailure(error: unknown): Promise<void> {
    const { allRows } = this.#options
    const failedAt = await allRows.now()
    await noteSchedule(allRows.view('core/'), (before) => ({
      failures: (before?.failures ?? 0) + 1,
      failedAt,
      error: reason(error),
    }))
  }

  #failed(counter: string, event: string, where: string, error: unknown): void {
    const { plan, clock, telemetry, log } = this.#options
    this.#nextLook = clock.monotonic() + Math.min(retryMs, plan.intervalMs / 2)
    telemetry.counter(counter).add()
    log.error(event, { where, error: reason(error) })
  }
}

async function* stopping(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    signal.throwIfAborted()
    yield chunk
  }
}

const reason = (error: unknown) => (error instanceof Error ? error.message : String(error))
