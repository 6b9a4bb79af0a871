import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { RandomBytes } from '../../../lib/random.ts'

/** The root key under a data key that is used once, and the data key as KMS encrypted it. */
export interface Envelope {
  readonly wrappedDataKey: Uint8Array
  /** nonce (12) | AES-256-GCM ciphertext | tag (16), bound to `wrappedDataKey`. */
  readonly sealed: Uint8Array
}

const format = 1
const headBytes = 3
const nonceBytes = 12
const tagBytes = 16
const purpose = 'coffer awskms root key v1'
const damaged = 'the wrapped root key in storage is damaged'

/** format (1 byte) | length of the wrapped data key (2) | wrapped data key | what it seals. */
export function encodeEnvelope({ wrappedDataKey, sealed }: Envelope): Uint8Array {
  const head = Buffer.alloc(headBytes)
  head.writeUInt8(format)
  head.writeUInt16BE(wrappedDataKey.length, 1)
  return Buffer.concat([head, wrappedDataKey, sealed])
}

export function decodeEnvelope(blob: Uint8Array): Envelope {
  const bytes = Buffer.from(blob)
  if (bytes.length < headBytes || bytes[0] !== format) throw new Error(damaged)
  const end = headBytes + bytes.readUInt16BE(1)
  if (end === headBytes || bytes.length <= end + nonceBytes + tagBytes) throw new Error(damaged)
  return { wrappedDataKey: bytes.subarray(headBytes, end), sealed: bytes.subarray(end) }
}

const additional = (wrappedDataKey: Uint8Array) => Buffer.concat([Buffer.from(`${purpose}\0`), wrappedDataKey])

export function sealKey(
  key: Uint8Array,
  { dataKey, wrappedDataKey, random }: { dataKey: Uint8Array; wrappedDataKey: Uint8Array; random: RandomBytes },
): Envelope {
  const nonce = random(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', dataKey, nonce, { authTagLength: tagBytes })
  cipher.setAAD(additional(wrappedDataKey))
  const sealed = Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()])
  return { wrappedDataKey, sealed }
}

export function openKey({ wrappedDataKey, sealed }: Envelope, dataKey: Uint8Array): Uint8Array {
  if (dataKey.length !== 32) throw new Error('KMS gave a data key that is not 32 bytes')
  const decipher = createDecipheriv('aes-256-gcm', dataKey, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes })
  decipher.setAAD(additional(wrappedDataKey))
  decipher.setAuthTag(sealed.subarray(-tagBytes))
  const key = decipher.update(sealed.subarray(nonceBytes, -tagBytes))
  try {
    decipher.final()
  } catch (cause) {
    key.fill(0)
    throw new Error(damaged, { cause })
  }
  return key
}
