import { parseJson } from '../../lib/json/parse.ts'
import { stringifyJson } from '../../lib/json/stringify.ts'
import type { RandomBytes } from '../../lib/random.ts'
import { commitId } from '../contracts/commit.ts'
import type { Put, StorageBackend, Stored } from '../contracts/storage.ts'

export interface EncryptionCountOptions {
  readonly backend: Pick<StorageBackend, 'commit'>
  readonly random: RandomBytes
  readonly read: (key: string) => Promise<Stored | undefined>
  readonly seal: (key: string, version: string, plaintext: Uint8Array) => Uint8Array
}

const block = 1_000_000
/** A process that ends sooner has not drawn a block: far below what a count to 2^32 must notice, and a short life costs no commit. */
const free = 1000

/** How many rows were encrypted under a term, by all processes: each draws blocks of a million before it uses them. */
export class EncryptionCount {
  readonly #options: EncryptionCountOptions
  #term = 0
  #used = 0
  #drawn = free
  #drawing: Promise<void> | undefined

  constructor(options: EncryptionCountOptions) {
    this.#options = options
  }

  /** To be called with each row that is encrypted. */
  add(term: number): void {
    if (term !== this.#term) {
      this.#term = term
      this.#used = 0
      this.#drawn = free
    }
    this.#used += 1
  }

  /** Waits only when the block is used up. */
  ready(): Promise<void> | undefined {
    if (this.#used < this.#drawn) return undefined
    this.#drawing ??= this.#draw(this.#term).finally(() => {
      this.#drawing = undefined
    })
    return this.#drawing
  }

  /** Exact with one process; blocks that others have not used up yet count as used. */
  async total(term: number): Promise<number> {
    const row = await this.#options.read(rowOf(term))
    const stored = row ? drawnIn(row.value) : 0
    if (term !== this.#term) return stored
    return this.#drawn === free ? stored + this.#used : stored - (this.#drawn - this.#used)
  }

  async #draw(term: number): Promise<void> {
    const { backend, random, read, seal } = this.#options
    const key = rowOf(term)
    for (;;) {
      const row = await read(key)
      const first = this.#drawn === free
      const drawn = (row ? drawnIn(row.value) : 0) + block
      const id = commitId(random)
      const put: Put = { key, value: seal(key, id, Buffer.from(stringifyJson({ format: 1, drawn }))) }
      const commit = row ? { checks: [{ key, version: row.version }], put: [put] } : { checks: [], create: [put] }
      if ((await backend.commit({ id, ...commit })) === 'conflict') continue
      if (this.#term === term) this.#drawn = first ? block : this.#drawn + block
      return
    }
  }
}

const rowOf = (term: number) => `core/encryptions/${term}`

function drawnIn(bytes: Uint8Array): number {
  const row = parseJson(bytes)
  const drawn = typeof row === 'object' && row !== null && 'drawn' in row ? row.drawn : undefined
  if (typeof drawn !== 'number') throw new Error('the count of encryptions in storage is damaged')
  return drawn
}
