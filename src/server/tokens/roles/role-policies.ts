/** Which policies a token role lets its tokens have: Vault's rules, a pure function. */
import { Refusal } from '../../contracts/request.ts'
import { tokenPolicies } from '../token-policies.ts'
import type { TokenRole } from './token-role.ts'

/** Whether the role has rules of its own; else those of tokens without role apply. */
export function decidesPolicies(role: TokenRole): boolean {
  const lists = [role.allowedPolicies, role.disallowedPolicies, role.allowedPoliciesGlob, role.disallowedPoliciesGlob]
  return lists.some((list) => list.length > 0)
}

/** `asked`: empty when nothing was asked for. Refusal 400 for what the role does not let through. */
export function rolePolicies(
  role: TokenRole,
  asked: readonly string[],
  parentPolicies: readonly string[],
  noDefaultPolicy: boolean,
): string[] {
  const withDefault =
    !noDefaultPolicy &&
    !role.noDefaultPolicy &&
    !role.disallowedPolicies.includes('default') &&
    !matchesGlob(role.disallowedPoliciesGlob, 'default')
  const wanted = asked.length > 0 ? tokenPolicies(asked, !withDefault) : []
  const policies = allowed(role, wanted, parentPolicies, withDefault)
  for (const name of policies) {
    if (role.disallowedPolicies.includes(name) || matchesGlob(role.disallowedPoliciesGlob, name))
      throw new Refusal(400, `token policy ${JSON.stringify(name)} is disallowed by this role`)
  }
  return policies
}

function allowed(role: TokenRole, wanted: string[], parentPolicies: readonly string[], withDefault: boolean): string[] {
  if (role.allowedPolicies.length === 0 && role.allowedPoliciesGlob.length === 0)
    return wanted.length > 0 ? wanted : tokenPolicies(parentPolicies, !withDefault)
  const permitted = tokenPolicies(role.allowedPolicies, !withDefault)
  if (wanted.length === 0) return permitted
  const outside = wanted.some((name) => !permitted.includes(name) && !matchesGlob(role.allowedPoliciesGlob, name))
  if (outside)
    throw new Refusal(
      400,
      `token policies (${goList(wanted)}) must be subset of the role's allowed policies (${goList(permitted)}) or glob policies (${goList(role.allowedPoliciesGlob)})`,
    )
  return wanted
}

/** `*` stands for anything, anywhere. Without backtracking: each part is taken where it first fits. */
export function matchesGlob(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => {
    const parts = pattern.split('*')
    const first = parts[0] ?? ''
    const last = parts.at(-1) ?? ''
    if (parts.length === 1) return pattern === text
    if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false
    let at = first.length
    const end = text.length - last.length
    return parts.slice(1, -1).every((part) => {
      const found = text.indexOf(part, at)
      if (found < 0 || found + part.length > end) return false
      at = found + part.length
      return true
    })
  })
}

/** As Go prints a list of strings with %q. */
const goList = (names: readonly string[]) => `[${names.map((name) => JSON.stringify(name)).join(' ')}]`
