/** The only holder of storage keys: encrypts what goes into storage and hands out plaintext views of it while unsealed. */
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { RandomBytes } from '../../lib/random.ts'
import { commitId } from '../contracts/commit.ts'
import { Refusal } from '../contracts/request.ts'
import type { Rows, SecretStorage, Tx } from '../contracts/secret-storage.ts'
import {
  type Change,
  type Check,
  type ListPage,
  OutcomeUnknown,
  type Put,
  type ReadKey,
  type ReadResult,
  type StorageBackend,
  type Stored,
} from '../contracts/storage.ts'
import { EncryptionCount } from './encryption-count.ts'
import { Generation } from './generation.ts'
import { Keyring, takeKey } from './keyring.ts'
import { KeyringStore, type OpenKeyring } from './keyring-store.ts'
import { assertFormat, isReservedRow, knownFormat, plainRows, sealedRow } from './plain-rows.ts'
import { type RestoredMark, restoredRows } from './restored-mark.ts'
import { DamagedRow, NewerRow, RowCipher, UnknownTerm } from './row-cipher.ts'
import { Transactor } from './transact.ts'
import { View } from './view.ts'

export { WrongRootKey } from './keyring-store.ts'
export { assertFormat, FormatUnsupported, knownFormat, plainRows } from './plain-rows.ts'
export { DamagedRow, NewerRow, UnknownTerm } from './row-cipher.ts'

export interface BarrierOptions {
  readonly backend: StorageBackend
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  /** Another node has replaced all rows, and this one was about to write: it must forget its keys. */
  readonly passed?: () => void
  /** The newest format of rows that the program knows: for tests of what comes after `knownFormat`. */
  readonly knownFormat?: number
}

interface Unsealed {
  readonly cipher: RowCipher
  open: OpenKeyring
}

/** What rekeying changes: each part only when it is given. */
export interface RootChange {
  /** 32 bytes, copied. */
  readonly rootKey?: Uint8Array
  /** Plaintext rows of the seal. */
  readonly plain?: readonly Put[]
  /** 32 bytes, copied; null: there is none any more. */
  readonly recoveryKey?: Uint8Array | null
}

export interface KeyStatus {
  readonly term: number
  readonly installedAt: number
  readonly encryptions: number
}

export class Barrier implements Rows {
  readonly #backend: StorageBackend
  readonly #random: RandomBytes
  readonly #clock: Clock
  readonly #log: Logger
  readonly #store: KeyringStore
  readonly #transactor: Transactor
  readonly #count: EncryptionCount
  readonly #generation: Generation
  readonly knownFormat: number
  #unsealed: Unsealed | undefined
  #reload: Promise<void> | undefined
  /** Writes under way, and who waits for their end. */
  #writing = 0
  #written = () => {}
  /** All rows are being replaced: nothing goes in or out any more until `seal`. */
  #replaced = false

  constructor({ backend, clock, random, log, passed = () => undefined, ...options }: BarrierOptions) {
    this.knownFormat = options.knownFormat ?? knownFormat
    this.#backend = backend
    this.#random = random
    this.#clock = clock
    this.#log = log
    this.#generation = new Generation({ backend, random, passed, refresh: () => this.reloadKeyring() })
    const under: Pick<StorageBackend, 'read' | 'commit'> = {
      read: (keys) => backend.read(keys),
      commit: (commit) => this.#generation.commit(commit),
    }
    this.#store = new KeyringStore({ backend: under, random, log, known: this.knownFormat })
    const seal = (key: string, version: string, plaintext: Uint8Array, format?: number) =>
      this.#seal(key, version, plaintext, format)
    const read = (key: string) => this.readRow(key)
    this.#count = new EncryptionCount({ backend: under, random, read, seal })
    const format = () => this.format
    const begin = () => this.#generation.begin()
    this.#transactor = new Transactor({ backend, begin, clock, random, read, isReserved: isReservedRow, seal, format })
  }

  get sealed(): boolean {
    return this.#unsealed === undefined
  }

  /** Of the storage: the newest that rows are written in. It may lag behind on this node, never be ahead. */
  get format(): number {
    return this.#keys().open.format
  }

  /** False for an empty storage. Throws FormatUnsupported when a newer Coffer wrote it. */
  async initialised(): Promise<boolean> {
    const [format, keyring] = await this.#store.readPlain([plainRows.format, plainRows.keyring])
    if (!format && !keyring) return false
    assertFormat(format?.value, this.knownFormat)
    return true
  }

  /**
   * Makes a new keyring under `rootKey` (32 bytes, copied) and writes it with `plain` (what unsealing needs before there
   * are keys: seal configuration, wrapped root key) in one commit. Stays sealed. Refusal 400 when that was done before.
   */
  async initialise({
    rootKey,
    plain,
    recoveryKey,
  }: {
    readonly rootKey: Uint8Array
    readonly plain: readonly Put[]
    readonly recoveryKey?: Uint8Array
  }): Promise<void> {
    const recovery = recoveryKey ? { recoveryKey: takeKey(Buffer.from(recoveryKey)) } : {}
    await this.#store.create(this.#store.rootOf(Buffer.from(rootKey)), plain, (plainDigests) =>
      Keyring.create(this.#random, this.#clock.now(), { plainDigests, ...recovery }),
    )
  }

