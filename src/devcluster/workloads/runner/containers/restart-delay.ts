/** The kubelet's crash back-off, scaled down: 1 s at first, doubling up to 1 min, from the start after ten good minutes. */
export class RestartDelay {
  static readonly healthyMs = 600_000
  #failures = 0

  next(): number {
    const ms = Math.min(60_000, 1000 * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, 10)
    return ms
  }

  reset(): void {
    this.#failures = 0
  }
}
