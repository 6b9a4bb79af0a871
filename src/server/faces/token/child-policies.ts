import { Refusal } from '../../contracts/request.ts'
import { decidesPolicies, rolePolicies } from '../../tokens/roles/role-policies.ts'
import { tokenPolicies } from '../../tokens/token-policies.ts'
import type { TokenRequest } from './token-request.ts'

/** By the role's lists, if it has any; else with sudo any, without a subset of the parent's. Nothing asked for: the parent's. */
export function childPolicies(request: TokenRequest): string[] {
  const policies = resolved(request).filter((name) => name !== 'default' || !request.input.no_default_policy)
  if (policies.includes('response-wrapping')) throw new Refusal(400, 'cannot assign policy "response-wrapping"')
  if (!policies.includes('root')) return policies
  if (request.foreign) throw new Refusal(400, 'root tokens may not be created from a parent namespace')
  if (!request.parent.row.policies.includes('root')) {
    throw new Refusal(400, 'root tokens may not be created without parent token being root')
  }
  // It could not be revoked.
  if (request.type === 'batch') throw new Refusal(400, 'batch tokens cannot be root tokens')
  return policies
}

function resolved({ input, parent, sudo, foreign, role }: TokenRequest): string[] {
  const own = parent.row.policies
  const asked = input.policies ?? []
  const without = input.no_default_policy || role?.role.noDefaultPolicy === true
  if (role && decidesPolicies(role.role)) return rolePolicies(role.role, asked, own, input.no_default_policy)
  if (foreign) return tokenPolicies(asked, without)
  if (asked.length === 0) return tokenPolicies(own, true)
  if (sudo) return tokenPolicies(asked, without)
  const wanted = tokenPolicies(asked, true)
  if (!wanted.every((name) => own.includes(name))) throw new Refusal(400, 'child policies must be subset of parent')
  // Who can't give itself `default` can't give it to a child either.
  return tokenPolicies(wanted, without || !own.includes('default'))
}
