/** sys/internal/ui/resultant-acl: all rules of the caller, for user interfaces that hide what is not permitted. */
import type { Json, JsonObject } from '../../../../lib/json/value.ts'
import { operation, Refusal, type Route } from '../../../contracts/request.ts'
import type { Acl } from '../../../policies/acl.ts'
import { readPattern } from '../../../policies/pattern-index.ts'
import type { Permissions } from '../../../policies/permissions.ts'
import { bits, type ParameterRules } from '../../../policies/policy.ts'
import type { CapabilityRoutesOptions } from './capabilities.ts'

const capabilities = ['create', 'delete', 'list', 'patch', 'read', 'scan', 'sudo', 'update'] as const

export function resultantAclRoutes({ presented, subjects }: CapabilityRoutesOptions): Route[] {
  return [
    {
      path: 'internal/ui/resultant-acl',
      summary: 'What the caller may do, rule by rule.',
      on: {
        read: operation({
          input: {},
          handle: async (call) => {
            const own = presented.get(call)?.live.row
            const acl = own && (await subjects.ofRow(own))?.acl
            // Revoked in this moment.
            if (!acl) throw new Refusal(403, 'permission denied')
            return { kind: 'data', data: resultantAcl(acl) }
          },
        }),
      },
    },
  ]
}

/** As Vault's user interface reads it: prefixes without their `*`, other patterns as they are. */
function resultantAcl(acl: Acl): JsonObject {
  if (acl.root) return { root: true }
  const exact: Record<string, Json> = Object.create(null)
  const glob: Record<string, Json> = Object.create(null)
  for (const rule of acl.rules()) {
    const path = pathBelow(rule.path, acl.prefix)
    if (path === undefined) continue
    const pattern = readPattern(path)
    if (!pattern) exact[path] = ruleJson(rule)
    else glob[pattern.plusSegments > 0 ? path : pattern.stem] = ruleJson(rule)
  }
  return { root: false, exact_paths: exact, glob_paths: glob }
}

/** What a rule says about paths below `prefix` ("child/"); undefined: nothing. */
function pathBelow(path: string, prefix: string): string | undefined {
  const wanted = prefix.split('/').slice(0, -1)
  const given = path.split('/')
  for (const [i, segment] of wanted.entries()) {
    const part = given[i]
    const open = i === given.length - 1 && part?.endsWith('*')
    if (open && segment.startsWith(part?.slice(0, -1) ?? '')) return '*'
    if (part !== segment && part !== '+') return undefined
  }
  return given.length > wanted.length ? given.slice(wanted.length).join('/') : undefined
}

function ruleJson(rule: Permissions): JsonObject {
  const found = capabilities.filter((name) => rule.capabilities & bits[name])
  const denied = (rule.capabilities & bits.deny) !== 0 || found.length === 0
  return {
    capabilities: denied ? ['deny'] : found,
    ...(rule.minWrapMs > 0 && { min_wrapping_ttl: Math.floor(rule.minWrapMs / 1000) }),
    ...(rule.maxWrapMs > 0 && { max_wrapping_ttl: Math.floor(rule.maxWrapMs / 1000) }),
    ...parametersJson('allowed_parameters', rule.allowed),
    ...parametersJson('denied_parameters', rule.denied),
    ...(rule.required.length > 0 && { required_parameters: rule.required }),
    ...(rule.pageLimit > 0 && { pagination_limit: rule.pageLimit }),
    ...(rule.filter && { list_scan_response_keys_filter_path: rule.filter.text }),
  }
}

function parametersJson(name: string, rules: ParameterRules | undefined): JsonObject {
  return rules && rules.size > 0 ? { [name]: Object.fromEntries(rules) } : {}
}
