/** identity/oidc/{scope,assignment,client,provider}: this namespace as an OpenID provider. */
import type { Route } from '../../../contracts/request.ts'
import type { OidcProvider } from '../../../identity/oidc/provider/oidc-provider.ts'
import type { PresentedTokens } from '../../../tokens/presented-tokens.ts'
import type { TokenStore } from '../../../tokens/token-store.ts'
import { assignmentRoutes } from './assignments.ts'
import { authorizationRoutes } from './authorization.ts'
import { clientRoutes } from './clients.ts'
import { discoveryRoutes } from './discovery.ts'
import { providerRoutes } from './providers.ts'
import { scopeRoutes } from './scopes.ts'
import { tokenEndpointRoutes } from './token-endpoint.ts'
import { userInfoRoutes } from './user-info.ts'

export interface ProviderFaceOptions {
  readonly oidcProvider: OidcProvider
  readonly tokens: Pick<TokenStore, 'create'>
  readonly presented: Pick<PresentedTokens, 'get'>
}

export function oidcProviderRoutes(options: ProviderFaceOptions): Route[] {
  const { oidcProvider } = options
  return [
    ...scopeRoutes(oidcProvider.scopes),
    ...assignmentRoutes(oidcProvider.assignments),
    ...clientRoutes(oidcProvider.clients),
    ...providerRoutes(oidcProvider.providers),
    ...discoveryRoutes(oidcProvider),
    ...authorizationRoutes(options),
    ...tokenEndpointRoutes(options),
    ...userInfoRoutes(options),
  ]
}
