import type { RandomBytes } from '../../lib/random.ts'

const poolBytes = 4096

/**
 * The same chance, drawn in larger pieces: a draw costs more than it takes to encrypt a small row. For nonces and ids only,
 * never for keys: what was handed out stays in memory.
 */
export function pooled(random: RandomBytes): RandomBytes {
  let pool: Uint8Array = new Uint8Array(0)
  let used = 0
  return (size) => {
    if (size > poolBytes) return random(size)
    if (used + size > pool.length) {
      pool = random(poolBytes)
      used = 0
    }
    used += size
    return pool.subarray(used - size, used)
  }
}
