/** identity/mfa/login-enforcement: which logins need which second factors. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { Fields } from '../../../contracts/fields.ts'
import { type Call, operation, type Reply, type Route } from '../../../contracts/request.ts'
import type { EnforcementRow } from '../../../identity/mfa/mfa-rows.ts'
import type { MfaStore } from '../../../identity/mfa/mfa-store.ts'
import { listed, pageFields } from '../listing.ts'

const fields = {
  mfa_method_ids: { kind: 'commaList', description: 'Methods, one of which has to be satisfied', required: true },
  auth_method_accessors: { kind: 'commaList', description: 'Logins by these auth mounts' },
  auth_method_types: { kind: 'commaList', description: 'Logins by auth mounts of these types' },
  identity_group_ids: { kind: 'commaList', description: 'Logins of members of these groups' },
  identity_entity_ids: { kind: 'commaList', description: 'Logins of these entities' },
} as const satisfies Fields

const empty: Reply = { kind: 'none' }
const nameOf = (call: Call<unknown>) => call.params['name'] ?? ''

export function mfaEnforcementRoutes(mfa: MfaStore): Route[] {
  const { enforcements } = mfa
  const list = operation({
    input: pageFields,
    handle: async (call) => {
      const rules = (await enforcements.rules()).filter((rule) => rule.name > call.input.after)
      const items = rules.map((rule) => ({ key: rule.name, info: ruleJson(mfa, rule) }))
      return listed(items, { ...call.input, signal: call.signal })
    },
  })
  const read = operation({
    input: {},
    handle: async (call) => {
      const rule = await enforcements.byName(nameOf(call))
      return rule ? { kind: 'data', data: ruleJson(mfa, rule) } : empty
    },
  })
  const update = operation({
    input: fields,
    handle: async (call) => {
      const { input } = call
      const change = {
        methodIds: input.mfa_method_ids,
        accessors: input.auth_method_accessors,
        mountTypes: input.auth_method_types,
        groupIds: input.identity_group_ids,
        entityIds: input.identity_entity_ids,
      }
      const sources = mfa.reach().map((store) => store.methods)
      await enforcements.put(nameOf(call), change, sources)
      return empty
    },
  })
  const remove = operation({
    input: {},
    handle: async (call) => {
      await enforcements.delete(nameOf(call))
      return empty
    },
  })
  return [
    { path: 'mfa/login-enforcement', summary: 'Lists the login enforcements.', on: { list } },
    {
      path: 'mfa/login-enforcement/{name}',
      summary: 'Which logins need a second factor.',
      on: { read, update, delete: remove },
    },
  ]
}

const ruleJson = (mfa: MfaStore, rule: EnforcementRow): JsonObject => ({
  auth_method_accessors: rule.accessors,
  auth_method_types: rule.mountTypes,
  id: rule.id,
  identity_entity_ids: rule.entityIds,
  identity_group_ids: rule.groupIds,
  mfa_method_ids: rule.methodIds,
  name: rule.name,
  namespace_id: mfa.namespaceId,
  namespace_path: mfa.namespacePath,
})
