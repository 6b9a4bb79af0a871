import { randomFillSync } from 'node:crypto'

/** Chance, passed in everywhere so that tests own it. */
export type RandomBytes = (size: number) => Uint8Array

export const systemRandom: RandomBytes = (size) => randomFillSync(Buffer.allocUnsafe(size))

const base62Alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** `length` unbiased characters of [0-9A-Za-z]. */
export function base62(random: RandomBytes, length: number): string {
  let out = ''
  while (out.length < length) {
    for (const byte of random(length * 2)) {
      // 248 is the largest multiple of 62 in a byte: larger values would favour the first letters.
      if (byte < 248 && out.length < length) out += base62Alphabet[byte % 62]
    }
  }
  return out
}

/** A version 4 UUID (RFC 9562). */
export function uuid(random: RandomBytes): string {
  return uuidFrom(Buffer.from(random(16)).toString('hex'), 0)
}

/** The same, for names of which thousands are made a second: `uuid` of `pooled(random)`. */
export function pooledUuids(random: RandomBytes): () => string {
  let pool = ''
  let at = 0
  return () => {
    if (at + 32 > pool.length) {
      pool = Buffer.from(random(poolBytes)).toString('hex')
      at = 0
    }
    at += 32
    return uuidFrom(pool, at - 32)
  }
}

/** Of the 32 hex digits from `at` on; the version takes the place of one, the variant of two bits of another. */
function uuidFrom(hex: string, at: number): string {
  const variant = variants[Number.parseInt(hex.charAt(at + 16), 16) & 3] ?? ''
  const [first, second] = [hex.slice(at, at + 8), hex.slice(at + 8, at + 12)]
  const [third, fourth] = [hex.slice(at + 13, at + 16), hex.slice(at + 17, at + 20)]
  return `${first}-${second}-4${third}-${variant}${fourth}-${hex.slice(at + 20, at + 32)}`
}

/** The first digit of the fourth group: two bits of the variant that RFC 9562 describes, two of chance. */
const variants = ['8', '9', 'a', 'b']

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
