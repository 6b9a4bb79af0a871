import { createSecretKey, type KeyObject } from 'node:crypto'
import { parseJson } from '../../lib/json/parse.ts'
import { stringifyJson } from '../../lib/json/stringify.ts'
import type { Json, JsonObject } from '../../lib/json/value.ts'
import type { RandomBytes } from '../../lib/random.ts'
import type { TermKeys } from './row-cipher.ts'

/**
 * The keys that encrypt rows, one per term; itself a row, encrypted by the root key. It also holds what the plaintext
 * rows beside it must be: their SHA-256 in hex, by storage key.
 */
export class Keyring implements TermKeys {
  readonly activeTerm: number
  readonly plainDigests: Readonly<Record<string, string>>
  readonly #keys: ReadonlyMap<number, KeyObject>

  constructor(options: {
    readonly keys: ReadonlyMap<number, KeyObject>
    readonly plainDigests: Readonly<Record<string, string>>
  }) {
    this.#keys = options.keys
    this.plainDigests = options.plainDigests
    this.activeTerm = Math.max(...options.keys.keys())
  }

  static create(random: RandomBytes, plainDigests: Readonly<Record<string, string>>): Keyring {
    return new Keyring({ keys: new Map([[1, newKey(random)]]), plainDigests })
  }

  /** The same ring with a further term, which becomes the active one. */
  withNewTerm(random: RandomBytes): Keyring {
    const keys = new Map(this.#keys).set(this.activeTerm + 1, newKey(random))
    return new Keyring({ keys, plainDigests: this.plainDigests })
  }

  key(term: number): KeyObject | undefined {
    return this.#keys.get(term)
  }

  /** Holds keys: encrypt it and zero it. */
  encode(): Buffer {
    const terms = [...this.#keys].map(([term, key]) => {
      const bytes = key.export()
      const text = bytes.toString('base64')
      bytes.fill(0)
      return { term, key: text }
    })
    return Buffer.from(stringifyJson({ format: 1, terms, plainDigests: this.plainDigests }))
  }

  static decode(bytes: Uint8Array): Keyring {
    const ring = object(parseJson(bytes))
    if (ring['format'] !== 1 || !Array.isArray(ring['terms'])) throw new Error('the keyring has an unknown format')
    const keys = new Map<number, KeyObject>()
    for (const entry of ring['terms']) {
      const { term, key } = object(entry)
      if (typeof term !== 'number' || typeof key !== 'string') throw new Error('the keyring has a malformed term')
      keys.set(term, takeKey(Buffer.from(key, 'base64')))
    }
    if (keys.size === 0) throw new Error('the keyring has no term')
    const plainDigests: Record<string, string> = Object.create(null)
    for (const [key, digest] of Object.entries(object(ring['plainDigests'] ?? {}))) {
      if (typeof digest === 'string') plainDigests[key] = digest
    }
    return new Keyring({ keys, plainDigests })
  }
}

function newKey(random: RandomBytes): KeyObject {
  return takeKey(random(32))
}

/** A KeyObject of 32 bytes, which are zeroed. */
export function takeKey(bytes: Uint8Array): KeyObject {
  if (bytes.length !== 32) throw new RangeError('a key has 32 bytes')
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}

function object(value: Json | undefined): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('the keyring is malformed')
  return value as JsonObject
}
