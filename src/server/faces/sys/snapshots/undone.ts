/** What has ended since a snapshot was taken, and lives again once it is restored. */
import type { Barrier } from '../../../barrier/barrier.ts'
import { parseRow } from '../../../barrier/view.ts'
import { rootNamespace } from '../../../contracts/epochs.ts'
import type { ReadResult, Stored } from '../../../contracts/storage.ts'
import { mountRowSchema } from '../../../mounts/mount-row.ts'
import { namespaceRowSchema } from '../../../namespaces/namespace-row.ts'
import type { Row } from '../../../snapshots/state.ts'
import { StoredNames } from './stored-names.ts'
import {
  mountRows,
  namespaceRows,
  type OpenedRow,
  type RowKind,
  rowKinds,
  type UndoneKind,
  undoneKinds,
} from './undone-kinds.ts'

/** Kinds of which nothing lives again are absent. `named`: the first of them. */
export type Undone = ReadonlyMap<UndoneKind, { readonly count: number; readonly named: readonly string[] }>

type Compared = Pick<Barrier, 'list' | 'read' | 'openRow' | 'reloadKeyring' | 'now'>

/** Of each kind; the rest is counted. */
export const maxNamed = 1000
/** `bytes` are those of the snapshot: of what is there now each row may have become as large as a row can be. */
const readAtOnce = { rows: 50, bytes: 1024 * 1024 }
const sliceRows = 100
const mountFolder = 'mnt/'

/**
 * Compares the snapshot with the storage that it is about to replace. What is kept meanwhile grows with
 * their namespaces and mounts alone. What would have ended by now anyway does not count: it ends again as soon as the server is unsealed.
 */
export async function findUndone(barrier: Compared, rows: Iterable<Row>): Promise<Undone> {
  // Once, not for each row of a term that is not there; rows that an older keyring opens are compared all the same.
  await barrier.reloadKeyring().catch(() => undefined)
  const search = new Search(barrier, await barrier.now())
  let looked = 0
  for (const row of rows) {
    looked += 1
    if (looked % sliceRows === 0) await new Promise((resolve) => setImmediate(resolve))
    await search.look(row)
  }
  return search.finish()
}

interface Pair {
  readonly kind: RowKind
  readonly key: string
  readonly version: string
  /** Undefined: not readable. Then only whether it is still the same can be known. */
  readonly row: OpenedRow | undefined
}

class Search {
  readonly now: number
  readonly #barrier: Compared
  readonly #present: readonly StoredNames[]
  readonly #found = new Map<UndoneKind, { count: number; named: string[] }>()
  readonly #namespaces = new Map([[rootNamespace.id, rootNamespace.path]])
  /** How many rows of a mount are gone, by its UUID: the rows of all mounts come before those that say which mount that is. */
  readonly #goneBelow = new Map<string, number>()
  /** Rows that are in both, until there are enough for one query. */
  #pairs: Pair[] = []
  #pairBytes = 0

  constructor(barrier: Compared, now: number) {
    this.#barrier = barrier
    this.now = now
    this.#present = ['core/namespaces/', mountFolder, 'ns/'].map((folder) => new StoredNames(barrier, folder))
  }

  async look([key, stored]: Row): Promise<void> {
    const folder = this.#present.find((one) => key.startsWith(one.folder))
    if (!folder) return
    const present = await folder.has(key)
    if (folder.folder === mountFolder) {
      if (!present) this.#countBelow(key.slice(mountFolder.length, key.indexOf('/', mountFolder.length)))
      return
    }
    const kind = rowKinds.find((one) => one.key.test(key))
    if (!kind || (present && !kind.changed)) return
    const parts = kind.key.exec(key)?.slice(1) ?? []
    const gone = present && kind === mountRows ? this.#goneBelow.get(parts[1] ?? '') : undefined
    const row = this.#open(kind, stored, { key, parts, gone })
    if (!present) return this.#addRemoved(kind, row)
    if (!row && gone !== undefined) return this.#add('not_compared', key)
    this.#pairs.push({ kind, key, version: stored.version, row })
    this.#pairBytes += (row ?? stored).value.length
    const enough = this.#pairs.length >= readAtOnce.rows || this.#pairBytes >= readAtOnce.bytes
    if (enough) await this.#compare()
  }

