import { createHash, type Hash } from 'node:crypto'
import type { Stored } from '../contracts/storage.ts'

/** Tells whether two storages hold the same rows: keys, versions, values, in key order. */
export class RowDigest {
  readonly #hash: Hash = createHash('sha256')
  #rows = 0
  #bytes = 0

  add(key: string, { value, version }: Stored): void {
    const name = Buffer.from(key)
    const head = Buffer.alloc(6)
    head.writeUInt16BE(name.length)
    head.writeUInt32BE(value.length, 2)
    this.#hash.update(head).update(version, 'latin1').update(name).update(value)
    this.#rows += 1
    this.#bytes += name.length + value.length
  }

  get rows(): number {
    return this.#rows
  }

  /** Of keys and values. */
  get bytes(): number {
    return this.#bytes
  }

  /** Hex; nothing can be added afterwards. */
  end(): string {
    return this.#hash.digest('hex')
  }
}
