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
