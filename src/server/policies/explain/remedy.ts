/** What would let a denied request through: a rule to add, else what to change. Only rules that were tried out are offered. */
import { Refusal } from '../../contracts/request.ts'
import { compileAcl } from '../acl.ts'
import type { AclContext } from '../compiled-policies.ts'
import { parsePolicy } from '../parse-policy.ts'
import { readPattern } from '../pattern-index.ts'
import type { Permissions } from '../permissions.ts'
import { bits, type ParameterRules, type Policy } from '../policy.ts'
import { neededCapability } from '../shortfall.ts'
import type { ExplainRequest, Explanation } from './explain.ts'
import { renderRule, wrapRange } from './render-rule.ts'

export type Remedy =
  /** Text of a policy to be added to the others. */
  | { readonly kind: 'policy'; readonly text: string }
  /** The request must be another, or a policy must change: in words. */
  | { readonly kind: 'request' | 'change'; readonly text: string }

interface Denied {
  readonly policies: readonly Policy[]
  readonly context: AclContext
  readonly request: ExplainRequest
  readonly found: Permissions | undefined
  readonly missing: NonNullable<Explanation['missing']>
}

type Rule = Omit<Permissions, 'sources'>

export function remedyFor(denied: Denied): Remedy {
  const { missing, found } = denied
  if (missing.kind === 'wrapping' || missing.kind === 'page') return requestRemedy(missing)
  if (missing.kind === 'parameter' && missing.why === 'required') {
    return { kind: 'request', text: `send the parameter "${missing.name}"` }
  }
  const text = renderRule(candidate(denied))
  if (allows(denied, text)) return { kind: 'policy', text }
  return { kind: 'change', text: changeOf(found, missing) }
}

function requestRemedy(missing: Extract<Denied['missing'], { kind: 'wrapping' | 'page' }>): Remedy {
  if (missing.kind === 'page')
    return { kind: 'request', text: `send limit=${missing.limit} or limit=max, and after=<last key>` }
  if (missing.maxMs > 0 && missing.maxMs < missing.minMs) {
    return { kind: 'change', text: 'min_wrapping_ttl and max_wrapping_ttl of the merged policies exclude each other' }
  }
  return { kind: 'request', text: `ask for wrapping${wrapRange(missing)} (X-Vault-Wrap-TTL, -wrap-ttl)` }
}

/**
 * A rule for exactly this path hides the one that decided so far: it takes over what that one gave and limited, so that
 * nothing else changes.
 */
function candidate({ request, found, missing }: Denied): Rule {
  const needed = bits[neededCapability[request.operation]] | (request.needsSudo ? bits.sudo : 0)
  const exact = found !== undefined && !readPattern(found.path)
  const known = found && (found.capabilities & bits.deny) === 0 ? found : undefined
  const kept = exact ? 0 : (known?.capabilities ?? 0)
  const base: Rule = known ?? { path: '', capabilities: 0, required: [], minWrapMs: 0, maxWrapMs: 0, pageLimit: 0 }
  const { sources: _, filter, ...limits } = { sources: undefined, ...base }
  const capabilities = kept | needed
  const keepsFilter = filter && capabilities & bits.list
  const parameter = missing.kind === 'parameter' ? missing.name.toLowerCase() : undefined
  return {
    ...limits,
    path: exact ? found.path : request.path,
    capabilities,
    ...(keepsFilter && { filter }),
    allowed: withParameter(base.allowed, parameter),
    denied: withoutParameter(base.denied, parameter),
  }
}

function withParameter(rules: ParameterRules | undefined, name: string | undefined): ParameterRules | undefined {
  return rules && name !== undefined ? new Map([...rules, [name, []]]) : rules
}

function withoutParameter(rules: ParameterRules | undefined, name: string | undefined): ParameterRules | undefined {
  if (!rules || name === undefined) return rules
  const rest = new Map([...rules].filter(([key]) => key !== name && key !== '*'))
  return rest.size > 0 ? rest : undefined
}

function allows({ policies, context, request }: Denied, text: string): boolean {
  try {
    const acl = compileAcl([...policies, parsePolicy('the rule that is tried', text)], context)
    const verdict = acl.check(request)
    return verdict.allowed && (!request.needsSudo || verdict.sudo)
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

function changeOf(found: Permissions | undefined, missing: Denied['missing']): string {
  if (!found) return 'no rule can name this path: allow a prefix of it with "*"'
  const places = found.sources.filter(({ rule }) => missing.kind !== 'deny' || rule.capabilities & bits.deny)
  const where = places.map(({ policy, rule }) => `"${policy}"${rule.line === undefined ? '' : ` (line ${rule.line})`}`)
  const rule = `the rule for "${found.path}" in ${[...new Set(where)].join(', ')}`
  if (missing.kind === 'deny') return `take "deny" out of ${rule}: no other rule overrides it`
  if (missing.kind === 'parameter') return `let ${rule} accept the parameter "${missing.name}": no added rule can`
  return `change ${rule}: no added rule can allow this`
}
