/** What a write makes of a token role. */

import { checkCidrs } from '../../../contracts/access/role-tokens.ts'
import { Refusal } from '../../../contracts/request.ts'
import { newTokenRole, type TokenRole } from '../../../tokens/roles/token-role.ts'
import { tokenPolicies } from '../../../tokens/token-policies.ts'
import type { RoleInput } from './role-fields.ts'

const suffixForm = /^\w[\w-.]+\w$/
const types = ['service', 'batch', 'default-service', 'default-batch'] as const
const olderNames = ['period', 'explicit_max_ttl', 'bound_cidrs'] as const

/** What was sent over what there was. Refuses (400) what makes no sense. */
export function changedRole(before: TokenRole = newTokenRole, input: RoleInput): TokenRole {
  const cidrs = input.token_bound_cidrs ?? input.bound_cidrs
  const after: TokenRole = {
    ...before,
    allowedPolicies: input.allowed_policies ? tokenPolicies(input.allowed_policies, true) : before.allowedPolicies,
    allowedPoliciesGlob: input.allowed_policies_glob
      ? tokenPolicies(input.allowed_policies_glob, true)
      : before.allowedPoliciesGlob,
    disallowedPolicies: input.disallowed_policies ? names(input.disallowed_policies) : before.disallowedPolicies,
    disallowedPoliciesGlob: input.disallowed_policies_glob
      ? names(input.disallowed_policies_glob)
      : before.disallowedPoliciesGlob,
    allowedEntityAliases: input.allowed_entity_aliases
      ? names(input.allowed_entity_aliases)
      : before.allowedEntityAliases,
    orphan: input.orphan ?? before.orphan,
    renewable: input.renewable ?? before.renewable,
    pathSuffix: input.path_suffix === undefined ? before.pathSuffix : checkSuffix(input.path_suffix),
    type: input.token_type === undefined ? before.type : typeOf(input.token_type),
    periodMs: input.token_period ?? input.period ?? before.periodMs,
    explicitMaxTtlMs: input.token_explicit_max_ttl ?? input.explicit_max_ttl ?? before.explicitMaxTtlMs,
    boundCidrs: cidrs ? checkCidrs(cidrs) : before.boundCidrs,
    numUses: input.token_num_uses ?? before.numUses,
    noDefaultPolicy: input.token_no_default_policy ?? before.noDefaultPolicy,
    older: olderNames.filter(
      (name) => input[`token_${name}`] === undefined && (input[name] !== undefined || before.older.includes(name)),
    ),
  }
  refuseContradictions(after)
  return after
}

/** For those who send a value by both of its names. */
export function bothNames(input: RoleInput): string[] {
  return olderNames
    .filter((name) => input[`token_${name}`] !== undefined && input[name] !== undefined)
    .map((name) => `Both 'token_${name}' and deprecated '${name}' value supplied, ignoring the deprecated value`)
}

function refuseContradictions({ type, orphan, periodMs, renewable, explicitMaxTtlMs, numUses }: TokenRole): void {
  if (numUses < 0) throw new Refusal(400, "error parsing role fields: 'token_num_uses' cannot be negative")
  if (type !== 'batch') return
  const role = "'token_type' cannot be 'batch' when role is set to generate"
  if (!orphan) throw new Refusal(400, `${role} non-orphan tokens`)
  if (periodMs > 0) throw new Refusal(400, `${role} periodic tokens`)
  if (renewable) throw new Refusal(400, `${role} renewable tokens`)
  if (explicitMaxTtlMs > 0) throw new Refusal(400, `${role} tokens with an explicit max TTL`)
  if (numUses > 0) throw new Refusal(400, `${role} tokens with limited use count`)
}

function checkSuffix(suffix: string): string {
  if (suffix === '') return suffix
  if (!suffixForm.test(suffix)) {
    throw new Refusal(400, 'given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w')
  }
  if (suffix.includes('..')) {
    throw new Refusal(400, 'error registering path suffix: path cannot contain parent references')
  }
  return suffix
}

function typeOf(text: string): TokenRole['type'] {
  const found = types.find((type) => type === text)
  if (!found) throw new Refusal(400, `invalid 'token_type' value ${JSON.stringify(text)}`)
  return found
}

const names = (list: readonly string[]) =>
  [...new Set(list.map((name) => name.trim().toLowerCase()).filter((name) => name !== ''))].sort()
