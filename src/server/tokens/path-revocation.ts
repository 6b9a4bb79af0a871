/** Ends the tokens whose path begins so: all logins of an auth method, all that a role's suffix marks. Whoever leads finishes it. */
import * as z from 'zod'
import { base62, type RandomBytes } from '../../lib/random.ts'
import { type Due, type Guard, noGuard } from '../contracts/due-rows.ts'
import type { Rows, SecretStorage } from '../contracts/secret-storage.ts'
import type { DueIndex } from '../leases/due-index.ts'
import { eachPage } from '../leases/lease-rows.ts'
import { accessorSchema } from './side-rows.ts'
import { tokenRowSchema } from './token-row.ts'
import type { TokenStore } from './token-store.ts'

interface Order {
  /** Ends in '/'. */
  readonly prefix: string
  /** Who was born later is not meant. */
  readonly at: number
}

const orderSchema: z.ZodType<Order> = z.looseObject({ format: z.literal(1), prefix: z.string(), at: z.number() })

/** A request that does it itself is given so long before another takes over. */
const ownSweepMs = 120_000
const kind = 'token-path'

export interface PathRevocationOptions {
  readonly rows: Rows
  readonly tokens: TokenStore
  readonly due: DueIndex
  readonly random: RandomBytes
  readonly revoke: (id: string, signal: AbortSignal, guard: Guard) => Promise<boolean>
}

export class PathRevocation {
  readonly #options: PathRevocationOptions

  constructor(options: PathRevocationOptions) {
    this.#options = options
    options.due.handle(kind, (due, guard, signal) => this.#onDue(due, guard, signal))
  }

  /** Tokens that never end are left alone, as Vault leaves those without a lease. `later`: answers once it is stored. */
  async revoke(namespace: string, path: string, how: { later: boolean; signal: AbortSignal }): Promise<void> {
    const { rows, due, random } = this.#options
    const at = await rows.now()
    const order: Order = { prefix: path.endsWith('/') ? path : `${path}/`, at }
    const id = base62(random, 16)
    const found: Due = { at: how.later ? at : at + ownSweepMs, kind, id: `${namespace}~${id}` }
    const view = this.#view(namespace)
    await view.transaction(async (tx) => {
      tx.create(view, id, { format: 1, ...order })
      due.add(tx, found)
    })
    if (!how.later) await this.#finish(namespace, order, found, how.signal, noGuard)
  }

  async #onDue(due: Due, guard: Guard, signal: AbortSignal): Promise<void> {
    const [namespace = '', id = ''] = due.id.split('~')
    const order = await this.#view(namespace).get(id, orderSchema)
    if (!order) return this.#options.due.drop(due, guard)
    await this.#finish(namespace, order, due, signal, guard)
  }

  async #finish(namespace: string, order: Order, due: Due, signal: AbortSignal, guard: Guard): Promise<void> {
    const { tokens, revoke } = this.#options
    const accessors = tokens.accessors(namespace)
    const meant = async (name: string): Promise<string | undefined> => {
      const entry = await accessors.get(name, accessorSchema)
      const row = entry && (await tokens.ids.get(entry.id, tokenRowSchema))
      if (!entry || !row || row.expiresAt === 0 || row.createdAt > order.at) return undefined
      return `${row.path}/`.startsWith(order.prefix) ? entry.id : undefined
    }
    await eachPage(accessors, '', async (names) => {
      signal.throwIfAborted()
      const ids = await Promise.all(names.map(meant))
      for (const id of ids) if (id !== undefined) await revoke(id, signal, guard)
    })
    const view = this.#view(namespace)
    const [, id = ''] = due.id.split('~')
    await view.transaction(async (tx) => {
      await guard(tx)
      if (!(await tx.get(view, id, orderSchema))) return
      tx.remove(view, id)
      this.#options.due.remove(tx, due)
    })
  }

  #view(namespace: string): SecretStorage {
    return this.#options.rows.view(`ns/${namespace}/tokens/ending/`)
  }
}
