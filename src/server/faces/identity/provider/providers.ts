import type { JsonObject } from '../../../../lib/json/value.ts'
import type { Fields } from '../../../contracts/fields.ts'
import { type Call, operation, type Reply, type Route } from '../../../contracts/request.ts'
import { issuerWarning } from '../../../identity/oidc/issuer.ts'
import type { ProviderRow } from '../../../identity/oidc/provider/provider-rows.ts'
import { allows, type ProviderStore } from '../../../identity/oidc/provider/provider-store.ts'
import { type Listed, listed, namesAfter, pageFields } from '../listing.ts'

const fields = {
  issuer: { kind: 'string', description: 'Scheme, host and port; by default the address of this server' },
  allowed_client_ids: { kind: 'commaList', description: 'Ids of the clients that may use it; * is all' },
  scopes_supported: { kind: 'commaList', description: 'Scopes that clients can ask for besides openid' },
} as const satisfies Fields
const listFields = {
  ...pageFields,
  allowed_client_id: { kind: 'string', description: 'Only those that the client may use', default: '' },
} as const satisfies Fields

const empty: Reply = { kind: 'none' }
const nameOf = (call: Call<unknown>) => call.params['name'] ?? ''

export function providerRoutes(providers: ProviderStore): Route[] {
  const list = operation({
    input: listFields,
    handle: async (call) => {
      const { after, limit, allowed_client_id: clientId } = call.input
      return listed(described(providers, after, clientId), { after, limit, signal: call.signal })
    },
  })
  const read = operation({
    input: {},
    handle: async (call) => {
      const row = await providers.get(nameOf(call))
      return row ? { kind: 'data', data: providerJson(providers, nameOf(call), row) } : empty
    },
  })
  const update = operation({
    input: fields,
    handle: async (call) => {
      const { issuer, allowed_client_ids: allowedClientIds, scopes_supported: scopes } = call.input
      const warnings = await providers.put(nameOf(call), { issuer, allowedClientIds, scopes })
      const stored = await providers.get(nameOf(call))
      for (const warning of stored?.issuer ? [issuerWarning, ...warnings] : warnings) call.warn(warning)
      return empty
    },
  })
  const remove = operation({
    input: {},
    handle: async (call) => {
      await providers.delete(nameOf(call))
      return empty
    },
  })
  return [
    { path: 'oidc/provider', summary: 'Lists OIDC providers.', on: { list } },
    {
      path: 'oidc/provider/{name}',
      summary: 'An issuer that applications log people in by.',
      exists: async (call) => (await providers.get(nameOf(call))) !== undefined,
      on: { read, update, delete: remove },
    },
  ]
}

async function* described(providers: ProviderStore, after: string, clientId: string): AsyncGenerator<Listed> {
  for (const { key } of namesAfter(await providers.names(), after)) {
    const row = await providers.get(key)
    if (row && (clientId === '' || allows(row, clientId))) yield { key, info: providerJson(providers, key, row) }
  }
}

function providerJson(providers: ProviderStore, name: string, row: ProviderRow): JsonObject {
  return {
    issuer: providers.issuer(name, row),
    allowed_client_ids: row.allowedClientIds,
    scopes_supported: row.scopes,
  }
}
