/** Leases: stored pending before their effect, activated after it, revoked when due. */
import type { Json } from '../../lib/json/value.ts'
import type { Logger } from '../../lib/log.ts'
import { base62, type RandomBytes } from '../../lib/random.ts'
import type { IssuedLease, LeaseHandler, Leases, Ttl } from '../contracts/leases.ts'
import { Refusal, type Reply } from '../contracts/request.ts'
import type { Rows, SecretStorage, Tx } from '../contracts/secret-storage.ts'
import type { Mount } from '../mounts/mount.ts'
import { effectiveTtl, type SystemTtl } from '../mounts/mount-json.ts'
import type { MountTable } from '../mounts/mount-table.ts'
import { cappedTtl } from './capped-ttl.ts'
import { type Due, type DueIndex, type Guard, noGuard } from './due-index.ts'
import { type LeaseRow, leaseKey, leaseRowSchema } from './lease-row.ts'

export interface LeaseStoreOptions {
  readonly rows: Rows
  readonly due: DueIndex
  readonly mounts: MountTable
  readonly random: RandomBytes
  readonly log: Logger
  readonly ttl: SystemTtl
}

/** Who asks for leases, and below which path. */
export interface LeaseOrigin {
  readonly mount: Mount
  /** The request's path, mount included. */
  readonly path: string
  readonly signal: AbortSignal
  /** '' for none. */
  readonly tokenId: string
  /** Throws Refusal when the token is gone: its row is then among the checks of the commit. */
  readonly checkToken: (tx: Tx) => Promise<void>
}

const pendingMs = 5 * 60_000
const maxAttempts = 6
const firstRetryMs = 10_000

export class LeaseStore {
  readonly #options: LeaseStoreOptions
  readonly #view: SecretStorage
  readonly #ids: SecretStorage
  readonly #byToken: SecretStorage
  /** Where a lease is by the random end of its id: due rows carry only that. */
  readonly #places: SecretStorage

  constructor(options: LeaseStoreOptions) {
    this.#options = options
    this.#view = options.rows.view('ns/root/leases/')
    this.#ids = this.#view.at('id/')
    this.#byToken = this.#view.at('token/')
    this.#places = this.#view.at('at/')
    options.due.handle('lease', (due, guard, signal) => this.#onDue(due, guard, signal))
  }

  for(origin: LeaseOrigin): Leases {
    return { issue: (handler, state, ttl, effect) => this.#issue(origin, handler, state, ttl, effect) }
  }

  async get(id: string): Promise<LeaseRow | undefined> {
    return id === '' || id.endsWith('/') ? undefined : this.#ids.get(id, leaseRowSchema)
  }

  /** Names below a path prefix, one level. */
  list(prefix: string, after: string | undefined, limit: number): Promise<string[]> {
    return this.#ids.list(prefix, { depth: 'children', after, limit })
  }

  async #issue<S extends Json>(
    origin: LeaseOrigin,
    handlerName: string,
    state: S,
    ttl: Ttl,
    effect: (signal: AbortSignal) => Promise<Json>,
  ): Promise<Reply> {
    const row = await this.#newRow(origin, handlerName, state, ttl)
    await this.#view.transaction(async (tx) => {
      await origin.checkToken(tx)
      await this.#options.mounts.check(tx, origin.mount)
      tx.create(this.#ids, row.id, { ...row })
      tx.create(this.#places, leaseKey(row.id), { id: row.id })
      if (row.token !== '') tx.create(this.#byToken, `${row.token}/${leaseKey(row.id)}`, { id: row.id })
      this.#options.due.add(tx, dueOf(row))
    })
    let data: Json
    try {
      data = await effect(origin.signal)
    } catch (error) {
      // What the effect did is not known: the sweep undoes it, soon rather than in five minutes.
      await this.#replace(row.id, (found) => ({ ...found, dueAt: row.issuedAt })).catch(() => undefined)
      throw error
    }
    await this.#activate(row, origin)
    return { kind: 'lease', data, lease: { id: row.id, ttlMs: row.ttlMs, renewable: row.renewable } }
  }

  async #newRow(origin: LeaseOrigin, handler: string, state: Json, ttl: Ttl): Promise<LeaseRow> {
    const { random, rows } = this.#options
    const limits = effectiveTtl(origin.mount.info.config, this.#options.ttl)
    const maxTtlMs = ttl.maxTtlMs > 0 ? Math.min(ttl.maxTtlMs, limits.maxTtlMs) : limits.maxTtlMs
    const ttlMs = Math.min(ttl.ttlMs > 0 ? ttl.ttlMs : limits.defaultTtlMs, maxTtlMs)
    const now = await rows.now()
    const canRenew = origin.mount.engine.leases?.[handler]?.renew !== undefined
    return {
      format: 1,
      id: `${origin.path.replace(/\/+$/, '')}/${base62(random, 24)}`,
      path: origin.path.replace(/\/+$/, ''),
      mount: origin.mount.info.uuid,
      handler,
      state,
      token: origin.tokenId,
      status: 'pending',
      issuedAt: now,
      expiresAt: now + ttlMs,
      dueAt: now + pendingMs,
      ttlMs,
      maxTtlMs,
      renewable: ttl.renewable && canRenew,
      renewedAt: null,
      attempts: 0,
    }
  }

  /** The row may be gone: its token was revoked meanwhile, or the effect took longer than a pending lease lives. */
  async #activate(row: LeaseRow, origin: LeaseOrigin): Promise<void> {
    const now = await this.#options.rows.now()
    const expiresAt = now + row.ttlMs
    const active = await this.#replace(row.id, (found) =>
      found.status === 'pending'
        ? { ...found, status: 'active', issuedAt: now, expiresAt, dueAt: expiresAt }
        : undefined,
    )
    if (active) return
    await origin.mount.engine.leases?.[row.handler]?.revoke(row.state, origin.signal)
    throw new Refusal(500, 'the lease was revoked before it was issued')
  }

