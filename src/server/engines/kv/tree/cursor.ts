/** Where a walk goes on, for callers who may not know of the key at which it stopped. */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { RandomBytes } from '../../../../lib/random.ts'
import type { SecretStorage } from '../../../contracts/secret-storage.ts'

/** The mount's own key, made when it is first needed. */
const keyRow = 'cursor-key'
const cipher = 'aes-256-gcm'
const sizes = { key: 32, nonce: 12, tag: 16 }
/** The length of what is sealed would tell the length of the name. */
const padTo = 128

/** `~` and what only this mount can open. */
export async function sealCursor(storage: SecretStorage, random: RandomBytes, path: string): Promise<string> {
  const key = await keyOf(storage, random)
  const nonce = random(sizes.nonce)
  const sealing = createCipheriv(cipher, key, nonce)
  const plain = Buffer.from(path)
  const padded = Buffer.concat([plain, Buffer.alloc(padTo - (plain.length % padTo))])
  const sealed = Buffer.concat([sealing.update(padded), sealing.final()])
  return `~${Buffer.concat([nonce, sealed, sealing.getAuthTag()]).toString('base64url')}`
}

/** What is no sealed cursor of this mount is the path itself. */
export async function openCursor(storage: SecretStorage, cursor: string): Promise<string> {
  const key = cursor.startsWith('~') ? await storage.getBytes(keyRow) : undefined
  const bytes = Buffer.from(cursor.slice(1), 'base64url')
  if (!key || bytes.length <= sizes.nonce + sizes.tag) return cursor
  try {
    const opening = createDecipheriv(cipher, key, bytes.subarray(0, sizes.nonce), { authTagLength: sizes.tag })
    opening.setAuthTag(bytes.subarray(-sizes.tag))
    const padded = Buffer.concat([opening.update(bytes.subarray(sizes.nonce, -sizes.tag)), opening.final()])
    return padded.toString('utf8', 0, padded.indexOf(0))
  } catch {
    return cursor
  }
}

function keyOf(storage: SecretStorage, random: RandomBytes): Promise<Uint8Array> {
  return storage.transaction(async (tx) => {
    const known = await tx.getBytes(storage, keyRow)
    if (known) return known
    const made = random(sizes.key)
    tx.create(storage, keyRow, made)
    return made
  })
}
