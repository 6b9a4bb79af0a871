import type { JsonObject } from '../../../lib/json/value.ts'
import type { Fields, InputOf } from '../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import type { EntityRow } from '../../identity/entities/entity-row.ts'
import type { IdentityStore } from '../../identity/identity-store.ts'
import { entityJson, mountAliasInfo } from './answers.ts'
import { type Listed, listed, pageFields } from './listing.ts'

const entityFields = {
  id: { kind: 'string', description: 'The id of an entity that exists, to change it', default: '' },
  name: { kind: 'string', description: 'The name; by default a random one', default: '' },
  metadata: { kind: 'stringMap', description: 'Pairs for templates in policies' },
  policies: { kind: 'commaList', description: 'Policies of all tokens of the entity' },
  disabled: { kind: 'bool', description: 'Its tokens are refused as long as this is so' },
} as const satisfies Fields

const mergeFields = {
  from_entity_ids: { kind: 'commaList', description: 'Entities that go' },
  to_entity_id: { kind: 'string', description: 'The entity that stays', default: '' },
  conflicting_alias_ids_to_keep: {
    kind: 'commaList',
    description: 'Of two aliases on one mount, the one that stays',
    default: [] as readonly string[],
  },
} as const satisfies Fields

const empty: Reply = { kind: 'none' }
const wanted = (call: Call<unknown>, name: string) => call.params[name] ?? ''

export function entityRoutes(identity: IdentityStore): Route[] {
  const write = operation({ input: entityFields, handle: (call) => writeEntity(identity, call.input) })
  return [
    { path: 'entity', summary: 'Makes an entity, or changes one by its id or name.', on: { update: write } },
    {
      path: 'entity/id/{id}',
      summary: 'An entity, by its id.',
      on: { update: write, ...readAndDelete(identity, (call) => identity.entities.byId(wanted(call, 'id'))) },
    },
    {
      path: 'entity/name/{name...}',
      summary: 'An entity, by its name.',
      on: { update: write, ...readAndDelete(identity, (call) => identity.entities.byName(wanted(call, 'name'))) },
    },
    {
      path: 'entity/batch-delete',
      summary: 'Takes several entities away.',
      on: { update: batchDelete(identity) },
    },
    { path: 'entity/merge', summary: 'Makes one entity of several.', on: { update: mergeOperation(identity) } },
    {
      path: 'entity/id',
      summary: 'Lists the entities by id.',
      on: { list: list(identity, (row) => ({ key: row.id, info: entityInfo(identity, row) })) },
    },
    {
      path: 'entity/name',
      summary: 'Lists the names of the entities.',
      on: { list: list(identity, (row) => ({ key: row.name })) },
    },
  ]
}

function readAndDelete(identity: IdentityStore, find: (call: Call<unknown>) => Promise<EntityRow | undefined>) {
  return {
    read: operation({
      input: {},
      handle: async (call) => {
        const entity = await find(call)
        return entity ? { kind: 'data', data: await entityJson(identity, entity) } : empty
      },
    }),
    delete: operation({
      input: {},
      handle: async (call) => {
        const entity = await find(call)
        if (entity) await identity.entities.delete(entity.id)
        return empty
      },
    }),
  }
}

async function writeEntity(identity: IdentityStore, input: InputOf<typeof entityFields>): Promise<Reply> {
  const made = await identity.entities.upsert(input)
  return made ? { kind: 'data', data: { aliases: null, id: made.id, name: made.name } } : empty
}

function batchDelete(identity: IdentityStore) {
  return operation({
    input: { entity_ids: { kind: 'commaList', description: 'Their ids' } },
    handle: async (call) => {
      const ids = new Set(call.input.entity_ids)
      if (ids.size === 0) throw new Refusal(400, 'missing entity ids to delete')
      for (const id of ids) {
        if (call.signal.aborted) throw call.signal.reason
        await identity.entities.delete(id)
      }
      return empty
    },
  })
}

function mergeOperation(identity: IdentityStore) {
  return operation({
    input: mergeFields,
    handle: async (call) => {
      const { to_entity_id: to, from_entity_ids: from = [], conflicting_alias_ids_to_keep: keep } = call.input
      await identity.merge({ to, from, keep })
      return empty
    },
  })
}

function list(identity: IdentityStore, of: (row: EntityRow) => Listed) {
  return operation({
    input: pageFields,
    handle: (call) => {
      async function* items() {
        for await (const row of identity.entities.all(call.input.after)) yield of(row)
      }
      return listed(items(), { ...call.input, signal: call.signal })
    },
  })
}

function entityInfo(identity: IdentityStore, row: EntityRow): JsonObject {
  const aliases = row.aliases.map((alias) => mountAliasInfo(identity, alias))
  return { ...(aliases.length > 0 && { aliases }), name: row.name }
}
