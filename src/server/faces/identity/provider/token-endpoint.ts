import type { Fields, InputOf } from '../../../contracts/fields.ts'
import { type Call, operation, type Reply, type Route } from '../../../contracts/request.ts'
import { basicCredentials, logInClient } from '../../../identity/oidc/login/client-login.ts'
import { type Access, exchange } from '../../../identity/oidc/login/exchange.ts'
import { accessTokenOf } from './access-token.ts'
import { orProblem } from './problem-reply.ts'
import type { ProviderFaceOptions } from './provider-routes.ts'

const fields = {
  grant_type: {
    kind: 'string',
    description: 'authorization_code or client_credentials',
    required: true,
    default: '',
  },
  code: { kind: 'string', description: 'What authorize answered', default: '' },
  redirect_uri: { kind: 'string', description: 'As given to authorize', default: '' },
  code_verifier: { kind: 'string', description: 'PKCE: what the challenge was made of', default: '' },
  scope: { kind: 'string', description: 'For client_credentials; openid must be among them', default: '' },
  client_id: { kind: 'string', description: 'Where the Authorization header does not say it', default: '' },
  client_secret: { kind: 'string', description: 'Where the Authorization header does not say it', default: '' },
} as const satisfies Fields

const statuses = { invalid_client: 401, server_error: 500 }
/** OpenID Connect Core, 3.1.3.3. */
const uncached = { 'Cache-Control': 'no-store', Pragma: 'no-cache' }

export function tokenEndpointRoutes({ oidcProvider, tokens }: ProviderFaceOptions): Route[] {
  const handle = (call: Call<InputOf<typeof fields>>): Promise<Reply> => {
    const headers = ({ error }: { error: string }) =>
      error === 'invalid_client' ? { ...uncached, 'WWW-Authenticate': 'Basic' } : uncached
    return orProblem({ statuses, headers }, async () => {
      const { input, now } = call
      const provider = call.params['name'] ?? ''
      const credentials = basicCredentials(call.headers['authorization']) ?? {
        clientId: input.client_id,
        clientSecret: input.client_secret,
      }
      const asked = {
        provider,
        grantType: input.grant_type,
        code: input.code,
        redirectUri: input.redirect_uri,
        codeVerifier: input.code_verifier,
        scope: input.scope,
        now,
      }
      const client = await logInClient(oidcProvider, provider, credentials)
      const grant = async (access: Access) => (await tokens.create(accessTokenOf(call, provider, access))).token
      const made = await exchange(oidcProvider, asked, client, grant)
      return {
        kind: 'document',
        headers: uncached,
        body: {
          token_type: 'Bearer',
          access_token: made.accessToken,
          ...(made.idToken === undefined ? {} : { id_token: made.idToken }),
          expires_in: Math.floor(made.ttlMs / 1000),
        },
      }
    })
  }
  return [
    {
      path: 'oidc/provider/{name}/token',
      summary: 'Tokens for a code, or in the name of a client.',
      on: { update: operation({ input: fields, access: 'public', handle }) },
    },
  ]
}
