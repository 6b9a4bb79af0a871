/** For tests: what encryption made, opened with the private key. It trusts its input and knows only what is encrypted here. */
import {
  constants,
  createDecipheriv,
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
  privateDecrypt,
} from 'node:crypto'
import { ByteReader } from './packets/byte-reader.ts'
import { readPackets } from './packets/packet.ts'

type Unwrap = (fields: ByteReader) => Uint8Array

/** `secret`: packets of private keys without a passphrase, in base64; the one that the message names opens it. */
export function decrypt(message: Uint8Array, secret: string): string {
  const keys = readPackets(Buffer.from(secret, 'base64')).filter(({ type }) => type === 5 || type === 7)
  return open(message, (keyId) => {
    const found = keys.map(({ body }) => body).find((body) => readSecret(body).keyId === keyId)
    if (!found) throw new Error(`no private key ${keyId}`)
    return readSecret(found).unwrap
  })
}

/** For keys of algorithm 25, which GnuPG 2.2 does not make. */
export function decryptX25519(message: Uint8Array, privateKey: KeyObject): string {
  return open(message, () => (fields) => {
    const ephemeral = fields.take(32)
    const wrapped = fields.take(fields.byte())
    if (wrapped[0] !== 9) throw new Error('not for AES-256')
    const own = Buffer.from(createPublicKey(privateKey).export({ format: 'jwk' }).x ?? '', 'base64url')
    const shared = agree(privateKey, ephemeral)
    const kek = hkdfSync('sha256', Buffer.concat([ephemeral, own, shared]), '', 'OpenPGP X25519', 16)
    return unwrapKey(Buffer.from(kek), wrapped.subarray(1))
  })
}

function open(message: Uint8Array, unwrapOf: (keyId: string) => Unwrap): string {
  const [first, second, ...more] = readPackets(message)
  if (first?.type !== 1 || second?.type !== 18 || more.length > 0) throw new Error('not a message to one key')
  const fields = new ByteReader(first.body, 'the message')
  if (fields.byte() !== 3) throw new Error('not version 3')
  const unwrap = unwrapOf(Buffer.from(fields.take(8)).toString('hex'))
  fields.byte()
  const sessionKey = unwrap(fields)
  fields.end()
  const cipher = createDecipheriv('aes-256-cfb', sessionKey, Buffer.alloc(16))
  const data = Buffer.concat([cipher.update(second.body.subarray(1)), cipher.final()])
  if (!data.subarray(14, 16).equals(data.subarray(16, 18))) throw new Error('wrong session key')
  const code = createHash('sha1').update(data.subarray(0, -20)).digest()
  if (!code.equals(data.subarray(-20))) throw new Error('wrong modification detection code')
  const [literal, mdc] = readPackets(data.subarray(18))
  if (literal?.type !== 11 || mdc?.type !== 19) throw new Error('not a literal')
  return Buffer.from(literal.body.subarray(6)).toString('utf8')
}

function readSecret(body: Uint8Array): { keyId: string; unwrap: Unwrap } {
  const reader = new ByteReader(body, 'the private key')
  reader.take(5)
  const algorithm = reader.byte()
  const skip = () => publicPart(algorithm, reader)
  const parts = skip()
  const own = body.subarray(0, body.length - reader.left)
  const head = Buffer.of(0x99, own.length >> 8, own.length & 0xff)
  const fingerprint = createHash('sha1').update(head).update(own).digest()
  if (reader.byte() !== 0) throw new Error('the private key has a passphrase')
  const keyId = fingerprint.toString('hex').slice(-16)
  if (algorithm === 1) return { keyId, unwrap: rsa(parts, reader) }
  if (algorithm === 18) return { keyId, unwrap: ecdh(parts, reader, fingerprint) }
  return { keyId, unwrap: () => Buffer.alloc(0) }
}

function publicPart(algorithm: number, reader: ByteReader): Uint8Array[] {
  const integers = (count: number) => Array.from({ length: count }, () => reader.integer())
  if (algorithm === 1) return integers(2)
  if (algorithm === 17) return integers(4)
  const oid = reader.take(reader.byte())
  const [point = oid] = integers(1)
  return algorithm === 18 ? [oid, point, reader.take(reader.byte())] : [oid, point]
}

