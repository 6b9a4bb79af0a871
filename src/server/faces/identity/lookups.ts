import type { Fields, InputOf } from '../../contracts/fields.ts'
import { operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import type { EntityRow } from '../../identity/entities/entity-row.ts'
import type { IdentityStore } from '../../identity/identity-store.ts'
import { entityJson, groupJson } from './answers.ts'

const lookupFields = {
  id: { kind: 'string', description: 'Its id' },
  name: { kind: 'string', description: 'Its name' },
  alias_id: { kind: 'string', description: 'The id of an alias of it' },
  alias_name: { kind: 'string', description: 'The name of an alias of it, with alias_mount_accessor' },
  alias_mount_accessor: { kind: 'string', description: 'The mount of that alias' },
} as const satisfies Fields

type Lookup = InputOf<typeof lookupFields>
const empty: Reply = { kind: 'none' }

export function lookupRoutes(identity: IdentityStore): Route[] {
  const entity = operation({
    input: lookupFields,
    effect: 'none',
    handle: async (call) => {
      checkLookup(call.input)
      const found = await findEntity(identity, call.input)
      return found ? { kind: 'data', data: await entityJson(identity, found) } : empty
    },
  })
  const group = operation({
    input: lookupFields,
    effect: 'none',
    handle: async (call) => {
      checkLookup(call.input)
      const found = await identity.group(await findGroup(identity, call.input))
      return found ? { kind: 'data', data: await groupJson(identity, found) } : empty
    },
  })
  return [
    { path: 'lookup/entity', summary: 'Finds an entity.', on: { update: entity } },
    { path: 'lookup/group', summary: 'Finds a group.', on: { update: group } },
  ]
}

function checkLookup(input: Lookup): void {
  const given = Object.values(input).filter((value) => value !== undefined)
  const byAlias = Boolean(input.alias_name) && Boolean(input.alias_mount_accessor)
  if (given.length === 0) throw new Refusal(400, 'query parameter not supplied')
  if (given.length > 1 && !(given.length === 2 && byAlias)) {
    throw new Refusal(400, 'query parameter conflict; please supply distinct set of query parameters')
  }
  if (given.length === 1 && (input.alias_name || input.alias_mount_accessor)) {
    throw new Refusal(400, "both 'alias_name' and 'alias_mount_accessor' needs to be set")
  }
}

async function findEntity({ entities }: IdentityStore, input: Lookup): Promise<EntityRow | undefined> {
  if (input.id) return entities.byId(input.id)
  if (input.name) return entities.byName(input.name)
  if (input.alias_id) return entities.byAliasId(input.alias_id)
  return entities.byAlias(input.alias_mount_accessor ?? '', input.alias_name ?? '')
}

async function findGroup(identity: IdentityStore, input: Lookup): Promise<string | undefined> {
  if (input.id) return input.id
  if (input.name) return identity.groups.byName(input.name)
  if (input.alias_id) return identity.groups.byAliasId(input.alias_id)
  return identity.groupByAlias(input.alias_mount_accessor ?? '', input.alias_name ?? '')
}
