/** Ends leases: undone at least once, by one holder at a time, the row removed exactly once, however many nodes run. */
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import { base62, type RandomBytes } from '../../lib/random.ts'
import { orAborted } from '../../lib/until-aborted.ts'
import { type Due, type Guard, noGuard } from '../contracts/due-rows.ts'
import type { LeaseHandler } from '../contracts/leases.ts'
import { Refusal } from '../contracts/request.ts'
import type { Mount } from '../mounts/mount.ts'
import type { DueIndex } from './due-index.ts'
import type { LeaseRow } from './lease-row.ts'
import { keyOfDue, type LeasePlace, type LeaseRows, mountOfDue, placeSchema } from './lease-rows.ts'

export interface LeaseRevocationOptions {
  readonly rows: LeaseRows
  readonly due: DueIndex
  readonly random: RandomBytes
  readonly log: Logger
  readonly clock: Clock
  /** Mounts that are being removed too: their leases still need their handlers. */
  readonly mountOf: (namespaceId: string, uuid: string) => Promise<Mount | undefined>
  /** Told when a revocation begins, whoever wanted it; never of one that is under way already. */
  readonly revoking?: (work: Promise<boolean>) => void
}

const maxAttempts = 6
const firstRetryMs = 10_000
/** For one try; what takes longer counts as failed. */
const patienceMs = 60_000
/** A holder that died is waited for that long. Longer than a try may take. */
const holdMs = 90_000
/** Nobody holds for that long: the storage's clock has been set back since. Twice as long, as nodes know that clock to within seconds. */
const impossibleMs = 2 * holdMs
const lookAgainMs = 250

/** What the handler said is in `cause`; the message is safe to show. */
export class RevocationFailed extends Error {
  override name = 'RevocationFailed'
}

class TookTooLong extends Error {
  override name = 'TookTooLong'
}

export class LeaseRevocation {
  readonly #options: LeaseRevocationOptions
  /** Names this process in what it holds. */
  readonly #self: string
  readonly #running = new Map<string, Promise<boolean>>()

  constructor(options: LeaseRevocationOptions) {
    this.#options = options
    this.#self = base62(options.random, 16)
    options.due.handle('lease', (due, guard, signal) => this.#onDue(due, guard, signal), mountOfDue)
  }

  /**
   * Undoes the effect and removes the row; true when this call removed it. Whoever is at it already is waited for.
   * RevocationFailed: the sweep tries it again, at most six times in all; from now on nobody can use it.
   */
  revoke(place: LeasePlace, signal: AbortSignal, guard: Guard = noGuard): Promise<boolean> {
    const name = `${place.namespace} ${place.id}`
    const running = this.#running.get(name)
    if (running) return running
    const work = this.#revoke(place, signal, guard).finally(() => this.#running.delete(name))
    this.#running.set(name, work)
    this.#options.revoking?.(work)
    return work
  }

  /** As revoke, but a failure is left to the sweep. False when it failed. */
  async attempt(place: LeasePlace, signal: AbortSignal, guard: Guard = noGuard): Promise<boolean> {
    try {
      await this.revoke(place, signal, guard)
      return true
    } catch (error) {
      if (error instanceof RevocationFailed) return false
      throw error
    }
  }

  async handlerOf(row: LeaseRow): Promise<LeaseHandler | undefined> {
    const mount = await this.#options.mountOf(row.namespace ?? 'root', row.mount)
    return mount?.engine.leases?.[row.handler]
  }

  async #onDue(due: Due, guard: Guard, signal: AbortSignal): Promise<'failed' | undefined> {
    const { rows } = this.#options
    const place = await rows.places.get(keyOfDue(due.id), placeSchema)
    const row = place && (await rows.get(place.namespace, place.id))
    if (!place || !row || row.dueAt !== due.at) {
      await this.#options.due.drop(due, guard)
      return undefined
    }
    // Another node is at it: its due row comes up again.
    if (this.#heldElsewhere(row, await rows.now(), true)) return undefined
    return (await this.attempt(place, signal, guard)) ? undefined : 'failed'
  }

  /**
   * `wasThere`: the hold was there before we asked for `now`. Only of such a one the end can be judged: another may have begun
   * since, however long ago we asked.
   */
  #heldElsewhere({ held }: LeaseRow, now: number, wasThere: boolean): boolean {
    if (!held || held.by === this.#self || held.until <= now) return false
    return !(wasThere && held.until > now + impossibleMs)
  }

  async #revoke(place: LeasePlace, signal: AbortSignal, guard: Guard): Promise<boolean> {
    const { rows, clock } = this.#options
    let row = await this.#hold(place, guard)
    while (row && row.held?.by !== this.#self) {
      await clock.sleep(lookAgainMs, signal)
      row = await this.#hold(place, guard, row.held)
    }
    if (!row) return false
    try {
      await this.#undo(row, signal)
    } catch (error) {
      const text = safeText(error)
      await this.#failed(place, text, guard, signal)
      throw new RevocationFailed(text, { cause: error })
    }
    return rows.remove(place, guard)
  }

