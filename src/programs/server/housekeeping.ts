/** What one process does for all: what is due, and what a crash left half done. Also passes changes on to engines. */

import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { Barrier } from '../../server/barrier/barrier.ts'
import type { Check, StorageBackend } from '../../server/contracts/storage.ts'
import type { DueIndex, Guard } from '../../server/leases/due-index.ts'
import type { Mount } from '../../server/mounts/mount.ts'
import type { MountTable } from '../../server/mounts/mount-table.ts'
import type { TokenRevocation } from '../../server/tokens/token-revocation.ts'

export interface HousekeepingOptions {
  readonly backend: StorageBackend
  readonly barrier: Barrier
  readonly due: DueIndex
  readonly mounts: MountTable
  readonly revocation: TokenRevocation
  readonly sweepMount: (mount: Mount, signal: AbortSignal) => Promise<void>
  readonly clock: Clock
  readonly log: Logger
}

const everyMs = 1000
const fenceSchema = {
  parse: (value: unknown) =>
    typeof value === 'object' && value !== null && 'leader' in value ? String(value.leader) : '',
}

/** Begins when the server is unsealed and ends before it seals. */
export class Housekeeping {
  readonly #options: HousekeepingOptions
  #stop: AbortController | undefined
  #done: Promise<unknown> = Promise.resolve()

  constructor(options: HousekeepingOptions) {
    this.#options = options
  }

  start(): void {
    const { backend, log } = this.#options
    const stop = new AbortController()
    this.#stop = stop
    const quiet = (what: string) => (error: unknown) => {
      if (!stop.signal.aborted) log.error(what, { error: String(error) })
    }
    this.#done = Promise.all([
      backend
        .lead((fence, leading) => lead(this.#options, fence, leading), stop.signal)
        .catch(quiet('housekeeping stopped')),
      passChanges(this.#options, stop.signal).catch(quiet('change feed stopped')),
    ])
  }

  stop(): void {
    this.#stop?.abort(new Error('sealing'))
  }

  /** Resolves when nothing of it is under way any more. */
  async stopped(): Promise<void> {
    await this.#done
  }
}

/** The barrier's own fence row changes with the storage's: commits of a leader that was replaced conflict. */
async function lead(options: HousekeepingOptions, fence: Check, signal: AbortSignal): Promise<void> {
  const { barrier, due, revocation, clock, log } = options
  const core = barrier.view('core/')
  await core.transaction(async (tx) => tx.put(core, 'housekeeper', { format: 1, leader: fence.version }))
  const guard: Guard = async (tx) => {
    if ((await tx.get(core, 'housekeeper', fenceSchema)) !== fence.version) throw new Error('another process leads')
  }
  const removals = new Removals(options)
  let failures = 0
  while (!signal.aborted) {
    try {
      await revocation.resume(guard, signal)
      await removals.run(signal)
      for (;;) {
        const settled = await due.sweep(await barrier.now(), guard, signal, ({ kind, id }, error) => {
          if (!signal.aborted) log.warn('due work failed', { kind, id, error: String(error) })
        })
        if (settled < 256) break
      }
      failures = 0
    } catch (error) {
      if (signal.aborted) return
      failures += 1
      log.warn('housekeeping failed', { failures, error: String(error) })
    }
    await clock.sleep(everyMs * Math.min(30, 2 ** Math.min(failures, 5)), signal).catch(() => undefined)
  }
}

/** Mounts that are going away. One that can't go, because what it lent can't be revoked, is tried again ever more seldom and holds up nothing else. */
class Removals {
  readonly #options: HousekeepingOptions
  readonly #failed = new Map<string, { readonly times: number; readonly next: number }>()

  constructor(options: HousekeepingOptions) {
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    const { mounts, sweepMount, clock, log } = this.#options
    if (mounts.knownVersion === undefined) return
    for (const mount of mounts.removing()) {
      const { path, uuid } = mount.info
      const before = this.#failed.get(uuid)
      if (before && clock.monotonic() < before.next) continue
      try {
        await mounts.finishRemoval(mount, sweepMount, signal)
        this.#failed.delete(uuid)
      } catch (error) {
        if (signal.aborted) return
        const times = (before?.times ?? 0) + 1
        this.#failed.set(uuid, { times, next: clock.monotonic() + everyMs * Math.min(300, 2 ** times) })
        log.warn('mount not removed yet', { path, times, error: String(error) })
      }
    }
  }
}

async function passChanges({ barrier, mounts }: HousekeepingOptions, signal: AbortSignal): Promise<void> {
  for await (const change of barrier.changes(signal)) {
    if (signal.aborted) return
    if (change === 'reset') mounts.changed('reset')
    else if (change.keys.length > 0) mounts.changed(change.keys)
  }
}
