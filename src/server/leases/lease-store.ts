/** Leases: stored pending before their effect, activated after it, revoked when due. Of all namespaces. */
import type { Clock } from '../../lib/clock.ts'
import type { Json } from '../../lib/json/value.ts'
import type { Logger } from '../../lib/log.ts'
import { base62, type RandomBytes } from '../../lib/random.ts'
import type { LeaseCounts } from '../contracts/access/admission.ts'
import { type Guard, noGuard } from '../contracts/due-rows.ts'
import { type NamespaceInfo, rootNamespace } from '../contracts/epochs.ts'
import type { Leases, Ttl } from '../contracts/leases.ts'
import { Refusal, type Reply } from '../contracts/request.ts'
import type { Rows, Tx } from '../contracts/secret-storage.ts'
import type { Mount } from '../mounts/mount.ts'
import { effectiveTtl, type SystemTtl } from '../mounts/mount-json.ts'
import type { DueIndex } from './due-index.ts'
import { LeaseRevocation } from './lease-revocation.ts'
import { type LeaseRow, namespaceOf } from './lease-row.ts'
import { eachPage, type LeasePlace, LeaseRows, placeSchema } from './lease-rows.ts'
import { LeaseTidy } from './lease-tidy.ts'
import { NamespaceLeases } from './namespace-leases.ts'
import { PrefixRevocation } from './prefix-revocation.ts'

export interface LeaseStoreOptions {
  readonly rows: Rows
  readonly due: DueIndex
  /** Mounts that are being removed too: their leases still need their handlers. */
  readonly mountOf: (namespaceId: string, uuid: string) => Promise<Mount | undefined>
  /** Refuses (404) when the mount is gone or going: its row is then among the checks of the commit. */
  readonly checkMount: (namespace: NamespaceInfo, tx: Tx, mount: Mount) => Promise<void>
  readonly random: RandomBytes
  readonly clock: Clock
  readonly log: Logger
  readonly ttl: SystemTtl
  /** Asked when a lease's row is there already, so that two at once both see each other. */
  readonly counts?: LeaseCounts
  /** Told when a revocation begins, whoever wanted it; never of one that is under way already. */
  readonly revoking?: (work: Promise<boolean>) => void
}

/** Who asks for leases, and below which path. */
export interface LeaseOrigin {
  readonly namespace: NamespaceInfo
  readonly mount: Mount
  /** The request's path below the namespace, mount included. */
  readonly path: string
  readonly signal: AbortSignal
  /** '' for none. */
  readonly tokenId: string
  /** Throws Refusal when the token is gone: its row is then among the checks of the commit. */
  readonly checkToken: (tx: Tx) => Promise<void>
  /** Nothing lives past it: the end of a batch token, whose leases nobody finds by the token. */
  readonly notAfter?: number
}

const pendingMs = 5 * 60_000

export class LeaseStore {
  readonly #options: LeaseStoreOptions
  readonly #rows: LeaseRows
  readonly #revocation: LeaseRevocation
  readonly #prefixes: PrefixRevocation
  readonly #tidy: LeaseTidy

  constructor(options: LeaseStoreOptions) {
    this.#options = options
    const rows = new LeaseRows(options.rows, options.due)
    this.#rows = rows
    this.#revocation = new LeaseRevocation({ ...options, rows })
    this.#prefixes = new PrefixRevocation({ ...options, rows, revocation: this.#revocation })
    this.#tidy = new LeaseTidy({ ...options, rows })
  }

