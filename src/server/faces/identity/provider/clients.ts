import type { JsonObject } from '../../../../lib/json/value.ts'
import type { Fields } from '../../../contracts/fields.ts'
import { type Call, operation, type Reply, type Route } from '../../../contracts/request.ts'
import type { ClientStore } from '../../../identity/oidc/provider/client-store.ts'
import type { ClientRow } from '../../../identity/oidc/provider/provider-rows.ts'
import { type Listed, listed, namesAfter, pageFields } from '../listing.ts'

const fields = {
  redirect_uris: { kind: 'commaList', description: 'Where logins may lead back to, compared exactly' },
  assignments: { kind: 'commaList', description: 'Who may log in; allow_all is everyone' },
  key: { kind: 'string', description: 'The key that signs; "default" by default, fixed once the client is made' },
  id_token_ttl: { kind: 'duration', description: 'How long ID tokens are good; 24h by default' },
  access_token_ttl: { kind: 'duration', description: 'How long access tokens are good; 24h by default' },
  client_type: { kind: 'string', description: 'confidential (the default) or public, which has no secret' },
  authorization_code: { kind: 'bool', description: 'Whether people may log in to it; true by default' },
  client_credentials: { kind: 'bool', description: 'Whether it gets tokens in its own name; false by default' },
} as const satisfies Fields

const empty: Reply = { kind: 'none' }
const nameOf = (call: Call<unknown>) => call.params['name'] ?? ''
const seconds = (ms: number) => Math.floor(ms / 1000)

export function clientRoutes(clients: ClientStore): Route[] {
  const list = operation({
    input: pageFields,
    handle: async (call) => listed(described(clients, call.input.after), { ...call.input, signal: call.signal }),
  })
  const read = operation({
    input: {},
    handle: async (call) => {
      const row = await clients.get(nameOf(call))
      if (!row) return empty
      const secret = row.type === 'confidential' ? { client_secret: row.clientSecret } : {}
      return { kind: 'data', data: { ...clientJson(row), ...secret } }
    },
  })
  const update = operation({
    input: fields,
    handle: async (call) => {
      const { input } = call
      await clients.put(nameOf(call), {
        redirectUris: input.redirect_uris,
        assignments: input.assignments,
        key: input.key,
        idTokenTtlMs: input.id_token_ttl,
        accessTokenTtlMs: input.access_token_ttl,
        type: input.client_type,
        authorizationCode: input.authorization_code,
        clientCredentials: input.client_credentials,
      })
      return empty
    },
  })
  const remove = operation({
    input: {},
    handle: async (call) => {
      await clients.delete(nameOf(call))
      return empty
    },
  })
  return [
    { path: 'oidc/client', summary: 'Lists OIDC clients.', on: { list } },
    {
      path: 'oidc/client/{name}',
      summary: 'An application that people log in to.',
      exists: async (call) => (await clients.get(nameOf(call))) !== undefined,
      on: { read, update, delete: remove },
    },
  ]
}

async function* described(clients: ClientStore, after: string): AsyncGenerator<Listed> {
  for (const { key } of namesAfter(await clients.names(), after)) {
    const row = await clients.get(key)
    if (row) yield { key, info: clientJson(row) }
  }
}

/** Without the secret. */
function clientJson(row: ClientRow): JsonObject {
  return {
    redirect_uris: row.redirectUris,
    assignments: row.assignments,
    key: row.key,
    id_token_ttl: seconds(row.idTokenTtlMs),
    access_token_ttl: seconds(row.accessTokenTtlMs),
    client_type: row.type,
    client_id: row.clientId,
    client_credentials: row.clientCredentials,
    authorization_code: row.authorizationCode,
  }
}
