/** What falls due when: rows whose names sort by time, so that the sweep reads only what is due. */
import type { SecretStorage, Tx } from '../contracts/secret-storage.ts'

/** Adds the leader's fence to a housekeeping commit, so that one that was replaced changes nothing. */
export type Guard = (tx: Tx) => Promise<void>
export const noGuard: Guard = async () => {}

export interface Due {
  readonly at: number
  readonly kind: string
  readonly id: string
}

/** Does what is due. It removes or moves the due row itself, in the commit that settles the matter. */
export type DueHandler = (due: Due, guard: Guard, signal: AbortSignal) => Promise<void>

const anything = { parse: (value: unknown) => value }

export class DueIndex {
  readonly #view: SecretStorage
  readonly #handlers = new Map<string, DueHandler>()

  /** `view` is the namespace's. */
  constructor(view: SecretStorage) {
    this.#view = view.at('due/')
  }

  handle(kind: string, handler: DueHandler): void {
    this.#handlers.set(kind, handler)
  }

  /** `id` is at most 200 characters without slashes. */
  add(tx: Tx, due: Due): void {
    tx.put(this.#view, nameOf(due), {})
  }

  remove(tx: Tx, due: Due): void {
    tx.remove(this.#view, nameOf(due))
  }

  /** Settles what is due at `now` (the storage's clock), at most 256 rows; returns how many it settled. One failure stops no other. */
  async sweep(
    now: number,
    guard: Guard,
    signal: AbortSignal,
    failed: (due: Due, error: unknown) => void,
  ): Promise<number> {
    const names = await this.#view.list('', { depth: 'all', limit: 256 })
    let count = 0
    for (const name of names) {
      const due = dueOf(name)
      if (due.at > now || signal.aborted) break
      try {
        await this.#handlers.get(due.kind)?.(due, guard, signal)
        count += 1
      } catch (error) {
        failed(due, error)
      }
    }
    return count
  }

  /** Drops a due row whose subject is gone or was moved to another time. */
  async drop(due: Due, guard: Guard): Promise<void> {
    await this.#view.transaction(async (tx) => {
      await guard(tx)
      if ((await tx.get(this.#view, nameOf(due), anything)) !== undefined) this.remove(tx, due)
    })
  }
}

const nameOf = ({ at, kind, id }: Due) => `${String(Math.max(0, Math.ceil(at))).padStart(15, '0')}/${kind}/${id}`

function dueOf(name: string): Due {
  const [at = '0', kind = '', id = ''] = name.split('/')
  return { at: Number(at), kind, id }
}
