import type { RandomBytes } from '../../../lib/random.ts'
import type { ConfiguredSeals } from '../../../server/faces/sys/seal/node-seal.ts'
import type { Outcome } from './findings.ts'

/** Has the seal encrypt what means nothing, and decrypt it again. */
export async function checkSeal({ current }: ConfiguredSeals, random: RandomBytes): Promise<Outcome> {
  if (!current?.automatic) return { skipped: true, message: 'people unseal: there is nothing to try' }
  const key = random(32)
  const { blob, keyId } = await current.wrap(key)
  if (!Buffer.from(await current.unwrap(blob, keyId)).equals(Buffer.from(key))) {
    throw new Error('the seal decrypts to something else than what it encrypted')
  }
  return { message: `${current.type} encrypts and decrypts` }
}
