import type { RandomBytes } from '../../lib/random.ts'
import { commitId } from '../contracts/commit.ts'
import { Refusal } from '../contracts/request.ts'
import {
  type Check,
  type Commit,
  GenerationPassed,
  type Put,
  type StorageBackend,
  StorageFull,
} from '../contracts/storage.ts'
import { FormatUnsupported, generationRow } from './plain-rows.ts'

export interface GenerationOptions {
  readonly backend: Pick<StorageBackend, 'read' | 'commit' | 'clear'>
  readonly random: RandomBytes
  /** All rows were replaced: what this node holds is of another storage. */
  readonly passed: () => void
  /** The format of the storage was raised: reads it again. Throws FormatUnsupported. */
  readonly refresh: () => Promise<void>
}

interface Known {
  readonly version: string
  /** Id of the last restore, '' when there was none; undefined: no such row, as a restore by an older program leaves it. */
  readonly restored: string | undefined
}

/**
 * Every commit of this node rests on it. A restore writes it anew, so nothing that was worked out from the rows before is
 * written after it. So does whoever raises the storage's format: a node that was taken for dead learns of it before it writes.
 */
export class Generation {
  readonly #options: GenerationOptions
  #current: (Check & Known) | undefined
  /** The storage has none, and had no room for one. */
  #lacking = false
  #supplying: Promise<void> | undefined

  constructor(options: GenerationOptions) {
    this.#options = options
  }

  /** Runs `open` until what it read is all of one generation, under which commits are then made. */
  async opening<T>(open: () => Promise<T>): Promise<T> {
    for (;;) {
      const before = await this.#read()
      const opened = await open()
      const after = before ? await this.#read() : await this.#create().catch(noRoom)
      if (after === 'made by another' || (before && after?.version !== before.version)) continue
      this.#current = after && { key: generationRow, ...after }
      this.#lacking = after === undefined
      return opened
    }
  }

  forget(): void {
    this.#current = undefined
    this.#lacking = false
  }

  /** For work that commits later: it commits only while the rows come from the same restore as now, also if keys were forgotten and found again. */
  begin(): (commit: Commit) => Promise<'ok' | 'conflict'> {
    const known = this.#current !== undefined
    const restored = this.#current?.restored
    return (commit) =>
      known && this.#current?.restored !== restored
        ? Promise.reject(new Refusal(503, 'Vault is sealed'))
        : this.commit(commit)
  }

  /** Refusal 503 when rows were replaced, or this program does not know the storage's format any more. */
  async commit(commit: Commit): Promise<'ok' | 'conflict'> {
    const { backend } = this.#options
    if (this.#lacking) {
      this.#supplying ??= this.#supply().finally(() => {
        this.#supplying = undefined
      })
      await this.#supplying
    }
    const generation = this.#current
    const outcome = await backend.commit(generation ? { ...commit, generation } : commit)
    if (outcome === 'conflict' && generation) await this.#judge(generation)
    return outcome
  }

  async clear(prefix: string, limit: number): Promise<number> {
    const { backend } = this.#options
    for (;;) {
      const generation = this.#current
      try {
        return await backend.clear(prefix, limit, generation)
      } catch (error) {
        if (!(error instanceof GenerationPassed) || !generation) throw error
        await this.#judge(generation)
      }
    }
  }

  /** The same restore, a new generation: to be written by a commit, whose id is then to be adopted. */
  next(): Put {
    return { key: generationRow, value: generationValue(this.#current?.restored ?? '') }
  }

  adopt(version: string): void {
    this.#current = { key: generationRow, version, restored: this.#current?.restored ?? '' }
  }

  /** What was read under `known` may hold no more. */
  async #judge(known: Check & Known): Promise<void> {
    const now = await this.#read()
    if (now?.version === known.version) return
    // The next attempt has the generation that was found meanwhile; after a restore there is none.
    if (this.#current !== known && this.#current?.restored === known.restored) return
    if (this.#current !== known) throw new Refusal(503, 'Vault is sealed')
    if (!now || now.restored !== known.restored) {
      this.#options.passed()
      throw new Refusal(503, 'Vault is sealed')
    }
    try {
      await this.#options.refresh()
    } catch (error) {
      if (!(error instanceof FormatUnsupported)) throw error
      throw new Refusal(503, `this node can not write any more: ${error.message}`)
    }
    this.#current = { key: generationRow, ...now }
  }

  async #read(): Promise<Known | undefined> {
    const [row] = await this.#options.backend.read([{ key: generationRow }])
    return row === undefined || row === 'same' ? undefined : { version: row.version, restored: restoredIn(row.value) }
  }

  /** Before the first commit. Throws StorageFull while there is no room, as that commit would. */
  async #supply(): Promise<void> {
    const made = await this.#create()
    const found = made === 'made by another' ? await this.#read() : made
    if (!this.#lacking) return
    if (found?.restored !== '') {
      this.#options.passed()
      throw new Refusal(503, 'Vault is sealed')
    }
    this.#current = { key: generationRow, ...found }
    this.#lacking = false
  }

  /** Of a storage that was made before there were generations. Who was faster may have restored since. */
  async #create(): Promise<Known | 'made by another'> {
    const { backend, random } = this.#options
    const id = commitId(random)
    const create = [{ key: generationRow, value: generationValue('') }]
    const made = await backend.commit({ id, checks: [], create })
    return made === 'ok' ? { version: id, restored: '' } : 'made by another'
  }
}

/** To be read a storage needs no room. */
function noRoom(error: unknown): undefined {
  if (!(error instanceof StorageFull)) throw error
}

/** `restored`: the id that a restore gives to what it writes; '' for a storage that never was. */
export const generationValue = (restored: string): Uint8Array => Buffer.from(JSON.stringify({ format: 1, restored }))

function restoredIn(value: Uint8Array): string | undefined {
  try {
    const { restored } = JSON.parse(Buffer.from(value).toString())
    return typeof restored === 'string' ? restored : undefined
  } catch {
    return undefined
  }
}
