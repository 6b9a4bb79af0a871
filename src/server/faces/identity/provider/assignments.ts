import type { Fields } from '../../../contracts/fields.ts'
import { type Call, operation, type Reply, type Route } from '../../../contracts/request.ts'
import type { AssignmentStore } from '../../../identity/oidc/provider/assignment-store.ts'
import { listed, namesAfter, pageFields } from '../listing.ts'

const fields = {
  entity_ids: { kind: 'commaList', description: 'Entities that may log in' },
  group_ids: { kind: 'commaList', description: 'Groups whose members may log in' },
} as const satisfies Fields

const empty: Reply = { kind: 'none' }
const nameOf = (call: Call<unknown>) => call.params['name'] ?? ''

export function assignmentRoutes(assignments: AssignmentStore): Route[] {
  const list = operation({
    input: pageFields,
    handle: async (call) =>
      listed(namesAfter(await assignments.names(), call.input.after), { ...call.input, signal: call.signal }),
  })
  const read = operation({
    input: {},
    handle: async (call) => {
      const row = await assignments.get(nameOf(call))
      return row ? { kind: 'data', data: { entity_ids: row.entityIds, group_ids: row.groupIds } } : empty
    },
  })
  const update = operation({
    input: fields,
    handle: async (call) => {
      const { entity_ids: entityIds, group_ids: groupIds } = call.input
      await assignments.put(nameOf(call), { entityIds, groupIds })
      return empty
    },
  })
  const remove = operation({
    input: {},
    handle: async (call) => {
      await assignments.delete(nameOf(call))
      return empty
    },
  })
  return [
    { path: 'oidc/assignment', summary: 'Lists the assignments of OIDC clients.', on: { list } },
    {
      path: 'oidc/assignment/{name}',
      summary: 'Who may log in to OIDC clients.',
      exists: async (call) => (await assignments.get(nameOf(call))) !== undefined,
      on: { read, update, delete: remove },
    },
  ]
}
