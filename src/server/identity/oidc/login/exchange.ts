/** The token endpoint: an authorization code, or a client's own name, for tokens. */
import { createHash } from 'node:crypto'
import { uuid } from '../../../../lib/random.ts'
import type { EntityRow } from '../../entities/entity-row.ts'
import { nobody } from '../claims.ts'
import type { OidcProvider } from '../provider/oidc-provider.ts'
import type { ClientRow, CodeRow } from '../provider/provider-rows.ts'
import type { Algorithm } from '../signing.ts'
import { signToken } from '../signing.ts'
import { isSame, type LoggedInClient } from './client-login.ts'
import { OidcProblem } from './oidc-problem.ts'
import { askedScopes, scopeClaims } from './scope-claims.ts'

export interface TokenRequest {
  readonly provider: string
  readonly grantType: string
  readonly code: string
  readonly redirectUri: string
  readonly codeVerifier: string
  readonly scope: string
  readonly now: number
}

/** What an access token is for. */
export interface Access {
  readonly clientId: string
  readonly entityId: string
  readonly scopes: readonly string[]
  readonly ttlMs: number
}

export interface MadeTokens {
  readonly accessToken: string
  /** None for a client that came in its own name. */
  readonly idToken?: string
  readonly ttlMs: number
}

/** `grant` makes the token that userinfo is read with. */
export function exchange(
  oidc: OidcProvider,
  asked: TokenRequest,
  from: LoggedInClient,
  grant: (access: Access) => Promise<string>,
): Promise<MadeTokens> {
  const { client } = from
  const isCode = asked.grantType === 'authorization_code'
  if (!isCode && asked.grantType !== 'client_credentials') {
    throw new OidcProblem('unsupported_grant_type', 'unsupported grant_type or parameter is empty value')
  }
  if (!(isCode ? client.authorizationCode : client.clientCredentials)) {
    throw new OidcProblem('invalid_grant', 'client is not authorized to use given credentials flow')
  }
  return isCode ? exchangeCode(oidc, asked, from, grant) : tokenOfClient(oidc, asked, from)
}

const invalid = (description: string) => new OidcProblem('invalid_request', description)
const wrongGrant = (description: string) => new OidcProblem('invalid_grant', description)

async function exchangeCode(
  oidc: OidcProvider,
  asked: TokenRequest,
  { client, provider, key }: LoggedInClient,
  grant: (access: Access) => Promise<string>,
): Promise<MadeTokens> {
  const code = await takeCode(oidc, asked, client)
  const entity = await stillAdmitted(oidc, code, client)
  checkVerifier(code, client, asked.codeVerifier)
  const groups = await oidc.identity.membershipsOf(entity)
  const subject = { entity, groups: [...groups.direct, ...groups.inherited], now: asked.now }
  const claims = await scopeClaims(oidc.scopes, code.scopes, subject)
  const { clientId, accessTokenTtlMs: ttlMs } = client
  const accessToken = await grant({ clientId, entityId: entity.id, scopes: code.scopes, ttlMs })
  const { kid, algorithm, privateKey = '' } = key.current
  const payload = {
    ...claims,
    ...standard(oidc, asked, client, oidc.providers.issuer(asked.provider, provider)),
    sub: entity.id,
    ...(code.nonce === '' ? {} : { nonce: code.nonce }),
    ...(code.authTime === undefined ? {} : { auth_time: code.authTime }),
    at_hash: halfHash(algorithm, accessToken),
    c_hash: halfHash(algorithm, asked.code),
  }
  const idToken = signToken(algorithm, kid, privateKey, JSON.stringify(payload))
  return { accessToken, idToken, ttlMs }
}

/** Used up by the client's first attempt, whatever else is wrong with that. */
async function takeCode(oidc: OidcProvider, asked: TokenRequest, client: ClientRow): Promise<CodeRow> {
  if (asked.code === '') throw invalid('code parameter is required')
  const code = await oidc.codes.take(asked.code)
  if (!code) throw wrongGrant('authorization grant is invalid or expired')
  if (code.clientId !== client.clientId) throw wrongGrant('authorization code was not issued to the client')
  if (code.provider !== asked.provider) throw wrongGrant('authorization code was not issued by the provider')
  if (asked.redirectUri === '') throw invalid('redirect_uri parameter is required')
  if (code.redirectUri !== asked.redirectUri) {
    throw wrongGrant('redirect_uri does not match the redirect_uri used in the authorization request')
  }
  return code
}

async function stillAdmitted(oidc: OidcProvider, code: CodeRow, client: ClientRow): Promise<EntityRow> {
  const entity = await oidc.identity.entityOf(code.entityId)
  if (!entity) throw invalid('identity entity associated with the request not found')
  if (!(await oidc.assignments.admit(entity, client.assignments))) {
    throw invalid('identity entity not authorized by client assignment')
  }
  return entity
}

/** RFC 7636, 4.6. */
function checkVerifier({ challenge }: CodeRow, client: ClientRow, verifier: string): void {
  if (!challenge) {
    if (client.type === 'public') throw invalid('PKCE is required for public clients')
    if (verifier !== '') throw invalid('unexpected code_verifier for token exchange')
    return
  }
  if (verifier === '') throw invalid('expected code_verifier for token exchange')
  const { method, value } = challenge
  const shown = method === 'S256' ? createHash('sha256').update(verifier).digest('base64url') : verifier
  if (!isSame(shown, value)) throw wrongGrant('invalid code_verifier for token exchange')
}

async function tokenOfClient(
  oidc: OidcProvider,
  asked: TokenRequest,
  { client, provider, key }: LoggedInClient,
): Promise<MadeTokens> {
  const scopes = askedScopes(asked.scope, provider)
  if (!scopes) throw invalid('scope parameter must contain the "openid" value')
  const claims = await scopeClaims(oidc.scopes, scopes, { ...nobody, now: asked.now })
  const { kid, algorithm, privateKey = '' } = key.current
  const payload = {
    ...claims,
    ...standard(oidc, asked, client, oidc.providers.issuer(asked.provider, provider)),
    sub: client.clientId,
    jti: uuid(oidc.random),
  }
  return {
    accessToken: signToken(algorithm, kid, privateKey, JSON.stringify(payload)),
    // It is verified by the key, which is not published for longer than this.
    ttlMs: client.idTokenTtlMs,
  }
}

function standard(oidc: OidcProvider, { now }: TokenRequest, client: ClientRow, iss: string) {
  const iat = Math.floor(now / 1000)
  const exp = iat + Math.floor(client.idTokenTtlMs / 1000)
  return { iss, namespace: oidc.identity.namespaceId, aud: client.clientId, iat, exp }
}

/** OpenID Connect Core, 3.3.2.11; Ed25519 hashes with SHA-512. */
function halfHash(algorithm: Algorithm, text: string): string {
  const hash = algorithm === 'EdDSA' ? 'sha512' : `sha${algorithm.slice(2)}`
  const digest = createHash(hash).update(text, 'ascii').digest()
  return digest.subarray(0, digest.length / 2).toString('base64url')
}
