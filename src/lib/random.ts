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
  const b = Buffer.from(random(16))
  b[6] = ((b[6] ?? 0) & 0x0f) | 0x40
  b[8] = ((b[8] ?? 0) & 0x3f) | 0x80
  const hex = b.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
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
    const from = at
    at += 32
    const variant = variants[Number.parseInt(pool.charAt(from + 16), 16) & 3] ?? ''
    const [first, second] = [pool.slice(from, from + 8), pool.slice(from + 8, from + 12)]
    const [third, fourth] = [pool.slice(from + 13, from + 16), pool.slice(from + 17, from + 20)]
    return `${first}-${second}-4${third}-${variant}${fourth}-${pool.slice(from + 20, from + 32)}`
  }
}

/** The first digit of the fourth group: two bits of the version that RFC 9562 describes, two of chance. */
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
