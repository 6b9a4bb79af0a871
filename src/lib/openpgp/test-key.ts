/** For tests: public keys with anything in them, right or wrong, and the private halves that open what is encrypted to them. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { hashedKey } from './keys/public-key.ts'
import { encodePacket, packetType } from './packets/packet.ts'

/** Seconds since the epoch: 2026-01-01. */
export const made = Date.UTC(2026, 0, 1) / 1000

export interface TestKey {
  readonly body: Buffer
  readonly algorithm: number
  readonly privateKey: KeyObject
}

const four = (number: number) => {
  const out = Buffer.alloc(4)
  out.writeUInt32BE(number)
  return out
}
const rawPublic = (key: KeyObject) => Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url')

export const keyBody = (algorithm: number, material: Uint8Array, created = made, version = 4): Buffer =>
  Buffer.concat([Buffer.of(version), four(created), Buffer.of(algorithm), material])

/** Algorithm 27 or 25. */
export function newKey(kind: 'ed25519' | 'x25519', created = made): TestKey {
  const pair = kind === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519')
  const algorithm = kind === 'ed25519' ? 27 : 25
  return { algorithm, body: keyBody(algorithm, rawPublic(pair.publicKey), created), privateKey: pair.privateKey }
}

export type Subpacket = readonly [type: number, body: Uint8Array]
export const flags = (byte: number): Subpacket => [27, Buffer.of(byte)]
export const keyLifetime = (seconds: number): Subpacket => [9, four(seconds)]
export const lifetime = (seconds: number): Subpacket => [3, four(seconds)]
/** Encryption of communications and storage. */
export const encrypts = flags(0x0c)

const hashNames: Readonly<Record<number, string>> = { 1: 'md5', 2: 'sha1', 3: 'ripemd160', 8: 'sha256', 10: 'sha512' }

export interface SignatureOptions {
  readonly type: number
  readonly document: Uint8Array
  readonly created?: number
  readonly hash?: number
  readonly subpackets?: readonly Subpacket[]
  readonly loose?: readonly Subpacket[]
}

export function signature(by: TestKey, options: SignatureOptions): Buffer {
  const { type, document, created = made, hash = 8, subpackets = [], loose = [] } = options
  const area = (all: readonly Subpacket[]) => {
    const bytes = Buffer.concat(all.map(([kind, body]) => Buffer.concat([Buffer.of(body.length + 1, kind), body])))
    return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes])
  }
  const hashed = Buffer.concat([Buffer.of(4, type, by.algorithm, hash), area([[2, four(created)], ...subpackets])])
  const data = Buffer.concat([document, hashed, Buffer.of(4, 0xff), four(hashed.length)])
  const digest = createHash(hashNames[hash] ?? '')
    .update(data)
    .digest()
  const material = sign(null, digest, by.privateKey)
  return encodePacket(packetType.signature, Buffer.concat([hashed, area(loose), digest.subarray(0, 2), material]))
}

type Changed = Partial<Omit<SignatureOptions, 'document'>>

/** The key's packets, one after another: primary key, then what the others make. */
export const primary = (key: TestKey): Buffer => encodePacket(packetType.publicKey, key.body)

/** A signature about the primary key alone. */
export const direct = (key: TestKey, changed: Changed = {}, by = key): Buffer =>
  signature(by, { type: 0x1f, ...changed, document: hashedKey(key.body) })

/** A user id and what the key says about it. */
export function user(key: TestKey, ...said: readonly Changed[]): Buffer {
  const name = Buffer.from('Test <test@example.org>')
  const document = Buffer.concat([hashedKey(key.body), Buffer.of(0xb4), four(name.length), name])
  const signatures = said.map((changed) => signature(key, { type: 0x13, ...changed, document }))
  return Buffer.concat([encodePacket(packetType.userId, name), ...signatures])
}

/** A subkey and what `by` says about it. */
export function subkey(key: TestKey, sub: { readonly body: Buffer }, said: readonly Changed[], by = key): Buffer {
  const document = Buffer.concat([hashedKey(key.body), hashedKey(sub.body)])
  const signatures = said.map((changed) => signature(by, { type: 0x18, subpackets: [encrypts], ...changed, document }))
  return Buffer.concat([encodePacket(packetType.publicSubkey, sub.body), ...signatures])
}

/** As the server takes it. */
export const asText = (...packets: readonly Buffer[]): string => Buffer.concat(packets).toString('base64')
