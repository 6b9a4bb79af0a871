/** What the storage holds. Format (1 byte, 1) | 1 | nonce (12) | AES-GCM ciphertext and tag, or format | 2 | hash (1 byte) | RSA-OAEP ciphertext. */
import { gcm, type OaepHash } from './cryptoki.ts'

export type WrappedRoot =
  | { readonly mechanism: 'CKM_AES_GCM'; readonly nonce: Buffer; readonly ciphertext: Buffer }
  | { readonly mechanism: 'CKM_RSA_PKCS_OAEP'; readonly hash: OaepHash; readonly ciphertext: Buffer }

const format = 1
const aes = 1
const rsa = 2
const hashes: readonly OaepHash[] = ['sha1', 'sha224', 'sha256', 'sha384', 'sha512']

export function encodeWrappedRoot(wrapped: WrappedRoot): Buffer {
  return wrapped.mechanism === 'CKM_AES_GCM'
    ? Buffer.concat([Buffer.of(format, aes), wrapped.nonce, wrapped.ciphertext])
    : Buffer.concat([Buffer.of(format, rsa, hashes.indexOf(wrapped.hash)), wrapped.ciphertext])
}

/** Throws an Error when it is no such blob. */
export function decodeWrappedRoot(blob: Buffer): WrappedRoot {
  const damaged = () => new Error('the wrapped root key in storage is damaged')
  if (blob[0] !== format) throw damaged()
  if (blob[1] === aes) {
    const end = 2 + gcm.nonceBytes
    if (blob.length <= end + gcm.tagBytes) throw damaged()
    return { mechanism: 'CKM_AES_GCM', nonce: blob.subarray(2, end), ciphertext: blob.subarray(end) }
  }
  const hash = hashes[blob[2] ?? -1]
  if (blob[1] !== rsa || !hash || blob.length < 3 + 256) throw damaged()
  return { mechanism: 'CKM_RSA_PKCS_OAEP', hash, ciphertext: blob.subarray(3) }
}
