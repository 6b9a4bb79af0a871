/** The regular work of mounts, which one process does for all: once a minute, and when it begins to lead. */
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import { type NamespaceInfo, rootNamespace } from '../../server/contracts/epochs.ts'
import type { Check } from '../../server/contracts/storage.ts'
import type { NamespaceTable } from '../../server/namespaces/namespace-table.ts'
import type { OwnNouns } from './nouns.ts'

export interface TicksOptions {
  readonly namespaces: NamespaceTable
  readonly nounsOf: (namespace: NamespaceInfo) => OwnNouns
  readonly clock: Clock
  readonly log: Logger
}

const everyMs = 60_000

export class Ticks {
  readonly #options: TicksOptions
  #next = Number.NEGATIVE_INFINITY

  constructor(options: TicksOptions) {
    this.#options = options
  }

  /** Does nothing before its time. A mount whose work fails holds up no other. */
  async run(fence: Check, signal: AbortSignal): Promise<void> {
    const { namespaces, nounsOf, clock } = this.#options
    if (clock.monotonic() < this.#next) return
    this.#next = clock.monotonic() + everyMs
    for (const info of [rootNamespace, ...namespaces.known.rows.filter((row) => !row.deleting)]) {
      const { mounts, identity, mfa } = nounsOf({ id: info.id, path: info.path })
      await this.#quietly('identity', () => identity.tick(signal), signal)
      await this.#quietly('login MFA', () => mfa.tick(signal), signal)
      for (const mount of (await mounts.current()).mounts) {
        if (signal.aborted) return
        await this.#quietly(mount.info.path, () => mount.engine.tick?.(fence, signal), signal)
      }
    }
  }

  async #quietly(what: string, work: () => Promise<void> | undefined, signal: AbortSignal): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!signal.aborted) this.#options.log.warn('regular work failed', { what, error: String(error) })
    }
  }
}
