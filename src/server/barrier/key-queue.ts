/**
 * Transactions of this process that write the same row take turns instead of losing to one another: fifty concurrent
 * increments of one row cost 1,225 conflicts without it.
 */
export class KeyQueue {
  readonly #tails = new Map<string, Promise<void>>()

  isFree(keys: Iterable<string>): boolean {
    for (const key of keys) if (this.#tails.has(key)) return false
    return true
  }

  /** Holds all keys once resolved; taken in one order by everyone, so nobody waits in a circle. The result lets go. */
  async acquire(keys: Iterable<string>): Promise<() => void> {
    const releases: (() => void)[] = []
    for (const key of [...new Set(keys)].sort()) {
      const before = this.#tails.get(key)
      let release = () => {}
      const tail = new Promise<void>((resolve) => {
        release = () => {
          if (this.#tails.get(key) === tail) this.#tails.delete(key)
          resolve()
        }
      })
      this.#tails.set(key, tail)
      releases.push(release)
      if (before) await before
    }
    return () => {
      for (const release of releases) release()
    }
  }
}
