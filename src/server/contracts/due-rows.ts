import type { Tx } from './secret-storage.ts'

/** Adds the leader's fence to a housekeeping commit, so that one that was replaced changes nothing. */
export type Guard = (tx: Tx) => Promise<void>
export const noGuard: Guard = async () => {}

/** What falls due, when. */
export interface Due {
  /** Milliseconds since 1970, by the storage's clock. */
  readonly at: number
  readonly kind: string
  /** At most 200 characters without slashes. */
  readonly id: string
}

/** leases/due-index.ts, as far as nouns use it whose rows go by themselves. */
export interface DueRows {
  add(tx: Tx, due: Due): void
  remove(tx: Tx, due: Due): void
  drop(due: Due, guard: Guard): Promise<void>
  handle(kind: string, handler: (due: Due, guard: Guard) => Promise<void>): void
}
