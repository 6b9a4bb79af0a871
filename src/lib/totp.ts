/** One-time passcodes: HOTP (RFC 4226), TOTP (RFC 6238), and the otpauth URL that authenticator apps read. */
import { createHmac, timingSafeEqual } from 'node:crypto'

export type TotpAlgorithm = 'SHA1' | 'SHA256' | 'SHA512'

export interface TotpParameters {
  readonly algorithm: TotpAlgorithm
  readonly digits: number
  /** Seconds that one passcode stands for. */
  readonly period: number
}

/** The passcode of a counter. */
export function hotp(key: Uint8Array, counter: number, algorithm: TotpAlgorithm, digits: number): string {
  const message = Buffer.alloc(8)
  message.writeBigUInt64BE(BigInt(counter))
  const mac = createHmac(algorithm.toLowerCase(), key).update(message).digest()
  const offset = (mac.at(-1) ?? 0) & 0x0f
  const number = mac.readUInt32BE(offset) & 0x7fffffff
  return String(number % 10 ** digits).padStart(digits, '0')
}

/** The counter of a time in ms. */
export const stepAt = (ms: number, period: number): number => Math.floor(ms / 1000 / period)

/** Counters within `skew` of now whose passcode this is; all of them are looked at, whatever matches. */
export function matchingSteps(
  key: Uint8Array,
  passcode: string,
  parameters: TotpParameters,
  nowMs: number,
  skew: number,
): number[] {
  const { algorithm, digits, period } = parameters
  const given = Buffer.from(passcode)
  const now = stepAt(nowMs, period)
  const steps: number[] = []
  for (let step = Math.max(0, now - skew); step <= now + skew; step += 1) {
    const right = Buffer.from(hotp(key, step, algorithm, digits))
    if (given.length === right.length && timingSafeEqual(given, right)) steps.push(step)
  }
  return steps
}

const base32Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** RFC 4648, without padding. */
export function base32(bytes: Uint8Array): string {
  let out = ''
  let buffer = 0
  let bits = 0
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      out += base32Alphabet[(buffer >>> bits) & 31]
    }
    buffer &= (1 << bits) - 1
  }
  return bits > 0 ? out + base32Alphabet[(buffer << (5 - bits)) & 31] : out
}

/** https://github.com/google/google-authenticator/wiki/Key-Uri-Format */
export function otpauthUrl(
  key: Uint8Array,
  issuer: string,
  account: string,
  { algorithm, digits, period }: TotpParameters,
): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`
  const query = `algorithm=${algorithm}&digits=${digits}&issuer=${encodeURIComponent(issuer)}&period=${period}`
  return `otpauth://totp/${label}?${query}&secret=${base32(key)}`
}
