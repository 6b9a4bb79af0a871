import type { Barrier } from '../../../barrier/barrier.ts'
import type { ListPage } from '../../../contracts/storage.ts'
import type { Row } from '../../../snapshots/state.ts'

/** What of the snapshot has ended since it was taken, and lives again once it is restored. */
export interface Undone {
  readonly tokens: number
  readonly leases: number
}

/** One row each, of all namespaces, named by a hash. */
const folders = { tokens: 'ns/root/tokens/id/', leases: 'ns/root/leases/at/' } as const
const pageRows = 1000

/**
 * Rows that the snapshot has and the storage has not any more: revoked since, or ended by themselves (those end again as soon
 * as the server is unsealed). Policies that were changed, members that left a group and the like are not counted: whether
 * that took something from someone cannot be told.
 */
export async function countUndone(barrier: Pick<Barrier, 'list'>, rows: Iterable<Row>): Promise<Undone> {
  const found = { tokens: new Merge(barrier, folders.tokens), leases: new Merge(barrier, folders.leases) }
  const counts = { tokens: 0, leases: 0 }
  let looked = 0
  for (const [key] of rows) {
    looked += 1
    if (looked % 500 === 0) await new Promise((resolve) => setImmediate(resolve))
    for (const kind of ['tokens', 'leases'] as const) {
      if (!key.startsWith(folders[kind])) continue
      if (!(await found[kind].has(key.slice(folders[kind].length)))) counts[kind] += 1
    }
  }
  return counts
}

/** Looks names up that come in order, by listing the folder alongside. */
class Merge {
  readonly #barrier: Pick<Barrier, 'list'>
  readonly #folder: string
  #page: readonly string[] = []
  #at = 0
  #after: string | undefined = ''

  constructor(barrier: Pick<Barrier, 'list'>, folder: string) {
    this.#barrier = barrier
    this.#folder = folder
  }

  async has(name: string): Promise<boolean> {
    for (;;) {
      const next = this.#page[this.#at]
      if (next === undefined) {
        if (!(await this.#more())) return false
      } else if (Buffer.compare(Buffer.from(next), Buffer.from(name)) >= 0) return next === name
      else this.#at += 1
    }
  }

  async #more(): Promise<boolean> {
    if (this.#after === undefined) return false
    const page: ListPage = { depth: 'all', limit: pageRows, ...(this.#after === '' ? {} : { after: this.#after }) }
    this.#page = await this.#barrier.list(this.#folder, page)
    this.#at = 0
    this.#after = this.#page.length < pageRows ? undefined : this.#page.at(-1)
    return this.#page.length > 0
  }
}
