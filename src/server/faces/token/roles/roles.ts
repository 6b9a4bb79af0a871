/** auth/token/roles: rules by which tokens are made for others. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import { effectiveTtl } from '../../../mounts/mount-json.ts'
import type { TokenRole } from '../../../tokens/roles/token-role.ts'
import type { TokenFaceOptions } from '../token-face.ts'
import { pageFields } from '../token-fields.ts'
import { bothNames, changedRole } from './change-role.ts'
import { type RoleInput, roleFields } from './role-fields.ts'

const nameForm = /^\w(?:[\w.-]*\w)?$/
const maxNameLength = 256
const pageSize = 500

export function roleRoutes(options: TokenFaceOptions): Route[] {
  const roles = options.tokens.roles(options.namespace.id)
  const read = operation({
    input: {},
    handle: async (call) => {
      const name = nameOf(call)
      const role = await roles.get(name)
      return role ? { kind: 'data', data: roleJson(name, role) } : { kind: 'none' }
    },
  })
  const remove = operation({
    input: {},
    handle: async (call) => {
      await roles.delete(nameOf(call))
      return { kind: 'none' }
    },
  })
  return [
    {
      path: 'roles',
      summary: 'Lists the token roles.',
      on: { list: operation({ input: pageFields, handle: (call) => list(options, call) }) },
    },
    {
      path: 'roles/{role_name}',
      summary: 'A token role: what tokens made through it may be.',
      exists: async (call) => (await options.tokens.roles(options.namespace.id).get(nameOf(call))) !== undefined,
      on: { read, update: operation({ input: roleFields, handle: (call) => write(options, call) }), delete: remove },
    },
  ]
}

function nameOf(call: Pick<Call<unknown>, 'params'>): string {
  const name = call.params['role_name'] ?? ''
  if (nameForm.test(name) && name.length <= maxNameLength) return name
  throw new Refusal(404, '1 error occurred:\n\t* unsupported path\n\n')
}

async function write(options: TokenFaceOptions, call: Call<RoleInput>): Promise<Reply> {
  const { input } = call
  const roles = options.tokens.roles(options.namespace.id)
  const role = await roles.write(nameOf(call), (before) => {
    // What policy was asked for must still be what happens.
    if ((before === undefined) !== (call.operation === 'create')) {
      throw new Refusal(503, 'the role was made or deleted by someone else at the same time: try again')
    }
    return changedRole(before, input)
  })
  const warnings = bothNames(input)
  const { maxTtlMs } = effectiveTtl(call.mount.config, options.ttl)
  if (role.explicitMaxTtlMs > maxTtlMs) {
    warnings.push(
      `Given explicit max TTL of ${role.explicitMaxTtlMs / 1000} is greater than system/mount allowed value of ${maxTtlMs / 1000} seconds; until this is fixed attempting to create tokens against this role will result in an error`,
    )
  }
  return { kind: 'none', warnings }
}

async function list(
  { tokens, namespace }: TokenFaceOptions,
  { input, signal }: Call<{ readonly after: string; readonly limit: number }>,
): Promise<Reply> {
  const roles = tokens.roles(namespace.id)
  const most = input.limit > 0 ? input.limit : Number.POSITIVE_INFINITY
  const keys: string[] = []
  let after: string | undefined = input.after === '' ? undefined : input.after
  for (;;) {
    signal.throwIfAborted()
    const wanted = Math.min(pageSize, most - keys.length)
    const page: string[] = await roles.list(after, wanted)
    keys.push(...page)
    after = page.at(-1)
    if (page.length < wanted || keys.length >= most) return { kind: 'data', data: { keys } }
  }
}

function roleJson(name: string, role: TokenRole): JsonObject {
  const seconds = (ms: number) => Math.floor(ms / 1000)
  const older = (field: string, value: number) => (role.older.includes(field) ? value : 0)
  const [period, explicitMax] = [seconds(role.periodMs), seconds(role.explicitMaxTtlMs)]
  return {
    allowed_entity_aliases: role.allowedEntityAliases,
    allowed_policies: role.allowedPolicies,
    allowed_policies_glob: role.allowedPoliciesGlob,
    ...(role.boundCidrs.length > 0 && role.older.includes('bound_cidrs') ? { bound_cidrs: role.boundCidrs } : {}),
    disallowed_policies: role.disallowedPolicies,
    disallowed_policies_glob: role.disallowedPoliciesGlob,
    explicit_max_ttl: older('explicit_max_ttl', explicitMax),
    name,
    orphan: role.orphan,
    path_suffix: role.pathSuffix,
    period: older('period', period),
    renewable: role.renewable,
    ...(role.boundCidrs.length > 0 ? { token_bound_cidrs: role.boundCidrs } : {}),
    token_explicit_max_ttl: explicitMax,
    token_no_default_policy: role.noDefaultPolicy,
    ...(role.numUses > 0 ? { token_num_uses: role.numUses } : {}),
    token_period: period,
    token_type: role.type,
  }
}
