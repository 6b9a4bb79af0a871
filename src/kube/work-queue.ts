/** Keys to work on, each by one worker at a time; many changes of a key while it waits are one piece of work. */
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { RandomBytes } from '../lib/random.ts'
import { untilAborted } from '../lib/until-aborted.ts'
import { ApiError } from './client.ts'
import { Backoff, spread } from './watch/backoff.ts'

/** What to do with the key next: nothing, or the same again after a while (replaces the time that an earlier result set). */
export type WorkResult = { readonly requeueAfterMs?: number } | undefined

export interface WorkQueueOptions {
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  /** For log lines. */
  readonly name: string
  readonly concurrency: number
  /**
   * A throw means: again, after a delay that doubles from `firstDelayMs` to `maxDelayMs` as long as it goes on; later when it is an
   * ApiError that says so (retryAfterMs), but never later than `maxDelayMs`.
   */
  readonly work: (key: string, signal: AbortSignal) => Promise<WorkResult>
  /** 200 ms if absent. */
  readonly firstDelayMs?: number
  /** 5 minutes if absent. */
  readonly maxDelayMs?: number
}

export class WorkQueue {
  readonly #options: WorkQueueOptions
  /** In the order of their arrival; a key is in it once. */
  readonly #ready = new Set<string>()
  readonly #working = new Set<string>()
  /** Added while being worked on: ready again when that ends. */
  readonly #again = new Set<string>()
  readonly #backoffs = new Map<string, Backoff>()
  readonly #added = new Timers()
  readonly #requeued = new Timers()
  #signal: AbortSignal | undefined
  #idle: () => void = () => {}

  constructor(options: WorkQueueOptions) {
    this.#options = options
  }

  /** Keys that wait for a worker. */
  get depth(): number {
    return this.#ready.size + this.#again.size
  }

  get working(): number {
    return this.#working.size
  }

  add(key: string): void {
    if (this.#signal?.aborted) return
    if (this.#working.has(key)) this.#again.add(key)
    else this.#ready.add(key)
    this.#pump()
  }

  /** Adds the key after `ms`; of several, the earliest counts. */
  addAfter(key: string, ms: number): void {
    if (ms <= 0) this.add(key)
    else this.#added.earliest(key, ms, this.#options.clock, () => this.add(key))
  }

  /** The key's object is gone: nothing is due for it any more and its failures are forgotten. */
  forget(key: string): void {
    this.#backoffs.delete(key)
    this.#added.cancel(key)
    this.#requeued.cancel(key)
  }

  /** Works until `signal` aborts; resolves when the work that had begun has ended. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#signal) throw new Error('the queue runs already')
    this.#signal = signal
    this.#pump()
    await untilAborted(signal)
    this.#added.cancelAll()
    this.#requeued.cancelAll()
    this.#ready.clear()
    this.#again.clear()
    if (this.#working.size === 0) return
    await new Promise<void>((resolve) => {
      this.#idle = resolve
    })
  }

  #pump(): void {
    const signal = this.#signal
    if (!signal || signal.aborted) return
    for (const key of this.#ready) {
      if (this.#working.size >= this.#options.concurrency) return
      this.#ready.delete(key)
      this.#working.add(key)
      // A microtask later, so that what `add` was called from sees a queue and not a worker.
      void Promise.resolve().then(() => this.#workOn(key, signal))
    }
  }

  async #workOn(key: string, signal: AbortSignal): Promise<void> {
    this.#requeued.cancel(key)
    try {
      const result = await this.#options.work(key, signal)
      this.#backoffs.delete(key)
      if (result?.requeueAfterMs !== undefined) this.#requeue(key, result.requeueAfterMs)
    } catch (error) {
      if (!signal.aborted) this.#failed(key, error)
    }
    this.#working.delete(key)
    if (this.#again.delete(key)) this.#ready.add(key)
    this.#pump()
    if (this.#working.size === 0) this.#idle()
  }

  #failed(key: string, error: unknown): void {
    const { random, firstDelayMs = 200, maxDelayMs = 300_000, log, name } = this.#options
    const backoff = this.#backoffs.get(key) ?? new Backoff({ firstMs: firstDelayMs, maxMs: maxDelayMs, random })
    this.#backoffs.set(key, backoff)
    const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0
    const delayMs = Math.max(backoff.next(), Math.min(spread(asked, random), maxDelayMs))
    const message = error instanceof Error ? error.message : String(error)
    log.warn('kube.queue.retry', { queue: name, key, delayMs, error: message })
    this.#requeue(key, delayMs)
  }

  #requeue(key: string, ms: number): void {
    if (this.#signal?.aborted) return
    this.#requeued.replace(key, ms, this.#options.clock, () => this.add(key))
  }
}

/** One timer per key. */
class Timers {
  readonly #timers = new Map<string, { due: number; cancel: () => void }>()

  earliest(key: string, ms: number, clock: Clock, fn: () => void): void {
    const held = this.#timers.get(key)
    if (held && held.due <= clock.monotonic() + ms) return
    this.replace(key, ms, clock, fn)
  }

  replace(key: string, ms: number, clock: Clock, fn: () => void): void {
    this.cancel(key)
    // setTimeout holds 31 bits of milliseconds; a longer wait would fire at once.
    const bounded = Math.min(Math.max(ms, 0), 2 ** 31 - 1)
    const cancel = clock.after(bounded, () => {
      this.#timers.delete(key)
      fn()
    })
    this.#timers.set(key, { due: clock.monotonic() + bounded, cancel })
  }

  cancel(key: string): void {
    this.#timers.get(key)?.cancel()
    this.#timers.delete(key)
  }

  cancelAll(): void {
    for (const key of [...this.#timers.keys()]) this.cancel(key)
  }
}
