import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { Barrier } from '../../server/barrier/barrier.ts'
import type { NamespaceInfo } from '../../server/contracts/epochs.ts'
import type { Mount } from '../../server/mounts/mount.ts'
import { removalSchema, removalsView } from '../../server/mounts/mount-table.ts'
import { type EndLoans, finishMove, moveSchema, movesView } from '../../server/mounts/moves.ts'
import type { NamespaceRow } from '../../server/namespaces/namespace-row.ts'
import type { NamespaceTable } from '../../server/namespaces/namespace-table.ts'
import type { NounsOf } from '../../server/pipeline/access/namespace-nouns.ts'

export interface RemovalsOptions {
  readonly barrier: Barrier
  readonly namespaces: NamespaceTable
  readonly nounsOf: NounsOf
  readonly sweep: (namespace: NamespaceInfo) => (mount: Mount, signal: AbortSignal) => Promise<void>
  readonly endLoans: (namespace: NamespaceInfo) => EndLoans
  readonly removeNamespace: (row: NamespaceRow, signal: AbortSignal) => Promise<void>
  readonly clock: Clock
  readonly log: Logger
}

const everyMs = 1000

/** Mounts and namespaces that are going away, and what mounts lent under paths that they have left. One that can't go, because what it lent can't be revoked, is tried again ever more seldom and holds up nothing else. */
export class Removals {
  readonly #options: RemovalsOptions
  readonly #failed = new Map<string, { readonly times: number; readonly next: number }>()

  constructor(options: RemovalsOptions) {
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    const { barrier, namespaces, nounsOf, sweep, removeNamespace } = this.#options
    const removals = removalsView(barrier)
    for (const uuid of await removals.list('', { depth: 'all', limit: 256 })) {
      const row = await removals.get(uuid, removalSchema)
      if (!row) continue
      const info = (await namespaces.current()).byId(row.namespace)
      if (!info) {
        await this.#try(uuid, `mnt/${uuid}/`, () => this.#forget(uuid, signal), signal)
        continue
      }
      const { mounts } = nounsOf(info)
      const mount = await mounts.find(uuid)
      // One that is gone without its mark being gone can't be: they go in one commit.
      if (mount) await this.#try(uuid, mount.info.path, () => mounts.finishRemoval(mount, sweep(info), signal), signal)
    }
    await this.#moves(signal)
    // Another process may have begun a deletion and died: perhaps nobody asks this one anything that would tell it.
    await namespaces.current()
    for (const row of namespaces.removing()) {
      await this.#try(row.id, row.path, () => removeNamespace(row, signal), signal)
    }
  }

  /** Mounts that have moved, and whose loans under the old path a node that died did not end. */
  async #moves(signal: AbortSignal): Promise<void> {
    const { barrier, namespaces, endLoans } = this.#options
    const moves = movesView(barrier)
    for (const id of await moves.list('', { depth: 'all', limit: 256 })) {
      const move = await moves.get(id, moveSchema)
      if (!move) continue
      const info = (await namespaces.current()).byId(move.namespace)
      const finish = async () => {
        if (info) await endLoans(info)({ uuid: move.mount, class: move.class }, move.from, signal)
        await finishMove(barrier, id)
      }
      await this.#try(id, move.from, finish, signal)
    }
  }

  /** Its namespace went while another process was at it, with all that a sweep would look for: only rows are left. */
  async #forget(uuid: string, signal: AbortSignal): Promise<void> {
    const { barrier } = this.#options
    while ((await barrier.clear(`mnt/${uuid}/`, 500)) > 0) signal.throwIfAborted()
    const removals = removalsView(barrier)
    await removals.transaction(async (tx) => {
      if (await tx.get(removals, uuid, removalSchema)) tx.remove(removals, uuid)
    })
  }

  async #try(id: string, path: string, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    const before = this.#failed.get(id)
    if (signal.aborted || (before && clock.monotonic() < before.next)) return
    try {
      await work()
      this.#failed.delete(id)
    } catch (error) {
      if (signal.aborted) return
      const times = (before?.times ?? 0) + 1
      this.#failed.set(id, { times, next: clock.monotonic() + everyMs * Math.min(300, 2 ** times) })
      log.warn('not ended or removed yet', { path, times, error: String(error) })
    }
  }
}
