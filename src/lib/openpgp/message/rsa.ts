import { constants, publicEncrypt } from 'node:crypto'
import type { RandomBytes } from '../../random.ts'
import type { PublicKey } from '../keys/public-key.ts'
import { readRsaKey } from '../keys/rsa-key.ts'
import { encodeInteger } from '../packets/integer.ts'
import { checkedSessionKey, type Recipient } from './session-key.ts'

/** PKCS #1 v1.5 (RFC 9580, 5.1.3 and 12.1.1). */
export function rsaRecipient({ material }: PublicKey): Recipient {
  const { key, bytes } = readRsaKey(material)
  return (sessionKey, random) => {
    const secret = checkedSessionKey(sessionKey)
    const block = Buffer.concat([Buffer.of(0, 2), nonZero(random, bytes - secret.length - 3), Buffer.of(0), secret])
    try {
      return Buffer.from(encodeInteger(publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, block)))
    } finally {
      secret.fill(0)
      block.fill(0)
    }
  }
}

/** The padding ends with the first zero. */
function nonZero(random: RandomBytes, length: number): Buffer {
  const out = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    for (const byte of random(length - filled)) if (byte !== 0) out[filled++] = byte
  }
  return out
}
