/** Something happened: all who wait go on. A call between two waits is not lost: the next wait returns at once. */
export class Wakeup {
  #pending = false
  #waiting = new Set<() => void>()

  fire() {
    if (this.#waiting.size === 0) this.#pending = true
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const go of waiting) go()
  }

  /** Forgets a call that nobody waited for. */
  clear() {
    this.#pending = false
  }

  /** Rejects with the signal's reason. */
  wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason)
    if (this.#pending) {
      this.#pending = false
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const stop = () => {
        this.#waiting.delete(go)
        reject(signal.reason)
      }
      const go = () => {
        signal.removeEventListener('abort', stop)
        resolve()
      }
      this.#waiting.add(go)
      signal.addEventListener('abort', stop, { once: true })
    })
  }
}
