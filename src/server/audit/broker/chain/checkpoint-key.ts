import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { Rows, Tx } from '../../../contracts/secret-storage.ts'
import { settingsView } from '../audit-rows.ts'

/** Signs checkpoints (Ed25519, RFC 8032): who has the public half can verify files without the server's keys. */
export interface CheckpointKey {
  /** "ed25519:" and the 32 bytes in base64url. */
  readonly publicKey: string
  /** Base64. */
  sign(text: string): string
}

const schema = {
  parse(value: unknown): KeyObject {
    const key = typeof value === 'object' && value !== null && 'key' in value ? value.key : undefined
    if (typeof key !== 'string') throw new Error('not a row of a checkpoint key')
    return createPrivateKey(key)
  },
}

/** The key of all checkpoints, made by whoever asks first. */
export async function checkpointKey(rows: Rows): Promise<CheckpointKey> {
  const view = settingsView(rows)
  const known = await view.get('checkpoint-key', schema)
  const key =
    known ??
    (await view.transaction(async (tx: Tx) => {
      const raced = await tx.get(view, 'checkpoint-key', schema)
      if (raced) return raced
      const { privateKey } = generateKeyPairSync('ed25519')
      tx.create(view, 'checkpoint-key', {
        format: 1,
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      })
      return privateKey
    }))
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' })
  return {
    publicKey: `ed25519:${x}`,
    sign: (text) => sign(null, Buffer.from(text), key).toString('base64'),
  }
}
