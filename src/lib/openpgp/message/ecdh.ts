import { createECDH, createHash } from 'node:crypto'
import type { RandomBytes } from '../../random.ts'
import { type Curve, readCurve, readPoint } from '../keys/curve.ts'
import { algorithm, type PublicKey } from '../keys/public-key.ts'
import { ByteReader } from '../packets/byte-reader.ts'
import { encodeInteger } from '../packets/integer.ts'
import { OpenpgpProblem } from '../packets/problem.ts'
import { wrapKey } from './key-wrap.ts'
import { agree25519, assertPoint25519 } from './montgomery.ts'
import { checkedSessionKey, type Recipient } from './session-key.ts'

const hashes: Readonly<Record<number, string>> = { 8: 'sha256', 9: 'sha384', 10: 'sha512' }
/** Bytes of the keys of AES. */
const kekBytes: Readonly<Record<number, number>> = { 7: 16, 8: 24, 9: 32 }
const sender = Buffer.from('Anonymous Sender    ')

interface Derivation {
  readonly hash: string
  readonly bytes: number
  /** What the key is derived with besides the agreed secret (RFC 9580, 11.4). */
  readonly parameters: Uint8Array
}

/** Algorithm 18, on Curve25519 or one of NIST's (RFC 9580, 11.5). */
export function ecdhRecipient(key: PublicKey): Recipient {
  const reader = new ByteReader(key.material, 'the ECDH key')
  const curve = readCurve(reader)
  if (curve.name === 'Ed25519') throw new OpenpgpProblem('ECDH is not for the curve Ed25519')
  const theirs = readPoint(reader, curve)
  const derivation = readDerivation(reader, curve, key)
  if (curve.openssl === undefined) assertPoint25519(theirs)
  return (sessionKey, random) => {
    const { ours, shared } = agree(curve, theirs, random)
    const kek = ecdhKek(shared, derivation)
    const secret = toEights(checkedSessionKey(sessionKey))
    try {
      const wrapped = wrapKey(kek, secret)
      return Buffer.concat([encodeInteger(ours), Buffer.of(wrapped.length), wrapped])
    } finally {
      for (const each of [shared, kek, secret]) each.fill(0)
    }
  }
}

function readDerivation(reader: ByteReader, { oid }: Curve, { fingerprint }: PublicKey): Derivation {
  const length = reader.byte()
  const fields = reader.take(length)
  reader.end()
  const [reserved, hashNumber = 0, cipherNumber = 0] = fields
  const [hash, bytes] = [hashes[hashNumber], kekBytes[cipherNumber]]
  if (length !== 3 || reserved !== 1 || hash === undefined || bytes === undefined) {
    throw new OpenpgpProblem('its way to derive keys is not accepted, only SHA-256, SHA-384, SHA-512 with AES')
  }
  const head = [Buffer.of(oid.length), oid, Buffer.of(algorithm.ecdh, length), fields]
  return { hash, bytes, parameters: Buffer.concat([...head, sender, Buffer.from(fingerprint, 'hex')]) }
}

function ecdhKek(shared: Uint8Array, { hash, bytes, parameters }: Derivation): Buffer {
  const digest = createHash(hash)
    .update(Buffer.of(0, 0, 0, 1))
    .update(shared)
    .update(parameters)
    .digest()
  return digest.subarray(0, bytes)
}

/** Padding as PKCS #5 has it. */
function toEights(secret: Buffer): Buffer {
  const missing = 8 - (secret.length % 8)
  const out = Buffer.concat([secret, Buffer.alloc(missing, missing)])
  secret.fill(0)
  return out
}

/** `ours`: the point as the packet has it. */
function agree(curve: Curve, theirs: Uint8Array, random: RandomBytes): { ours: Uint8Array; shared: Buffer } {
  if (curve.openssl === undefined) {
    const { ours, shared } = agree25519(random(32), theirs)
    return { ours: Buffer.concat([Buffer.of(0x40), ours]), shared }
  }
  const pair = createECDH(curve.openssl)
  const spareBits = curve.name === 'P-521' ? 7 : 0
  for (let tries = 0; tries < 100; tries += 1) {
    const secret = Buffer.from(random(curve.bytes))
    secret[0] = (secret[0] ?? 0) & (0xff >> spareBits)
    try {
      pair.setPrivateKey(secret)
      return { ours: pair.getPublicKey(), shared: pair.computeSecret(theirs) }
    } catch {
      // Larger than the order of the curve, or zero: another one.
    } finally {
      secret.fill(0)
    }
  }
  throw new Error('chance gave no private key in 100 tries')
}
