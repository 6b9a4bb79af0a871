/**
 * Access tokens: batch tokens of no policy and no entity, so that a client can read userinfo with them and do nothing else in the
 * name of who logged in. What they are for is in their metadata, and counts only where their path says that this made them.
 */
import type { Call } from '../../../contracts/request.ts'
import type { Access } from '../../../identity/oidc/login/exchange.ts'
import type { NewToken } from '../../../tokens/new-token.ts'
import type { TokenRow } from '../../../tokens/token-row.ts'

const pathOf = (provider: string) => `identity/oidc/provider/${provider}/token`

export function accessTokenOf(
  { namespace, mount }: Pick<Call<unknown>, 'namespace' | 'mount'>,
  provider: string,
  { clientId, entityId, scopes, ttlMs }: Access,
): NewToken {
  return {
    type: 'batch',
    namespace: namespace.id,
    policies: [],
    noDefaultPolicy: true,
    path: pathOf(provider),
    meta: {
      oidc_token_type: 'access token',
      client_id: clientId,
      entity_id: entityId,
      scopes: scopes.join(' '),
    },
    displayName: 'oidc',
    numUses: 0,
    ttlMs,
    explicitMaxTtlMs: 0,
    periodMs: 0,
    renewable: false,
    entityId: '',
    boundCidrs: [],
    mount: mount.uuid,
  }
}

/** Undefined: no access token of this provider. */
export function accessOf(row: TokenRow, namespaceId: string, provider: string): Omit<Access, 'ttlMs'> | undefined {
  if (row.type !== 'batch' || row.namespace !== namespaceId || row.path !== pathOf(provider)) return undefined
  const { client_id: clientId, entity_id: entityId, scopes } = row.meta ?? {}
  if (clientId === undefined || entityId === undefined || scopes === undefined) return undefined
  return { clientId, entityId, scopes: scopes.split(' ').filter((scope) => scope !== '') }
}
