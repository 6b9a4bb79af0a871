import type { Clock } from '../../lib/clock.ts'

/** One connection's life: ended by the caller's signal, or by silence for `silentMs`. */
export class Attempt {
  readonly #options: { clock: Clock; outer: AbortSignal; silentMs: number }
  readonly #controller = new AbortController()
  readonly #onAbort = () => this.#controller.abort(this.#options.outer.reason)
  #cancel: () => void = () => {}
  /** Since when we wait for the server; undefined while we don't: a slow consumer is no silent server. */
  #waitingSince: number | undefined
  #giveUp: (reason: unknown) => void = () => {}
  silent = false

  constructor(options: { clock: Clock; outer: AbortSignal; silentMs: number }) {
    this.#options = options
    options.outer.addEventListener('abort', this.#onAbort, { once: true })
    this.signal.addEventListener('abort', () => this.#giveUp(this.signal.reason), { once: true })
    this.#look(options.silentMs)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Rejects after silence and at the end of this attempt, even when `work` does not mind the signal. One at a time. */
  async within<T>(work: Promise<T>): Promise<T> {
    this.#waitingSince = this.#options.clock.monotonic()
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#giveUp = reject
        work.then(resolve, reject)
        if (this.signal.aborted) reject(this.signal.reason)
      })
    } finally {
      this.#waitingSince = undefined
    }
  }

  async *watched(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const chunks = body[Symbol.asyncIterator]()
    try {
      for (;;) {
        const next = await this.within(chunks.next())
        if (next.done) return
        yield next.value
      }
    } finally {
      // Not awaited: a body that ignores the signal would hold us.
      this.end()
      chunks.return?.()?.then(undefined, () => {})
    }
  }

  end(): void {
    this.#cancel()
    this.#options.outer.removeEventListener('abort', this.#onAbort)
    if (!this.signal.aborted) this.#controller.abort(new Error('ended'))
  }

  /** One timer that looks at the time, and not a new one for each piece. */
  #look(inMs: number): void {
    const { clock, silentMs } = this.#options
    this.#cancel = clock.after(inMs, () => {
      const waited = this.#waitingSince === undefined ? 0 : clock.monotonic() - this.#waitingSince
      // Timers may be early by a part of a millisecond.
      if (waited < silentMs - 1) return this.#look(silentMs - waited)
      this.silent = true
      this.#controller.abort(new Error('silent link'))
    })
  }
}
