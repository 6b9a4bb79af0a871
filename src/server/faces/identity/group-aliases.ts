import type { Fields } from '../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import type { IdentityStore } from '../../identity/identity-store.ts'
import { groupAliasJson, mountMembers } from './answers.ts'
import { listed, pageFields } from './listing.ts'

const groupAliasFields = {
  id: { kind: 'string', description: 'The id of an alias that exists, to change it' },
  name: { kind: 'string', description: 'What the auth method calls the group', default: '' },
  mount_accessor: { kind: 'string', description: 'The accessor of the auth mount', default: '' },
  canonical_id: { kind: 'string', description: 'The external group; a new one when it is empty', default: '' },
} as const satisfies Fields

const empty: Reply = { kind: 'none' }
const idOf = (call: Call<unknown>) => call.params['id'] ?? ''

export function groupAliasRoutes(identity: IdentityStore): Route[] {
  const write = operation({
    input: groupAliasFields,
    handle: async (call) => {
      const { id, name, mount_accessor: mountAccessor, canonical_id: canonicalId } = call.input
      if (id === '') throw new Refusal(400, 'empty group alias ID')
      const done = await identity.groupAliases.upsert({ id, name, mountAccessor, canonicalId })
      return done ? { kind: 'data', data: { canonical_id: done.canonicalId, id: done.id } } : empty
    },
  })
  const read = operation({
    input: {},
    handle: async (call) => {
      const group = await identity.group(await identity.groups.byAliasId(idOf(call)))
      const alias = group?.row.alias
      return group && alias ? { kind: 'data', data: groupAliasJson(identity, alias, group.row.id) } : empty
    },
  })
  const remove = operation({
    input: {},
    handle: async (call) => {
      await identity.groupAliases.delete(idOf(call))
      return empty
    },
  })
  return [
    { path: 'group-alias', summary: 'Makes an alias of an external group.', on: { update: write } },
    {
      path: 'group-alias/id/{id}',
      summary: 'An alias of an external group.',
      on: { read, update: write, delete: remove },
    },
    { path: 'group-alias/id', summary: 'Lists the aliases of external groups.', on: { list: list(identity) } },
  ]
}

function list(identity: IdentityStore) {
  return operation({
    input: pageFields,
    handle: async (call) => {
      const aliases = (await identity.allGroups()).flatMap(({ row }) =>
        row.alias && row.alias.id > call.input.after ? [{ alias: row.alias, canonicalId: row.id }] : [],
      )
      const items = aliases
        .sort((a, b) => (a.alias.id < b.alias.id ? -1 : 1))
        .map(({ alias, canonicalId }) => ({
          key: alias.id,
          info: {
            canonical_id: canonicalId,
            custom_metadata: null,
            local: false,
            mount_accessor: alias.mountAccessor,
            ...mountMembers(identity, alias.mountAccessor),
            name: alias.name,
          },
        }))
      return listed(items, { ...call.input, signal: call.signal })
    },
  })
}
