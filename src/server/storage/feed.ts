import type { Clock } from '../../lib/clock.ts'
import type { Change } from '../contracts/storage.ts'

const beatMs = 1000
/** A subscriber that is this many keys behind is told 'reset' instead of them. */
const maxPendingKeys = 10_000

/** Tells everyone in this process what was committed, with a beat each second while someone listens. */
export class ChangeFeed {
  readonly #clock: Clock
  readonly #healthy: () => boolean
  readonly #subscribers = new Set<Subscriber>()
  #cancelBeat: (() => void) | undefined
  #closed = false

  /** No beat comes while `healthy` is false: who listens would take it for a sign that nothing is missed. */
  constructor(options: { readonly clock: Clock; readonly healthy?: () => boolean }) {
    this.#clock = options.clock
    this.#healthy = options.healthy ?? (() => true)
  }

  publish(keys: readonly string[]): void {
    this.announce({ keys, at: this.#clock.now() })
  }

  announce(change: Change): void {
    for (const subscriber of this.#subscribers) subscriber.add(change)
  }

  /** Listens from this call on (not from the first `next`); ends when the signal aborts or the feed closes. */
  subscribe(signal: AbortSignal): AsyncIterable<Change> {
    const subscriber = new Subscriber()
    const end = () => {
      this.#subscribers.delete(subscriber)
      subscriber.end()
      signal.removeEventListener('abort', end)
      if (this.#subscribers.size === 0) this.#stopBeat()
    }
    if (signal.aborted || this.#closed) subscriber.end()
    else {
      this.#subscribers.add(subscriber)
      signal.addEventListener('abort', end, { once: true })
      if (!this.#cancelBeat) this.#beatLater()
    }
    return { [Symbol.asyncIterator]: () => subscriber.iterate(end) }
  }

  close(): void {
    this.#closed = true
    for (const subscriber of this.#subscribers) subscriber.end()
    this.#subscribers.clear()
    this.#stopBeat()
  }

  #beatLater(): void {
    this.#cancelBeat = this.#clock.after(beatMs, () => {
      if (this.#healthy()) this.publish([])
      this.#beatLater()
    })
  }

  #stopBeat(): void {
    this.#cancelBeat?.()
    this.#cancelBeat = undefined
  }
}

class Subscriber {
  #pending: Change[] = []
  #pendingKeys = 0
  #ended = false
  #wake: (() => void) | undefined

  add(change: Change): void {
    const keys = change === 'reset' ? 0 : change.keys.length
    if (change === 'reset' || this.#pendingKeys + keys > maxPendingKeys) {
      this.#pending = ['reset']
      this.#pendingKeys = 0
    } else if (keys > 0 || this.#pending.length < 2) {
      // Beats are worth nothing to someone who has not read what came before.
      this.#pending.push(change)
      this.#pendingKeys += keys
    }
    this.#wake?.()
  }

  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  async *iterate(done: () => void): AsyncGenerator<Change> {
    try {
      for (;;) {
        const change = this.#pending.shift()
        if (change !== undefined) {
          if (change !== 'reset') this.#pendingKeys -= change.keys.length
          yield change
        } else if (this.#ended) {
          return
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
        }
      }
    } finally {
      done()
    }
  }
}
