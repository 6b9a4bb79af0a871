/**
 * Batch tokens: the row itself, sealed, is the token. Nothing is stored, so nothing of it can be listed, counted, renewed
 * or revoked; it ends with its time, its parent or its entity.
 */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import type { RandomBytes } from '../../../lib/random.ts'
import { Refusal } from '../../contracts/request.ts'
import type { SecretStorage } from '../../contracts/secret-storage.ts'
import { namespaceSuffix } from '../namespace-suffix.ts'
import type { TokenRow } from '../token-row.ts'
import { batchForm, rowOfBatch } from './batch-form.ts'

const prefix = 'hvb.'
const version = 1
const sizes = { head: 5, salt: 16, nonce: 12, tag: 16 }
/** Clients send it in a header, of which the server takes 64 KiB in all. */
const maxLength = 16_384
const purpose = Buffer.from('coffer batch token 1')

interface BatchKey {
  /** 8 hex digits, in the token: which key it is sealed with. */
  readonly id: string
  readonly key: Buffer
}

export const isBatchToken = (token: string): boolean => token.startsWith(prefix)

export class BatchTokens {
  readonly #view: SecretStorage
  readonly #random: RandomBytes
  #key: BatchKey | undefined

  /** `view`: where the key's row lies. */
  constructor(view: SecretStorage, random: RandomBytes) {
    this.#view = view
    this.#random = random
  }

  /** Reads (at first: makes) the key. To be awaited before the others. */
  async open(): Promise<void> {
    const row = await this.#view.transaction(async (tx) => {
      const found = await tx.get(this.#view, 'batch-key', keySchema)
      if (found) return found
      const id = Buffer.from(this.#random(4)).toString('hex')
      const made = { format: 1, id, key: Buffer.from(this.#random(32)).toString('base64') }
      tx.create(this.#view, 'batch-key', made)
      return made
    })
    this.#key = { id: row.id, key: Buffer.from(row.key, 'base64') }
  }

  /** Called when the server seals. */
  close(): void {
    this.#key?.key.fill(0)
    this.#key = undefined
  }

  /** Refuses (400) what would make a token that no header can carry. */
  seal(row: TokenRow): string {
    const master = this.#master()
    const sealed = JSON.stringify(batchForm(row))
    const salt = Buffer.from(this.#random(sizes.salt))
    const nonce = Buffer.from(this.#random(sizes.nonce))
    const head = headOf(master)
    // A key of its own for each token: random nonces of one key would run out after 2^32 tokens.
    const cipher = createCipheriv('aes-256-gcm', subkey(master, salt), nonce)
    cipher.setAAD(Buffer.concat([purpose, head]))
    const body = [cipher.update(sealed, 'utf8'), cipher.final()]
    const bytes = Buffer.concat([head, salt, nonce, ...body, cipher.getAuthTag()])
    const token = `${prefix}${bytes.toString('base64url')}${namespaceSuffix(row.namespace)}`
    if (token.length > maxLength) {
      throw new Refusal(
        400,
        `batch token of ${token.length} characters is too long, at most ${maxLength} are possible: name fewer or shorter policies and metadata`,
      )
    }
    return token
  }

  /** Undefined: forged, cut, of another key. */
  unseal(token: string): TokenRow | undefined {
    if (!isBatchToken(token) || token.length > maxLength) return undefined
    const [text = ''] = token.slice(prefix.length).split('.', 1)
    const bytes = Buffer.from(text, 'base64url')
    const plain = this.#decrypt(bytes)
    if (plain === undefined) return undefined
    const row = rowOfBatch(JSON.parse(plain))
    // Another spelling of the same bytes would be another token to audit and caches.
    return token === `${prefix}${bytes.toString('base64url')}${namespaceSuffix(row.namespace)}` ? row : undefined
  }

  #decrypt(bytes: Buffer): string | undefined {
    const master = this.#master()
    const head = headOf(master)
    const { salt, nonce, tag } = sizes
    const start = head.length + salt + nonce
    if (bytes.length < start + tag || !bytes.subarray(0, head.length).equals(head)) return undefined
    const key = subkey(master, bytes.subarray(head.length, head.length + salt))
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(start - nonce, start), { authTagLength: tag })
    decipher.setAAD(Buffer.concat([purpose, head]))
    decipher.setAuthTag(bytes.subarray(bytes.length - tag))
    try {
      return decipher.update(bytes.subarray(start, bytes.length - tag), undefined, 'utf8') + decipher.final('utf8')
    } catch {
      return undefined
    }
  }

  #master(): BatchKey {
    if (!this.#key) throw new Error('the token store is not open')
    return this.#key
  }
}

const headOf = ({ id }: BatchKey) => Buffer.concat([Buffer.from([version]), Buffer.from(id, 'hex')])
const subkey = ({ key }: BatchKey, salt: Uint8Array) => createHmac('sha256', key).update(purpose).update(salt).digest()

const keySchema = {
  parse(value: unknown): { readonly id: string; readonly key: string } {
    const row = typeof value === 'object' && value !== null ? new Map(Object.entries(value)) : new Map()
    const [id, key] = [row.get('id'), row.get('key')]
    if (typeof id !== 'string' || !/^[0-9a-f]{8}$/.test(id) || typeof key !== 'string' || key.length !== 44)
      throw new Error('not a key of batch tokens')
    return { id, key }
  },
}
