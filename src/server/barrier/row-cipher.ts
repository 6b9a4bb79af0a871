import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { pooled, type RandomBytes } from '../../lib/random.ts'
import { Refusal } from '../contracts/request.ts'
import type { Stored } from '../contracts/storage.ts'

/**
 * One encrypted row: format (1 byte) | term (4, big endian) | subkey id (16) | nonce (12) | AES-256-GCM ciphertext and tag (16).
 *
 * The subkey is HKDF-SHA256 of the term's key with the subkey id, drawn at each process start: nonces are random, and
 * 2^32 of them under one key would be too many for all processes of a term together (NIST SP 800-38D, 8.3).
 *
 * The format is that of what is encrypted, from 1: a program that does not know it hands out nothing of the row.
 *
 * The additional data is the row's first 21 bytes, the version of the row (the commit's id) and its storage key, so a
 * value moved to another key or put back under a later version does not open. What cannot be seen here: a row whose
 * value *and* version were both put back as they once were, by someone who writes the storage itself.
 */
const firstFormat = 1
const headBytes = 21
const nonceBytes = 12
const tagBytes = 16
export const rowOverheadBytes = headBytes + nonceBytes + tagBytes

/** After this many rows a process draws a new subkey: far below the 2^32 that random nonces allow. */
const rowsPerSubkey = 2 ** 30
/** Subkeys of earlier process starts that are kept at hand. */
const maxSubkeys = 4096

export interface TermKeys {
  readonly activeTerm: number
  key(term: number): KeyObject | undefined
}

/** The row does not open with the keys that it names: it was changed, moved, or put back. */
export class DamagedRow extends Error {
  override name = 'DamagedRow'
  readonly key: string

  constructor(key: string, why: string) {
    super(`the stored row "${key}" is damaged or was tampered with: ${why}`)
    this.key = key
  }
}

/** The row was written under a term that the keyring at hand does not have. */
export class UnknownTerm extends Error {
  override name = 'UnknownTerm'
  readonly term: number

  constructor(key: string, term: number) {
    super(`the stored row "${key}" needs term ${term} of the keyring, which is not there`)
    this.term = term
  }
}

/** A newer program wrote it. */
export class NewerRow extends Refusal {
  override name = 'NewerRow'
  readonly format: number

  constructor(format: number, known: number) {
    super(
      503,
      `what was asked for is stored in format ${format}, and this Coffer knows up to ${known}: ask a node of the newer version, and upgrade this one`,
    )
    this.format = format
  }
}

export class RowCipher {
  readonly #random: RandomBytes
  readonly #nonces: RandomBytes
  readonly #terms: TermKeys
  readonly #known: number
  readonly #subkeys = new Map<string, KeyObject>()
  /** Reused for each row: seal and open are synchronous. */
  readonly #aad = Buffer.allocUnsafe(headBytes + 64 + 1024 * 3)
  #own: { term: number; head: Buffer; key: KeyObject; rows: number } | undefined

  /** `known`: the newest format of rows that it opens. */
  constructor(options: { readonly random: RandomBytes; readonly terms: TermKeys; readonly known?: number }) {
    this.#known = options.known ?? firstFormat
    this.#random = options.random
    this.#nonces = pooled(options.random)
    this.#terms = options.terms
  }

  seal(storageKey: string, version: string, plaintext: Uint8Array, format = firstFormat): Uint8Array {
    const { head, key } = this.#ownSubkey(storageKey)
    const row = Buffer.allocUnsafe(rowOverheadBytes + plaintext.length)
    row.set(head, 0)
    row[0] = format
    row.set(this.#nonces(nonceBytes), headBytes)
    const nonce = row.subarray(headBytes, headBytes + nonceBytes)
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
    cipher.setAAD(this.#additionalData(row, version, storageKey))
    row.set(cipher.update(plaintext), headBytes + nonceBytes)
    cipher.final()
    row.set(cipher.getAuthTag(), row.length - tagBytes)
    return row
  }

  /** Throws DamagedRow, NewerRow or UnknownTerm. */
  open(storageKey: string, stored: Stored): Uint8Array {
    const { value, version } = stored
    const row = Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    if (row.length < rowOverheadBytes) throw new DamagedRow(storageKey, 'it is too short')
    const key = this.#subkey(row, storageKey)
    const nonce = row.subarray(headBytes, headBytes + nonceBytes)
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
    decipher.setAAD(this.#additionalData(row, version, storageKey))
    decipher.setAuthTag(row.subarray(row.length - tagBytes))
    const plaintext = decipher.update(row.subarray(headBytes + nonceBytes, row.length - tagBytes))
    try {
      decipher.final()
    } catch {
      plaintext.fill(0)
      throw new DamagedRow(storageKey, 'it does not open under its name and version')
    }
    const [format = 0] = row
    if (format > this.#known) {
      // Whoever has the keys wrote it so: no damage.
      plaintext.fill(0)
      throw new NewerRow(format, this.#known)
    }
    return plaintext
  }

  /** Forgets every key. */
  clear(): void {
    this.#subkeys.clear()
    this.#own = undefined
  }

  #additionalData(row: Buffer, version: string, storageKey: string): Buffer {
    row.copy(this.#aad, 0, 0, headBytes)
    let length = headBytes
    // Versions have a fixed length, so nothing can slide between version and key.
    length += this.#aad.write(version, length, 'latin1')
    length += this.#aad.write(storageKey, length, 'utf8')
    return this.#aad.subarray(0, length)
  }

  #ownSubkey(storageKey: string): { head: Buffer; key: KeyObject } {
    const term = this.#terms.activeTerm
    let own = this.#own
    if (!own || own.term !== term || own.rows >= rowsPerSubkey) {
      const head = Buffer.alloc(headBytes)
      head[0] = firstFormat
      head.writeUInt32BE(term, 1)
      head.set(this.#random(16), 5)
      own = { term, head, key: this.#subkey(head, storageKey), rows: 0 }
      this.#own = own
    }
    own.rows += 1
    return own
  }

  #subkey(row: Buffer, storageKey: string): KeyObject {
    const name = row.toString('latin1', 1, headBytes)
    const known = this.#subkeys.get(name)
    if (known) return known
    const term = row.readUInt32BE(1)
    const termKey = this.#terms.key(term)
    if (!termKey) throw new UnknownTerm(storageKey, term)
    const bytes = Buffer.from(hkdfSync('sha256', termKey, row.subarray(5, headBytes), 'coffer barrier row v1', 32))
    const key = createSecretKey(bytes)
    bytes.fill(0)
    if (this.#subkeys.size >= maxSubkeys) this.#subkeys.clear()
    this.#subkeys.set(name, key)
    return key
  }
}
