/**
 * Revocation of all below a prefix: an intent first, from whose commit on nothing that it names can be used; then a sweep
 * in pages, which any node finishes.
 */
import * as z from 'zod'
import { base62, type RandomBytes } from '../../lib/random.ts'
import { type Due, type Guard, noGuard } from '../contracts/due-rows.ts'
import { Refusal } from '../contracts/request.ts'
import type { SecretStorage, Tx } from '../contracts/secret-storage.ts'
import type { DueIndex } from './due-index.ts'
import { type LeaseRevocation, RevocationFailed } from './lease-revocation.ts'
import type { LeaseRow } from './lease-row.ts'
import { eachPage, type LeaseRows } from './lease-rows.ts'

interface Intent {
  readonly id: string
  /** Of lease ids; ends in '/'. */
  readonly prefix: string
  /** What was issued later is not meant. */
  readonly at: number
  /** Rows go even when the effect can't be undone. */
  readonly force: boolean
}

const intentsSchema = z.looseObject({
  format: z.literal(1),
  intents: z.array(z.object({ id: z.string(), prefix: z.string(), at: z.number(), force: z.boolean() })),
})

const key = 'revoking'
const maxIntents = 100
/** A request that does the sweep itself is given so long before another takes over. */
const ownSweepMs = 120_000
const atOnce = 8

export interface PrefixRevocationOptions {
  readonly rows: LeaseRows
  readonly due: DueIndex
  readonly revocation: LeaseRevocation
  readonly random: RandomBytes
}

export class PrefixRevocation {
  readonly #options: PrefixRevocationOptions

  constructor(options: PrefixRevocationOptions) {
    this.#options = options
    options.due.handle('lease-prefix', (due, guard, signal) => this.#onDue(due, guard, signal))
  }

  /** `later`: answers once the intent is stored. Otherwise Refusal 500 when some failed (the sweep goes on with those). */
  async revoke(namespace: string, prefix: string, how: { force: boolean; later: boolean; signal: AbortSignal }) {
    const now = await this.#options.rows.now()
    const intent: Intent = { id: base62(this.#options.random, 16), prefix, at: now, force: how.force }
    const due = { at: how.later ? now : now + ownSweepMs, kind: 'lease-prefix', id: `${namespace}~${intent.id}` }
    await this.#view(namespace).transaction(async (tx) => {
      const intents = await this.#read(tx, namespace)
      if (intents.length >= maxIntents) {
        throw new Refusal(503, `${maxIntents} revocations by prefix are under way in this namespace: try again later`)
      }
      this.#write(tx, namespace, [...intents, intent])
      this.#options.due.add(tx, due)
    })
    if (how.later) return
    const failed = await this.#sweep(namespace, sweepOf(intent), how.signal, noGuard)
    await this.#finish(namespace, intent, due, noGuard)
    refuseFailures(prefix, failed)
  }

  /** In a transaction that would prolong it: false, also when it becomes so before the commit. */
  async spares(tx: Tx, namespace: string, row: LeaseRow): Promise<boolean> {
    return !(await this.#read(tx, namespace)).some((intent) => means(intent, row))
  }

  async sparesNow(namespace: string, row: LeaseRow): Promise<boolean> {
    const found = await this.#view(namespace).get(key, intentsSchema)
    return !found?.intents.some((intent) => means(intent, row))
  }

  /**
   * All that a mount lent that is being removed (its mark is the intent, and whoever marked it calls again after a
   * crash). Another mount may have its path by now. Refusal 500 after all were tried.
   */
  async revokeMount(namespace: string, path: string, uuid: string, signal: AbortSignal): Promise<void> {
    const below = { prefix: path, means: (row: LeaseRow) => row.mount === uuid, force: false }
    refuseFailures(path, await this.#sweep(namespace, below, signal, noGuard))
  }

  async #onDue(due: Due, guard: Guard, signal: AbortSignal): Promise<void> {
    const [namespace = '', id] = due.id.split('~')
    const found = await this.#view(namespace).get(key, intentsSchema)
    const intent = found?.intents.find((one) => one.id === id)
    if (!intent) return this.#options.due.drop(due, guard)
    await this.#sweep(namespace, sweepOf(intent), signal, guard)
    await this.#finish(namespace, intent, due, guard)
  }

  async #sweep(namespace: string, below: Sweep, signal: AbortSignal, guard: Guard): Promise<Failures> {
    const { rows, revocation } = this.#options
    const failed = { count: 0, last: '' }
    const one = async (name: string) => {
      const place = { namespace, id: `${below.prefix}${name}` }
      const row = await rows.get(namespace, place.id)
      if (!row || !below.means(row)) return
      try {
        await revocation.revoke(place, signal, guard)
      } catch (error) {
        if (!(error instanceof RevocationFailed)) throw error
        signal.throwIfAborted()
        if (below.force) return void (await rows.remove(place, guard))
        failed.count += 1
        failed.last = error.message
      }
    }
    await eachPage(rows.ids(namespace), below.prefix, (names) => {
      signal.throwIfAborted()
      return inParallel(names, one)
    })
    return failed
  }

  #finish(namespace: string, intent: Intent, due: Due, guard: Guard): Promise<void> {
    return this.#view(namespace).transaction(async (tx) => {
      await guard(tx)
      const intents = await this.#read(tx, namespace)
      if (!intents.some((one) => one.id === intent.id)) return
      this.#write(
        tx,
        namespace,
        intents.filter((one) => one.id !== intent.id),
      )
      this.#options.due.remove(tx, due)
    })
  }

  async #read(tx: Tx, namespace: string): Promise<readonly Intent[]> {
    return (await tx.get(this.#view(namespace), key, intentsSchema))?.intents ?? []
  }

  #write(tx: Tx, namespace: string, intents: readonly Intent[]): void {
    const view = this.#view(namespace)
    if (intents.length === 0) tx.remove(view, key)
    else tx.put(view, key, { format: 1, intents: intents.map((one) => ({ ...one })) })
  }

  #view(namespace: string): SecretStorage {
    return this.#options.rows.view(namespace)
  }
}

interface Sweep {
  readonly prefix: string
  readonly means: (row: LeaseRow) => boolean
  readonly force: boolean
}
interface Failures {
  count: number
  last: string
}

const sweepOf = (intent: Intent): Sweep => ({ ...intent, means: (row) => means(intent, row) })
const means = (intent: Intent, row: LeaseRow) => row.id.startsWith(intent.prefix) && row.issuedAt <= intent.at

function refuseFailures(prefix: string, failed: Failures): void {
  if (failed.count === 0) return
  const lent = failed.count === 1 ? '1 lease' : `${failed.count} leases`
  throw new Refusal(500, `${lent} below "${prefix}" could not be revoked: ${failed.last}`)
}

/** The first error is thrown when all that had begun have ended. */
async function inParallel(names: readonly string[], run: (name: string) => Promise<void>): Promise<void> {
  const left = [...names].reverse()
  const errors: unknown[] = []
  const lane = async () => {
    for (let name = left.pop(); name !== undefined && errors.length === 0; name = left.pop()) {
      await run(name).catch((error: unknown) => errors.push(error))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  if (errors.length > 0) throw errors[0]
}
