import { ECDH } from 'node:crypto'
import type { ByteReader } from '../packets/byte-reader.ts'
import { OpenpgpProblem } from '../packets/problem.ts'

/** A curve by its object identifier (RFC 9580, 9.2). */
export interface Curve {
  readonly name: 'P-256' | 'P-384' | 'P-521' | 'Curve25519' | 'Ed25519'
  readonly oid: Uint8Array
  /** Of a coordinate. */
  readonly bytes: number
  /** OpenSSL's name, where points have two coordinates. */
  readonly openssl?: string
}

const curves: readonly Curve[] = [
  { name: 'P-256', oid: Buffer.from('2a8648ce3d030107', 'hex'), bytes: 32, openssl: 'prime256v1' },
  { name: 'P-384', oid: Buffer.from('2b81040022', 'hex'), bytes: 48, openssl: 'secp384r1' },
  { name: 'P-521', oid: Buffer.from('2b81040023', 'hex'), bytes: 66, openssl: 'secp521r1' },
  { name: 'Curve25519', oid: Buffer.from('2b060104019755010501', 'hex'), bytes: 32 },
  { name: 'Ed25519', oid: Buffer.from('2b06010401da470f01', 'hex'), bytes: 32 },
]
const accepted = curves.map(({ name }) => name).join(', ')

export function readCurve(reader: ByteReader): Curve {
  const oid = reader.take(reader.byte())
  const curve = curves.find((known) => Buffer.compare(known.oid, oid) === 0)
  if (!curve) throw new OpenpgpProblem(`its elliptic curve is not accepted, only ${accepted}`)
  return curve
}

/** A public point: without its prefix on the 25519 curves, 04 and both coordinates elsewhere. Checked to be on its curve there. */
export function readPoint(reader: ByteReader, { bytes, openssl }: Curve): Uint8Array {
  const point = reader.integer()
  if (openssl === undefined) {
    if (point.length !== bytes + 1 || point[0] !== 0x40) throw new OpenpgpProblem('its public point is not well formed')
    return point.subarray(1)
  }
  if (point.length !== 2 * bytes + 1 || point[0] !== 4) throw new OpenpgpProblem('its public point is not well formed')
  try {
    ECDH.convertKey(point, openssl)
  } catch {
    throw new OpenpgpProblem('its public point is not on its curve')
  }
  return point
}

export const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
