/** One watch: a queue of events that its reader drains at its own pace. */
import type { Clock } from '../../../lib/clock.ts'

/** A reader that falls this far behind is cut off and starts over, as the API server does. */
const maxQueued = 10_000

export interface WatchFrame {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: unknown
}

export class WatchQueue {
  readonly #frames: WatchFrame[] = []
  #wake: (() => void) | undefined
  #ended = false
  #limit = maxQueued

  /** Of the state that the watch begins with: however large it is, its reader is not behind. */
  pushInitial(frame: WatchFrame): void {
    this.#limit += 1
    this.push(frame)
  }

  push(frame: WatchFrame): void {
    if (this.#ended) return
    this.#frames.push(frame)
    if (this.#frames.length > this.#limit) this.end()
    this.#wake?.()
  }

  /** No frames after those that are queued. */
  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  async *drain(): AsyncIterable<string> {
    for (;;) {
      if (this.#frames.length > 0) {
        // One chunk for all that waits: fewer, larger writes.
        yield this.#frames
          .splice(0)
          .map((frame) => `${JSON.stringify(frame)}\n`)
          .join('')
      } else if (this.#ended) {
        return
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        this.#wake = undefined
      }
    }
  }
}

/** Calls `fn` every `ms` until the returned function is called. */
export function every(clock: Clock, ms: number, fn: () => void): () => void {
  let cancel = clock.after(ms, function again() {
    cancel = clock.after(ms, again)
    fn()
  })
  return () => cancel()
}
