/** The seal that people hold: the root key is wrapped by a key that exists only as shares. */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import type { RandomBytes } from '../../../lib/random.ts'
import type { Seal } from '../../contracts/devices.ts'
import { type Split, splitKey } from './shares.ts'

/** The shares that were given do not make the key that wraps the root key. */
export class WrongUnsealKey extends Error {
  override name = 'WrongUnsealKey'

  constructor() {
    super('unseal failed, invalid key')
  }
}

const keyId = 'shamir'
const wrapFormat = 1
const nonceBytes = 12
const tagBytes = 16
const purpose = Buffer.from('coffer shamir root key v1')

/** Wraps under `kek` (32 bytes, copied). Blob: format (1 byte, 1) | nonce (12) | AES-256-GCM ciphertext and tag. */
export function shamirSeal(options: { readonly kek: Uint8Array; readonly random: RandomBytes }): Seal {
  if (options.kek.length !== 32) throw new WrongUnsealKey()
  const kek = createSecretKey(options.kek)
  return {
    type: 'shamir',
    automatic: false,
    keyId: () => keyId,
    wrap: async (key) => ({ blob: wrap(kek, options.random, key), keyId }),
    unwrap: async (blob) => unwrap(kek, blob),
    check: async () => undefined,
  }
}

export interface NewShamirSeal {
  /** To be handed out and forgotten. */
  readonly shares: readonly Uint8Array[]
  /** The row under plainRows.wrappedRootKey. */
  readonly wrappedRootKey: Uint8Array
}

/** A new wrapping key, split, and the root key wrapped by it. */
export async function newShamirSeal(options: {
  readonly config: Split
  readonly rootKey: Uint8Array
  readonly random: RandomBytes
}): Promise<NewShamirSeal> {
  const { config, rootKey, random } = options
  const kek = random(32)
  try {
    const { blob } = await shamirSeal({ kek, random }).wrap(rootKey)
    return { shares: await splitKey(kek, config), wrappedRootKey: blob }
  } finally {
    kek.fill(0)
  }
}

function wrap(kek: KeyObject, random: RandomBytes, key: Uint8Array): Uint8Array {
  const nonce = random(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', kek, nonce, { authTagLength: tagBytes })
  cipher.setAAD(purpose)
  return Buffer.concat([Buffer.of(wrapFormat), nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()])
}

function unwrap(kek: KeyObject, blob: Uint8Array): Uint8Array {
  if (blob[0] !== wrapFormat || blob.length <= 1 + nonceBytes + tagBytes) {
    throw new Error('the wrapped root key in storage is damaged')
  }
  const decipher = createDecipheriv('aes-256-gcm', kek, blob.subarray(1, 1 + nonceBytes), { authTagLength: tagBytes })
  decipher.setAAD(purpose)
  decipher.setAuthTag(blob.subarray(-tagBytes))
  const key = decipher.update(blob.subarray(1 + nonceBytes, -tagBytes))
  try {
    decipher.final()
  } catch {
    key.fill(0)
    throw new WrongUnsealKey()
  }
  return key
}
