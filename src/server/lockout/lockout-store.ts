/** Users whose logins failed too often: rows in storage, so that every node knows, from the first failure until they are due. */
import { createHash } from 'node:crypto'
import * as z from 'zod'
import type { Logger } from '../../lib/log.ts'
import type { Lockout } from '../contracts/access/admission.ts'
import type { Due, DueRows, Guard } from '../contracts/due-rows.ts'
import { type MountInfo, Refusal, type UserLockout } from '../contracts/request.ts'
import type { Rows, SecretStorage } from '../contracts/secret-storage.ts'
import { lockoutOf } from './lockout-config.ts'

export interface LockoutStoreOptions {
  readonly rows: Rows
  readonly due: DueRows
  readonly log: Logger
  /** The `user_lockout` stanzas by type of auth method, and "all". */
  readonly stanzas: Readonly<Record<string, UserLockout>>
  /** Nothing is counted and nobody refused (VAULT_DISABLE_USER_LOCKOUT). */
  readonly disabled: boolean
}

interface FailedLogins {
  readonly format: 1
  readonly alias: string
  readonly failures: number
  /** 0: not locked. */
  readonly lockedUntil: number
  /** Then the row goes. */
  readonly dueAt: number
}

const rowSchema: z.ZodType<FailedLogins> = z.looseObject({
  format: z.literal(1),
  alias: z.string(),
  failures: z.number(),
  lockedUntil: z.number(),
  dueAt: z.number(),
})

export interface LockedUsers {
  readonly mountAccessor: string
  readonly aliases: readonly string[]
}

const kind = 'lockout'
const page = 256
/** Nobody is called so: what is longer would be refused by the storage, not by the method. */
const maxAlias = 4096

export class LockoutStore implements Lockout {
  readonly #options: LockoutStoreOptions

  constructor(options: LockoutStoreOptions) {
    this.#options = options
    options.due.handle(kind, (due, guard) => this.#onDue(due, guard))
  }

  async check(namespaceId: string, mount: MountInfo, alias: string): Promise<void> {
    if (this.#configOf(mount).disabled) return
    const row = await this.#view(namespaceId).get(nameOf(mount.accessor, alias), rowSchema)
    if (row && row.lockedUntil > (await this.#options.rows.now())) throw new Refusal(403, 'permission denied')
  }

  async failed(namespaceId: string, mount: MountInfo, alias: string): Promise<void> {
    const config = this.#configOf(mount)
    if (config.disabled || alias.length > maxAlias) return
    const { rows, due, log } = this.#options
    const view = this.#view(namespaceId)
    const name = nameOf(mount.accessor, alias)
    const now = await rows.now()
    const row = await view.transaction(async (tx) => {
      const found = await tx.get(view, name, rowSchema)
      // Due, though nobody has come to take it away yet.
      const before = found && found.dueAt > now ? found : undefined
      const failures = (before?.failures ?? 0) + 1
      const lockedUntil = failures >= config.threshold ? now + config.durationMs : 0
      const next: FailedLogins = {
        format: 1,
        alias,
        failures,
        lockedUntil,
        dueAt: lockedUntil || now + config.counterResetMs,
      }
      if (found) due.remove(tx, dueOf(namespaceId, name, found))
      due.add(tx, dueOf(namespaceId, name, next))
      tx.put(view, name, { ...next })
      return next
    })
    // A name that was typed may be a password: it is in no log line.
    if (row.lockedUntil > 0 && row.failures === config.threshold) {
      log.warn('user locked', { namespace: namespaceId, mount: mount.accessor, failures: row.failures })
    }
  }

  /** Refuses (403) who was locked meanwhile: of many guesses at once the right one must not count. */
  async succeeded(namespaceId: string, mount: MountInfo, alias: string): Promise<void> {
    if (this.#configOf(mount).disabled) return
    await this.#forget(namespaceId, mount.accessor, alias, ({ lockedUntil }, now) => {
      if (lockedUntil > now) throw new Refusal(403, 'permission denied')
    })
  }

  /** Forgets the failures, of a user that is not locked too; nothing happens when there are none. */
  async unlock(namespaceId: string, mountAccessor: string, alias: string): Promise<void> {
    await this.#forget(namespaceId, mountAccessor, alias, () => {})
  }

  async #forget(
    namespaceId: string,
    mountAccessor: string,
    alias: string,
    check: (row: FailedLogins, now: number) => void,
  ): Promise<void> {
    const name = nameOf(mountAccessor, alias)
    const view = this.#view(namespaceId)
    if (!(await view.get(name, rowSchema))) return
    const now = await this.#options.rows.now()
    await view.transaction(async (tx) => {
      const row = await tx.get(view, name, rowSchema)
      if (!row) return
      check(row, now)
      tx.remove(view, name)
      this.#options.due.remove(tx, dueOf(namespaceId, name, row))
    })
  }

  /** Those that are locked now, by mount; `mountAccessor`: only of that one, also when there are none. */
  async locked(namespaceId: string, mountAccessor?: string): Promise<LockedUsers[]> {
    const view = this.#view(namespaceId)
    if (mountAccessor !== undefined) return [await this.#lockedIn(view, mountAccessor)]
    const found: LockedUsers[] = []
    let after: string | undefined
    for (;;) {
      const folders: string[] = await view.list('', { depth: 'children', after, limit: page })
      for (const folder of folders) {
        const users = await this.#lockedIn(view, decodeURIComponent(folder.slice(0, -1)))
        if (users.aliases.length > 0) found.push(users)
      }
      if (folders.length < page) return found
      after = folders.at(-1)
    }
  }

  async #lockedIn(view: SecretStorage, mountAccessor: string): Promise<LockedUsers> {
    const now = await this.#options.rows.now()
    const prefix = `${encodeURIComponent(mountAccessor)}/`
    const aliases: string[] = []
    let after: string | undefined
    for (;;) {
      const names: string[] = await view.list(prefix, { depth: 'all', after, limit: page })
      for (const name of names) {
        const row = await view.get(`${prefix}${name}`, rowSchema)
        if (row && row.lockedUntil > now) aliases.push(row.alias)
      }
      if (names.length < page) return { mountAccessor, aliases: aliases.sort() }
      after = names.at(-1)
    }
  }

  async #onDue(due: Due, guard: Guard): Promise<void> {
    const [namespaceId = '', accessor = '', hash = ''] = due.id.split('~')
    const view = this.#view(namespaceId)
    const name = `${accessor}/${hash}`
    const gone = await view.transaction(async (tx) => {
      await guard(tx)
      const row = await tx.get(view, name, rowSchema)
      if (!row || row.dueAt !== due.at) return false
      tx.remove(view, name)
      this.#options.due.remove(tx, due)
      return true
    })
    if (!gone) await this.#options.due.drop(due, guard)
  }

  #configOf(mount: MountInfo) {
    const config = lockoutOf(mount, this.#options.stanzas)
    return this.#options.disabled ? { ...config, disabled: true } : config
  }

  #view(namespaceId: string): SecretStorage {
    return this.#options.rows.view(`ns/${namespaceId}/lockout/`)
  }
}

/** Hashed: an alias has any form, and what was typed as a name may be a password. */
const nameOf = (mountAccessor: string, alias: string) =>
  `${encodeURIComponent(mountAccessor)}/${createHash('sha256').update(alias).digest('hex')}`

const dueOf = (namespaceId: string, name: string, { dueAt }: FailedLogins): Due => ({
  at: dueAt,
  kind,
  id: `${namespaceId}~${name.replace('/', '~')}`,
})
