import { type Guard, noGuard } from '../../contracts/due-rows.ts'
import type { Rows, SecretStorage } from '../../contracts/secret-storage.ts'

const page = 100

/** What tokens keep for themselves, of all namespaces, under their ids: it ends with them. */
export class Cubbyholes {
  readonly #view: SecretStorage

  constructor(rows: Rows) {
    this.#view = rows.view('cubbyhole/')
  }

  async clear(id: string, signal: AbortSignal, guard: Guard = noGuard): Promise<void> {
    const view = this.#view.at(`${id}/`)
    for (;;) {
      signal.throwIfAborted()
      const names = await view.list('', { depth: 'all', limit: page })
      if (names.length === 0) return
      await view.transaction(async (tx) => {
        await guard(tx)
        for (const name of names) tx.remove(view, name)
      })
    }
  }

  /** The ids that have something, in order. */
  async owners(after: string | undefined): Promise<string[]> {
    const from = after === undefined ? undefined : `${after}/`
    const names = await this.#view.list('', { depth: 'children', after: from, limit: page })
    return names.filter((name) => name.endsWith('/')).map((name) => name.slice(0, -1))
  }
}
