/**
 * Transactions of this process that write the same row take turns instead of losing to one another: fifty concurrent
 * increments of one row cost 1,225 conflicts without it.
 */
export class KeyQueue {
  /** For each key that someone holds: who waits for it, first come first. */
  readonly #waiting = new Map<string, (() => void)[]>()

  /** Holds all of these keys, or answers false and holds none because one of them is held. Never waits, so it may extend what is held. */
  tryAcquire(keys: readonly string[]): boolean {
    if (keys.some((key) => this.#waiting.has(key))) return false
    for (const key of keys) this.#waiting.set(key, [])
    return true
  }

  /** Holds all keys once resolved. The caller holds none yet; keys are taken in one order by everyone, so nobody waits in a circle. */
  async acquire(keys: Iterable<string>): Promise<void> {
    for (const key of [...keys].sort()) {
      const waiting = this.#waiting.get(key)
      if (waiting) await new Promise<void>((resolve) => waiting.push(resolve))
      else this.#waiting.set(key, [])
    }
  }

  release(keys: Iterable<string>): void {
    for (const key of keys) {
      const next = this.#waiting.get(key)?.shift()
      // The key goes from hand to hand: whoever comes now is behind those who wait.
      if (next) next()
      else this.#waiting.delete(key)
    }
  }
}
