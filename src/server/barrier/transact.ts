import type { Clock } from '../../lib/clock.ts'
import type { RandomBytes } from '../../lib/random.ts'
import { commitId } from '../contracts/commit.ts'
import { Refusal } from '../contracts/request.ts'
import type { Tx } from '../contracts/secret-storage.ts'
import type { Put, StorageBackend, Stored } from '../contracts/storage.ts'
import { Attempt, type AttemptOptions } from './attempt.ts'
import { KeyQueue } from './key-queue.ts'

const maxAttempts = 8

export interface TransactorOptions {
  readonly backend: Pick<StorageBackend, 'read' | 'commit'>
  readonly clock: Clock
  readonly random: RandomBytes
  readonly read: AttemptOptions['read']
  readonly isReserved: AttemptOptions['isReserved']
  readonly seal: (key: string, version: string, plaintext: Uint8Array) => Uint8Array
}

const noSeed: ReadonlyMap<string, Stored | undefined> = new Map()

/** Runs optimistic transactions: again on conflict, at most eight times; writers of one row in this process queue. */
export class Transactor {
  readonly #options: TransactorOptions
  readonly #queue = new KeyQueue()

  constructor(options: TransactorOptions) {
    this.#options = options
  }

  async transact<T>(run: (tx: Tx) => Promise<T>, seed: ReadonlyMap<string, Stored | undefined>): Promise<T> {
    const { read, isReserved } = this.#options
    let held: readonly string[] = []
    let letGo = () => {}
    try {
      for (let attempts = 0, fresh = false; attempts < maxAttempts; fresh = true) {
        const attempt = new Attempt({ read, isReserved, seed: fresh ? noSeed : seed })
        const result = await run(attempt)
        const keys = attempt.contendedKeys()
        if (!keys.every((key) => held.includes(key))) {
          // Someone else of this process may be writing these rows: wait for them and read anew. Keys are let go of first,
          // so that nobody holds one while waiting for another.
          const free = this.#queue.isFree(keys.filter((key) => !held.includes(key)))
          const wanted = [...new Set([...held, ...keys])]
          letGo()
          held = wanted
          letGo = await this.#queue.acquire(wanted)
          if (!free) continue
        }
        if (await this.#commit(attempt)) return result
        attempts += 1
        if (attempts < maxAttempts) await this.#pause(attempts)
      }
    } finally {
      letGo()
    }
    throw new Refusal(503, 'the same data is being changed by too many requests at once, try again', {
      headers: { 'Retry-After': '1' },
    })
  }

  async #commit(attempt: Attempt): Promise<boolean> {
    const { backend, random, seal } = this.#options
    const writes = attempt.writes()
    const checks = attempt.checks()
    if (writes.create.length + writes.put.length + writes.remove.length === 0) return this.#stillHolds(attempt)
    const id = commitId(random)
    const sealed = ([key, value]: [string, Uint8Array]): Put => ({ key, value: seal(key, id, value) })
    const outcome = await backend.commit({
      id,
      checks,
      create: writes.create.map(sealed),
      put: writes.put.map(sealed),
      remove: writes.remove,
    })
    return outcome === 'ok'
  }

  /** Without writes there is no commit that checks: rows read one after the other are compared in one snapshot. */
  async #stillHolds(attempt: Attempt): Promise<boolean> {
    if (attempt.readCount < 2) return true
    const checks = attempt.checks()
    const rows = await this.#options.backend.read(checks.map(({ key, version }) => ({ key, known: version })))
    return rows.every((row) => row === 'same')
  }

  async #pause(attempts: number): Promise<void> {
    const [byte = 0] = this.#options.random(1)
    await this.#options.clock.sleep((byte / 256) * 2 ** attempts)
  }
}
