import type { Clock } from '../../lib/clock.ts'
import type { RandomBytes } from '../../lib/random.ts'
import { commitId } from '../contracts/commit.ts'
import type { Check, StorageBackend } from '../contracts/storage.ts'

/** Changes only when someone takes over or steps down; the value names the holder. */
export const leaderKey = 'core/leader'

const pollMs = 1000

export interface LeadershipOptions {
  readonly backend: Pick<StorageBackend, 'read' | 'commit'>
  readonly clock: Clock
  readonly random: RandomBytes
  /** This opening of the storage; must differ after a restart. */
  readonly self: string
  /** Whether another opening still runs. In doubt true: two leaders are worse than none for a while. */
  alive(holder: string): Promise<boolean>
}

/** Leadership by a fence row. Two candidates of one process take turns. */
export class Leadership {
  readonly #options: LeadershipOptions
  #turn: Promise<void> = Promise.resolve()

  constructor(options: LeadershipOptions) {
    this.#options = options
  }

  /** Resolves when `until` aborts or `work` is done; rejects as `work` does. Work that lost its lead is begun anew when it leads again. */
  async lead(work: (fence: Check, signal: AbortSignal) => Promise<void>, until: AbortSignal): Promise<void> {
    const before = this.#turn
    let done = () => {}
    this.#turn = new Promise((resolve) => {
      done = resolve
    })
    try {
      await untilAborted(before, until)
      while (!until.aborted) {
        const fence = await this.#takeOver(until)
        if (fence && !(await this.#serve(work, fence, until))) return
      }
    } finally {
      // A candidate that gave up before its turn must not let the next one in early.
      before.then(done)
    }
  }

  async #takeOver(until: AbortSignal): Promise<Check | undefined> {
    const { backend, clock, random, self } = this.#options
    for (;;) {
      if (until.aborted) return undefined
      const [row] = await backend.read([{ key: leaderKey }])
      const found = row === 'same' ? undefined : row
      const holder = found ? Buffer.from(found.value).toString() : undefined
      if (holder === undefined || holder === self || !(await this.#options.alive(holder))) {
        const id = commitId(random)
        const put = [{ key: leaderKey, value: Buffer.from(self) }]
        const outcome = found
          ? await backend.commit({ id, checks: [{ key: leaderKey, version: found.version }], put })
          : await backend.commit({ id, checks: [], create: put })
        if (outcome === 'ok') return { key: leaderKey, version: id }
      }
      await clock.sleep(pollMs, until).catch(() => undefined)
    }
  }

  /** True when the lead was lost and should be tried for again. */
  async #serve(
    work: (fence: Check, signal: AbortSignal) => Promise<void>,
    fence: Check,
    until: AbortSignal,
  ): Promise<boolean> {
    const { backend, clock, random } = this.#options
    const lost = new AbortController()
    const stopped = new AbortController()
    const watch = async () => {
      while (!stopped.signal.aborted) {
        await clock.sleep(pollMs, stopped.signal).catch(() => undefined)
        if (stopped.signal.aborted) return
        const [row] = await backend.read([{ key: fence.key, known: fence.version }]).catch(() => [undefined])
        if (row !== 'same') lost.abort(new Error('another process leads'))
      }
    }
    const watching = watch()
    try {
      await work(fence, AbortSignal.any([lost.signal, until]))
      return lost.signal.aborted && !until.aborted
    } catch (error) {
      if (lost.signal.aborted || until.aborted) return !until.aborted
      throw error
    } finally {
      stopped.abort()
      await watching
      await backend.commit({ id: commitId(random), checks: [fence], remove: [fence.key] }).catch(() => 'conflict')
    }
  }
}

async function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  let onAbort = () => {}
  const aborted = new Promise<void>((resolve) => {
    onAbort = resolve
    signal.addEventListener('abort', onAbort, { once: true })
  })
  await Promise.race([promise, aborted])
  signal.removeEventListener('abort', onAbort)
}
