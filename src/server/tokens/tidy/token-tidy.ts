/**
 * Takes away what names tokens that are gone: rows that damage, a restored part of a backup or an older version's fault
 * left. A request only writes an intent with a cursor; whoever leads works through it, page by page, also after a crash.
 */

import type { Guard } from '../../contracts/due-rows.ts'
import { rootNamespace } from '../../contracts/epochs.ts'
import type { Rows, SecretStorage, Tx } from '../../contracts/secret-storage.ts'
import { accessorSchema, anything } from '../side-rows.ts'
import { tokenRowSchema } from '../token-row.ts'
import type { TokenStore } from '../token-store.ts'
import type { Cubbyholes } from './cubbyholes.ts'

export interface TokenTidyOptions {
  readonly rows: Rows
  readonly tokens: TokenStore
  /** Tokens whose revocation is under way. */
  readonly intents: SecretStorage
  readonly cubbyholes: Cubbyholes
  readonly revoke: (id: string, signal: AbortSignal, guard: Guard) => Promise<boolean>
}

const phases = ['accessor', 'child', 'uses', 'login', 'cubbyhole'] as const
type Phase = (typeof phases)[number]

interface Progress {
  readonly format: 1
  readonly phase: Phase
  /** The last name of the page before; absent at the beginning of a phase. */
  readonly after?: string
}

const page = 50
const progressSchema = {
  parse(value: unknown): Progress {
    const row: Partial<Progress> = typeof value === 'object' && value !== null ? value : {}
    const phase = phases.find((known) => known === row.phase)
    if (row.format !== 1 || !phase) throw new Error('not a row of a tidy')
    return { format: 1, phase, ...(typeof row.after === 'string' ? { after: row.after } : {}) }
  },
}

export class TokenTidy {
  readonly #options: TokenTidyOptions
  readonly #progress: SecretStorage

  constructor(options: TokenTidyOptions) {
    this.#options = options
    this.#progress = options.rows.view('ns/root/tokens/tidy/')
  }

  /** False when one is under way. Another namespace than root only has accessors of its own. */
  request(namespaceId: string): Promise<boolean> {
    return this.#progress.transaction(async (tx) => {
      if (await tx.get(this.#progress, namespaceId, progressSchema)) return false
      tx.create(this.#progress, namespaceId, { format: 1, phase: 'accessor' })
      return true
    })
  }

  /** What was asked for and is not done. */
  async run(guard: Guard, signal: AbortSignal): Promise<void> {
    const asked = await this.#progress.list('', { depth: 'all', limit: page })
    for (const namespaceId of asked) {
      while (!signal.aborted && (await this.#step(namespaceId, guard, signal)));
    }
  }

  /** One page; false at the end. */
  async #step(namespaceId: string, guard: Guard, signal: AbortSignal): Promise<boolean> {
    const progress = await this.#progress.get(namespaceId, progressSchema)
    if (!progress) return false
    const names = await this.#names(namespaceId, progress)
    if (progress.phase === 'child') await this.#revokeStrays(names, guard, signal)
    if (progress.phase === 'cubbyhole') await this.#clearStrays(names, guard, signal)
    const next = nextOf(progress, names, namespaceId)
    await this.#progress.transaction(async (tx) => {
      await guard(tx)
      if (!(await tx.get(this.#progress, namespaceId, progressSchema))) return
      for (const name of names) await this.#tidyRow(tx, namespaceId, progress.phase, name)
      if (next) tx.put(this.#progress, namespaceId, { ...next })
      else tx.remove(this.#progress, namespaceId)
    })
    return next !== undefined
  }

  async #names(namespaceId: string, { phase, after }: Progress): Promise<string[]> {
    const { tokens, cubbyholes } = this.#options
    if (phase === 'cubbyhole') return cubbyholes.owners(after)
    const views = {
      accessor: tokens.accessors(namespaceId),
      child: tokens.children,
      uses: tokens.uses,
      login: tokens.logins,
    }
    return views[phase].list('', { depth: 'all', after, limit: page })
  }

  /** Token ids are never used again (but for chosen tokens, which get another accessor): one that is absent stays so. */
  async #tidyRow(tx: Tx, namespaceId: string, phase: Phase, name: string): Promise<void> {
    const { tokens } = this.#options
    const lastPart = name.slice(name.lastIndexOf('/') + 1)
    const row = (id: string) => tx.get(tokens.ids, id, tokenRowSchema)
    switch (phase) {
      case 'accessor': {
        const view = tokens.accessors(namespaceId)
        const entry = await tx.get(view, name, accessorSchema)
        if (entry && (await row(entry.id))?.accessor !== entry.accessor) tx.remove(view, name)
        return
      }
      case 'child':
        if (!(await row(lastPart))) tx.remove(tokens.children, name)
        return
      case 'uses':
        if (!(await row(name))?.numUses) tx.remove(tokens.uses, name)
        return
      case 'login':
        if (!(await row(lastPart))?.login) tx.remove(tokens.logins, name)
        return
      case 'cubbyhole':
    }
  }

  /** Children whose parent is gone are dead already: they name it among their ancestors. */
  async #revokeStrays(names: readonly string[], guard: Guard, signal: AbortSignal): Promise<void> {
    const { tokens, revoke } = this.#options
    for (const name of names) {
      const [parent = '', child = ''] = name.split('/')
      if (!(await this.#isGone(parent))) continue
      const row = await tokens.ids.get(child, tokenRowSchema)
      if (row?.ancestors.includes(parent)) await revoke(child, signal, guard)
    }
  }

  async #clearStrays(ids: readonly string[], guard: Guard, signal: AbortSignal): Promise<void> {
    for (const id of ids) if (await this.#isGone(id)) await this.#options.cubbyholes.clear(id, signal, guard)
  }

  async #isGone(id: string): Promise<boolean> {
    const { tokens, intents } = this.#options
    if (await tokens.ids.get(id, tokenRowSchema)) return false
    // Its revocation does the same, and is under way.
    return (await intents.get(id, anything)) === undefined
  }
}

function nextOf(progress: Progress, names: readonly string[], namespaceId: string): Progress | undefined {
  const last = names.at(-1)
  // A page of cubbyholes may be shorter than it was asked for, but never empty before the end.
  const more = progress.phase === 'cubbyhole' ? last !== undefined : names.length === page
  if (more && last !== undefined) return { format: 1, phase: progress.phase, after: last }
  const phase = namespaceId === rootNamespace.id ? phases[phases.indexOf(progress.phase) + 1] : undefined
  return phase && { format: 1, phase }
}
