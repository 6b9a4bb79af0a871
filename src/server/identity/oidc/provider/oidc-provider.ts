/** Identity as an OpenID provider: people log in to other applications with what they are here. One per namespace. */
import { AssignmentStore } from './assignment-store.ts'
import { ClientStore } from './client-store.ts'
import { CodeStore } from './code-store.ts'
import { ProviderStore } from './provider-store.ts'
import { type ProviderOptions, ProviderViews } from './provider-views.ts'
import { ScopeStore } from './scope-store.ts'

export class OidcProvider {
  readonly scopes: ScopeStore
  readonly assignments: AssignmentStore
  readonly clients: ClientStore
  readonly providers: ProviderStore
  readonly codes: CodeStore
  readonly identity: ProviderOptions['identity']
  readonly random: ProviderOptions['random']

  constructor(options: ProviderOptions) {
    const views = new ProviderViews(options)
    this.identity = options.identity
    this.random = options.random
    this.scopes = new ScopeStore(views)
    this.assignments = new AssignmentStore(views)
    this.clients = new ClientStore(views, this.assignments)
    this.providers = new ProviderStore(views, this.scopes)
    this.codes = new CodeStore(views)
  }
}
