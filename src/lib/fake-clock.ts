import type { Clock } from './clock.ts'

/** A clock that stands still until `advance` moves it; timers fire in order of their due time. */
export class FakeClock implements Clock {
  #now: number
  #elapsed = 0
  #timers = new Set<{ due: number; fn: () => void }>()

  constructor(startMs = Date.UTC(2026, 0, 2, 3, 4, 5)) {
    this.#now = startMs
  }

  now() {
    return this.#now
  }

  monotonic() {
    return this.#elapsed
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = () => {
        cancel()
        reject(signal?.reason)
      }
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  after(ms: number, fn: () => void): () => void {
    const timer = { due: this.#elapsed + Math.max(0, ms), fn }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Moves time forward, firing what falls due and letting promises settle between timers. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms
    for (;;) {
      await settle()
      const due = [...this.#timers].filter((t) => t.due <= end).sort((a, b) => a.due - b.due)[0]
      if (!due) break
      this.#timers.delete(due)
      this.#step(Math.max(this.#elapsed, due.due))
      due.fn()
    }
    this.#step(end)
    await settle()
  }

  /** Moves only the wall clock, as an administrator or NTP does. */
  stepWall(ms: number): void {
    this.#now += ms
  }

  #step(to: number) {
    this.#now += to - this.#elapsed
    this.#elapsed = to
  }
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
