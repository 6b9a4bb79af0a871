import type { RandomBytes } from '../../lib/random.ts'

/** Delays that double from `firstMs` up to `maxMs`, each up to a quarter longer or shorter, so that many clients spread out. */
export class Backoff {
  readonly #options: { firstMs: number; maxMs: number; random: RandomBytes }
  #failures = 0

  constructor(options: { firstMs: number; maxMs: number; random: RandomBytes }) {
    this.#options = options
  }

  next(): number {
    const { firstMs, maxMs, random } = this.#options
    // Room for the longer quarter below the limit: cut off there, half of all clients would wait equally long.
    const plain = Math.min(maxMs / 1.25, firstMs * 2 ** Math.min(this.#failures, 30))
    this.#failures += 1
    return Math.round(jittered(plain, random))
  }

  reset(): void {
    this.#failures = 0
  }
}

/** Up to a quarter longer or shorter. */
export const jittered = (ms: number, random: RandomBytes): number => ms * (0.75 + 0.5 * fraction(random))

/** Up to a quarter longer, never shorter: for what a server asked for. */
export const spread = (ms: number, random: RandomBytes): number => ms * (1 + 0.25 * fraction(random))

/** A number in [0, 1). */
export function fraction(random: RandomBytes): number {
  const bytes = random(2)
  return ((bytes[0] ?? 0) * 256 + (bytes[1] ?? 0)) / 65_536
}
