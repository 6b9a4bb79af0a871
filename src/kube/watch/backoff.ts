import type { RandomBytes } from '../../lib/random.ts'

/** Delays that double from `firstMs` to `maxMs`, each up to a quarter longer or shorter, so that many clients spread out. */
export class Backoff {
  readonly #options: { firstMs: number; maxMs: number; random: RandomBytes }
  #failures = 0

  constructor(options: { firstMs: number; maxMs: number; random: RandomBytes }) {
    this.#options = options
  }

  next(): number {
    const { firstMs, maxMs, random } = this.#options
    const plain = Math.min(maxMs, firstMs * 2 ** Math.min(this.#failures, 30))
    this.#failures += 1
    return Math.round(Math.min(maxMs, plain * (0.75 + 0.5 * fraction(random))))
  }

  reset(): void {
    this.#failures = 0
  }
}

/** A number in [0, 1). */
export function fraction(random: RandomBytes): number {
  const bytes = random(2)
  return ((bytes[0] ?? 0) * 256 + (bytes[1] ?? 0)) / 65_536
}
