import { hkdfSync } from 'node:crypto'
import type { PublicKey } from '../keys/public-key.ts'
import { OpenpgpProblem } from '../packets/problem.ts'
import { wrapKey } from './key-wrap.ts'
import { agree25519, assertPoint25519 } from './montgomery.ts'
import { aes256, type Recipient } from './session-key.ts'

/** Algorithm 25 in a packet of version 3 (RFC 9580, 5.1.6): the algorithm stands before the wrapped key, in the clear. */
export function x25519Recipient({ material: theirs }: PublicKey): Recipient {
  if (theirs.length !== 32) throw new OpenpgpProblem('its X25519 key is not of 32 bytes')
  assertPoint25519(theirs)
  return (sessionKey, random) => {
    const { ours, shared } = agree25519(random(32), theirs)
    const kek = x25519Kek({ ephemeral: ours, recipient: theirs, shared })
    try {
      const wrapped = wrapKey(kek, sessionKey)
      return Buffer.concat([ours, Buffer.of(wrapped.length + 1, aes256), wrapped])
    } finally {
      shared.fill(0)
      kek.fill(0)
    }
  }
}

/** The key that wraps the session key. */
export function x25519Kek(keys: {
  readonly ephemeral: Uint8Array
  readonly recipient: Uint8Array
  readonly shared: Uint8Array
}): Buffer {
  const input = Buffer.concat([keys.ephemeral, keys.recipient, keys.shared])
  try {
    return Buffer.from(hkdfSync('sha256', input, '', 'OpenPGP X25519', 16))
  } finally {
    input.fill(0)
  }
}
