/** What a namespace sees of its leases and may do with them: ids of other namespaces are unknown here. */
import type { NamespaceInfo } from '../contracts/epochs.ts'
import { Refusal } from '../contracts/request.ts'
import type { Mount } from '../mounts/mount.ts'
import { planRenewal, type Renewal, renewalWarnings } from './lease-renewal.ts'
import { type LeaseRevocation, RevocationFailed } from './lease-revocation.ts'
import type { LeaseRow } from './lease-row.ts'
import { eachPage, type LeasePlace, type LeaseRows, placeSchema } from './lease-rows.ts'
import type { LeaseTidy } from './lease-tidy.ts'
import type { PrefixRevocation } from './prefix-revocation.ts'

export interface NamespaceLeasesOptions {
  readonly namespace: NamespaceInfo
  readonly rows: LeaseRows
  readonly revocation: LeaseRevocation
  readonly prefixes: PrefixRevocation
  readonly tidy: LeaseTidy
  readonly mountOf: (namespaceId: string, uuid: string) => Promise<Mount | undefined>
}

/** One that failed six times to be revoked. */
export interface IrrevocableLease {
  readonly id: string
  readonly mountAccessor: string
  readonly lastError: string
  readonly expiresAt: number
}

export class NamespaceLeases {
  readonly #options: NamespaceLeasesOptions

  constructor(options: NamespaceLeasesOptions) {
    this.#options = options
  }

  /** Undefined also for one that is still pending or below a prefix that is being revoked. */
  async get(id: string): Promise<LeaseRow | undefined> {
    const { rows, prefixes, namespace } = this.#options
    const row = await rows.get(namespace.id, id)
    if (!row || row.status === 'pending') return undefined
    return (await prefixes.sparesNow(namespace.id, row)) ? row : undefined
  }

  /** Names below a path prefix, one level. */
  list(prefix: string, after: string | undefined, limit: number): Promise<string[]> {
    const { rows, namespace } = this.#options
    return rows.ids(namespace.id).list(prefix, { depth: 'children', after, limit })
  }

