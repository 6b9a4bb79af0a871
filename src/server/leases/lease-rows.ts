/** The rows of leases: each commit keeps a lease's row, its indexes and its due row together. */

import { type Due, type Guard, noGuard } from '../contracts/due-rows.ts'
import { rootNamespace } from '../contracts/epochs.ts'
import type { Rows, SecretStorage, Tx } from '../contracts/secret-storage.ts'
import type { DueIndex } from './due-index.ts'
import { type LeaseRow, leaseKey, leaseRowSchema, namespaceOf } from './lease-row.ts'

export interface LeasePlace {
  readonly namespace: string
  readonly id: string
}

export class LeaseRows {
  readonly #rows: Rows
  readonly #due: DueIndex
  /** `token/<token id>/<key>`: what a token holds; `at/<key>`: where a lease is, for due rows carry only its key. Of all namespaces. */
  readonly byToken: SecretStorage
  readonly places: SecretStorage

  constructor(rows: Rows, due: DueIndex) {
    this.#rows = rows
    this.#due = due
    const global = this.view(rootNamespace.id)
    this.byToken = global.at('token/')
    this.places = global.at('at/')
  }

  view(namespace: string): SecretStorage {
    return this.#rows.view(`ns/${namespace}/leases/`)
  }

  /** Rows of the namespace by their ids. */
  ids(namespace: string): SecretStorage {
    return this.view(namespace).at('id/')
  }

  /** `<mount uuid>/<key>`: those that could not be revoked. */
  irrevocable(namespace: string): SecretStorage {
    return this.view(namespace).at('irrevocable/')
  }

  now(): Promise<number> {
    return this.#rows.now()
  }

  /** The storage refuses reads of keys that it would not write: nothing is there. */
  async get(namespace: string, id: string): Promise<LeaseRow | undefined> {
    if (!canBeId(id)) return undefined
    return this.ids(namespace).get(id, leaseRowSchema)
  }

  create(tx: Tx, row: LeaseRow): void {
    const namespace = namespaceOf(row)
    tx.create(this.ids(namespace), row.id, { ...row })
    const place = placeJson(row)
    tx.create(this.places, leaseKey(row.id), place)
    if (row.token !== '') tx.create(this.byToken, `${row.token}/${leaseKey(row.id)}`, place)
    this.#due.add(tx, dueOf(row))
  }

  /** Rewrites the row and moves its due row in one commit; undefined when it is gone or `change` declines. */
  replace(
    { namespace, id }: LeasePlace,
    change: (row: LeaseRow) => LeaseRow | undefined,
    guard: Guard = noGuard,
  ): Promise<LeaseRow | undefined> {
    const ids = this.ids(namespace)
    return ids.transaction(async (tx) => {
      await guard(tx)
      const row = await tx.get(ids, id, leaseRowSchema)
      const next = row && change(row)
      if (!row || !next) return undefined
      tx.put(ids, id, { ...next })
      if (row.dueAt > 0) this.#due.remove(tx, dueOf(row))
      if (next.dueAt > 0) this.#due.add(tx, dueOf(next))
      const index = this.irrevocable(namespace)
      if (next.status === 'irrevocable') tx.put(index, irrevocableName(next), placeJson(next))
      return next
    })
  }

  /** True when this call removed it. */
  remove({ namespace, id }: LeasePlace, guard: Guard = noGuard): Promise<boolean> {
    const ids = this.ids(namespace)
    return ids.transaction(async (tx) => {
      await guard(tx)
      const row = await tx.get(ids, id, leaseRowSchema)
      if (!row) return false
      tx.remove(ids, id)
      tx.remove(this.places, leaseKey(id))
      if (row.token !== '') tx.remove(this.byToken, `${row.token}/${leaseKey(id)}`)
      if (row.dueAt > 0) this.#due.remove(tx, dueOf(row))
      if (row.status === 'irrevocable') tx.remove(this.irrevocable(namespace), irrevocableName(row))
      return true
    })
  }
}

const irrevocableName = (row: LeaseRow) => `${row.mount}/${leaseKey(row.id)}`
const placeJson = ({ id, namespace }: LeaseRow) => ({ id, ...(namespace === undefined ? {} : { namespace }) })

/** The mount stands first: what is due of one that hangs is told apart without reading it. */
const dueOf = (row: LeaseRow): Due => ({ at: row.dueAt, kind: 'lease', id: `${row.mount}~${leaseKey(row.id)}` })
export const keyOfDue = (dueId: string) => dueId.slice(dueId.indexOf('~') + 1)
export const mountOfDue = (dueId: string) => dueId.slice(0, Math.max(0, dueId.indexOf('~')))

const canBeId = (id: string) => id !== '' && !id.endsWith('/') && id.length <= 1000 && !id.includes('\0')

export const placeSchema = {
  parse: (value: unknown): LeasePlace => {
    if (typeof value !== 'object' || value === null || !('id' in value)) throw new Error('not a place')
    return { id: String(value.id), namespace: 'namespace' in value ? String(value.namespace) : rootNamespace.id }
  },
}

/** Every name below a prefix, page by page; the callback may remove what it was given. */
export async function eachPage(
  view: SecretStorage,
  prefix: string,
  each: (names: readonly string[]) => Promise<void>,
): Promise<void> {
  let after: string | undefined
  for (;;) {
    const names: string[] = await view.list(prefix, { depth: 'all', after, limit: 256 })
    if (names.length > 0) await each(names)
    if (names.length < 256) return
    after = names.at(-1)
  }
}
