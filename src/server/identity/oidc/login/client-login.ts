/** Who asks at the token endpoint: a client that shows its secret, if it has one. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { KeyRow } from '../oidc-rows.ts'
import type { OidcProvider } from '../provider/oidc-provider.ts'
import type { ClientRow, ProviderRow } from '../provider/provider-rows.ts'
import { allows } from '../provider/provider-store.ts'
import { OidcProblem } from './oidc-problem.ts'

export interface ClientCredentials {
  readonly clientId: string
  readonly clientSecret: string
}

export interface LoggedInClient {
  readonly client: ClientRow
  readonly provider: ProviderRow
  readonly key: KeyRow
}

/** `Authorization: Basic` of client_secret_basic; undefined: another or none. */
export function basicCredentials(authorization: string | undefined): ClientCredentials | undefined {
  const encoded = /^basic +(\S+)$/i.exec(authorization ?? '')?.[1]
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : { clientId: text.slice(0, colon), clientSecret: text.slice(colon + 1) }
}

export async function logInClient(
  oidc: OidcProvider,
  providerName: string,
  { clientId, clientSecret }: ClientCredentials,
): Promise<LoggedInClient> {
  const provider = await oidc.providers.get(providerName)
  if (!provider) throw new OidcProblem('invalid_request', 'provider not found')
  if (clientId === '') throw new OidcProblem('invalid_request', 'client_id parameter is required')
  const failed = (description: string) => new OidcProblem('invalid_client', description)
  const client = await oidc.clients.byId(clientId)
  if (!client || (client.type === 'confidential' && !isSame(client.clientSecret, clientSecret))) {
    throw failed('client failed to authenticate')
  }
  if (!allows(provider, clientId)) throw failed('client is not authorized to use the provider')
  const key = await oidc.identity.oidc.signer(client.key)
  if (!key) throw new OidcProblem('server_error', `client key ${JSON.stringify(client.key)} not found`)
  if (!key.allowed.includes('*') && !key.allowed.includes(clientId)) {
    throw failed('client is not authorized to use the key')
  }
  return { client, provider, key }
}

/** In a time that says nothing about either. */
export function isSame(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash('sha256').update(text).digest())
  return a !== undefined && b !== undefined && timingSafeEqual(a, b)
}
