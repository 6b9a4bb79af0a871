import type { JsonObject } from '../../../lib/json/value.ts'
import type { Fields, InputOf } from '../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import type { Group } from '../../identity/groups/group-index.ts'
import type { IdentityStore } from '../../identity/identity-store.ts'
import { groupJson, mountAliasInfo } from './answers.ts'
import { type Listed, listed, pageFields } from './listing.ts'

const groupFields = {
  id: { kind: 'string', description: 'The id of a group that exists, to change it' },
  name: { kind: 'string', description: 'The name; by default a random one', default: '' },
  type: { kind: 'string', description: '"internal" (the default) or "external"', default: '' },
  metadata: { kind: 'stringMap', description: 'Pairs for templates in policies' },
  policies: { kind: 'commaList', description: 'Policies of all members' },
  member_group_ids: { kind: 'commaList', description: 'Groups whose members are members too' },
  member_entity_ids: { kind: 'commaList', description: 'Entities that are members' },
} as const satisfies Fields

const empty: Reply = { kind: 'none' }

export function groupRoutes(identity: IdentityStore): Route[] {
  const write = operation({ input: groupFields, handle: (call) => writeGroup(identity, call.input) })
  return [
    { path: 'group', summary: 'Makes a group, or changes one by its id or name.', on: { update: write } },
    {
      path: 'group/id/{id}',
      summary: 'A group, by its id.',
      on: { update: write, ...readAndDelete(identity, async (call) => call.params['id']) },
    },
    {
      path: 'group/name/{name...}',
      summary: 'A group, by its name.',
      on: { update: write, ...readAndDelete(identity, (call) => identity.groups.byName(call.params['name'] ?? '')) },
    },
    {
      path: 'group/id',
      summary: 'Lists the groups by id.',
      on: {
        list: list(identity, async (group) => ({ key: group.row.id, info: await groupInfo(identity, group) })),
      },
    },
    {
      path: 'group/name',
      summary: 'Lists the names of the groups.',
      on: { list: list(identity, async (group) => ({ key: group.row.name })) },
    },
  ]
}

async function writeGroup(identity: IdentityStore, input: InputOf<typeof groupFields>): Promise<Reply> {
  if (input.id === '') throw new Refusal(400, 'empty group ID')
  const made = await identity.groups.upsert({
    id: input.id,
    name: input.name,
    type: input.type,
    policies: input.policies,
    metadata: input.metadata,
    memberEntityIds: input.member_entity_ids,
    memberGroupIds: input.member_group_ids,
  })
  return made ? { kind: 'data', data: { id: made.id, name: made.name } } : empty
}

function readAndDelete(identity: IdentityStore, find: (call: Call<unknown>) => Promise<string | undefined>) {
  return {
    read: operation({
      input: {},
      handle: async (call) => {
        const group = await identity.group(await find(call))
        return group ? { kind: 'data', data: await groupJson(identity, group) } : empty
      },
    }),
    delete: operation({
      input: {},
      handle: async (call) => {
        const id = await find(call)
        if (id !== undefined) await identity.groups.delete(id)
        return empty
      },
    }),
  }
}

function list(identity: IdentityStore, of: (group: Group) => Promise<Listed>) {
  return operation({
    input: pageFields,
    handle: (call) => {
      const { after } = call.input
      async function* items() {
        for (const group of await identity.allGroups()) if (group.row.id > after) yield of(group)
      }
      return listed(items(), { ...call.input, signal: call.signal })
    },
  })
}

async function groupInfo(identity: IdentityStore, group: Group): Promise<JsonObject> {
  const { row } = group
  const members = await identity.membersOf(group)
  const { parents } = await identity.kinOf(row.id)
  return {
    ...(row.alias && { alias: mountAliasInfo(identity, row.alias) }),
    name: row.name,
    num_member_entities: members.length,
    num_parent_groups: parents.length,
  }
}
