/** The userinfo endpoint: what the scopes of an access token say about its entity now. */

import type { OidcProvider } from '../provider/oidc-provider.ts'
import { allows } from '../provider/provider-store.ts'
import type { Access } from './exchange.ts'
import { OidcProblem } from './oidc-problem.ts'
import { scopeClaims } from './scope-claims.ts'

const denied = (description: string) => new OidcProblem('access_denied', description)

/** `access`: what the token that was shown is for. */
export async function userInfo(
  oidc: OidcProvider,
  providerName: string,
  { clientId, entityId, scopes }: Omit<Access, 'ttlMs'>,
  now: number,
): Promise<Record<string, unknown>> {
  const provider = await oidc.providers.get(providerName)
  if (!provider) throw new OidcProblem('invalid_request', 'provider not found')
  const client = await oidc.clients.byId(clientId)
  if (!client) throw denied('client not found')
  const entity = await oidc.identity.entityOf(entityId)
  if (!entity) throw denied('identity entity associated with the request not found')
  if (!(await oidc.assignments.admit(entity, client.assignments))) {
    throw denied('identity entity not authorized by client assignment')
  }
  if (!allows(provider, clientId)) throw denied('client is not authorized to use the provider')
  const groups = await oidc.identity.membershipsOf(entity)
  const offered = scopes.filter((scope) => provider.scopes.includes(scope))
  const subject = { entity, groups: [...groups.direct, ...groups.inherited], now }
  return { ...(await scopeClaims(oidc.scopes, offered, subject)), sub: entity.id }
}
