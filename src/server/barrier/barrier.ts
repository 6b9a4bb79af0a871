/** The only holder of storage keys: encrypts what goes into storage and hands out plaintext views of it while unsealed. */
import { createHash, type KeyObject } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { RandomBytes } from '../../lib/random.ts'
import { commitId } from '../contracts/commit.ts'
import { Refusal } from '../contracts/request.ts'
import type { Rows, SecretStorage, Tx } from '../contracts/secret-storage.ts'
import type { Change, ListPage, Put, ReadKey, ReadResult, StorageBackend, Stored } from '../contracts/storage.ts'
import { Keyring, takeKey } from './keyring.ts'
import { assertFormat, formatRow, isReservedRow, plainRows } from './plain-rows.ts'
import { DamagedRow, RowCipher, UnknownTerm } from './row-cipher.ts'
import { Transactor } from './transact.ts'
import { View } from './view.ts'

export { FormatUnsupported, plainRows } from './plain-rows.ts'
export { DamagedRow, UnknownTerm } from './row-cipher.ts'

export interface BarrierOptions {
  readonly backend: StorageBackend
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
}

/** The given key does not open the keyring; nothing has changed. */
export class WrongRootKey extends Error {
  override name = 'WrongRootKey'

  constructor() {
    super(`this root key does not open the row "${plainRows.keyring}": it is another key, or the row is damaged`)
  }
}

interface Unsealed {
  readonly root: KeyObject
  readonly rootCipher: RowCipher
  readonly cipher: RowCipher
  keyring: Keyring
}

export class Barrier implements Rows {
  readonly #backend: StorageBackend
  readonly #random: RandomBytes
  readonly #log: Logger
  readonly #transactor: Transactor
  #unsealed: Unsealed | undefined
  #reload: Promise<void> | undefined

