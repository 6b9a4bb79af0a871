/** Scopes: named templates of claims. */
import { Refusal } from '../../../contracts/request.ts'
import type { Tx } from '../../../contracts/secret-storage.ts'
import { checkName } from '../../given-names.ts'
import { checkTemplate } from '../claims.ts'
import { refuseWhileUsed } from '../key-users.ts'
import { allNames } from '../oidc-store.ts'
import { type ScopeRow, scopeSchema } from './provider-rows.ts'
import { type ProviderViews, withName, withoutName } from './provider-views.ts'

export interface ScopeChange {
  readonly template?: string | undefined
  readonly description?: string | undefined
}

/** Stands for the ID token itself. */
export const openId = 'openid'
const maxProviders = 1000
const maxDescriptionBytes = 4096

export class ScopeStore {
  readonly #views: ProviderViews

  constructor(views: ProviderViews) {
    this.#views = views
  }

  get(name: string): Promise<ScopeRow | undefined> {
    return this.#views.scopes.get(name, scopeSchema)
  }

  names(): Promise<string[]> {
    return allNames(this.#views.scopes)
  }

  async put(name: string, change: ScopeChange): Promise<void> {
    if (name === openId) throw new Refusal(400, `the "${openId}" scope name is reserved`)
    checkName('scope name', name)
    const template = change.template === undefined ? undefined : checkTemplate(change.template)
    const { description } = change
    if (description !== undefined && Buffer.byteLength(description) > maxDescriptionBytes) {
      throw new Refusal(400, `description is too long: the limit is ${maxDescriptionBytes} bytes`)
    }
    const { scopes } = this.#views
    await scopes.transaction(async (tx) => {
      const before = await tx.get(scopes, name, scopeSchema)
      tx.put(scopes, name, {
        ...(before ?? { format: 1, providers: [] }),
        template: template ?? before?.template ?? '',
        description: description ?? before?.description ?? '',
      })
    })
  }

  /** An absent scope is fine. */
  async delete(name: string): Promise<void> {
    const { scopes } = this.#views
    await scopes.transaction(async (tx) => {
      const row = await tx.get(scopes, name, scopeSchema)
      if (!row) return
      const by = row.providers.map((provider) => ({ name: provider }))
      refuseWhileUsed(`scope ${JSON.stringify(name)}`, 'providers', by)
      tx.remove(scopes, name)
    })
  }

  /** In the commit that stores the provider. Refuses (400) a scope that is not there. */
  async link(tx: Tx, name: string, provider: string): Promise<ScopeRow> {
    const row = await tx.get(this.#views.scopes, name, scopeSchema)
    if (!row) throw new Refusal(400, `scope ${JSON.stringify(name)} does not exist`)
    const providers = withName(row.providers, provider)
    if (providers.length > maxProviders) throw new Refusal(400, `at most ${maxProviders} providers offer one scope`)
    tx.put(this.#views.scopes, name, { ...row, providers })
    return row
  }

  async unlink(tx: Tx, name: string, provider: string): Promise<void> {
    const row = await tx.get(this.#views.scopes, name, scopeSchema)
    if (row) tx.put(this.#views.scopes, name, { ...row, providers: withoutName(row.providers, provider) })
  }
}
