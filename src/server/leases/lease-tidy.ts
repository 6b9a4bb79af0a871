/** Mends what no commit should have left: index rows without a lease, and leases without their index or due rows. */
import type { Logger } from '../../lib/log.ts'
import type { Due, Guard } from '../contracts/due-rows.ts'
import type { SecretStorage } from '../contracts/secret-storage.ts'
import type { DueIndex } from './due-index.ts'
import { leaseKey } from './lease-row.ts'
import { eachPage, type LeasePlace, type LeaseRows, placeSchema } from './lease-rows.ts'

export interface LeaseTidyOptions {
  readonly rows: LeaseRows
  readonly due: DueIndex
  readonly log: Logger
}

export interface Tidied {
  readonly leases: number
  readonly removed: number
  readonly mended: number
}

export class LeaseTidy {
  readonly #options: LeaseTidyOptions

  constructor(options: LeaseTidyOptions) {
    this.#options = options
    options.due.handle('lease-tidy', (due, guard, signal) => this.#onDue(due, guard, signal))
  }

  /** Whoever leads does it soon; a second wish before that is the same one. */
  async request(namespace: string): Promise<void> {
    const { rows, due } = this.#options
    const at = await rows.now()
    await rows.view(namespace).transaction(async (tx) => due.add(tx, { at, kind: 'lease-tidy', id: namespace }))
  }

  async #onDue(due: Due, guard: Guard, signal: AbortSignal): Promise<void> {
    const done = await this.run(due.id, guard, signal)
    await this.#options.due.drop(due, guard)
    this.#options.log.info('leases tidied', { namespace: due.id, ...done })
  }

  /** Safe beside all that goes on: what it removes it reads again in the commit that removes it. */
  async run(namespace: string, guard: Guard, signal: AbortSignal): Promise<Tidied> {
    const count = { leases: 0, removed: 0, mended: 0 }
    const { rows } = this.#options
    await eachPage(rows.ids(namespace), '', async (ids) => {
      signal.throwIfAborted()
      count.leases += ids.length
      for (const id of ids) if (await this.#mend({ namespace, id }, guard)) count.mended += 1
    })
    for (const view of [rows.places, rows.byToken, rows.irrevocable(namespace)]) {
      await eachPage(view, '', async (names) => {
        signal.throwIfAborted()
        for (const name of names) if (await this.#dropDangling(view, name, namespace, guard)) count.removed += 1
      })
    }
    return count
  }

  /** A lease that nobody finds when it is due would live for ever. */
  async #mend({ namespace, id }: LeasePlace, guard: Guard): Promise<boolean> {
    const { rows } = this.#options
    const row = await rows.get(namespace, id)
    if (!row) return false
    const place = await rows.places.get(leaseKey(id), placeSchema)
    if (place) return false
    await rows.places.transaction(async (tx) => {
      await guard(tx)
      tx.put(rows.places, leaseKey(id), { id, namespace })
    })
    // Also writes its due row anew.
    await rows.replace({ namespace, id }, (found) => found, guard)
    return true
  }

  async #dropDangling(view: SecretStorage, name: string, namespace: string, guard: Guard): Promise<boolean> {
    const { rows } = this.#options
    const place = await view.get(name, placeSchema)
    if (place?.namespace !== namespace || (await rows.get(namespace, place.id))) return false
    return view.transaction(async (tx) => {
      await guard(tx)
      const ids = rows.ids(namespace)
      if ((await tx.getBytes(ids, place.id)) || !(await tx.getBytes(view, name))) return false
      tx.remove(view, name)
      return true
    })
  }
}
