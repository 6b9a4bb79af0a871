import { setImmediate } from 'node:timers/promises'
import * as z from 'zod'
import { type EncryptionKey, encryptTo, OpenpgpProblem, readEncryptionKey } from '../../../../../lib/openpgp/openpgp.ts'
import type { RandomBytes } from '../../../../../lib/random.ts'
import { Refusal } from '../../../../contracts/request.ts'

/** As rows keep those to whom shares will be encrypted: chosen and checked when they were given. */
export const pgpRecipientSchema = z.object({ fingerprint: z.string(), packet: z.string() })

/** The OpenPGP keys to encrypt to. Refusal 400, whose words begin with `before`, says which of them can't be used, and why. */
export async function readPgpKeys(texts: readonly string[], nowMs: number, before = ''): Promise<EncryptionKey[]> {
  const keys: EncryptionKey[] = []
  for (const [i, text] of texts.entries()) {
    // Verifying what keys say of themselves takes time that others need too.
    await setImmediate()
    const which = texts.length > 1 ? `key ${i + 1}: ` : ''
    keys.push(readPgpKey(text, nowMs, `${before}error parsing given PGP key: ${which}`))
  }
  return keys
}

function readPgpKey(text: string, nowMs: number, before: string): EncryptionKey {
  if (text.startsWith('keybase:')) {
    throw new Refusal(400, `${before}keybase is not asked: give the public key itself, in base64`)
  }
  try {
    return readEncryptionKey(text, nowMs)
  } catch (error) {
    if (error instanceof OpenpgpProblem) throw new Refusal(400, `${before}${error.message}`)
    throw error
  }
}

/** What each holder gets: the hex of the share, encrypted. The shares themselves are zeroed. */
export function encryptShares(
  shares: readonly Uint8Array[],
  keys: readonly EncryptionKey[],
  random: RandomBytes,
): Uint8Array[] {
  return shares.map((share, i) => {
    const key = keys[i]
    if (!key || shares.length !== keys.length) throw new Error('as many PGP keys as shares were to be given')
    const hex = Buffer.from(Buffer.from(share).toString('hex'))
    share.fill(0)
    try {
      return encryptTo(key, hex, random)
    } finally {
      hex.fill(0)
    }
  })
}

/** A token as the answer has it: base64 of the message. */
export function encryptToken(token: string, key: EncryptionKey, random: RandomBytes): string {
  return encryptTo(key, Buffer.from(token), random).toString('base64')
}