  for(origin: LeaseOrigin): Leases {
    return { issue: (handler, state, ttl, effect) => this.#issue(origin, handler, state, ttl, effect) }
  }

  /** What a namespace sees of its leases and may do with them. */
  in(namespace: NamespaceInfo): NamespaceLeases {
    return new NamespaceLeases({
      namespace,
      rows: this.#rows,
      revocation: this.#revocation,
      prefixes: this.#prefixes,
      tidy: this.#tidy,
      mountOf: this.#options.mountOf,
    })
  }

  /** Undoes the effect and removes the row; true when this call removed it. Throws RevocationFailed, and the sweep goes on. */
  revoke(id: string, signal: AbortSignal, guard: Guard = noGuard): Promise<boolean> {
    return this.#revocation.revoke(placeOf(id), signal, guard)
  }

  /** Revokes a lease that its asker never got to know; what fails stays with the sweep. */
  async withdraw(id: string, signal: AbortSignal): Promise<void> {
    await this.#revocation.attempt(placeOf(id), signal)
  }

  /** Revokes all that a token holds; those that fail stay with the sweep. */
  async revokeByToken(tokenId: string, signal: AbortSignal, guard: Guard = noGuard): Promise<void> {
    const { byToken } = this.#rows
    await eachPage(byToken, `${tokenId}/`, async (names) => {
      for (const name of names) {
        const place = await byToken.get(`${tokenId}/${name}`, placeSchema)
        if (place) await this.#revocation.attempt(place, signal, guard)
      }
    })
  }

  async #issue<S extends Json>(
    origin: LeaseOrigin,
    handlerName: string,
    state: S,
    ttl: Ttl,
    effect: (signal: AbortSignal) => Promise<Json>,
  ): Promise<Reply> {
    const row = await this.#newRow(origin, handlerName, state, ttl)
    const place = { namespace: namespaceOf(row), id: row.id }
    await this.#rows.places.transaction(async (tx) => {
      await origin.checkToken(tx)
      await this.#options.checkMount(origin.namespace, tx, origin.mount)
      this.#rows.create(tx, row)
    })
    await this.#count(origin, place)
    let data: Json
    try {
      data = await effect(origin.signal)
    } catch (error) {
      // What the effect did is not known: the sweep undoes it, soon rather than in five minutes.
      await this.#rows.replace(place, (found) => ({ ...found, dueAt: row.issuedAt })).catch(() => undefined)
      throw error
    }
    await this.#activate(row, origin)
    return { kind: 'lease', data, lease: { id: row.id, ttlMs: row.ttlMs, renewable: row.renewable } }
  }

  async #count({ namespace, mount, path }: LeaseOrigin, place: LeasePlace): Promise<void> {
    try {
      await this.#options.counts?.admitLease(namespace.path, mount.info.path, path, true)
    } catch (error) {
      await this.#rows.remove(place)
      throw error
    }
  }

  async #newRow(origin: LeaseOrigin, handler: string, state: Json, ttl: Ttl): Promise<LeaseRow> {
    const { random, rows } = this.#options
    const { namespace, mount, notAfter } = origin
    const limits = effectiveTtl(mount.info.config, this.#options.ttl)
    const maxTtlMs = ttl.maxTtlMs > 0 ? Math.min(ttl.maxTtlMs, limits.maxTtlMs) : limits.maxTtlMs
    const now = await rows.now()
    const lifeMs = notAfter === undefined ? Number.POSITIVE_INFINITY : Math.max(0, notAfter - now)
    const ttlMs = Math.min(ttl.ttlMs > 0 ? ttl.ttlMs : limits.defaultTtlMs, maxTtlMs, lifeMs)
    const canRenew = mount.engine.leases?.[handler]?.renew !== undefined
    const path = origin.path.replace(/\/+$/, '')
    const root = namespace.id === rootNamespace.id
    return {
      format: 1,
      id: `${path}/${base62(random, 24)}${root ? '' : `.${namespace.id}`}`,
      ...(root ? {} : { namespace: namespace.id }),
      path,
      mount: mount.info.uuid,
      handler,
      state,
      token: origin.tokenId,
      status: 'pending',
      issuedAt: now,
      expiresAt: now + ttlMs,
      dueAt: now + pendingMs,
      ttlMs,
      maxTtlMs,
      ...(notAfter === undefined ? {} : { notAfter }),
      renewable: ttl.renewable && canRenew,
      renewedAt: null,
      attempts: 0,
    }
  }

  /** The row may be gone or going: its token was revoked meanwhile, or the effect took longer than a pending lease lives. */
  async #activate(row: LeaseRow, origin: LeaseOrigin): Promise<void> {
    const now = await this.#rows.now()
    const place = { namespace: namespaceOf(row), id: row.id }
    const expiresAt = Math.min(now + row.ttlMs, row.notAfter ?? Number.POSITIVE_INFINITY)
    const active = await this.#rows.replace(place, (found) =>
      found.status === 'pending' && !found.held && found.attempts === 0
        ? { ...found, status: 'active', issuedAt: now, expiresAt, dueAt: expiresAt }
        : undefined,
    )
    if (active) return
    await origin.mount.engine.leases?.[row.handler]?.revoke(row.state, origin.signal)
    throw new Refusal(500, 'the lease was revoked before it was issued')
  }
}

/** A lease id outside root ends in its namespace's: "database/creds/x/<24>.<namespace id>". */
function placeOf(id: string): LeasePlace {
  const dot = id.lastIndexOf('.')
  return { namespace: dot > id.lastIndexOf('/') ? id.slice(dot + 1) : rootNamespace.id, id }
}