function rsa([n, e]: Uint8Array[], reader: ByteReader): Unwrap {
  const [d, p, q] = [reader.integer(), reader.integer(), reader.integer()]
  const number = (bytes: Uint8Array = Buffer.alloc(1)) => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  const url = (value: bigint) => {
    const hex = value.toString(16)
    return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url')
  }
  const inverse = (a: bigint, m: bigint) => power(a % m, m - 2n, m)
  const jwk = {
    kty: 'RSA',
    n: url(number(n)),
    e: url(number(e)),
    d: url(number(d)),
    p: url(number(p)),
    q: url(number(q)),
    dp: url(number(d) % (number(p) - 1n)),
    dq: url(number(d) % (number(q) - 1n)),
    qi: url(inverse(number(q), number(p))),
  }
  const key = createPrivateKey({ key: jwk, format: 'jwk' })
  return (fields) => {
    const encrypted = fields.integer()
    const whole = Buffer.concat([Buffer.alloc((n?.length ?? 0) - encrypted.length), encrypted])
    const block = privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, whole)
    if (block[0] !== 0 || block[1] !== 2) throw new Error('not PKCS #1')
    return checked(block.subarray(block.indexOf(0, 2) + 1))
  }
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let [result, square] = [1n, base]
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}

const nist: Readonly<Record<string, string>> = {
  '2a8648ce3d030107': 'prime256v1',
  '2b81040022': 'secp384r1',
  '2b81040023': 'secp521r1',
}

function ecdh(
  [oid = Buffer.alloc(0), , kdf = Buffer.alloc(0)]: Uint8Array[],
  reader: ByteReader,
  fingerprint: Buffer,
): Unwrap {
  const secret = reader.integer()
  return (fields) => {
    const shared = sharedOf(Buffer.from(oid).toString('hex'), secret, fields.integer())
    const wrapped = fields.take(fields.byte())
    const hash = { 8: 'sha256', 9: 'sha384', 10: 'sha512' }[kdf[1] ?? 0] ?? ''
    const bytes = { 7: 16, 8: 24, 9: 32 }[kdf[2] ?? 0] ?? 0
    const sender = Buffer.from('Anonymous Sender    ')
    const parts = [Buffer.of(0, 0, 0, 1), shared, Buffer.of(oid.length), oid, Buffer.of(18, kdf.length), kdf, sender]
    const kek = createHash(hash)
      .update(Buffer.concat([...parts, fingerprint]))
      .digest()
      .subarray(0, bytes)
    const secretKey = unwrapKey(kek, wrapped)
    return checked(secretKey.subarray(0, secretKey.length - (secretKey.at(-1) ?? 0)))
  }
}

function sharedOf(oid: string, secret: Uint8Array, theirs: Uint8Array): Buffer {
  const curve = nist[oid]
  if (curve === undefined) {
    const native = Buffer.concat([Buffer.alloc(32 - secret.length), secret]).reverse()
    const der = Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), native])
    return agree(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }), theirs.subarray(1))
  }
  const own = createECDH(curve)
  own.setPrivateKey(secret)
  return own.computeSecret(theirs)
}

function agree(privateKey: KeyObject, point: Uint8Array): Buffer {
  const x = Buffer.from(point).toString('base64url')
  return diffieHellman({
    privateKey,
    publicKey: createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' }),
  })
}

function unwrapKey(kek: Uint8Array, wrapped: Uint8Array): Buffer {
  const cipher = createDecipheriv(`id-aes${kek.length * 8}-wrap`, kek, Buffer.alloc(8, 0xa6))
  return Buffer.concat([cipher.update(wrapped), cipher.final()])
}

/** The session key, without its algorithm and its checksum, which must fit. */
function checked(secret: Buffer): Buffer {
  const key = secret.subarray(1, -2)
  const sum = key.reduce((total, byte) => (total + byte) & 0xffff, 0)
  if (secret[0] !== 9 || secret.readUInt16BE(secret.length - 2) !== sum) throw new Error('wrong session key')
  return key
}
