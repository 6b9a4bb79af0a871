/**
 * Ends tokens with all that hangs on them. The first commit takes the token away and leaves an intent; from then on
 * neither it nor anything below it is accepted (descendants name their ancestors). The rest is a sweep that any node can finish.
 */
import type { RandomBytes } from '../../lib/random.ts'
import { type Due, type Guard, noGuard } from '../contracts/due-rows.ts'
import type { Rows, SecretStorage } from '../contracts/secret-storage.ts'
import type { DueIndex } from '../leases/due-index.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import { PathRevocation } from './path-revocation.ts'
import { accessorSchema, anything } from './side-rows.ts'
import { Cubbyholes } from './tidy/cubbyholes.ts'
import { TokenTidy } from './tidy/token-tidy.ts'
import { tokenRowJson, tokenRowSchema } from './token-row.ts'
import type { TokenStore } from './token-store.ts'

const page = 100

export class TokenRevocation {
  readonly #tokens: TokenStore
  readonly #leases: Pick<LeaseStore, 'revokeByToken'>
  readonly #due: DueIndex
  readonly #rows: Rows
  readonly #intents: SecretStorage
  /** Tokens that are to end without their children. */
  readonly #orphanings: SecretStorage
  readonly #cubbyholes: Cubbyholes
  readonly tidy: TokenTidy
  /** All tokens below a path of their birth. */
  readonly byPath: PathRevocation

  constructor(options: {
    rows: Rows
    tokens: TokenStore
    leases: Pick<LeaseStore, 'revokeByToken'>
    due: DueIndex
    random: RandomBytes
  }) {
    const { rows, tokens } = options
    this.#tokens = tokens
    this.#leases = options.leases
    this.#due = options.due
    this.#rows = rows
    this.#intents = rows.view('ns/root/tokens/intent/')
    this.#orphanings = rows.view('ns/root/tokens/orphaning/')
    this.#cubbyholes = new Cubbyholes(rows)
    this.tidy = new TokenTidy({
      rows,
      tokens,
      intents: this.#intents,
      cubbyholes: this.#cubbyholes,
      revoke: (id, signal, guard) => this.revoke(id, signal, guard),
    })
    this.byPath = new PathRevocation({
      ...options,
      revoke: (id, signal, guard) => this.revoke(id, signal, guard),
    })
    // Sixteen lanes: a tree whose leases can't be revoked holds up only few others.
    options.due.handle(
      'token',
      (due, guard, signal) => this.#onDue(due, guard, signal),
      (id) => id.slice(0, 1),
    )
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
      if (!row) return false
      if (!row.closing) tx.put(ids, id, tokenRowJson({ ...row, closing: true }))
      tx.put(this.#orphanings, id, {})
      return true
    })
    if (found) await this.#orphan(id, signal, noGuard)
    return found
  }

  async #orphan(id: string, signal: AbortSignal, guard: Guard): Promise<void> {
    await this.#cutOff(id, signal)
    await this.revoke(id, signal, guard)
    await this.#orphanings.transaction(async (tx) => {
      if (await tx.get(this.#orphanings, id, anything)) tx.remove(this.#orphanings, id)
    })
  }

  /** All tokens that an auth mount made. */
  async revokeByMount(mount: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const ids = await this.#tokens.logins.list(`${mount}/`, { depth: 'all', limit: page })
      for (const id of ids) {
        // One that points at nothing must not keep the mount from ending.
        if (!(await this.revoke(id, signal))) await this.#dropLogin(mount, id)
      }
      if (ids.length < page) return
    }
  }

  /** All tokens of a namespace that is being deleted; runs again after a crash. */
  async revokeByNamespace(namespaceId: string, signal: AbortSignal): Promise<void> {
    const accessors = this.#tokens.accessors(namespaceId)
    for (;;) {
      const names = await accessors.list('', { depth: 'all', limit: page })
      for (const name of names) {
        const entry = await accessors.get(name, accessorSchema)
        // One that points at nothing must not keep the namespace from ending.
        if (entry && !(await this.revoke(entry.id, signal))) {
          await accessors.transaction(async (tx) => tx.remove(accessors, name))
        }
      }
      if (names.length < page) return
    }
  }

  /** Finishes what a crash left and tidies when somebody asked for it; called by whoever leads. One that fails holds up no other. */
  async resume(guard: Guard, signal: AbortSignal): Promise<void> {
    const failures: unknown[] = []
    // Orphans first: their former parent's own sweep would take them along.
    await this.#each(this.#orphanings, signal, failures, (id) => this.#orphan(id, signal, guard))
    await this.#each(this.#intents, signal, failures, (id) => this.#sweep(id, signal, guard))
    await this.tidy.run(guard, signal)
    if (failures.length > 0) throw failures[0]
  }

  async #each(
    view: SecretStorage,
    signal: AbortSignal,
    failures: unknown[],
    finish: (id: string) => Promise<void>,
  ): Promise<void> {
    let after: string | undefined
    while (!signal.aborted) {
      const ids: string[] = await view.list('', { depth: 'all', after, limit: page })
      for (const id of ids) {
        await finish(id).catch((error: unknown) => failures.push(error))
      }
      after = ids.at(-1)
      if (ids.length < page) return
    }
  }

  async #onDue(due: Due, guard: Guard, signal: AbortSignal): Promise<void> {
    const row = await this.#tokens.ids.get(due.id, tokenRowSchema)
    if (!row || row.expiresAt !== due.at) return this.#due.drop(due, guard)
    if (row.closing) return this.#orphan(due.id, signal, guard)
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
      await this.#cubbyholes.clear(id, signal, guard)
      await this.#intents.transaction(async (tx) => {
        if (await tx.get(this.#intents, id, anything)) tx.remove(this.#intents, id)
      })
      stack.pop()
    }
  }

  async #dropLogin(mount: string, id: string): Promise<void> {
    const { logins } = this.#tokens
    await logins.transaction(async (tx) => tx.remove(logins, `${mount}/${id}`))
  }

  async #dropChild(parent: string, child: string): Promise<void> {
    const { children } = this.#tokens
    await children.transaction(async (tx) => tx.remove(children, `${parent}/${child}`))
  }

  /**
   * Takes `gone` and all above it out of the ancestors of everything below it, parents before children: who is born
   * meanwhile has the new ancestors or is found. Only then are its children no longer its own, so that all of this can be done again.
   */
  async #cutOff(gone: string, signal: AbortSignal): Promise<void> {
    const { ids, children } = this.#tokens
    const queue = [gone]
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      for await (const child of this.#childrenOf(next, signal)) {
        await ids.transaction(async (tx) => {
          const row = await tx.get(ids, child, tokenRowSchema)
          const at = row?.ancestors.indexOf(gone) ?? -1
          if (row && at >= 0) tx.put(ids, child, tokenRowJson({ ...row, ancestors: row.ancestors.slice(0, at) }))
        })
        queue.push(child)
      }
    }
    for await (const child of this.#childrenOf(gone, signal)) {
      await children.transaction(async (tx) => tx.remove(children, `${gone}/${child}`))
    }
  }

  async *#childrenOf(id: string, signal: AbortSignal): AsyncGenerator<string> {
    let after: string | undefined
    for (;;) {
      signal.throwIfAborted()
      const names: string[] = await this.#tokens.children.list(`${id}/`, { depth: 'all', after, limit: page })
      yield* names
      after = names.at(-1)
      if (names.length < page) return
    }
  }
}
