import type { JsonObject } from '../../../lib/json/value.ts'
import type { Fields } from '../../contracts/fields.ts'
import { type Call, operation, type Reply, type Route } from '../../contracts/request.ts'
import type { AliasOf } from '../../identity/entities/alias-store.ts'
import type { IdentityStore } from '../../identity/identity-store.ts'
import { aliasJson, mountMembers } from './answers.ts'
import { listed, pageFields } from './listing.ts'

const aliasFields = {
  id: { kind: 'string', description: 'The id of an alias that exists, to change it', default: '' },
  name: { kind: 'string', description: 'Who this is to the mount', default: '' },
  mount_accessor: { kind: 'string', description: 'The accessor of the auth mount', default: '' },
  canonical_id: { kind: 'string', description: 'The entity; a new one when it is empty', default: '' },
  entity_id: { kind: 'string', description: 'The old name of canonical_id', default: '', deprecated: true },
  custom_metadata: { kind: 'stringMap', description: 'Pairs for templates in policies' },
} as const satisfies Fields

const empty: Reply = { kind: 'none' }
const idOf = (call: Call<unknown>) => call.params['id'] ?? ''

export function aliasRoutes(identity: IdentityStore): Route[] {
  const write = operation({
    input: aliasFields,
    handle: async (call) => {
      const { id, name, mount_accessor: mountAccessor, custom_metadata: customMetadata } = call.input
      const canonicalId = call.input.canonical_id || call.input.entity_id
      const done = await identity.aliases.upsert({ id, name, mountAccessor, canonicalId, customMetadata })
      return done ? { kind: 'data', data: { canonical_id: done.canonicalId, id: done.id } } : empty
    },
  })
  const read = operation({
    input: {},
    handle: async (call) => {
      const found = await identity.aliases.byId(idOf(call))
      return found ? { kind: 'data', data: aliasJson(identity, found.alias, found.entity.id) } : empty
    },
  })
  const remove = operation({
    input: {},
    handle: async (call) => {
      await identity.aliases.delete(idOf(call))
      return empty
    },
  })
  return [
    { path: 'entity-alias', summary: 'Makes an alias, or changes one.', on: { update: write } },
    {
      path: 'entity-alias/id/{id}',
      summary: 'An alias of an entity.',
      on: { read, update: write, delete: remove },
    },
    {
      path: 'entity-alias/id',
      summary: 'Lists the aliases of entities.',
      on: {
        list: operation({
          input: pageFields,
          handle: (call) => {
            async function* items() {
              for await (const found of identity.aliases.all(call.input.after)) {
                yield { key: found.alias.id, info: info(identity, found) }
              }
            }
            return listed(items(), { ...call.input, signal: call.signal })
          },
        }),
      },
    },
  ]
}

function info(identity: IdentityStore, { alias, entity }: AliasOf): JsonObject {
  const custom = Object.keys(alias.customMetadata).length > 0 ? alias.customMetadata : null
  return {
    canonical_id: entity.id,
    custom_metadata: custom,
    local: false,
    mount_accessor: alias.mountAccessor,
    ...mountMembers(identity, alias.mountAccessor),
    name: alias.name,
  }
}
