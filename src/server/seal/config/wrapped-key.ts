import { parseJson } from '../../../lib/json/parse.ts'

/** The root key as a seal gave it back: its row, plaintext and vouched for by the keyring. */
export interface WrappedKey {
  readonly blob: Uint8Array
  readonly keyId: string
}

/** What a seal of shares wrapped stands bare: its first byte is 1, no JSON. */
export function encodeWrappedKey({ blob, keyId }: WrappedKey): Uint8Array {
  if (keyId === 'shamir') return blob
  return Buffer.from(JSON.stringify({ format: 1, keyId, blob: Buffer.from(blob).toString('base64') }))
}

export function decodeWrappedKey(row: Uint8Array): WrappedKey {
  if (row[0] === 1) return { blob: row, keyId: 'shamir' }
  try {
    const found = parseJson(row)
    if (typeof found === 'object' && found !== null && 'blob' in found && 'keyId' in found) {
      const { blob, keyId } = found
      if (typeof blob === 'string' && typeof keyId === 'string') return { blob: Buffer.from(blob, 'base64'), keyId }
    }
  } catch (cause) {
    throw new Error('the wrapped root key in storage is damaged', { cause })
  }
  throw new Error('the wrapped root key in storage is damaged')
}