  async finish(): Promise<Undone> {
    await this.#compare()
    const found: [UndoneKind, { count: number; named: string[] }][] = []
    for (const kind of undoneKinds) {
      const one = this.#found.get(kind)
      if (one) found.push([kind, one])
    }
    return new Map(found)
  }

  readonly namespacePath = (id: string): string => this.#namespaces.get(id) ?? `${id}/`

  /**
   * Undefined for what can't be read: a snapshot that is restored by force may be anything, of another cluster's keys and other
   * formats. `gone`: so many rows of the mount.
   */
  #open(kind: RowKind, stored: Stored, found: { key: string; parts: string[]; gone: number | undefined }) {
    const { key, parts, gone } = found
    try {
      const row: OpenedRow = { key, value: this.#barrier.openRow(key, stored), parts }
      const [namespace = ''] = parts
      if (kind === namespaceRows) this.#namespaces.set(namespace, parseRow(key, row.value, namespaceRowSchema).path)
      if (gone === undefined) return row
      const mount = parseRow(key, row.value, mountRowSchema)
      if (mount.class === 'auth') this.#add('auth_rows', `${this.namespacePath(namespace)}${mount.path} (${gone})`)
      return row
    } catch {
      return undefined
    }
  }

  async #compare(): Promise<void> {
    const pairs = this.#pairs
    this.#pairs = []
    this.#pairBytes = 0
    const found = await this.#readAll(pairs)
    for (const [i, { kind, key, row }] of pairs.entries()) {
      const now = found[i]
      if (now === 'same') continue
      if (now === undefined) this.#addRemoved(kind, row)
      else if (now === unreadable || !row) this.#add('not_compared', key)
      else this.#addChanged(kind, row, now.value)
    }
  }

  /** What can't be read is there again all the same: it counts, without a name. */
  #addRemoved(kind: RowKind, row: OpenedRow | undefined): void {
    const name = row ? readable(() => kind.removed(row, this)) : unreadable
    if (name !== undefined) this.#add(kind.kind, name === unreadable ? undefined : name)
  }

  #addChanged(kind: RowKind, row: OpenedRow, present: Uint8Array): void {
    const name = readable(() => kind.changed?.(row, present, this))
    if (name === unreadable) this.#add('not_compared', row.key)
    else if (name !== undefined) this.#add(kind.changedKind ?? kind.kind, name)
  }

  /** A storage with a damaged row is one that gets restored: one such row must not keep the others from being compared. */
  async #readAll(pairs: readonly Pair[]): Promise<readonly (ReadResult | typeof unreadable)[]> {
    const keys = pairs.map(({ key, version }) => ({ key, known: version }))
    if (keys.length === 0) return []
    const one = (key: { key: string; known: string }) => this.#barrier.read([key]).catch(() => [unreadable] as const)
    return this.#barrier.read(keys).catch(async () => (await Promise.all(keys.map(one))).flat())
  }

  #countBelow(uuid: string): void {
    this.#goneBelow.set(uuid, (this.#goneBelow.get(uuid) ?? 0) + 1)
  }

  #add(kind: UndoneKind, name?: string): void {
    const found = this.#found.get(kind) ?? { count: 0, named: [] }
    found.count += 1
    if (name !== undefined && found.named.length < maxNamed) found.named.push(name)
    this.#found.set(kind, found)
  }
}

const unreadable = Symbol('unreadable')

/** A row of another format or with damaged contents must not keep the others from being compared. */
function readable(name: () => string | undefined): string | undefined | typeof unreadable {
  try {
    return name()
  } catch {
    return unreadable
  }
}
