import { compareUtf8 } from '../../../../lib/json/stringify.ts'
import type { Barrier } from '../../../barrier/barrier.ts'
import type { ListPage } from '../../../contracts/storage.ts'

const pageRows = 1000

/** Looks keys of one folder up that come in order, by listing the folder alongside. */
export class StoredNames {
  readonly folder: string
  readonly #barrier: Pick<Barrier, 'list'>
  #page: readonly string[] = []
  #at = 0
  #after: string | undefined = ''

  constructor(barrier: Pick<Barrier, 'list'>, folder: string) {
    this.#barrier = barrier
    this.folder = folder
  }

  async has(key: string): Promise<boolean> {
    const name = key.slice(this.folder.length)
    for (;;) {
      const next = this.#page[this.#at]
      if (next === undefined) {
        if (!(await this.#more())) return false
      } else if (compareUtf8(next, name) >= 0) return next === name
      else this.#at += 1
    }
  }

  async #more(): Promise<boolean> {
    if (this.#after === undefined) return false
    const page: ListPage = { depth: 'all', limit: pageRows, ...(this.#after === '' ? {} : { after: this.#after }) }
    this.#page = await this.#barrier.list(this.folder, page)
    this.#at = 0
    this.#after = this.#page.length < pageRows ? undefined : this.#page.at(-1)
    return this.#page.length > 0
  }
}
