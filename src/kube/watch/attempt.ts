import type { Clock } from '../../lib/clock.ts'

/** One connection's life: ended by the caller's signal, or by silence for `silentMs`. */
export class Attempt {
  readonly #options: { clock: Clock; outer: AbortSignal; silentMs: number }
  readonly #controller = new AbortController()
  readonly #onAbort = () => this.#controller.abort(this.#options.outer.reason)
  #cancel: () => void = () => {}
  silent = false

  constructor(options: { clock: Clock; outer: AbortSignal; silentMs: number }) {
    this.#options = options
    options.outer.addEventListener('abort', this.#onAbort, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Rejects at the end of this attempt even when `work` does not mind the signal. */
  async within<T>(work: Promise<T>): Promise<T> {
    this.#alive()
    let onAbort = () => {}
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(this.signal.reason)
      if (this.signal.aborted) onAbort()
      this.signal.addEventListener('abort', onAbort, { once: true })
    })
    try {
      return await Promise.race([work, aborted])
    } finally {
      this.#cancel()
      this.signal.removeEventListener('abort', onAbort)
    }
  }

  /** The watchdog runs only while we wait: a slow consumer is no silent server. */
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

  #alive(): void {
    this.#cancel()
    const { clock, silentMs } = this.#options
    this.#cancel = clock.after(silentMs, () => {
      this.silent = true
      this.#controller.abort(new Error('silent link'))
    })
  }
}
