import type { Fields } from '../../../contracts/fields.ts'
import { type Call, operation, type Reply, type Route } from '../../../contracts/request.ts'
import type { ScopeStore } from '../../../identity/oidc/provider/scope-store.ts'
import { listed, namesAfter, pageFields } from '../listing.ts'

const fields = {
  template: { kind: 'string', description: 'Claims: JSON with {{identity.…}} for values; may be base64' },
  description: { kind: 'string', description: 'For people' },
} as const satisfies Fields

const empty: Reply = { kind: 'none' }
const nameOf = (call: Call<unknown>) => call.params['name'] ?? ''

export function scopeRoutes(scopes: ScopeStore): Route[] {
  const list = operation({
    input: pageFields,
    handle: async (call) =>
      listed(namesAfter(await scopes.names(), call.input.after), { ...call.input, signal: call.signal }),
  })
  const read = operation({
    input: {},
    handle: async (call) => {
      const row = await scopes.get(nameOf(call))
      return row ? { kind: 'data', data: { template: row.template, description: row.description } } : empty
    },
  })
  const update = operation({
    input: fields,
    handle: async (call) => {
      await scopes.put(nameOf(call), call.input)
      return empty
    },
  })
  const remove = operation({
    input: {},
    handle: async (call) => {
      await scopes.delete(nameOf(call))
      return empty
    },
  })
  return [
    { path: 'oidc/scope', summary: 'Lists the scopes of OIDC providers.', on: { list } },
    {
      path: 'oidc/scope/{name}',
      summary: 'Claims that clients of OIDC providers can ask for.',
      exists: async (call) => (await scopes.get(nameOf(call))) !== undefined,
      on: { read, update, delete: remove },
    },
  ]
}
