/** The seal of a key that the operator keeps in a file or the environment: the server unseals itself. */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import type { RandomBytes } from '../../../lib/random.ts'
import type { Seal } from '../../contracts/devices.ts'

export interface StaticKey {
  /** Names the key for good: another key has another id. */
  readonly id: string
  /** 32 bytes, copied. */
  readonly key: Uint8Array
}

const wrapFormat = 2
const nonceBytes = 12
const tagBytes = 16
const purpose = 'coffer static root key v1'

/** Wraps with `current`; what `previous` wrapped still opens. Blob: format (1 byte, 2) | nonce (12) | AES-256-GCM ciphertext and tag, bound to the key's id. */
export function staticSeal(options: {
  readonly current: StaticKey
  readonly previous?: StaticKey
  readonly random: RandomBytes
}): Seal {
  const keys = new Map<string, KeyObject>()
  for (const entry of [options.previous, options.current]) if (entry) keys.set(entry.id, createSecretKey(entry.key))
  const keyId = options.current.id
  const keyOf = (id: string) => {
    const key = keys.get(id)
    if (!key) {
      throw new Error(
        `the root key was wrapped by the static key "${id}", which is not configured: give it as previous_key (configured: ${[...keys.keys()].join(', ')})`,
      )
    }
    return key
  }
  return {
    type: 'static',
    automatic: true,
    keyId: () => keyId,
    wrap: async (key) => ({ blob: wrap(keyOf(keyId), keyId, options.random(nonceBytes), key), keyId }),
    unwrap: async (blob, id) => unwrap(keyOf(id), id, blob),
    check: async () => undefined,
  }
}

const additional = (id: string) => Buffer.from(`${purpose}\0${id}`)

function wrap(kek: KeyObject, id: string, nonce: Uint8Array, key: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', kek, nonce, { authTagLength: tagBytes })
  cipher.setAAD(additional(id))
  return Buffer.concat([Buffer.of(wrapFormat), nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()])
}

function unwrap(kek: KeyObject, id: string, blob: Uint8Array): Uint8Array {
  if (blob[0] !== wrapFormat || blob.length <= 1 + nonceBytes + tagBytes) {
    throw new Error('the wrapped root key in storage is damaged')
  }
  const decipher = createDecipheriv('aes-256-gcm', kek, blob.subarray(1, 1 + nonceBytes), { authTagLength: tagBytes })
  decipher.setAAD(additional(id))
  decipher.setAuthTag(blob.subarray(-tagBytes))
  const key = decipher.update(blob.subarray(1 + nonceBytes, -tagBytes))
  try {
    decipher.final()
  } catch (cause) {
    key.fill(0)
    throw new Error(`the static key "${id}" does not open the root key: it is another key than before`, { cause })
  }
  return key
}
