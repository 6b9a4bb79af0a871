import { createHash, type KeyObject } from 'node:crypto'
import type { Logger } from '../../lib/log.ts'
import type { RandomBytes } from '../../lib/random.ts'
import { commitId } from '../contracts/commit.ts'
import { Refusal } from '../contracts/request.ts'
import type { Check, Put, StorageBackend, Stored } from '../contracts/storage.ts'
import { generationValue } from './generation.ts'
import { Keyring, takeKey } from './keyring.ts'
import { assertFormat, formatRow, generationRow, plainRows, rootUpgradeRow } from './plain-rows.ts'
import { DamagedRow, RowCipher, UnknownTerm } from './row-cipher.ts'

/** The given key does not open the keyring; nothing has changed. */
export class WrongRootKey extends Error {
  override name = 'WrongRootKey'

  constructor() {
    super(`this root key does not open the row "${plainRows.keyring}": it is another key, or the row is damaged`)
  }
}

/** A root key as the barrier keeps it. It stands as term 0: it encrypts the keyring and nothing else. */
export interface Root {
  readonly key: KeyObject
  readonly cipher: RowCipher
}

export interface OpenKeyring {
  readonly keyring: Keyring
  readonly root: Root
  /** Of the row it was read from or written as. */
  readonly version: string
  /** Of the storage, read with it. */
  readonly format: number
}

export interface KeyringStoreOptions {
  readonly backend: Pick<StorageBackend, 'read' | 'commit'>
  /** The newest format that this program knows. */
  readonly known: number
  readonly random: RandomBytes
  readonly log: Logger
}

/** A change of the keyring: it is committed with the plaintext rows that it vouches for, all or nothing. */
export interface KeyringChange {
  readonly keyring: Keyring
  readonly plain?: readonly Put[]
  /** Another root key than the one it was read with. */
  readonly root?: Root
  /** Of the storage, from now on; it comes with what the rest of the storage must be told. */
  readonly format?: { readonly to: number; readonly checks: readonly Check[]; readonly put: readonly Put[] }
}

/** How many root keys a node may sleep through and still find the way to the present one. */
const keptUpgrades = 8

/** The keyring's row and the plaintext rows beside it. */
export class KeyringStore {
  readonly #options: KeyringStoreOptions

  constructor(options: KeyringStoreOptions) {
    this.#options = options
  }

  /** Takes the 32 bytes over. */
  rootOf(bytes: Uint8Array): Root {
    const key = takeKey(bytes)
    const { random } = this.#options
    const terms = { activeTerm: 0, key: (term: number) => (term === 0 ? key : undefined) }
    return { key, cipher: new RowCipher({ random, terms }) }
  }

  async readPlain(keys: readonly string[]): Promise<(Stored | undefined)[]> {
    const found = await this.#options.backend.read(keys.map((key) => ({ key })))
    return found.map((row) => (row === 'same' ? undefined : row))
  }

  async create(root: Root, plain: readonly Put[], make: (digests: Record<string, string>) => Keyring): Promise<void> {
    const { backend, random, known } = this.#options
    const given = [{ key: plainRows.format, value: formatRow(known) }, ...plain]
    const id = commitId(random)
    const keyring = sealed(root, id, make(digestsOf(given)))
    const generation = { key: generationRow, value: generationValue('') }
    const create = [...given, { key: plainRows.keyring, value: keyring }, generation]
    if ((await backend.commit({ id, checks: [], create })) === 'conflict') {
      throw new Refusal(400, 'Vault is already initialized')
    }
  }

