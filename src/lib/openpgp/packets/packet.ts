import { ByteReader } from './byte-reader.ts'
import { OpenpgpProblem } from './problem.ts'

/** Types of packets (RFC 9580, 5) that are read or written here. */
export const packetType = {
  encryptedSessionKey: 1,
  signature: 2,
  secretKey: 5,
  publicKey: 6,
  secretSubkey: 7,
  marker: 10,
  literal: 11,
  trust: 12,
  userId: 13,
  publicSubkey: 14,
  userAttribute: 17,
  encryptedData: 18,
  modificationDetection: 19,
  padding: 21,
} as const

export interface Packet {
  readonly type: number
  readonly body: Uint8Array
}

const maxPackets = 5000

/** Old and new headers; lengths that are not known beforehand are for data, not for keys, and refused. */
export function readPackets(bytes: Uint8Array): Packet[] {
  const reader = new ByteReader(bytes, 'the key')
  const packets: Packet[] = []
  while (reader.left > 0) {
    if (packets.length === maxPackets) throw new OpenpgpProblem(`the key has more than ${maxPackets} packets`)
    packets.push(readPacket(reader))
  }
  return packets
}

function readPacket(reader: ByteReader): Packet {
  const head = reader.byte()
  if ((head & 0x80) === 0) throw new OpenpgpProblem('this is no OpenPGP key: it has no packet where one must begin')
  const isNew = (head & 0x40) !== 0
  const type = isNew ? head & 0x3f : (head >> 2) & 0x0f
  return { type, body: reader.take(isNew ? newLength(reader) : oldLength(reader, head & 3)) }
}

function newLength(reader: ByteReader): number {
  const first = reader.byte()
  if (first < 192) return first
  if (first < 224) return (first - 192) * 256 + reader.byte() + 192
  if (first < 255) throw new OpenpgpProblem('the key has a packet in parts, which only data may be')
  return reader.number(4)
}

function oldLength(reader: ByteReader, kind: number): number {
  if (kind === 3) throw new OpenpgpProblem('the key has a packet without a length, which only data may be')
  return reader.number(2 ** kind)
}

/** With a new header. */
export function encodePacket(type: number, body: Uint8Array): Buffer {
  const { length } = body
  const head = [0xc0 | type]
  if (length < 192) head.push(length)
  else if (length < 8384) head.push(192 + ((length - 192) >> 8), (length - 192) & 0xff)
  else head.push(255, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff)
  return Buffer.concat([Buffer.from(head), body])
}
