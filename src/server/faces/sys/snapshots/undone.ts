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
  readonly row: OpenedRow
  readonly version: string
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
    const row = this.#open(key, stored, kind)
    if (!row) return present ? undefined : this.#add(kind.kind)
    this.#learn(kind, row, present)
    if (!present) return this.#addNamed(kind.kind, kind.removed(row, this))
    this.#pairs.push({ kind, row, version: stored.version })
    this.#pairBytes += row.value.length
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

  /** Undefined for what this cluster's keys do not open: a snapshot that is restored by force may be anything. */
  #open(key: string, stored: Stored, kind: RowKind): OpenedRow | undefined {
    try {
      return { key, value: this.#barrier.openRow(key, stored), parts: kind.key.exec(key)?.slice(1) ?? [] }
    } catch {
      return undefined
    }
  }

  #learn(kind: RowKind, { key, value, parts: [namespace = '', uuid = ''] }: OpenedRow, present: boolean): void {
    if (kind === namespaceRows) this.#namespaces.set(namespace, parseRow(key, value, namespaceRowSchema).path)
    const gone = kind === mountRows && present ? this.#goneBelow.get(uuid) : undefined
    if (gone === undefined) return
    const mount = parseRow(key, value, mountRowSchema)
    if (mount.class === 'auth') this.#addNamed('auth_rows', `${this.namespacePath(namespace)}${mount.path} (${gone})`)
  }

  async #compare(): Promise<void> {
    const pairs = this.#pairs
    this.#pairs = []
    this.#pairBytes = 0
    const found = await this.#readAll(pairs)
    for (const [i, { kind, row }] of pairs.entries()) {
      const now = found[i]
      if (now === 'same' || now === 'unreadable') continue
      if (now === undefined) this.#addNamed(kind.kind, kind.removed(row, this))
      else this.#addNamed(kind.changedKind ?? kind.kind, kind.changed?.(row, now.value, this))
    }
  }

  /** A storage with a damaged row is one that gets restored: one such row must not keep the others from being compared. */
  async #readAll(pairs: readonly Pair[]): Promise<readonly (ReadResult | 'unreadable')[]> {
    const keys = pairs.map(({ row, version }) => ({ key: row.key, known: version }))
    if (keys.length === 0) return []
    const unreadable = () => ['unreadable'] as const
    return this.#barrier
      .read(keys)
      .catch(async () => (await Promise.all(keys.map((key) => this.#barrier.read([key]).catch(unreadable)))).flat())
  }

  #countBelow(uuid: string): void {
    this.#goneBelow.set(uuid, (this.#goneBelow.get(uuid) ?? 0) + 1)
  }

  #addNamed(kind: UndoneKind, name: string | undefined): void {
    if (name !== undefined) this.#add(kind, name)
  }

  #add(kind: UndoneKind, name?: string): void {
    const found = this.#found.get(kind) ?? { count: 0, named: [] }
    found.count += 1
    if (name !== undefined && found.named.length < maxNamed) found.named.push(name)
    this.#found.set(kind, found)
  }
}
