import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { ByteReader } from '../packets/byte-reader.ts'
import { padded } from '../packets/integer.ts'
import { OpenpgpProblem } from '../packets/problem.ts'
import { base64url, readCurve, readPoint } from './curve.ts'
import { readDsaKey } from './dsa-key.ts'
import { algorithm, algorithmName, type PublicKey } from './public-key.ts'
import { readRsaKey } from './rsa-key.ts'
import type { Signature } from './signature.ts'

/** RFC 9580, 9.5. RIPEMD-160 is not here: not every OpenSSL has it. */
const hashes: Readonly<Record<number, string>> = {
  1: 'md5',
  2: 'sha1',
  8: 'sha256',
  9: 'sha384',
  10: 'sha512',
  11: 'sha224',
  12: 'sha3-256',
  14: 'sha3-512',
}

/** Whether this key signed; `material` is the algorithm's part of the signature. */
type Check = (hash: string, data: Uint8Array, material: Uint8Array) => boolean

/** A key, at what it is said to have signed. */
export class Verifier {
  readonly #key: PublicKey
  readonly #check: Check
  #left = maxChecks
  #bytesLeft = maxHashedMiB * 1024 * 1024

  /** OpenpgpProblem for keys whose signatures can't be verified here. */
  constructor(key: PublicKey) {
    this.#key = key
    this.#check = checkOf(key)
  }

  /** Whether it says that the key signed it, in a way that can't be verified here. */
  unknown({ issuers, hash, algorithm: number }: Signature): boolean {
    return (
      hashes[hash] === undefined &&
      sameAlgorithm(number, this.#key.algorithm) &&
      (issuers.length === 0 || issuers.includes(this.#key.keyId))
    )
  }

  /** Whether the key signed the document: `document` is what is hashed before the signature's own part. */
  signed(signature: Signature, document: Uint8Array): boolean {
    const { issuers, hash: number, hashed, quickCheck, material } = signature
    const hash = hashes[number]
    if (hash === undefined || !sameAlgorithm(signature.algorithm, this.#key.algorithm)) return false
    if (issuers.length > 0 && !issuers.includes(this.#key.keyId)) return false
    this.#bytesLeft -= document.length + hashed.length
    if (this.#bytesLeft < 0) throw new OpenpgpProblem(`the key has more than ${maxHashedMiB} MiB to be verified`)
    const trailer = Buffer.alloc(6)
    trailer.writeUInt16BE(0x04ff)
    trailer.writeUInt32BE(hashed.length, 2)
    const data = Buffer.concat([document, hashed, trailer])
    if (!createHash(hash).update(data).digest().subarray(0, 2).equals(quickCheck)) return false
    this.#left -= 1
    if (this.#left < 0) throw new OpenpgpProblem(`the key has more than ${maxChecks} signatures of its own`)
    try {
      return this.#check(hash, data, material)
    } catch (error) {
      if (error instanceof OpenpgpProblem) return false
      throw error
    }
  }
}

/** Verifying costs: whoever sends a key does not choose how much. */
const maxChecks = 128
const maxHashedMiB = 32

const rsaKinds: readonly number[] = [algorithm.rsa, algorithm.rsaSignOnly]
const sameAlgorithm = (a: number, b: number) => a === b || (rsaKinds.includes(a) && rsaKinds.includes(b))

function checkOf({ algorithm: number, material }: PublicKey): Check {
  switch (number) {
    case algorithm.rsa:
    case algorithm.rsaSignOnly:
      return rsa(material)
    case algorithm.dsa: {
      const { key, bytes } = readDsaKey(material)
      return twoIntegers(key, bytes)
    }
    case algorithm.ecdsa:
      return ecdsa(material)
    case algorithm.eddsaLegacy:
      return eddsa(material)
    case algorithm.ed25519:
      return ed25519(material, (signature) => signature)
    default:
      throw new OpenpgpProblem(`its own signatures are ${algorithmName(number)}, which is not accepted`)
  }
}

function rsa(material: Uint8Array): Check {
  const { key, bytes } = readRsaKey(material)
  return (hash, data, signature) => {
    const number = padded(new ByteReader(signature, 'a signature').integer(), bytes)
    return number !== undefined && verify(hash, data, key, number)
  }
}

function ecdsa(material: Uint8Array): Check {
  const reader = new ByteReader(material, 'the ECDSA key')
  const curve = readCurve(reader)
  const point = readPoint(reader, curve)
  reader.end()
  if (curve.openssl === undefined) throw new OpenpgpProblem(`ECDSA is not for the curve ${curve.name}`)
  const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)]
  const jwk = { kty: 'EC', crv: curve.name, x: base64url(x), y: base64url(y) }
  return twoIntegers(createPublicKey({ key: jwk, format: 'jwk' }), curve.bytes)
}

function twoIntegers(key: KeyObject, bytes: number): Check {
  return (hash, data, signature) => {
    const both = readTwo(signature, bytes)
    return both !== undefined && verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, both)
  }
}

/** EdDSA as GnuPG began it: the halves of the signature as integers. */
function eddsa(material: Uint8Array): Check {
  const reader = new ByteReader(material, 'the EdDSA key')
  const curve = readCurve(reader)
  if (curve.name !== 'Ed25519') throw new OpenpgpProblem(`EdDSA is not for the curve ${curve.name}`)
  const point = readPoint(reader, curve)
  reader.end()
  return ed25519(point, (signature) => readTwo(signature, curve.bytes))
}

function ed25519(point: Uint8Array, read: (signature: Uint8Array) => Uint8Array | undefined): Check {
  if (point.length !== 32) throw new OpenpgpProblem('its Ed25519 key is not of 32 bytes')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: base64url(point) }, format: 'jwk' })
  return (hash, data, signature) => {
    const bytes = read(signature)
    // What is signed is the digest.
    return bytes !== undefined && verify(null, createHash(hash).update(data).digest(), key, bytes)
  }
}

function readTwo(signature: Uint8Array, bytes: number): Buffer | undefined {
  const reader = new ByteReader(signature, 'a signature')
  const [r, s] = [padded(reader.integer(), bytes), padded(reader.integer(), bytes)]
  return r && s && Buffer.concat([r, s])
}
