/** Encrypts and decrypts a root key with a key of the token. */
import { constants, createPublicKey, publicEncrypt } from 'node:crypto'
import { attribute, gcm, gcmMechanism, type OaepHash, oaepMechanism } from './cryptoki.ts'
import type { OpenToken } from './token.ts'
import { attempt, TokenFault } from './token-fault.ts'
import { attributeOf, type TokenKey } from './token-key.ts'
import type { WrappedRoot } from './wrapped-root.ts'

export interface EncryptOptions {
  readonly nonce: Buffer
  readonly hash: OaepHash
  /** RSA: with the public key, outside of the token. */
  readonly local: boolean
}

const purpose = Buffer.from('coffer pkcs11 root key v1')
/** A modulus of 8,192 bits, or a root key with all that a token may add. */
const mostBytes = 1024
const leastModulusBytes = 256

export function encryptRoot(token: OpenToken, key: TokenKey, root: Buffer, options: EncryptOptions): WrappedRoot {
  if (key.mechanism === 'CKM_AES_GCM') return encryptGcm(token, key, root, options.nonce)
  const { hash, local } = options
  const ciphertext = local ? encryptLocally(token, key, root, hash) : encryptOaep(token, key, root, hash)
  return { mechanism: 'CKM_RSA_PKCS_OAEP', hash, ciphertext }
}

export function decryptRoot(token: OpenToken, key: TokenKey, wrapped: WrappedRoot): Buffer {
  const mechanism =
    wrapped.mechanism === 'CKM_AES_GCM' ? gcmMechanism(wrapped.nonce, purpose) : oaepMechanism(wrapped.hash)
  return attempt('decrypting', () => {
    token.cryptoki.C_DecryptInit(token.session, mechanism, key.handle)
    return token.cryptoki.C_Decrypt(token.session, wrapped.ciphertext, Buffer.alloc(mostBytes))
  })
}

function encryptGcm(token: OpenToken, key: TokenKey, root: Buffer, nonce: Buffer): WrappedRoot {
  const out = attempt('encrypting', () => {
    token.cryptoki.C_EncryptInit(token.session, gcmMechanism(nonce, purpose), key.handle)
    return token.cryptoki.C_Encrypt(token.session, root, Buffer.alloc(mostBytes))
  })
  // AWS CloudHSM takes a nonce of its own instead of ours and puts it behind the tag.
  const sealed = root.length + gcm.tagBytes
  const own = out.length === sealed + gcm.nonceBytes
  return {
    mechanism: 'CKM_AES_GCM',
    nonce: own ? out.subarray(sealed) : nonce,
    ciphertext: own ? out.subarray(0, sealed) : out,
  }
}

function encryptOaep(token: OpenToken, key: TokenKey, root: Buffer, hash: OaepHash): Buffer {
  const { publicHandle } = key
  if (!publicHandle) {
    throw new TokenFault(
      'the token has not exactly one public key beside the private one: set rsa_encrypt_local = true',
    )
  }
  return attempt('encrypting', () => {
    token.cryptoki.C_EncryptInit(token.session, oaepMechanism(hash), publicHandle)
    return token.cryptoki.C_Encrypt(token.session, root, Buffer.alloc(mostBytes))
  })
}

function encryptLocally(token: OpenToken, key: TokenKey, root: Buffer, hash: OaepHash): Buffer {
  // The two numbers are no secret, so the private object gives them too.
  const from = key.publicHandle ?? key.handle
  const number = (type: number) =>
    attempt('reading the public key', () => attributeOf(token, from, type)).toString('base64url')
  const [n, e] = [number(attribute.modulus), number(attribute.publicExponent)]
  const publicKey = createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' })
  const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < leastModulusBytes * 8) {
    throw new TokenFault(`the RSA key has ${bits} bits, and at least ${leastModulusBytes * 8} are needed`)
  }
  return publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash }, root)
}
