/** Encryption to OpenPGP public keys (RFC 4880, RFC 9580), and nothing else: no signing, no decryption, no private keys. */
import type { RandomBytes } from '../random.ts'
import { chooseEncryptionKey } from './keys/encryption-key.ts'
import { readKeyRing } from './keys/key-ring.ts'
import { readPublicKey } from './keys/public-key.ts'
import { encryptMessage } from './message/message.ts'
import { decodeBase64, isArmoured, readArmour } from './packets/armour.ts'
import { OpenpgpProblem } from './packets/problem.ts'

export { OpenpgpProblem } from './packets/problem.ts'

/** What to encrypt to, chosen and checked once: it may be kept, there is nothing secret in it. */
export interface EncryptionKey {
  /** Of the primary key, by which people know it: 40 lowercase hex digits. */
  readonly fingerprint: string
  /** The packet of the key or subkey that is encrypted to, in base64. */
  readonly packet: string
}

const maxBytes = 1024 * 1024

/** A public key in base64 (of its bytes or of its armour) or in ASCII armour. OpenpgpProblem says why it can't be used now. */
export function readEncryptionKey(text: string, nowMs: number): EncryptionKey {
  const ring = readKeyRing(bytesOf(text))
  const chosen = chooseEncryptionKey(ring, nowMs)
  return { fingerprint: ring.primary.fingerprint, packet: Buffer.from(chosen.body).toString('base64') }
}

/** The message as packets, without armour. */
export function encryptTo(key: EncryptionKey, plaintext: Uint8Array, random: RandomBytes): Buffer {
  return encryptMessage(readPublicKey(Buffer.from(key.packet, 'base64')), plaintext, random)
}

/** A public key as files hold it (bytes, base64 or armour), as its bytes. OpenpgpProblem for anything else, private keys above all. */
export function readKeyFile(content: Uint8Array): Uint8Array {
  // The first bit of a packet is set, that of a text is not.
  const bytes = (content[0] ?? 0) >= 0x80 ? content : bytesOf(Buffer.from(content).toString('latin1'))
  readKeyRing(bytes)
  return bytes
}

function bytesOf(text: string): Uint8Array {
  if (text.length > 2 * maxBytes) throw new OpenpgpProblem(`it is longer than ${maxBytes} bytes`)
  if (isArmoured(text)) return readArmour(text)
  const bytes = decodeBase64(text.trim())
  if (!bytes) throw new OpenpgpProblem('it is neither base64 nor ASCII armour')
  const inner = Buffer.from(bytes).toString('latin1')
  return isArmoured(inner) ? readArmour(inner) : bytes
}
