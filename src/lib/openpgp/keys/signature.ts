import { ByteReader } from '../packets/byte-reader.ts'
import { OpenpgpProblem } from '../packets/problem.ts'

/** Kinds of signatures that a key makes about itself (RFC 9580, 5.2.1). */
export const signatureType = {
  certifications: [0x10, 0x11, 0x12, 0x13],
  subkeyBinding: 0x18,
  direct: 0x1f,
  keyRevocation: 0x20,
  subkeyRevocation: 0x28,
  certificationRevocation: 0x30,
} as const

/** Of version 4. Only what is signed counts, but for the hint at who signed. */
export interface Signature {
  readonly type: number
  readonly algorithm: number
  readonly hash: number
  /** What is hashed after the document. */
  readonly hashed: Uint8Array
  /** Begin of the digest. */
  readonly quickCheck: Uint8Array
  readonly material: Uint8Array
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** Milliseconds after `createdAt`; 0: never. */
  readonly lifetimeMs: number
  /** Milliseconds after the key was made; 0: never. Undefined where it says nothing. */
  readonly keyLifetimeMs?: number
  readonly keyFlags?: number
  /** Key ids of who is said to have signed; none: it does not say. */
  readonly issuers: readonly string[]
  /** Another key may revoke this one. */
  readonly namesRevoker: boolean
  /** False: something in it that must not be ignored is unknown here. */
  readonly understood: boolean
}

/** Undefined for other versions and for what is damaged: such a signature says nothing. */
export function readSignature(body: Uint8Array): Signature | undefined {
  try {
    return read(body)
  } catch (error) {
    if (error instanceof OpenpgpProblem) return undefined
    throw error
  }
}

function read(body: Uint8Array): Signature | undefined {
  const reader = new ByteReader(body, 'a signature')
  if (reader.byte() !== 4) return undefined
  const [type, algorithm, hash] = [reader.byte(), reader.byte(), reader.byte()]
  const signed = readSubpackets(reader.take(reader.number(2)))
  const hashed = body.subarray(0, body.length - reader.left)
  const loose = readSubpackets(reader.take(reader.number(2)))
  const quickCheck = reader.take(2)
  const created = numberOf(signed, subpacket.created)
  if (created === undefined) return undefined
  const keyLifetime = numberOf(signed, subpacket.keyLifetime)
  const flags = lastOf(signed, subpacket.keyFlags)
  return {
    type,
    algorithm,
    hash,
    hashed,
    quickCheck,
    material: reader.rest(),
    createdAt: created * 1000,
    lifetimeMs: (numberOf(signed, subpacket.lifetime) ?? 0) * 1000,
    ...(keyLifetime === undefined ? {} : { keyLifetimeMs: keyLifetime * 1000 }),
    ...(flags === undefined ? {} : { keyFlags: flags.body[0] ?? 0 }),
    issuers: [...signed, ...loose].flatMap(issuerOf),
    namesRevoker: signed.some(({ type }) => type === subpacket.revoker),
    understood: signed.every(({ type, critical }) => !critical || understood.has(type)),
  }
}

/** RFC 9580, 5.2.3.7. */
const subpacket = {
  created: 2,
  lifetime: 3,
  keyLifetime: 9,
  revoker: 12,
  issuer: 16,
  keyFlags: 27,
  issuerFingerprint: 33,
} as const

/** Critical ones that change nothing about encrypting, or are read above: not notations (20), trust (5), regular expressions (6). */
const understood = new Set([2, 3, 4, 7, 9, 11, 12, 16, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 32, 33, 34, 39])

interface Subpacket {
  readonly type: number
  readonly critical: boolean
  readonly body: Uint8Array
}

function readSubpackets(area: Uint8Array): Subpacket[] {
  const reader = new ByteReader(area, 'a signature')
  const all: Subpacket[] = []
  while (reader.left > 0) {
    const first = reader.byte()
    const length = first < 192 ? first : first < 255 ? (first - 192) * 256 + reader.byte() + 192 : reader.number(4)
    const body = reader.take(length)
    const type = body[0] ?? 0
    all.push({ type: type & 0x7f, critical: type >= 0x80, body: body.subarray(1) })
  }
  return all
}

/** Of several the last counts. */
const lastOf = (all: readonly Subpacket[], type: number) => all.findLast((each) => each.type === type)

function numberOf(all: readonly Subpacket[], type: number): number | undefined {
  const found = lastOf(all, type)
  return found && new ByteReader(found.body, 'a signature').number(4)
}

function issuerOf({ type, body }: Subpacket): string[] {
  const hex = Buffer.from(body).toString('hex')
  if (type === subpacket.issuer) return [hex]
  // A version before the fingerprint; those of version 4 end with the key id.
  return type === subpacket.issuerFingerprint && body[0] === 4 ? [hex.slice(-16)] : []
}