  /** A plaintext row that `initialise` wrote; readable while sealed, and verified when unsealing. */
  async readPlain(key: string): Promise<Uint8Array | undefined> {
    const [row] = await this.#store.readPlain([key])
    return row?.value
  }

  /** Opens the keyring (`rootKey` is copied). Throws WrongRootKey, DamagedRow, FormatUnsupported; the barrier is then as before. */
  async unseal(rootKey: Uint8Array): Promise<void> {
    const root = this.#store.rootOf(Buffer.from(rootKey))
    const open = await this.#generation.opening(() => this.#store.open(root))
    const unsealed: Unsealed = {
      open,
      cipher: new RowCipher({
        random: this.#random,
        known: this.knownFormat,
        terms: {
          get activeTerm() {
            return unsealed.open.keyring.activeTerm
          },
          key: (term) => unsealed.open.keyring.key(term),
        },
      }),
    }
    this.#unsealed?.cipher.clear()
    this.#unsealed = unsealed
    this.#log.info('barrier unsealed', { term: open.keyring.activeTerm })
  }

  /** Forgets all keys; what is under way fails with Refusal 503. */
  seal(): void {
    if (!this.#unsealed) return
    this.#unsealed.cipher.clear()
    this.#unsealed.open.root.cipher.clear()
    this.#unsealed = undefined
    this.#replaced = false
    this.#generation.forget()
    this.#log.info('barrier sealed')
  }

  /** Adds a term; what is written from now on uses it. Processes that share the storage learn of it from the first such row. */
  async rotate(): Promise<number> {
    const keys = this.#keys()
    const before = await this.#store.open(keys.open.root, keys.open.keyring)
    const keyring = before.keyring.withNewTerm(this.#random, this.#clock.now())
    adopt(keys, await this.#store.commit(before, { keyring }))
    return keyring.activeTerm
  }

  /**
   * Another root key, other plaintext rows of the seal, another recovery key: one commit, all or nothing. What depends on what
   * is there is decided in a function (undefined: nothing changes), which gets a copy of the root key in use, to be zeroed:
   * whatever it reads is as the commit finds it. Refusal 503 when another node changed the keyring at the same time.
   */
  async reroot(change: RootChange | ((rootKey: () => Uint8Array) => Promise<RootChange | undefined>)): Promise<void> {
    const keys = this.#keys()
    const before = await this.#store.open(keys.open.root, keys.open.keyring)
    const made = typeof change === 'function' ? await change(() => before.root.key.export()) : change
    if (!made) return
    const { rootKey, recoveryKey, plain = [] } = made
    const recovery = recoveryKey ? takeKey(Buffer.from(recoveryKey)) : undefined
    const keyring = recoveryKey === undefined ? before.keyring : before.keyring.withRecovery(recovery)
    const root = rootKey ? { root: this.#store.rootOf(Buffer.from(rootKey)) } : {}
    adopt(keys, await this.#store.commit(before, { keyring, plain, ...root }))
  }

  /**
   * From now on rows of format `to` may be written, once `checks` hold in the same commit: by them the caller knows that every
   * live node reads such rows. Who does not can't write any more. Refusal 503 when something changed at the same time.
   */
  async raiseFormat(to: number, checks: readonly Check[]): Promise<void> {
    const keys = this.#keys()
    const before = await this.#store.open(keys.open.root, keys.open.keyring)
    if (to > this.knownFormat) throw new RangeError(`this program does not know format ${to}`)
    if (to <= before.format) return adopt(keys, before)
    const format = { to, checks, put: [this.#generation.next()] }
    const after = await this.#store.commit(before, { keyring: before.keyring, format })
    this.#generation.adopt(after.version)
    adopt(keys, after)
  }

  /** Whether this is the recovery key; false where there is none. */
  isRecoveryKey(key: Uint8Array): boolean {
    return this.#keys().open.keyring.isRecoveryKey(key)
  }

  /** The active term, as storage has it. */
  async keyStatus(): Promise<KeyStatus> {
    const keys = this.#keys()
    adopt(keys, await this.#store.open(keys.open.root, keys.open.keyring))
    const { activeTerm, installedAt } = keys.open.keyring
    return { term: activeTerm, installedAt, encryptions: await this.#count.total(activeTerm) }
  }

  async read(keys: readonly ReadKey[]): Promise<readonly ReadResult[]> {
    this.#keys()
    const found = await this.#backend.read(keys)
    try {
      return this.#openAll(keys, found)
    } catch (error) {
      if (!(error instanceof UnknownTerm)) throw error
      // Another node has rotated: read the keyring once, and only then complain.
      this.#reload ??= this.reloadKeyring().finally(() => {
        this.#reload = undefined
      })
      await this.#reload
      return this.#openAll(keys, found)
    }
  }

  /** Undefined also for a term that must be looked for first. */
  readNow(keys: readonly ReadKey[]): readonly ReadResult[] | undefined {
    this.#keys()
    const found = this.#backend.readNow?.(keys)
    if (!found) return undefined
    try {
      return this.#openAll(keys, found)
    } catch (error) {
      if (error instanceof UnknownTerm) return undefined
      throw error
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
    const counting = this.#count.ready()
    if (counting) await counting
    return this.#writes(() => this.#transactor.transact(run, seed))
  }

  /** Removes rows of a prefix that is dead and never used again, see StorageBackend.clear. */
  async clear(prefix: string, limit: number): Promise<number> {
    return this.#writes(() => this.#generation.clear(prefix, limit))
  }

  /** Rows as they are stored, at one moment; without the leader's, which is about who runs now. */
  async *snapshot(signal: AbortSignal): AsyncGenerator<readonly [string, Stored]> {
    this.#keys()
    for await (const row of this.#backend.snapshot(signal)) if (row[0] !== plainRows.leader) yield row
  }

  /**
   * Storage becomes these rows, all or nothing. When it resolves this barrier refuses everything (503) until it is sealed;
   * other nodes forget their keys when they next look. When it rejects nothing has changed, unless with OutcomeUnknown.
   */
  async replaceAll(rows: Iterable<readonly [string, Stored]>, bytes: number, mark?: RestoredMark): Promise<void> {
    this.#keys()
    this.#replaced = true
    try {
      if (this.#writing > 0) await new Promise<void>((resolve) => (this.#written = resolve))
      await this.#backend.replace(restoredRows(rows, commitId(this.#random), mark), bytes)
    } catch (error) {
      if (!(error instanceof OutcomeUnknown)) this.#replaced = false
      throw error
    }
  }

  /** Encrypts what is kept outside of storage, for `openApart` of the same name on any node of this cluster. */
  sealApart(name: string, plaintext: Uint8Array): Uint8Array {
    return this.#seal(`apart/${name}`, noVersion, plaintext)
  }

  /** Throws DamagedRow, or UnknownTerm for what another cluster sealed. */
  async openApart(name: string, sealed: Uint8Array): Promise<Uint8Array> {
    const row = { value: sealed, version: noVersion }
    try {
      return this.openRow(`apart/${name}`, row)
    } catch (error) {
      if (!(error instanceof UnknownTerm)) throw error
      await this.reloadKeyring()
      return this.openRow(`apart/${name}`, row)
    }
  }

  /** For what another node has sealed under a newer term. */
  async reloadKeyring(): Promise<void> {
    const keys = this.#keys()
    adopt(keys, await this.#store.open(keys.open.root, keys.open.keyring))
    this.#log.info('keyring read again', { term: keys.open.keyring.activeTerm })
  }

  /** Decrypts, with the keys at hand, a row that came from a snapshot. Throws DamagedRow, NewerRow or UnknownTerm. */
  openRow(key: string, row: Stored): Uint8Array {
    return this.#keys().cipher.open(key, row)
  }

  now(): Promise<number> {
    return this.#backend.now()
  }

  changes(signal: AbortSignal): AsyncIterable<Change> {
    return this.#backend.changes(signal)
  }

  #keys(): Unsealed {
    if (!this.#unsealed || this.#replaced) throw new Refusal(503, 'Vault is sealed')
    return this.#unsealed
  }

  /** Nothing that began before the rows were replaced may write into those after it. */
  async #writes<T>(work: () => Promise<T>): Promise<T> {
    this.#keys()
    this.#writing += 1
    try {
      return await work()
    } finally {
      this.#writing -= 1
      if (this.#writing === 0) this.#written()
    }
  }

  #openAll(keys: readonly ReadKey[], found: readonly ReadResult[]): ReadResult[] {
    const { cipher } = this.#keys()
    return found.map((row, i) => {
      if (row === undefined || row === 'same') return row
      const key = keys[i]?.key ?? ''
      if (key === sealedRow) return row
      try {
        return { value: cipher.open(key, row), version: row.version }
      } catch (error) {
        if (error instanceof DamagedRow) this.#log.error('stored row is damaged', { key })
        if (error instanceof NewerRow) this.#log.warn('stored row is of a newer Coffer', { key, format: error.format })
        throw error
      }
    })
  }

  #seal(key: string, version: string, plaintext: Uint8Array, format?: number): Uint8Array {
    const { cipher, open } = this.#keys()
    this.#count.add(open.keyring.activeTerm)
    return cipher.seal(key, version, plaintext, format)
  }
}

/** Never a commit's. */
const noVersion = '00000000000000'

/** A keyring that was read before a rotation may come back after it. */
function adopt(keys: Unsealed, open: OpenKeyring): void {
  const { activeTerm, rootSerial } = keys.open.keyring
  if (open.keyring.activeTerm < activeTerm || open.keyring.rootSerial < rootSerial || open.format < keys.open.format)
    return
  keys.open = open
}
