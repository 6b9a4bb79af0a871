import { createPublicKey, type KeyObject } from 'node:crypto'
import { ByteReader } from '../packets/byte-reader.ts'
import { OpenpgpProblem } from '../packets/problem.ts'
import { base64url } from './curve.ts'

const minBits = 2048
/** More protects nothing better, and whoever sends such a key makes the server work. */
const maxBits = 8192

/** Refuses what is too small to protect anything. `bytes`: the length of what it encrypts or signs. */
export function readRsaKey(material: Uint8Array): { readonly key: KeyObject; readonly bytes: number } {
  const reader = new ByteReader(material, 'the RSA key')
  const modulus = reader.integer()
  const exponent = reader.integer()
  reader.end()
  const bits = modulus.length * 8 - (Math.clz32(modulus[0] ?? 0) - 24)
  if (bits < minBits || bits > maxBits) {
    throw new OpenpgpProblem(`an RSA key of ${bits} bits is not accepted, only from ${minBits} to ${maxBits}`)
  }
  const odd = (number: Uint8Array) => ((number.at(-1) ?? 0) & 1) === 1
  const one = exponent.length === 1 && exponent[0] === 1
  if (!odd(modulus) || !odd(exponent) || one || exponent.length > 4) {
    throw new OpenpgpProblem('its RSA numbers are not those of a key')
  }
  const jwk = { kty: 'RSA', n: base64url(modulus), e: base64url(exponent) }
  return { key: createPublicKey({ key: jwk, format: 'jwk' }), bytes: modulus.length }
}
