/** What falls due when: rows whose names sort by time, so that the sweep reads only what is due. */
import type { Clock } from '../../lib/clock.ts'
import type { Due, Guard } from '../contracts/due-rows.ts'
import type { SecretStorage, Tx } from '../contracts/secret-storage.ts'
import { Lanes } from './lanes.ts'

/**
 * Does what is due. It removes or moves the due row itself, in the commit that settles the matter. 'failed': the row was
 * moved, but what it is about is in trouble, and others of its group are likely to be.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: most handlers have nothing to say
export type DueHandler = (due: Due, guard: Guard, signal: AbortSignal) => Promise<void | 'failed'>

interface Kind {
  readonly handler: DueHandler
  readonly groupOf: (id: string) => string
}

const anything = { parse: (value: unknown) => value }
const page = 256
/** What takes longer goes on while the next sweep looks for more. */
const patienceMs = 1000

export class DueIndex {
  readonly #view: SecretStorage
  readonly #clock: Clock
  readonly #kinds = new Map<string, Kind>()
  readonly #lanes = new Lanes()

  /** `view` is the root namespace's. */
  constructor(view: SecretStorage, clock: Clock) {
    this.#view = view.at('due/')
    this.#clock = clock
  }

  /** `groupOf`: what shares a fate, by the id; a group that hangs or fails holds up no other. Default: the kind. */
  handle(kind: string, handler: DueHandler, groupOf: (id: string) => string = () => kind): void {
    this.#kinds.set(kind, { handler, groupOf })
  }

  /** `id` is at most 200 characters without slashes. */
  add(tx: Tx, due: Due): void {
    tx.put(this.#view, nameOf(due), {})
  }

  remove(tx: Tx, due: Due): void {
    tx.remove(this.#view, nameOf(due))
  }

  /** Settles what is due at `now` (the storage's clock); returns how many it settled while it waited. One failure stops no other. */
  async sweep(
    now: number,
    guard: Guard,
    signal: AbortSignal,
    failed: (due: Due, error: unknown) => void,
  ): Promise<number> {
    const count = { settled: 0 }
    let after: string | undefined
    for (;;) {
      const names: string[] = await this.#view.list('', { depth: 'all', after, limit: page })
      for (const name of names) {
        const due = dueOf(name)
        if (due.at > now || signal.aborted) return this.#wait(count)
        this.#offer(name, due, guard, signal, failed, count)
      }
      if (names.length < page) return this.#wait(count)
      after = names.at(-1)
    }
  }

  /** Resolves when nothing that a sweep began is under way. */
  idle(): Promise<void> {
    return this.#lanes.idle()
  }

  /** Drops a due row whose subject is gone or was moved to another time. */
  async drop(due: Due, guard: Guard): Promise<void> {
    await this.#view.transaction(async (tx) => {
      await guard(tx)
      if ((await tx.get(this.#view, nameOf(due), anything)) !== undefined) this.remove(tx, due)
    })
  }

  #offer(
    name: string,
    due: Due,
    guard: Guard,
    signal: AbortSignal,
    failed: (due: Due, error: unknown) => void,
    count: { settled: number },
  ): void {
    const kind = this.#kinds.get(due.kind)
    if (!kind) return
    this.#lanes.offer(`${due.kind} ${kind.groupOf(due.id)}`, name, async () => {
      if (signal.aborted) return true
      try {
        const outcome = await kind.handler(due, guard, signal)
        count.settled += 1
        return outcome !== 'failed'
      } catch (error) {
        failed(due, error)
        return false
      }
    })
  }

  async #wait(count: { readonly settled: number }): Promise<number> {
    let cancel = () => {}
    const patience = new Promise<void>((resolve) => {
      cancel = this.#clock.after(patienceMs, resolve)
    })
    await Promise.race([this.#lanes.idle(), patience])
    cancel()
    return count.settled
  }
}

const nameOf = ({ at, kind, id }: Due) => `${String(Math.max(0, Math.ceil(at))).padStart(15, '0')}/${kind}/${id}`

function dueOf(name: string): Due {
  const [at = '0', kind = '', id = ''] = name.split('/')
  return { at: Number(at), kind, id }
}
