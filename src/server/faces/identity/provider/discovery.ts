/** What clients find a provider by, without a token. */
import { type Call, operation, type Reply, type Route } from '../../../contracts/request.ts'
import type { OidcProvider } from '../../../identity/oidc/provider/oidc-provider.ts'
import { challengeMethods } from '../../../identity/oidc/provider/provider-rows.ts'
import { allows } from '../../../identity/oidc/provider/provider-store.ts'
import { openId } from '../../../identity/oidc/provider/scope-store.ts'
import { algorithms } from '../../../identity/oidc/signing.ts'
import { jwkOf } from '../oidc.ts'

const empty: Reply = { kind: 'none' }
const nameOf = (call: Call<unknown>) => call.params['name'] ?? ''

export function discoveryRoutes({ providers, identity }: OidcProvider): Route[] {
  const configuration = operation({
    input: {},
    access: 'public',
    handle: async (call) => {
      const provider = await providers.get(nameOf(call))
      if (!provider) return empty
      const issuer = providers.issuer(nameOf(call), provider)
      return {
        kind: 'document',
        headers: { 'Cache-Control': 'max-age=3600' },
        body: {
          issuer,
          jwks_uri: `${issuer}/.well-known/keys`,
          // A page: people log in there and are sent on with what `authorize` answers.
          authorization_endpoint: `${issuer.replace('/v1/', '/ui/vault/')}/authorize`,
          token_endpoint: `${issuer}/token`,
          userinfo_endpoint: `${issuer}/userinfo`,
          request_parameter_supported: false,
          request_uri_parameter_supported: false,
          id_token_signing_alg_values_supported: algorithms,
          response_types_supported: ['code'],
          scopes_supported: [...provider.scopes, openId],
          claims_supported: [],
          subject_types_supported: ['public'],
          grant_types_supported: ['authorization_code', 'client_credentials'],
          token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
          code_challenge_methods_supported: challengeMethods,
        },
      }
    },
  })
  const keys = operation({
    input: {},
    access: 'public',
    handle: async (call) => {
      const provider = await providers.get(nameOf(call))
      if (!provider) return empty
      const published = await identity.oidc.publishedFor((clientId) => allows(provider, clientId))
      return { kind: 'document', body: { keys: published.map(jwkOf) } }
    },
  })
  return [
    {
      path: 'oidc/provider/{name}/.well-known/openid-configuration',
      summary: 'Discovery, for clients of the OIDC provider.',
      on: { read: configuration },
    },
    {
      path: 'oidc/provider/{name}/.well-known/keys',
      summary: 'The public keys (JWKS) of the OIDC provider.',
      on: { read: keys },
    },
  ]
}
