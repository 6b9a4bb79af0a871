/**
 * Ends tokens with all that hangs on them. The first commit takes the token away and leaves an intent; from then on
 * neither it nor anything below it is accepted (descendants name their ancestors). The rest is a sweep that any node can finish.
 */
import type { Rows, SecretStorage } from '../contracts/secret-storage.ts'
import { type Due, type DueIndex, type Guard, noGuard } from '../leases/due-index.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import { tokenRowJson, tokenRowSchema } from './token-row.ts'
import type { TokenStore } from './token-store.ts'

const page = 100
const anything = { parse: () => true }

export class TokenRevocation {
  readonly #tokens: TokenStore
  readonly #leases: LeaseStore
  readonly #due: DueIndex
  readonly #rows: Rows
  readonly #intents: SecretStorage

  constructor(options: { rows: Rows; tokens: TokenStore; leases: LeaseStore; due: DueIndex }) {
    this.#tokens = options.tokens
    this.#leases = options.leases
    this.#due = options.due
    this.#rows = options.rows
    this.#intents = options.rows.view('ns/root/tokens/intent/')
    options.due.handle('token', (due, guard, signal) => this.#onDue(due, guard, signal))
  }

  /** With its children and leases; false when there is no such token. Resolves after the sweep. */
  async revoke(id: string, signal: AbortSignal, guard: Guard = noGuard): Promise<boolean> {
    if (!(await this.#intend(id, guard))) return false
    await this.#sweep(id, signal, guard)
    return true
  }

  /** The token and its leases only: its children live on, without it among their ancestors. */
  async revokeOrphaning(id: string, signal: AbortSignal): Promise<boolean> {
    const ids = this.#tokens.ids
    // Closed first: it can have no new children while its old ones are cut off.
    const found = await ids.transaction(async (tx) => {
      const row = await tx.get(ids, id, tokenRowSchema)
      if (row && !row.closing) tx.put(ids, id, tokenRowJson({ ...row, closing: true }))
      return row !== undefined
    })
    if (!found) return false
    await this.#cutOff(id, id, signal)
    return this.revoke(id, signal)
  }

  /** All tokens that an auth mount made. */
  async revokeByMount(mount: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const ids = await this.#tokens.logins.list(`${mount}/`, { depth: 'all', limit: page })
      for (const id of ids) await this.revoke(id, signal)
      if (ids.length < page) return
    }
  }

  /** Finishes what a crash left; called by whoever leads. */
  async resume(guard: Guard, signal: AbortSignal): Promise<void> {
    for (;;) {
      const ids = await this.#intents.list('', { depth: 'all', limit: page })
      for (const id of ids) await this.#sweep(id, signal, guard)
      if (ids.length < page || signal.aborted) return
    }
  }

  async #onDue(due: Due, guard: Guard, signal: AbortSignal): Promise<void> {
    const row = await this.#tokens.ids.get(due.id, tokenRowSchema)
    if (!row || row.expiresAt !== due.at) return this.#due.drop(due, guard)
    if (row.expiresAt <= (await this.#rows.now())) await this.revoke(due.id, signal, guard)
  }

  #intend(id: string, guard: Guard): Promise<boolean> {
    return this.#tokens.ids.transaction(async (tx) => {
      await guard(tx)
      const row = await tx.get(this.#tokens.ids, id, tokenRowSchema)
      if (!row) return false
      this.#tokens.erase(tx, id, row)
      tx.put(this.#intents, id, {})
      return true
    })
  }

  /** Depth first, with a stack of its own: a child gets its intent before its parent's is taken away. */
  async #sweep(top: string, signal: AbortSignal, guard: Guard): Promise<void> {
    const stack = [top]
    for (;;) {
      const id = stack.at(-1)
      if (id === undefined) return
      signal.throwIfAborted()
      const children = await this.#tokens.children.list(`${id}/`, { depth: 'all', limit: page })
      for (const child of children) {
        if (await this.#intend(child, guard)) stack.push(child)
        else await this.#dropChild(id, child)
      }
      if (children.length > 0) continue
      await this.#leases.revokeByToken(id, signal, guard)
      await this.#intents.transaction(async (tx) => {
        if (await tx.get(this.#intents, id, anything)) tx.remove(this.#intents, id)
      })
      stack.pop()
    }
  }

  async #dropChild(parent: string, child: string): Promise<void> {
    const { children } = this.#tokens
    await children.transaction(async (tx) => tx.remove(children, `${parent}/${child}`))
  }

  /** Takes `gone` and all above it out of the ancestors of everything below `id`, parents before children. */
  async #cutOff(gone: string, id: string, signal: AbortSignal): Promise<void> {
    const { ids, children } = this.#tokens
    const queue = [id]
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      let after: string | undefined
      for (;;) {
        signal.throwIfAborted()
        const names: string[] = await children.list(`${next}/`, { depth: 'all', after, limit: page })
        const parent = next
        for (const child of names) {
          await ids.transaction(async (tx) => {
            const row = await tx.get(ids, child, tokenRowSchema)
            const at = row?.ancestors.indexOf(gone) ?? -1
            if (row && at >= 0) tx.put(ids, child, tokenRowJson({ ...row, ancestors: row.ancestors.slice(0, at) }))
            if (parent === gone) tx.remove(children, `${parent}/${child}`)
          })
          queue.push(child)
        }
        after = names.at(-1)
        if (names.length < page) break
      }
    }
  }
}
