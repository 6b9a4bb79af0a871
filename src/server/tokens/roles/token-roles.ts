import type { Rows, SecretStorage, Tx } from '../../contracts/secret-storage.ts'
import { type TokenRole, tokenRoleSchema } from './token-role.ts'

/** The token roles of one namespace. */
export class TokenRoles {
  readonly #view: SecretStorage

  constructor(rows: Pick<Rows, 'view'>, namespaceId: string) {
    this.#view = rows.view(`ns/${namespaceId}/tokens/role/`)
  }

  get(name: string): Promise<TokenRole | undefined> {
    return this.#view.get(name, tokenRoleSchema)
  }

  /** Makes or changes a role; `change` gets what there was. */
  write(name: string, change: (before: TokenRole | undefined) => TokenRole): Promise<TokenRole> {
    return this.#view.transaction(async (tx: Tx) => {
      const before = await tx.get(this.#view, name, tokenRoleSchema)
      const after = change(before)
      const row = { ...after }
      if (before) tx.put(this.#view, name, row)
      else tx.create(this.#view, name, row)
      return after
    })
  }

  async delete(name: string): Promise<void> {
    await this.#view.transaction(async (tx) => {
      if (await tx.get(this.#view, name, tokenRoleSchema)) tx.remove(this.#view, name)
    })
  }

  list(after: string | undefined, limit: number): Promise<string[]> {
    return this.#view.list('', { depth: 'all', after, limit })
  }
}