  /** Extends from now by `incrementMs` (0: as first issued). Refuses (400) in Vault's words. */
  async renew(id: string, incrementMs: number, signal: AbortSignal): Promise<Renewal> {
    const { rows, revocation } = this.#options
    const row = await this.get(id)
    const handler = row && (await revocation.handlerOf(row))
    const plan = planRenewal(row, handler, incrementMs, await rows.now())
    if (!row || !handler?.renew) throw new Refusal(400, 'lease not found')
    const renewed = await handler.renew(handler.state.parse(row.state), plan.allowedMs, signal)
    const now = await rows.now()
    const ttlMs = Math.min(renewed.ttlMs, plan.allowedMs)
    if (!(await this.#prolong(row, now, ttlMs, renewed.state))) throw new Refusal(400, 'lease not found')
    return { lease: { id, ttlMs, renewable: row.renewable }, warnings: renewalWarnings(row, plan) }
  }

  /** Nothing that someone began to end meanwhile. */
  async #prolong(row: LeaseRow, now: number, ttlMs: number, state: LeaseRow['state'] | undefined): Promise<boolean> {
    const { rows, prefixes, namespace } = this.#options
    const spared: { yes: boolean } = { yes: false }
    const next = await rows.replace(
      this.#place(row.id),
      (found) => {
        if (!spared.yes || found.status !== 'active' || found.held || found.expiresAt <= now) return undefined
        const expiresAt = Math.min(now + ttlMs, found.notAfter ?? Number.POSITIVE_INFINITY)
        return { ...found, expiresAt, dueAt: expiresAt, renewedAt: now, state: state ?? found.state }
      },
      async (tx) => {
        spared.yes = await prefixes.spares(tx, namespace.id, row)
      },
    )
    return next !== undefined
  }

  /** `later`: it is due at once, and whoever leads revokes it. Otherwise Refusal 500 when it failed; the sweep goes on. */
  async revoke(id: string, how: { later: boolean; signal: AbortSignal }): Promise<void> {
    const { rows, revocation } = this.#options
    if (!(await rows.get(this.#options.namespace.id, id))) return
    if (!how.later) return refusing(id, revocation.revoke(this.#place(id), how.signal))
    const now = await rows.now()
    await rows.replace(this.#place(id), (row) =>
      row.held ? undefined : { ...row, expiresAt: Math.min(row.expiresAt, now), dueAt: now },
    )
  }

  /**
   * Everything below a path, or the one lease of that id. `force`: rows go even when the effect can't be undone. `mount`:
   * what a mount lent that is being removed. Refusal 500 when some failed, after all were tried.
   */
  async revokePrefix(
    prefix: string,
    how: { force: boolean; signal: AbortSignal; later?: boolean; mount?: string },
  ): Promise<void> {
    const { rows, prefixes, namespace } = this.#options
    const { later = false, signal, force } = how
    if (how.mount !== undefined) return prefixes.revokeMount(namespace.id, prefix, how.mount, signal)
    if (!(await rows.get(namespace.id, prefix))) {
      const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
      return prefixes.revoke(namespace.id, folder, { force, later, signal })
    }
    if (!force) return this.revoke(prefix, { later, signal })
    if (!(await this.#options.revocation.attempt(this.#place(prefix), signal))) await rows.remove(this.#place(prefix))
  }

  /** Whoever leads mends dangling index rows soon. */
  tidy(): Promise<void> {
    return this.#options.tidy.request(this.#options.namespace.id)
  }

  /** Ids of all, in order. */
  names(after: string | undefined, limit: number): Promise<string[]> {
    return this.#options.rows.ids(this.#options.namespace.id).list('', { depth: 'all', after, limit })
  }

  /** How many lie below a prefix of ids, counted up to `limit`: names are listed, no row is read. */
  async count(prefix: string, limit: number): Promise<number> {
    const ids = this.#options.rows.ids(this.#options.namespace.id)
    let count = 0
    let after: string | undefined
    while (count < limit) {
      const wanted = Math.min(1000, limit - count)
      const names: string[] = await ids.list(prefix, { depth: 'all', after, limit: wanted })
      count += names.length
      if (names.length < wanted) break
      after = names.at(-1)
    }
    return count
  }

  /** By mount accessor. */
  async countIrrevocable(): Promise<Map<string, number>> {
    const { rows, namespace } = this.#options
    const byUuid = new Map<string, number>()
    await eachPage(rows.irrevocable(namespace.id), '', async (names) => {
      for (const name of names) {
        const uuid = mountOfName(name)
        byUuid.set(uuid, (byUuid.get(uuid) ?? 0) + 1)
      }
    })
    const counts = new Map<string, number>()
    for (const [uuid, count] of byUuid) {
      const accessor = await this.#accessorOf(uuid)
      counts.set(accessor, (counts.get(accessor) ?? 0) + count)
    }
    return counts
  }

  /** At most `limit`. */
  async irrevocable(limit: number): Promise<IrrevocableLease[]> {
    const { rows, namespace } = this.#options
    const view = rows.irrevocable(namespace.id)
    const found: IrrevocableLease[] = []
    let after: string | undefined
    while (found.length < limit) {
      const names: string[] = await view.list('', { depth: 'all', after, limit: 256 })
      for (const name of names.slice(0, limit - found.length)) {
        const id = (await view.get(name, placeSchema))?.id ?? ''
        const row = await rows.get(namespace.id, id)
        if (row?.status !== 'irrevocable') continue
        const mountAccessor = await this.#accessorOf(row.mount)
        found.push({ id, mountAccessor, lastError: row.lastError ?? 'unknown error', expiresAt: row.expiresAt })
      }
      if (names.length < 256) break
      after = names.at(-1)
    }
    return found
  }

  async #accessorOf(uuid: string): Promise<string> {
    const mount = await this.#options.mountOf(this.#options.namespace.id, uuid)
    return mount?.info.accessor ?? 'mount-accessor-not-found'
  }

  #place(id: string): LeasePlace {
    return { namespace: this.#options.namespace.id, id }
  }
}

const mountOfName = (name: string) => name.slice(0, name.indexOf('/'))

async function refusing(id: string, revoking: Promise<boolean>): Promise<void> {
  try {
    await revoking
  } catch (error) {
    if (!(error instanceof RevocationFailed)) throw error
    throw new Refusal(500, `failed to revoke "${id}": ${error.message}; it is tried again`, { cause: error })
  }
}