  /**
   * The keyring, once it and the plaintext rows that it vouches for are as they were written. With `known`, what this node
   * had before: when the root key was changed since, the new one is found through it.
   */
  async open(root: Root, known?: Keyring): Promise<OpenKeyring> {
    const [formatted, row] = await this.readPlain([plainRows.format, plainRows.keyring])
    if (!formatted && !row) throw new Refusal(400, 'Vault is not initialized')
    const format = assertFormat(formatted?.value, this.#options.known)
    if (!row) throw new DamagedRow(plainRows.keyring, 'it is gone')
    const opened = await this.#decode(root, row, known?.rootSerial)
    const damaged = await this.#damagedPlain(opened.keyring)
    if (damaged === undefined) return { ...opened, version: row.version, format }
    const [again] = await this.readPlain([plainRows.keyring])
    // Changed between the two reads: rows of different moments say nothing.
    if (again && again.version !== row.version) return this.open(root, known)
    this.#options.log.error('stored row is damaged', { key: damaged })
    throw new DamagedRow(damaged, 'it is not what was written with the keyring')
  }

  /** Refusal 503 when another node changed the keyring meanwhile. */
  async commit(before: OpenKeyring, change: KeyringChange): Promise<OpenKeyring> {
    const { backend, random } = this.#options
    const { root = before.root, format } = change
    const raised = format ? [{ key: plainRows.format, value: formatRow(format.to) }] : []
    const plain = [...(change.plain ?? []), ...raised]
    const keyring = change.keyring.changed({
      plainDigests: digestsOf(plain),
      ...(root === before.root ? {} : { rootSerial: before.keyring.rootSerial + 1 }),
    })
    const id = commitId(random)
    const upgrade = root === before.root ? [] : [this.#upgrade(before, root, id)]
    const put = [
      ...plain,
      ...upgrade,
      ...(format?.put ?? []),
      { key: plainRows.keyring, value: sealed(root, id, keyring) },
    ]
    const checks = [{ key: plainRows.keyring, version: before.version }, ...(format?.checks ?? [])]
    const remove = root === before.root ? [] : [rootUpgradeRow(before.keyring.rootSerial - keptUpgrades)]
    if ((await backend.commit({ id, checks, put, remove })) === 'conflict') {
      throw new Refusal(503, 'the keyring was changed by another node at the same time, try again')
    }
    return { keyring, root, version: id, format: format?.to ?? before.format }
  }

  /** Nodes that have the old root key find the new one here, so that nobody must unseal them again. */
  #upgrade(before: OpenKeyring, root: Root, id: string): Put {
    const key = rootUpgradeRow(before.keyring.rootSerial)
    const bytes = root.key.export()
    try {
      return { key, value: before.root.cipher.seal(key, id, bytes) }
    } finally {
      bytes.fill(0)
    }
  }

  async #decode(root: Root, row: Stored, serial: number | undefined): Promise<{ keyring: Keyring; root: Root }> {
    let current = root
    for (let next = serial; ; next = next === undefined ? undefined : next + 1) {
      try {
        return { keyring: decoded(current.cipher, row), root: current }
      } catch (error) {
        const upgraded = error instanceof WrongRootKey ? await this.#nextRoot(current, next) : undefined
        if (!upgraded) throw error
        this.#options.log.info('root key changed by another node', { serial: (next ?? 0) + 1 })
        current = upgraded
      }
    }
  }

  async #nextRoot(root: Root, serial: number | undefined): Promise<Root | undefined> {
    if (serial === undefined) return undefined
    const key = rootUpgradeRow(serial)
    const [row] = await this.readPlain([key])
    return row && this.rootOf(Buffer.from(root.cipher.open(key, row)))
  }

  async #damagedPlain(keyring: Keyring): Promise<string | undefined> {
    const names = Object.keys(keyring.plainDigests)
    const plain = await this.readPlain(names)
    return names.find((name, i) => {
      const value = plain[i]?.value
      return !value || digest(value) !== keyring.plainDigests[name]
    })
  }
}

function sealed(root: Root, id: string, keyring: Keyring): Uint8Array {
  const encoded = keyring.encode()
  try {
    return root.cipher.seal(plainRows.keyring, id, encoded)
  } finally {
    encoded.fill(0)
  }
}

function decoded(cipher: RowCipher, row: Stored): Keyring {
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

function digestsOf(plain: readonly Put[]): Record<string, string> {
  return Object.fromEntries(plain.map(({ key, value }) => [key, digest(value)]))
}

function digest(value: Uint8Array): string {
  return createHash('sha256').update(value).digest('hex')
}