  constructor({ backend, clock, random, log }: BarrierOptions) {
    this.#backend = backend
    this.#random = random
    this.#log = log
    this.#transactor = new Transactor({
      backend,
      clock,
      random,
      read: (key) => this.readRow(key),
      isReserved: isReservedRow,
      seal: (key, version, plaintext) => this.#keys().cipher.seal(key, version, plaintext),
    })
  }

  get sealed(): boolean {
    return this.#unsealed === undefined
  }

  /** False for an empty storage. Throws FormatUnsupported when a newer Coffer wrote it. */
  async initialised(): Promise<boolean> {
    const [format, keyring] = await this.#readPlain([plainRows.format, plainRows.keyring])
    if (!format && !keyring) return false
    assertFormat(format?.value)
    return true
  }

  /**
   * Makes a new keyring under `rootKey` (32 bytes, copied) and writes it with `plain` (what unsealing needs before there
   * are keys: seal configuration, wrapped root key) in one commit. Stays sealed. Refusal 400 when that was done before.
   */
  async initialise({
    rootKey,
    plain,
  }: {
    readonly rootKey: Uint8Array
    readonly plain: readonly Put[]
  }): Promise<void> {
    const id = commitId(this.#random)
    const given = [{ key: plainRows.format, value: formatRow() }, ...plain]
    const digests = Object.fromEntries(given.map(({ key, value }) => [key, digest(value)]))
    const encoded = Keyring.create(this.#random, digests).encode()
    const cipher = rootCipher(takeKey(Buffer.from(rootKey)), this.#random)
    const keyring = cipher.seal(plainRows.keyring, id, encoded)
    encoded.fill(0)
    const create = [...given, { key: plainRows.keyring, value: keyring }]
    if ((await this.#backend.commit({ id, checks: [], create })) === 'conflict') {
      throw new Refusal(400, 'Vault is already initialized')
    }
  }

  /** A plaintext row that `initialise` wrote; readable while sealed, and verified when unsealing. */
  async readPlain(key: string): Promise<Uint8Array | undefined> {
    const [row] = await this.#readPlain([key])
    return row?.value
  }

  /** Opens the keyring (`rootKey` is copied). Throws WrongRootKey, DamagedRow, FormatUnsupported; the barrier is then as before. */
  async unseal(rootKey: Uint8Array): Promise<void> {
    const root = takeKey(Buffer.from(rootKey))
    const cipher = rootCipher(root, this.#random)
    const keyring = await this.#openKeyring(cipher)
    const unsealed: Unsealed = {
      root,
      rootCipher: cipher,
      keyring,
      cipher: new RowCipher({
        random: this.#random,
        terms: {
          get activeTerm() {
            return unsealed.keyring.activeTerm
          },
          key: (term) => unsealed.keyring.key(term),
        },
      }),
    }
    this.#unsealed?.cipher.clear()
    this.#unsealed = unsealed
    this.#log.info('barrier unsealed', { term: keyring.activeTerm })
  }

  /** Forgets all keys; what is under way fails with Refusal 503. */
  seal(): void {
    if (!this.#unsealed) return
    this.#unsealed.cipher.clear()
    this.#unsealed.rootCipher.clear()
    this.#unsealed = undefined
    this.#log.info('barrier sealed')
  }

  /** Adds a term; what is written from now on uses it. Processes that share the storage learn of it from the first such row. */
  async rotate(): Promise<number> {
    const keys = this.#keys()
    const [row] = await this.#readPlain([plainRows.keyring])
    if (!row) throw new DamagedRow(plainRows.keyring, 'it is gone')
    const next = this.#decodeKeyring(keys.rootCipher, row).withNewTerm(this.#random)
    const id = commitId(this.#random)
    const encoded = next.encode()
    const put = [{ key: plainRows.keyring, value: keys.rootCipher.seal(plainRows.keyring, id, encoded) }]
    encoded.fill(0)
    const checks = [{ key: plainRows.keyring, version: row.version }]
    if ((await this.#backend.commit({ id, checks, put })) === 'conflict') {
      throw new Refusal(503, 'the keyring was changed by another node at the same time, try again')
    }
    adopt(keys, next)
    return next.activeTerm
  }

  async read(keys: readonly ReadKey[]): Promise<readonly ReadResult[]> {
    this.#keys()
    const found = await this.#backend.read(keys)
    try {
      return this.#openAll(keys, found)
    } catch (error) {
      if (!(error instanceof UnknownTerm)) throw error
      // Another node has rotated: read the keyring once, and only then complain.
      this.#reload ??= this.#reloadKeyring().finally(() => {
        this.#reload = undefined
      })
      await this.#reload
      return this.#openAll(keys, found)
    }
  }

  async readRow(key: string): Promise<Stored | undefined> {
    const [row] = await this.read([{ key }])
    return row === 'same' ? undefined : row
  }

  async list(prefix: string, page: ListPage): Promise<string[]> {
    this.#keys()
    return this.#backend.list(prefix, page)
  }

  view(prefix: string): SecretStorage {
    return new View(this, prefix)
  }

  overlay(view: SecretStorage, known: ReadonlyMap<string, Stored | undefined>): SecretStorage {
    return new View(this, view.prefix, known)
  }

  async transact<T>(run: (tx: Tx) => Promise<T>, seed: ReadonlyMap<string, Stored | undefined>): Promise<T> {
    this.#keys()
    return this.#transactor.transact(run, seed)
  }

  /** Removes rows of a prefix that is dead and never used again, see StorageBackend.clear. */
  async clear(prefix: string, limit: number): Promise<number> {
    this.#keys()
    return this.#backend.clear(prefix, limit)
  }

  now(): Promise<number> {
    return this.#backend.now()
  }

  changes(signal: AbortSignal): AsyncIterable<Change> {
    return this.#backend.changes(signal)
  }

  #keys(): Unsealed {
    if (!this.#unsealed) throw new Refusal(503, 'Vault is sealed')
    return this.#unsealed
  }

  #openAll(keys: readonly ReadKey[], found: readonly ReadResult[]): ReadResult[] {
    const { cipher } = this.#keys()
    return found.map((row, i) => {
      if (row === undefined || row === 'same') return row
      const key = keys[i]?.key ?? ''
      try {
        return { value: cipher.open(key, row), version: row.version }
      } catch (error) {
        if (error instanceof DamagedRow) this.#log.error('stored row is damaged', { key })
        throw error
      }
    })
  }

  async #readPlain(keys: readonly string[]): Promise<(Stored | undefined)[]> {
    const found = await this.#backend.read(keys.map((key) => ({ key })))
    return found.map((row) => (row === 'same' ? undefined : row))
  }

  async #reloadKeyring(): Promise<void> {
    const keys = this.#keys()
    adopt(keys, await this.#openKeyring(keys.rootCipher))
    this.#log.info('keyring read again', { term: keys.keyring.activeTerm })
  }

  /** The keyring, once it and the plaintext rows that it vouches for are as they were written. */
  async #openKeyring(cipher: RowCipher): Promise<Keyring> {
    const [format, row] = await this.#readPlain([plainRows.format, plainRows.keyring])
    if (!format && !row) throw new Refusal(400, 'Vault is not initialized')
    assertFormat(format?.value)
    if (!row) throw new DamagedRow(plainRows.keyring, 'it is gone')
    const keyring = this.#decodeKeyring(cipher, row)
    const names = Object.keys(keyring.plainDigests)
    const plain = await this.#readPlain(names)
    names.forEach((name, i) => {
      const value = plain[i]?.value
      if (!value || digest(value) !== keyring.plainDigests[name]) {
        this.#log.error('stored row is damaged', { key: name })
        throw new DamagedRow(name, 'it is not what was written when the storage was initialised')
      }
    })
    return keyring
  }

  #decodeKeyring(cipher: RowCipher, row: Stored): Keyring {
    let bytes: Uint8Array
    try {
      bytes = cipher.open(plainRows.keyring, row)
    } catch (cause) {
      if (cause instanceof DamagedRow || cause instanceof UnknownTerm) throw new WrongRootKey()
      throw cause
    }
    try {
      return Keyring.decode(bytes)
    } finally {
      bytes.fill(0)
    }
  }
}

/** A keyring that was read before a rotation may come back after it. */
function adopt(keys: Unsealed, keyring: Keyring): void {
  if (keyring.activeTerm > keys.keyring.activeTerm) keys.keyring = keyring
}

/** The root key stands as term 0: it encrypts the keyring and nothing else. */
function rootCipher(root: KeyObject, random: RandomBytes): RowCipher {
  return new RowCipher({ random, terms: { activeTerm: 0, key: (term) => (term === 0 ? root : undefined) } })
}

function digest(value: Uint8Array): string {
  return createHash('sha256').update(value).digest('hex')
}
