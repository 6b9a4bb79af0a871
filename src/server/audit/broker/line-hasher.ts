import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { LRUCache } from 'lru-cache'

/** Hides values as `hmac-sha256:<hex>` under one device's salt: equal values can be found again, values can't be read back. */
export class LineHasher {
  readonly #key: KeyObject
  /** Tokens and accessors come with every request of their owner; other values are not kept. */
  readonly #credentials = new LRUCache<string, string>({ max: 20_000 })

  constructor(salt: Uint8Array) {
    this.#key = createSecretKey(salt)
  }

  readonly value = (text: string): string => `hmac-sha256:${createHmac('sha256', this.#key).update(text).digest('hex')}`

  credential(text: string): string {
    const known = this.#credentials.get(text)
    if (known !== undefined) return known
    const made = this.value(text)
    this.#credentials.set(text, made)
    return made
  }
}
