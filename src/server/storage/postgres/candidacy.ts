import type { Clock } from '../../../lib/clock.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { type Check, OutcomeUnknown, type StorageBackend, StorageDown } from '../../contracts/storage.ts'
import { Leadership } from '../leadership.ts'
import { type Connections, toldAs } from './connection/connections.ts'
import { plainArray } from './encoding.ts'
import type { Names } from './table-names.ts'

export interface CandidacyOptions {
  readonly backend: Pick<StorageBackend, 'read' | 'commit'>
  readonly connections: Connections
  readonly names: Names
  readonly clock: Clock
  readonly random: RandomBytes
  readonly self: string
  readonly closed: () => boolean
}

const beatMs = 1000
/** Without a beat for this long a holder counts as gone: its fence is then changed, so that what it still commits conflicts. */
const goneAfter = '10 seconds'

/** Stands for the lead: beats beside the fence row, which changes only when someone takes over. */
export class Candidacy {
  readonly #options: CandidacyOptions
  readonly #leadership: Leadership
  #standing = 0
  /** Of its own, beside that of a candidate: a process at work that has given up the lead must not be taken for the one who leads. */
  readonly #atWork: string
  #announced = false
  #beating: AbortController | undefined

  constructor(options: CandidacyOptions) {
    const { backend, clock, random, self } = options
    this.#options = options
    this.#atWork = `${self} at work`
    this.#leadership = new Leadership({ backend, clock, random, self, alive: (holder) => this.isAlive(holder) })
  }

  async lead(work: (fence: Check, signal: AbortSignal) => Promise<void>, until: AbortSignal): Promise<void> {
    this.#standing += 1
    this.#beat()
    try {
      await this.#tryUntil(work, until)
    } finally {
      this.#standing -= 1
      if (this.#standing === 0 && !this.#announced) this.stop()
    }
  }

  /** Beats from now on, until `stop`, also while nobody stands for the lead. */
  async announce(): Promise<string> {
    await this.#beatOnce([this.#atWork])
    this.#announced = true
    this.#beat()
    return this.#atWork
  }

  stop(): void {
    this.#beating?.abort(new Error('nothing to tell any more'))
    this.#beating = undefined
  }

  /** While anyone in this process stands, or it is announced. */
  #beat(): void {
    if (this.#beating) return
    const beating = new AbortController()
    this.#beating = beating
    const { clock, self } = this.#options
    const run = async () => {
      while (!beating.signal.aborted) {
        await clock.sleep(beatMs, beating.signal).catch(() => undefined)
        const ids = [...(this.#standing > 0 ? [self] : []), ...(this.#announced ? [this.#atWork] : [])]
        // Who is not heard for too long loses the lead by the fence.
        if (!beating.signal.aborted) await this.#beatOnce(ids).catch(() => undefined)
      }
    }
    void run()
  }

  /** A database that is away ends no candidacy: only what `work` throws is told. */
  async #tryUntil(work: (fence: Check, signal: AbortSignal) => Promise<void>, until: AbortSignal): Promise<void> {
    const { clock, closed, self } = this.#options
    for (;;) {
      let thrown: unknown
      const guarded = async (fence: Check, signal: AbortSignal) => {
        try {
          await work(fence, signal)
        } catch (error) {
          thrown = error
          throw error
        }
      }
      try {
        // Before it leads: without a beat the others would take it for gone.
        if (!until.aborted) await this.#beatOnce([self])
        return await this.#leadership.lead(guarded, until)
      } catch (error) {
        const away = error instanceof StorageDown || error instanceof OutcomeUnknown
        if (error === thrown || !away || closed()) throw error
        if (until.aborted) return
        await clock.sleep(beatMs, until).catch(() => undefined)
      }
    }
  }

  async #beatOnce(ids: readonly string[]): Promise<void> {
    const { connections, names } = this.#options
    const text = `INSERT INTO ${names.nodes} (id, beat) SELECT unnest($1::text[]), clock_timestamp()
      ON CONFLICT (id) DO UPDATE SET beat = excluded.beat`
    try {
      await connections.query(text, [plainArray(ids)])
    } catch (error) {
      throw toldAs(error, connections.where)
    }
  }

  /** Throws StorageDown when the database is away. */
  async isAlive(holder: string): Promise<boolean> {
    const { connections, names } = this.#options
    const text = `SELECT 1 FROM ${names.nodes} WHERE id = $1 AND beat > clock_timestamp() - interval '${goneAfter}'`
    try {
      return (await connections.query(text, [holder])).length > 0
    } catch (error) {
      throw toldAs(error, connections.where)
    }
  }
}
