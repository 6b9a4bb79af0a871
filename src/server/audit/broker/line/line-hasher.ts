import { boundedCache } from '../../../../lib/bounded-cache.ts'
import { HmacSha256 } from '../../../../lib/hmac-sha256/hmac-sha256.ts'

/** Hides values as `hmac-sha256:<hex>` under one device's salt: equal values can be found again, values can't be read back. */
export class LineHasher {
  readonly #hmac: HmacSha256
  readonly #empty: string
  /** Tokens and accessors come with every request of their owner; other values are not kept. */
  readonly #credentials = boundedCache<string, string>(20_000)

  constructor(salt: Uint8Array) {
    this.#hmac = new HmacSha256(salt)
    this.#empty = `"${this.value('')}"`
  }

  readonly value = (text: string): string => `hmac-sha256:${this.#hmac.hex(text)}`

  /** The same as JSON text. Empty strings are in nearly every answer. */
  readonly json = (text: string): string => (text === '' ? this.#empty : `"hmac-sha256:${this.#hmac.hex(text)}"`)

  credential(text: string): string {
    const known = this.#credentials.get(text)
    if (known !== undefined) return known
    const made = this.value(text)
    this.#credentials.set(text, made)
    return made
  }
}
