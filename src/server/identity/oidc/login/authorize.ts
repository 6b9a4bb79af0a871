/** The authorization endpoint: may this entity log in to that client, and if so, with which code? */
import type { EntityRow } from '../../entities/entity-row.ts'
import type { OidcProvider } from '../provider/oidc-provider.ts'
import { type Challenge, type ClientRow, challengeMethods, type ProviderRow } from '../provider/provider-rows.ts'
import { allows } from '../provider/provider-store.ts'
import { OidcProblem } from './oidc-problem.ts'
import { isRedirectOf } from './redirect-uris.ts'
import { askedScopes } from './scope-claims.ts'

export interface AuthorizationRequest {
  readonly provider: string
  readonly clientId: string
  readonly scope: string
  readonly redirectUri: string
  readonly responseType: string
  readonly nonce: string
  /** Seconds; undefined: however long ago the caller logged in. */
  readonly maxAge: number | undefined
  readonly challenge: string | undefined
  readonly challengeMethod: string
  /** Request objects (OpenID Connect Core, 6), which are not supported. */
  readonly request: string | undefined
  readonly requestUri: string | undefined
  /** Of the caller's token. */
  readonly entityId: string
  readonly loggedInAt: number
  readonly now: number
}

/** The code. */
export async function authorize(oidc: OidcProvider, asked: AuthorizationRequest): Promise<string> {
  const client = await clientOf(oidc, asked)
  const provider = await providerOf(oidc, asked)
  if (asked.request !== undefined) throw new OidcProblem('request_not_supported', 'request parameter is not supported')
  if (asked.requestUri !== undefined) {
    throw new OidcProblem('request_uri_not_supported', 'request_uri parameter is not supported')
  }
  const scopes = askedScopes(asked.scope, provider)
  if (!scopes) throw invalid('scope parameter must contain the "openid" value')
  if (asked.responseType === '') throw invalid('response_type parameter is required')
  if (asked.responseType !== 'code') {
    throw new OidcProblem('unsupported_response_type', 'unsupported response_type value')
  }
  const entity = await admitted(oidc, asked.entityId, client)
  const challenge = challengeOf(asked, client)
  const authTime = authTimeOf(asked)
  return oidc.codes.issue({
    provider: asked.provider,
    clientId: client.clientId,
    entityId: entity.id,
    redirectUri: asked.redirectUri,
    nonce: asked.nonce,
    scopes,
    ...(authTime === undefined ? {} : { authTime }),
    ...(challenge ? { challenge } : {}),
  })
}

const invalid = (description: string) => new OidcProblem('invalid_request', description)

async function clientOf(oidc: OidcProvider, { clientId, redirectUri }: AuthorizationRequest): Promise<ClientRow> {
  if (clientId === '') throw new OidcProblem('invalid_client_id', 'client_id parameter is required')
  const client = await oidc.clients.byId(clientId)
  if (!client) throw new OidcProblem('invalid_client_id', 'client with client_id not found')
  if (!client.authorizationCode) {
    throw new OidcProblem('invalid_grant', 'client not allowed to perform authorization code credential flow')
  }
  if (redirectUri === '') throw invalid('redirect_uri parameter is required')
  if (!isRedirectOf(redirectUri, client.redirectUris)) {
    throw new OidcProblem('invalid_redirect_uri', 'redirect_uri is not allowed for the client')
  }
  return client
}

async function providerOf(oidc: OidcProvider, asked: AuthorizationRequest): Promise<ProviderRow> {
  const provider = await oidc.providers.get(asked.provider)
  if (!provider) throw invalid('provider not found')
  if (!allows(provider, asked.clientId)) {
    throw new OidcProblem('unauthorized_client', 'client is not authorized to use the provider')
  }
  return provider
}

async function admitted(oidc: OidcProvider, entityId: string, client: ClientRow): Promise<EntityRow> {
  const denied = (description: string) => new OidcProblem('access_denied', description)
  if (entityId === '') throw denied('identity entity must be associated with the request')
  const entity = await oidc.identity.entityOf(entityId)
  if (!entity) throw denied('identity entity associated with the request not found')
  if (!(await oidc.assignments.admit(entity, client.assignments))) {
    throw denied('identity entity not authorized by client assignment')
  }
  return entity
}

function challengeOf(asked: AuthorizationRequest, client: ClientRow): Challenge | undefined {
  const { challenge, challengeMethod } = asked
  if (challenge === undefined) {
    if (client.type === 'public') throw invalid('PKCE is required for public clients')
    return undefined
  }
  const method = challengeMethods.find((one) => one === (challengeMethod || 'plain'))
  if (!method) throw invalid('invalid code_challenge_method')
  if (challenge.length < 43 || challenge.length > 128) throw invalid('invalid code_challenge')
  return { value: challenge, method }
}

/** Seconds since the epoch, for who asks how long ago it was. */
function authTimeOf({ maxAge, loggedInAt, now }: AuthorizationRequest): number | undefined {
  if (maxAge === undefined) return undefined
  if (maxAge < 1) throw invalid('max_age must be greater than zero')
  const authTime = Math.floor(loggedInAt / 1000)
  if (Math.floor(now / 1000) - authTime > maxAge) {
    throw new OidcProblem('max_age_violation', 'active re-authentication is required by max_age')
  }
  return authTime
}
