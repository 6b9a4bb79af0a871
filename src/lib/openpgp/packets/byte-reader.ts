import { OpenpgpProblem } from './problem.ts'

/** Takes bytes from the front; OpenpgpProblem when there are too few. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #what: string
  #at = 0

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes
    this.#what = what
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  take(length: number): Uint8Array {
    if (length > this.left) throw new OpenpgpProblem(`${this.#what} ends too early`)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  rest(): Uint8Array {
    return this.take(this.left)
  }

  /** Big-endian, of 1 to 4 bytes. */
  number(length: number): number {
    return this.take(length).reduce((sum, byte) => sum * 256 + byte, 0)
  }

  byte(): number {
    return this.number(1)
  }

  /** A multiprecision integer (RFC 9580, 3.2), without leading zeros. */
  integer(): Uint8Array {
    const bits = this.number(2)
    const bytes = this.take(Math.ceil(bits / 8))
    if (bits > 0 && Math.clz32(bytes[0] ?? 0) !== 24 + ((8 - (bits % 8)) % 8)) {
      throw new OpenpgpProblem(`${this.#what} has a number whose length is wrong`)
    }
    return bytes
  }

  end(): void {
    if (this.left > 0) throw new OpenpgpProblem(`${this.#what} is longer than it says`)
  }
}
