import type { Clock } from '../../lib/clock.ts'
import { pooled, type RandomBytes } from '../../lib/random.ts'
import { commitId } from '../contracts/commit.ts'
import { Refusal } from '../contracts/request.ts'
import type { Tx } from '../contracts/secret-storage.ts'
import type { Put, StorageBackend, Stored } from '../contracts/storage.ts'
import { Attempt, type AttemptOptions, type Plain } from './attempt.ts'
import { KeyQueue } from './key-queue.ts'

const maxAttempts = 8

export interface TransactorOptions {
  readonly backend: Pick<StorageBackend, 'read'>
  /** Asked at the beginning of each transaction. */
  readonly begin: () => StorageBackend['commit']
  readonly clock: Clock
  readonly random: RandomBytes
  readonly read: AttemptOptions['read']
  readonly isReserved: AttemptOptions['isReserved']
  readonly seal: (key: string, version: string, plaintext: Uint8Array, format: number) => Uint8Array
  /** Of the storage, as this node knows it. */
  readonly format: () => number
}

const noSeed: ReadonlyMap<string, Stored | undefined> = new Map()

/** Runs optimistic transactions: again on conflict, at most eight times; writers of one row in this process queue. */
export class Transactor {
  readonly #options: TransactorOptions
  readonly #ids: RandomBytes
  readonly #queue = new KeyQueue()

  constructor(options: TransactorOptions) {
    this.#options = options
    this.#ids = pooled(options.random)
  }

  async transact<T>(run: (tx: Tx) => Promise<T>, seed: ReadonlyMap<string, Stored | undefined>): Promise<T> {
    const { read, isReserved, format, begin } = this.#options
    const commit = begin()
    const held = new Set<string>()
    try {
      for (let attempts = 0, fresh = false; attempts < maxAttempts; fresh = true) {
        const attempt = new Attempt({ read, isReserved, seed: fresh ? noSeed : seed, format: format() })
        const outcome = await this.#run(run, attempt)
        if (outcome) {
          const waiting = this.#mustWait(attempt, held)
          if (waiting) {
            await waiting
            continue
          }
          if (await this.#commit(attempt, commit)) return outcome.result
        }
        attempts += 1
        if (attempts < maxAttempts) await this.#pause(attempts)
      }
    } finally {
      this.#queue.release(held)
    }
    throw new Refusal(503, 'the same data is being changed by too many requests at once, try again', {
      headers: { 'Retry-After': '1' },
    })
  }

  /** Undefined when it threw over rows of different moments: what it saw never was, so the error says nothing. */
  async #run<T>(run: (tx: Tx) => Promise<T>, attempt: Attempt): Promise<{ readonly result: T } | undefined> {
    try {
      return { result: await run(attempt) }
    } catch (error) {
      if (await this.#stillHolds(attempt).catch(() => true)) throw error
      return undefined
    }
  }

  /** Takes the keys that the attempt contends for. A promise when it must wait for someone: what the attempt read is old then. */
  #mustWait(attempt: Attempt, held: Set<string>): Promise<void> | undefined {
    const missing = attempt.contendedKeys().filter((key) => !held.has(key))
    const free = this.#queue.tryAcquire(missing)
    // Otherwise what is held is let go of first, so that nobody holds one key while waiting for another.
    if (!free) this.#queue.release(held)
    for (const key of missing) held.add(key)
    return free ? undefined : this.#queue.acquire(held)
  }

  async #commit(attempt: Attempt, commit: StorageBackend['commit']): Promise<boolean> {
    const { seal } = this.#options
    const writes = attempt.writes()
    const checks = attempt.checks()
    if (writes.create.length + writes.put.length + writes.remove.length === 0) return this.#stillHolds(attempt)
    const id = commitId(this.#ids)
    const sealed = ([key, value, format]: Plain): Put => ({ key, value: seal(key, id, value, format) })
    const outcome = await commit({
      id,
      checks,
      create: writes.create.map(sealed),
      put: writes.put.map(sealed),
      remove: writes.remove,
    })
    return outcome === 'ok'
  }

  /** Without a commit nothing is checked: rows that were read one after the other, absent ones too, are compared in one snapshot. */
  async #stillHolds(attempt: Attempt): Promise<boolean> {
    const seen = attempt.seen()
    if (seen.length < 2) return true
    const rows = await this.#options.backend.read(seen)
    return rows.every((row, i) => row === (seen[i]?.known === undefined ? undefined : 'same'))
  }

  async #pause(attempts: number): Promise<void> {
    const [byte = 0] = this.#options.random(1)
    await this.#options.clock.sleep((byte / 256) * 2 ** attempts)
  }
}