  /** Extends from now by `incrementMs` (0: as first issued), never beyond what the issue allowed. */
  async renew(
    id: string,
    incrementMs: number,
    signal: AbortSignal,
  ): Promise<{ lease: IssuedLease; warnings: string[] }> {
    const row = await this.get(id)
    if (!row || row.status === 'pending') throw new Refusal(400, 'lease not found')
    const now = await this.#options.rows.now()
    if (row.status === 'irrevocable') {
      throw new Refusal(400, 'lease is expired and has failed previous revocation attempts')
    }
    if (row.expiresAt <= now) throw new Refusal(400, 'lease expired')
    const handler = this.#handlerOf(row)
    if (!row.renewable || !handler?.renew) throw new Refusal(400, 'lease is not renewable')
    const wantedMs = incrementMs > 0 ? incrementMs : row.ttlMs
    const leftMs = row.issuedAt + row.maxTtlMs - now
    if (row.maxTtlMs > 0 && leftMs <= 0) throw new Refusal(400, 'past the max TTL, cannot renew')
    const allowedMs = row.maxTtlMs > 0 ? Math.min(wantedMs, leftMs) : wantedMs
    const renewed = await handler.renew(handler.state.parse(row.state), allowedMs, signal)
    const ttlMs = Math.min(renewed.ttlMs, allowedMs)
    const expiresAt = now + ttlMs
    const next = await this.#replace(id, (found) =>
      found.status === 'active'
        ? { ...found, expiresAt, dueAt: expiresAt, renewedAt: now, state: renewed.state ?? found.state }
        : undefined,
    )
    if (!next) throw new Refusal(400, 'lease not found')
    const warnings = allowedMs < wantedMs ? [cappedTtl(wantedMs, row.maxTtlMs)] : []
    return { lease: { id, ttlMs, renewable: row.renewable }, warnings }
  }

  /** Undoes the effect and removes the row; true when this call removed it. Throws what the handler throws. */
  async revoke(id: string, signal: AbortSignal, guard: Guard = noGuard): Promise<boolean> {
    const row = await this.get(id)
    if (!row) return false
    const handler = this.#handlerOf(row)
    if (!handler) throw new Error(`no handler "${row.handler}" for the lease's mount`)
    await handler.revoke(handler.state.parse(row.state), signal)
    return this.#remove(id, guard)
  }

  /** Removes the row without undoing anything. */
  forget(id: string): Promise<boolean> {
    return this.#remove(id, noGuard)
  }

  /** Revokes all that a token holds; those that fail stay with the sweep. */
  async revokeByToken(tokenId: string, signal: AbortSignal, guard: Guard = noGuard): Promise<void> {
    await this.#pages(this.#byToken, `${tokenId}/`, async (name) => {
      const entry = await this.#byToken.get(`${tokenId}/${name}`, placeSchema)
      if (entry) await this.#revokeOrRetry(entry.id, guard, signal)
    })
  }

  /** Revokes a lease that its asker never got to know; what fails stays with the sweep. */
  withdraw(id: string, signal: AbortSignal): Promise<void> {
    return this.#revokeOrRetry(id, noGuard, signal)
  }

  /**
   * `force`: rows go even when the effect can't be undone. Without it the first failure is thrown, after all were tried.
   * `mount`: only that mount's leases; another may have its path by now.
   */
  async revokePrefix(prefix: string, options: { force: boolean; signal: AbortSignal; mount?: string }): Promise<void> {
    const failures: unknown[] = []
    await this.#pages(this.#ids, prefix, async (name) => {
      if (options.mount !== undefined && (await this.get(`${prefix}${name}`))?.mount !== options.mount) return
      try {
        await this.revoke(`${prefix}${name}`, options.signal)
      } catch (error) {
        if (options.force) await this.forget(`${prefix}${name}`)
        else failures.push(error)
      }
    })
    if (failures.length > 0) {
      throw new Refusal(500, `${failures.length} leases could not be revoked`, { cause: failures[0] })
    }
  }

  async #pages(view: SecretStorage, prefix: string, each: (name: string) => Promise<void>): Promise<void> {
    let after: string | undefined
    for (;;) {
      const names = await view.list(prefix, { depth: 'all', after, limit: 256 })
      for (const name of names) await each(name)
      after = names.at(-1)
      if (names.length < 256) return
    }
  }

  async #onDue(due: Due, guard: Guard, signal: AbortSignal): Promise<void> {
    const place = await this.#places.get(due.id, placeSchema)
    const row = place && (await this.get(place.id))
    if (!row || row.dueAt !== due.at) return this.#options.due.drop(due, guard)
    await this.#revokeOrRetry(row.id, guard, signal)
  }

  /** A failed revocation is tried again after 10 s, 20 s, 40 s …; after six it is kept as irrevocable. */
  async #revokeOrRetry(id: string, guard: Guard, signal: AbortSignal): Promise<void> {
    try {
      await this.revoke(id, signal, guard)
    } catch (error) {
      const now = await this.#options.rows.now()
      const row = await this.#replace(
        id,
        (found) => {
          const attempts = found.attempts + 1
          const lastError = error instanceof Error ? error.name : 'unknown'
          if (attempts >= maxAttempts) return { ...found, attempts, lastError, status: 'irrevocable', dueAt: 0 }
          return {
            ...found,
            attempts,
            lastError,
            expiresAt: Math.min(found.expiresAt, now),
            dueAt: now + firstRetryMs * 2 ** (attempts - 1),
          }
        },
        guard,
      )
      const fields = { lease: id, attempts: row?.attempts, error: String(error) }
      if (row?.status === 'irrevocable') this.#options.log.error('lease irrevocable', fields)
      else this.#options.log.warn('lease revocation failed', fields)
    }
  }

  #handlerOf(row: LeaseRow): LeaseHandler | undefined {
    return this.#options.mounts.known.byUuid(row.mount)?.engine.leases?.[row.handler]
  }

  /** Rewrites the row and moves its due row in one commit; undefined when it is gone or `change` declines. */
  #replace(
    id: string,
    change: (row: LeaseRow) => LeaseRow | undefined,
    guard: Guard = noGuard,
  ): Promise<LeaseRow | undefined> {
    return this.#view.transaction(async (tx) => {
      await guard(tx)
      const row = await tx.get(this.#ids, id, leaseRowSchema)
      const next = row && change(row)
      if (!row || !next) return undefined
      tx.put(this.#ids, id, { ...next })
      if (row.dueAt > 0) this.#options.due.remove(tx, dueOf(row))
      if (next.dueAt > 0) this.#options.due.add(tx, dueOf(next))
      return next
    })
  }

  #remove(id: string, guard: Guard): Promise<boolean> {
    return this.#view.transaction(async (tx) => {
      await guard(tx)
      const row = await tx.get(this.#ids, id, leaseRowSchema)
      if (!row) return false
      tx.remove(this.#ids, id)
      tx.remove(this.#places, leaseKey(id))
      if (row.token !== '') tx.remove(this.#byToken, `${row.token}/${leaseKey(id)}`)
      if (row.dueAt > 0) this.#options.due.remove(tx, dueOf(row))
      return true
    })
  }
}

const dueOf = (row: LeaseRow): Due => ({ at: row.dueAt, kind: 'lease', id: leaseKey(row.id) })
const placeSchema = {
  parse: (value: unknown) => ({
    id: typeof value === 'object' && value !== null && 'id' in value ? String(value.id) : '',
  }),
}