  /**
   * The row as it is now, held by us unless another holds it; due when the hold ends, so that a crash leaves it to the sweep.
   * `before`: the hold that was found the last time.
   */
  async #hold(place: LeasePlace, guard: Guard, before?: LeaseRow['held']): Promise<LeaseRow | undefined> {
    const { rows } = this.#options
    const now = await rows.now()
    const seen: { row?: LeaseRow } = {}
    const until = now + holdMs
    const held = await rows.replace(
      place,
      (row) => {
        seen.row = row
        const wasThere = row.held?.by === before?.by && row.held?.until === before?.until
        if (this.#heldElsewhere(row, now, wasThere)) return undefined
        return { ...row, held: { by: this.#self, until }, dueAt: row.dueAt === 0 ? until : Math.min(row.dueAt, until) }
      },
      guard,
    )
    return held ?? seen.row
  }

  async #undo(row: LeaseRow, signal: AbortSignal): Promise<void> {
    const handler = await this.handlerOf(row)
    if (!handler) throw new Refusal(500, `the mount has no handler "${row.handler}" for its leases`)
    const patience = new AbortController()
    const cancel = this.#options.clock.after(patienceMs, () => patience.abort(new TookTooLong()))
    const either = AbortSignal.any([signal, patience.signal])
    try {
      await orAborted(async () => handler.revoke(handler.state.parse(row.state), either), either)
    } finally {
      cancel()
    }
  }

  /** Tried again after 10 s, 20 s, 40 s …; after six it is kept as irrevocable. One that was interrupted does not count. */
  async #failed(place: LeasePlace, lastError: string, guard: Guard, signal: AbortSignal): Promise<void> {
    const { rows, log } = this.#options
    const now = await rows.now()
    const row = await rows.replace(
      place,
      ({ held: _, ...found }) => {
        const attempts = found.attempts + (signal.aborted ? 0 : 1)
        const next = { ...found, attempts, lastError, expiresAt: Math.min(found.expiresAt, now) }
        if (attempts >= maxAttempts) return { ...next, status: 'irrevocable', dueAt: 0 }
        return { ...next, dueAt: now + firstRetryMs * 2 ** Math.max(0, attempts - 1) }
      },
      guard,
    )
    const fields = { lease: place.id, namespace: place.namespace, attempts: row?.attempts, error: lastError }
    if (row?.status === 'irrevocable') log.error('lease irrevocable', fields)
    else log.warn('lease revocation failed', fields)
  }
}

/** A refusal is safe by definition; of anything else only its kind: drivers put passwords and addresses into their messages. */
function safeText(error: unknown): string {
  if (error instanceof TookTooLong) return `the revocation took longer than ${patienceMs / 1000} s`
  if (error instanceof Refusal) return error.errors.join('; ')
  if (!(error instanceof Error)) return 'unknown error'
  const code =
    'code' in error && typeof error.code === 'string' && /^[A-Z0-9_]{2,40}$/.test(error.code) ? error.code : ''
  const name = /^\w{1,60}$/.test(error.name) ? error.name : 'Error'
  return code === '' ? name : `${name} (${code})`
}
