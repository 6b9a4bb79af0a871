import { createCipheriv, createHash } from 'node:crypto'
import type { RandomBytes } from '../../random.ts'
import type { PublicKey } from '../keys/public-key.ts'
import { encodePacket, packetType } from '../packets/packet.ts'
import { recipientOf } from './recipient.ts'

const blockBytes = 16

/** A message that only the holder of the key reads: AES-256 with a modification detection code, as every OpenPGP program reads it. */
export function encryptMessage(key: PublicKey, plaintext: Uint8Array, random: RandomBytes): Buffer {
  const sessionKey = Buffer.from(random(32))
  try {
    const head = Buffer.concat([Buffer.of(3), Buffer.from(key.keyId, 'hex'), Buffer.of(key.algorithm)])
    const wrapped = encodePacket(
      packetType.encryptedSessionKey,
      Buffer.concat([head, recipientOf(key)(sessionKey, random)]),
    )
    return Buffer.concat([wrapped, encryptedData(sessionKey, literal(plaintext), random)])
  } finally {
    sessionKey.fill(0)
  }
}

/** Bytes, without a name or a date (RFC 9580, 5.9). */
function literal(plaintext: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from('b'), Buffer.alloc(5), plaintext])
  try {
    return encodePacket(packetType.literal, body)
  } finally {
    body.fill(0)
  }
}

/** Version 1 (RFC 9580, 5.13.1). The key is used once, so the vector of zeros never repeats with it. */
function encryptedData(sessionKey: Uint8Array, inner: Uint8Array, random: RandomBytes): Buffer {
  const prefix = Buffer.from(random(blockBytes))
  const codeHead = Buffer.of(0xc0 | packetType.modificationDetection, 20)
  const data = Buffer.concat([prefix, prefix.subarray(-2), inner, codeHead])
  const code = createHash('sha1').update(data).digest()
  const cipher = createCipheriv('aes-256-cfb', sessionKey, Buffer.alloc(blockBytes))
  try {
    const sealed = Buffer.concat([Buffer.of(1), cipher.update(data), cipher.update(code), cipher.final()])
    return encodePacket(packetType.encryptedData, sealed)
  } finally {
    data.fill(0)
    inner.fill(0)
  }
}
