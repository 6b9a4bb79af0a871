/** Authorization codes: kept under their hashes, for five minutes, good once on any node. */
import { base62 } from '../../../../lib/random.ts'
import { ExpiringRows } from '../../expiring-rows.ts'
import { type CodeRow, codeSchema, hashOf } from './provider-rows.ts'
import type { ProviderViews } from './provider-views.ts'

const lifetimeMs = 5 * 60 * 1000

export class CodeStore {
  readonly #views: ProviderViews
  readonly #codes: ExpiringRows

  constructor(views: ProviderViews) {
    this.#views = views
    const { due, namespace } = views.options
    this.#codes = new ExpiringRows({
      ...{ due, view: views.codes, namespaceId: namespace.id },
      kind: 'oidc',
      folder: 'code',
    })
  }

  async issue(about: Omit<CodeRow, 'format' | 'dueAt'>): Promise<string> {
    const { random, rows } = this.#views.options
    const code = base62(random, 32)
    const dueAt = Math.ceil((await rows.now()) + lifetimeMs)
    await this.#views.codes.transaction(async (tx) =>
      this.#codes.put(tx, hashOf(code), { ...about, format: 1, dueAt }, undefined),
    )
    return code
  }

  /** What it stands for; from then on it is nothing. */
  async take(code: string): Promise<CodeRow | undefined> {
    const { codes, options } = this.#views
    const name = hashOf(code)
    const now = await options.rows.now()
    return codes.transaction(async (tx) => {
      const row = await tx.get(codes, name, codeSchema)
      if (!row) return undefined
      this.#codes.remove(tx, name, row)
      return row.dueAt > now ? row : undefined
    })
  }
}
