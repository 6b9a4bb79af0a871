/** Providers: issuers with their scopes and the clients that may use them. */
import { Refusal } from '../../../contracts/request.ts'
import { checkName } from '../../given-names.ts'
import { fillClaims, nobody } from '../claims.ts'
import { checkIssuer } from '../issuer.ts'
import { allNames } from '../oidc-store.ts'
import { type ProviderRow, providerSchema, type ScopeRow } from './provider-rows.ts'
import { checkedList, type ProviderViews, withName } from './provider-views.ts'
import type { ScopeStore } from './scope-store.ts'

export interface ProviderChange {
  readonly issuer?: string | undefined
  readonly allowedClientIds?: readonly string[] | undefined
  readonly scopes?: readonly string[] | undefined
}

/** Is always there and open to all clients until someone changes it. */
export const defaultProvider = 'default'
const openToAll: ProviderRow = { format: 1, issuer: '', allowedClientIds: ['*'], scopes: [] }
/** Both lists of one change go into one commit. */
const mostScopes = { items: 100, bytes: 512 }
const mostClients = { items: 5000, bytes: 64 }

export const allows = (provider: ProviderRow, clientId: string): boolean =>
  provider.allowedClientIds.some((allowed) => allowed === '*' || allowed === clientId)

export class ProviderStore {
  readonly #views: ProviderViews
  readonly #scopes: ScopeStore

  constructor(views: ProviderViews, scopes: ScopeStore) {
    this.#views = views
    this.#scopes = scopes
  }

  async get(name: string): Promise<ProviderRow | undefined> {
    const row = await this.#views.providers.get(name, providerSchema)
    return row ?? (name === defaultProvider ? openToAll : undefined)
  }

  async names(): Promise<string[]> {
    return withName(await allNames(this.#views.providers), defaultProvider)
  }

  /** What tokens of the provider say that issued them. */
  issuer(name: string, { issuer }: Pick<ProviderRow, 'issuer'>): string {
    return this.#views.options.identity.oidc.issuerAt(issuer, `/provider/${name}`)
  }

  /** Answers warnings. */
  async put(name: string, change: ProviderChange): Promise<string[]> {
    checkName('provider name', name)
    if (change.issuer !== undefined) checkIssuer(change.issuer)
    const allowed = change.allowedClientIds && checkedList('allowed_client_ids', change.allowedClientIds, mostClients)
    const wanted = change.scopes && checkedList('scopes_supported', change.scopes, mostScopes)
    const { providers } = this.#views
    return providers.transaction(async (tx) => {
      const found = await tx.get(providers, name, providerSchema)
      const before = found ?? (name === defaultProvider ? openToAll : undefined)
      const scopes = wanted ?? before?.scopes ?? []
      const templates = new Map<string, ScopeRow>()
      for (const scope of scopes) templates.set(scope, await this.#scopes.link(tx, scope, name))
      for (const scope of before?.scopes ?? []) if (!scopes.includes(scope)) await this.#scopes.unlink(tx, scope, name)
      tx.put(providers, name, {
        ...(before ?? { format: 1 }),
        issuer: change.issuer ?? before?.issuer ?? '',
        allowedClientIds: allowed ?? before?.allowedClientIds ?? [],
        scopes,
      })
      return conflicts(templates)
    })
  }

  /** An absent provider is fine. */
  async delete(name: string): Promise<void> {
    if (name === defaultProvider) throw new Refusal(400, `deletion of OIDC provider "${name}" not allowed`)
    const { providers } = this.#views
    await providers.transaction(async (tx) => {
      const row = await tx.get(providers, name, providerSchema)
      if (!row) return
      for (const scope of row.scopes) await this.#scopes.unlink(tx, scope, name)
      tx.remove(providers, name)
    })
  }
}

/** Scopes that say something of the same name can't be asked for together. */
function conflicts(templates: ReadonlyMap<string, ScopeRow>): string[] {
  const warnings: string[] = []
  const owners = new Map<string, string>()
  for (const [scope, { template }] of templates) {
    for (const claim of Object.keys(fillClaims(template, nobody) ?? {})) {
      const other = owners.get(claim)
      if (other !== undefined) {
        warnings.push(
          `Found scope templates with conflicting top-level keys: conflict ${JSON.stringify(claim)} in scopes ${JSON.stringify(scope)}, ${JSON.stringify(other)}. This may result in an error if the scopes are requested in an OIDC Authentication Request.`,
        )
      }
      owners.set(claim, scope)
    }
  }
  return warnings
}
