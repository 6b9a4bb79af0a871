import { createHash } from 'node:crypto'
import { ByteReader } from '../packets/byte-reader.ts'
import { OpenpgpProblem } from '../packets/problem.ts'

/** Algorithms of public keys (RFC 9580, 9.1). */
export const algorithm = {
  rsa: 1,
  rsaEncryptOnly: 2,
  rsaSignOnly: 3,
  elgamal: 16,
  dsa: 17,
  ecdh: 18,
  ecdsa: 19,
  eddsaLegacy: 22,
  x25519: 25,
  x448: 26,
  ed25519: 27,
  ed448: 28,
} as const

const names: Readonly<Record<number, string>> = {
  1: 'RSA',
  2: 'RSA (encryption only)',
  3: 'RSA (signatures only)',
  16: 'ElGamal',
  17: 'DSA',
  18: 'ECDH',
  19: 'ECDSA',
  20: 'ElGamal',
  22: 'EdDSA',
  25: 'X25519',
  26: 'X448',
  27: 'Ed25519',
  28: 'Ed448',
}
export const algorithmName = (number: number): string => names[number] ?? `algorithm ${number}`

/** A key or subkey of version 4. */
export interface PublicKey {
  /** The packet's, as fingerprints and signatures hash it. */
  readonly body: Uint8Array
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly algorithm: number
  /** What only the algorithm understands. */
  readonly material: Uint8Array
  /** 40 lowercase hex digits. */
  readonly fingerprint: string
  /** Its last 16. */
  readonly keyId: string
}

/** Keys of other versions are refused: 3 is broken, 5 is GnuPG's own, 6 is not understood by the GnuPG of today. */
export function readPublicKey(body: Uint8Array): PublicKey {
  const reader = new ByteReader(body, 'the public key')
  const version = reader.byte()
  if (version !== 4) throw new OpenpgpProblem(`keys of version ${version} are not accepted, only those of version 4`)
  const createdAt = reader.number(4) * 1000
  const number = reader.byte()
  const fingerprint = createHash('sha1').update(hashedKey(body)).digest('hex')
  return { body, createdAt, algorithm: number, material: reader.rest(), fingerprint, keyId: fingerprint.slice(-16) }
}

/** A key as fingerprints and signatures hash it (RFC 9580, 5.2.4 and 5.5.4.2). */
export function hashedKey(body: Uint8Array): Buffer {
  if (body.length > 0xffff) throw new OpenpgpProblem('a public key is too long')
  return Buffer.concat([Buffer.of(0x99, body.length >> 8, body.length & 0xff), body])
}
