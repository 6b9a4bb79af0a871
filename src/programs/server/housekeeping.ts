/** What one process does for all: what is due, and what a crash left half done. Also passes changes on to engines. */

import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { Barrier } from '../../server/barrier/barrier.ts'
import type { Guard } from '../../server/contracts/due-rows.ts'
import type { NamespaceInfo } from '../../server/contracts/epochs.ts'
import type { Check, StorageBackend } from '../../server/contracts/storage.ts'
import type { HttpSettings } from '../../server/faces/sys/operations/settings/http-settings.ts'
import type { DueIndex } from '../../server/leases/due-index.ts'
import type { Mount } from '../../server/mounts/mount.ts'
import type { EndLoans } from '../../server/mounts/moves.ts'
import type { NamespaceRow } from '../../server/namespaces/namespace-row.ts'
import type { NamespaceTable } from '../../server/namespaces/namespace-table.ts'
import { sealedKey } from '../../server/pipeline/access/authority.ts'
import type { NamespaceNouns } from '../../server/pipeline/access/namespace-nouns.ts'
import type { TokenRevocation } from '../../server/tokens/token-revocation.ts'
import type { OwnNouns } from './nouns.ts'
import { Removals } from './removals.ts'
import { Ticks } from './ticks.ts'

export interface HousekeepingOptions {
  readonly backend: Pick<StorageBackend, 'lead'>
  readonly barrier: Barrier
  readonly due: DueIndex
  readonly namespaces: NamespaceTable
  readonly nounsOf: (namespace: NamespaceInfo) => OwnNouns
  /** Of the namespaces that this process has come across. */
  readonly live: () => readonly NamespaceNouns[]
  readonly revocation: TokenRevocation
  readonly httpSettings: HttpSettings
  readonly sweep: (namespace: NamespaceInfo) => (mount: Mount, signal: AbortSignal) => Promise<void>
  readonly endLoans: (namespace: NamespaceInfo) => EndLoans
  /** A node that nobody asks anything forgets its keys as well when the cluster is sealed. */
  readonly sealChanged: () => void
  readonly nodes: { keepHouse(guard: Guard): Promise<void>; changed(keys: readonly string[] | 'reset'): Promise<void> }
  readonly removeNamespace: (row: NamespaceRow, signal: AbortSignal) => Promise<void>
  /** Backups by a schedule; absent: none is configured. */
  readonly scheduledSnapshots?: { run(signal: AbortSignal): void; idle(): Promise<void> } | undefined
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
        .lead(
          (fence, leading) =>
            lead(this.#options, fence, leading).finally(() =>
              Promise.all([this.#options.due.idle(), this.#options.scheduledSnapshots?.idle()]),
            ),
          stop.signal,
        )
        .catch(quiet('housekeeping stopped')),
      passChanges(this.#options, stop.signal).catch(quiet('change feed stopped')),
    ])
  }

  stop(): void {
    this.#stop?.abort(new Error('sealing'))
  }

  /** Gives up the lead, for whoever wants it; this process stands for it again at once. */
  async stepDown(): Promise<void> {
    if (!this.#stop || this.#stop.signal.aborted) return
    this.stop()
    await this.stopped()
    this.start()
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
  for (let begun = false; !begun && !signal.aborted; ) {
    try {
      await core.transaction(async (tx) => tx.put(core, 'housekeeper', { format: 1, leader: fence.version }))
      begun = true
    } catch (error) {
      // To end here would be to stand for the lead no more.
      if (!signal.aborted) log.warn('housekeeping not begun, will be tried again', { error: String(error) })
      await clock.sleep(everyMs, signal).catch(() => undefined)
    }
  }
  const guard: Guard = async (tx) => {
    if ((await tx.get(core, 'housekeeper', fenceSchema)) !== fence.version) throw new Error('another process leads')
  }
  const removals = new Removals(options)
  const ticks = new Ticks(options)
  const work = {
    revocations: () => revocation.resume(guard, signal),
    removals: () => removals.run(signal),
    nodes: () => options.nodes.keepHouse(guard),
    snapshots: async () => options.scheduledSnapshots?.run(signal),
    ticks: () => ticks.run(fence, signal),
    due: async () => {
      for (;;) {
        const settled = await due.sweep(await barrier.now(), guard, signal, ({ kind, id }, error) => {
          if (!signal.aborted) log.warn('due work failed', { kind, id, error: String(error) })
        })
        if (settled < 256) break
      }
    },
  }
  const chores = Object.entries(work).map(([what, run]) => patient({ what, run, clock, log, signal }))
  while (!signal.aborted) {
    for (const chore of chores) await chore()
    await clock.sleep(everyMs, signal).catch(() => undefined)
  }
}

/** Work that fails waits, ever longer, before it is tried again, and holds up no other: one damaged row must not keep every lease from ending. */
function patient(chore: {
  what: string
  run: () => Promise<void>
  clock: Clock
  log: Logger
  signal: AbortSignal
}): () => Promise<void> {
  const { what, run, clock, log, signal } = chore
  let failures = 0
  let next = Number.NEGATIVE_INFINITY
  return async () => {
    if (signal.aborted || clock.monotonic() < next) return
    try {
      await run()
      failures = 0
    } catch (error) {
      if (signal.aborted) return
      failures += 1
      next = clock.monotonic() + everyMs * Math.min(30, 2 ** Math.min(failures, 5))
      log.warn('housekeeping failed', { what, failures, error: String(error) })
    }
  }
}

async function passChanges(
  { barrier, live, httpSettings, sealChanged, nodes, log }: HousekeepingOptions,
  signal: AbortSignal,
): Promise<void> {
  for await (const change of barrier.changes(signal)) {
    if (signal.aborted) return
    if (change !== 'reset' && change.keys.length === 0) continue
    if (change === 'reset' || change.keys.includes(sealedKey)) sealChanged()
    httpSettings.changed(change === 'reset' ? 'reset' : change.keys).catch((error: unknown) => {
      log.warn('settings of HTTP not read', { error: String(error) })
    })
    nodes.changed(change === 'reset' ? 'reset' : change.keys).catch((error: unknown) => {
      if (!signal.aborted) log.warn('row of this node not written anew', { error: String(error) })
    })
    for (const { mounts } of live()) {
      await mounts.changed(change === 'reset' ? 'reset' : change.keys).catch((error: unknown) => {
        if (!signal.aborted) log.warn('changes not passed on', { error: String(error) })
      })
    }
  }
}
