import { algorithm, algorithmName, type PublicKey } from '../keys/public-key.ts'
import { OpenpgpProblem } from '../packets/problem.ts'
import { ecdhRecipient } from './ecdh.ts'
import { rsaRecipient } from './rsa.ts'
import type { Recipient } from './session-key.ts'
import { x25519Recipient } from './x25519.ts'

/** OpenpgpProblem for keys that can't be encrypted to: what is given here is checked whole. */
export function recipientOf(key: PublicKey): Recipient {
  switch (key.algorithm) {
    case algorithm.rsa:
    case algorithm.rsaEncryptOnly:
      return rsaRecipient(key)
    case algorithm.ecdh:
      return ecdhRecipient(key)
    case algorithm.x25519:
      return x25519Recipient(key)
    default:
      throw new OpenpgpProblem(
        `nothing is encrypted to ${algorithmName(key.algorithm)} here, only to RSA, ECDH and X25519`,
      )
  }
}
