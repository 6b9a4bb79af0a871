import * as z from 'zod'
import type { Json } from '../../../../lib/json/value.ts'
import type { Barrier } from '../../../barrier/barrier.ts'
import type { Schema } from '../../../contracts/secret-storage.ts'
import { readSealConfig, sealRows } from './seal-rows.ts'

const rowSchema = z.object({ format: z.literal(1), done: z.number(), begun: z.number() })
const row = 'first-start'
/** Which node does the requests, and until when nobody takes over. */
const ownerSchema = z.object({ format: z.literal(1), node: z.string(), until: z.number() })
const ownerRow = 'first-start-node'
const ownedMs = 60_000
const answerKey = (number: number) => `first-start-answers/${number}`
const anyJson: Schema<Json> = { parse: (value) => value as Json }

/** How far the requests of the first start are: a crash in the middle is gone on from there. */
export class FirstStart {
  readonly #barrier: Barrier
  #node = ''

  constructor(barrier: Barrier) {
    this.#barrier = barrier
  }

  async pending(): Promise<boolean> {
    return (await readSealConfig(this.#barrier))?.initialising === true
  }

  /** True: this node does the requests. False: another one does, and was heard of within the last minute. */
  async claim(node: string): Promise<boolean> {
    this.#node = node
    const core = this.#core()
    const now = await this.#barrier.now()
    return core.transaction(async (tx) => {
      const owner = await tx.get(core, ownerRow, ownerSchema)
      if (owner && owner.node !== node && owner.until > now) return false
      tx.put(core, ownerRow, { format: 1, node, until: now + ownedMs })
      return true
    })
  }

  /** After a failure: any node may go on at once. */
  async release(): Promise<void> {
    const core = this.#core()
    await core.transaction(async (tx) => {
      if ((await tx.get(core, ownerRow, ownerSchema))?.node === this.#node) tx.remove(core, ownerRow)
    })
  }

  /** `done` requests are done; number `begun` may be, or not. -1: none. */
  async position(): Promise<{ readonly done: number; readonly begun: number }> {
    return (await this.#core().get(row, rowSchema)) ?? { done: 0, begun: -1 }
  }

  begin(number: number): Promise<void> {
    return this.#write({ done: number, begun: number })
  }

  /** `answer`: later requests may refer to it. */
  done(number: number, answer: Json): Promise<void> {
    return this.#write({ done: number + 1, begun: -1 }, answer)
  }

  async answer(number: number): Promise<Json> {
    return (await this.#core().get(answerKey(number), anyJson)) ?? null
  }

  /** From now on the server has been initialised as any other. */
  async finish(): Promise<void> {
    const { done } = await this.position()
    const core = this.#core()
    for (let number = 0; number < done; number += 1) {
      await core.transaction(async (tx) => tx.remove(core, answerKey(number)))
    }
    await this.#barrier.reroot(async () => {
      const now = await readSealConfig(this.#barrier)
      if (!now?.initialising) return undefined
      const { initialising: _, ...rest } = now
      return { plain: sealRows(rest) }
    })
    await core.transaction(async (tx) => {
      tx.remove(core, row)
      tx.remove(core, ownerRow)
    })
  }

  async #write(position: { done: number; begun: number }, answer?: Json): Promise<void> {
    const core = this.#core()
    const now = await this.#barrier.now()
    await core.transaction(async (tx) => {
      const owner = await tx.get(core, ownerRow, ownerSchema)
      if (owner?.node !== this.#node) throw new Error('another node has taken over the first start')
      tx.put(core, ownerRow, { format: 1, node: this.#node, until: now + ownedMs })
      tx.put(core, row, { format: 1, ...position })
      if (answer !== undefined) tx.put(core, answerKey(position.done - 1), answer)
    })
  }

  #core() {
    return this.#barrier.view('core/')
  }
}
