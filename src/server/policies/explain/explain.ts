/** Which rule of which policy decides about a request, what it lacks, and the smallest rule that would allow it. Pure. */
import { type Acl, compileAcl } from '../acl.ts'
import type { AclContext } from '../compiled-policies.ts'
import { readPattern } from '../pattern-index.ts'
import type { Permissions, RuleSource } from '../permissions.ts'
import { bits, fillTemplate, isTemplated, type Policy, templateNames } from '../policy.ts'
import { type AclRequest, findShortfall, isListing, type Shortfall } from '../shortfall.ts'
import { type Remedy, remedyFor } from './remedy.ts'
import { capabilityList, wrapRange } from './render-rule.ts'
import { matches, whyLost } from './tie-break.ts'

export interface ExplainRequest extends AclRequest {
  /** The operation is root-protected. */
  readonly needsSudo?: boolean
}

export interface Explanation {
  readonly allowed: boolean
  /** One sentence. */
  readonly reason: string
  /** The rule that decided; absent: none matches, or the policy is root. */
  readonly rule?: ExplainedRule
  readonly missing?: Shortfall | { readonly kind: 'rule' } | { readonly kind: 'deny' } | { readonly kind: 'sudo' }
  /** What else matches and does not count. */
  readonly others: readonly (ExplainedRule & { readonly lostBecause: string })[]
  /** Rules that this identity or this time takes out. */
  readonly dropped: readonly { readonly policy: string; readonly path: string; readonly because: string }[]
  /** Absent when it is allowed. */
  readonly remedy?: Remedy
}

export interface ExplainedRule {
  readonly path: string
  readonly capabilities: readonly string[]
  readonly from: readonly {
    readonly policy: string
    readonly line?: number
    readonly capabilities: readonly string[]
  }[]
}

export function explain(policies: readonly Policy[], request: ExplainRequest, context: AclContext = {}): Explanation {
  const acl = compileAcl(policies, context)
  const dropped = droppedRules(policies, context)
  if (acl.root) return { allowed: true, reason: 'the policy "root" permits everything', others: [], dropped }
  const found = acl.find(request.path, request.operation)
  const missing = whatIsMissing(found, request)
  const others = otherRules(acl, found, request)
  return {
    allowed: missing === undefined,
    reason: reasonOf(found, missing, request),
    ...(found && { rule: explained(found) }),
    ...(missing && { missing, remedy: remedyFor({ policies, context, request, found, missing }) }),
    others,
    dropped,
  }
}

function whatIsMissing(found: Permissions | undefined, request: ExplainRequest): Explanation['missing'] {
  if (!found) return { kind: 'rule' }
  if (found.capabilities & bits.deny) return { kind: 'deny' }
  const shortfall = findShortfall(found, request)
  if (shortfall) return shortfall
  return request.needsSudo && (found.capabilities & bits.sudo) === 0 ? { kind: 'sudo' } : undefined
}

function otherRules(acl: Acl, found: Permissions | undefined, request: AclRequest): Explanation['others'] {
  if (!found) return []
  const { path, operation } = request
  const bare = isListing(operation) && path.endsWith('/') ? path.slice(0, -1) : undefined
  return acl
    .rules()
    .filter((rule) => rule.path !== found.path && matches(rule.path, path, bare, operation === 'scan'))
    .map((rule) => ({ ...explained(rule), lostBecause: whyLost(rule.path, found.path) }))
}

function explained({ path, capabilities, sources }: Permissions): ExplainedRule {
  const from = ({ policy, rule }: RuleSource) => ({
    policy,
    ...(rule.line !== undefined && { line: rule.line }),
    capabilities: capabilityList(rule.capabilities),
  })
  return { path, capabilities: capabilityList(capabilities), from: sources.map(from) }
}

function droppedRules(policies: readonly Policy[], context: AclContext): Explanation['dropped'] {
  const now = context.now?.() ?? 0
  const template = (name: string) => context.template?.(name)
  return policies.flatMap((policy) =>
    policy.rules.flatMap((rule) => {
      const at = { policy: policy.name, path: rule.path }
      const ends = Math.min(policy.expiresAt ?? Number.POSITIVE_INFINITY, rule.expiresAt ?? Number.POSITIVE_INFINITY)
      if (ends <= now) return [{ ...at, because: `it expired at ${new Date(ends).toISOString()}` }]
      if (!isTemplated(rule) || fillTemplate(rule.path, template, policy) !== undefined) return []
      const empty = templateNames(rule.path).filter((name) => !template(name))
      const because =
        empty.length > 0
          ? `there is no value for ${empty.join(', ')}`
          : 'a value holds "/", "*", "+" or braces, which could widen the rule'
      return [{ ...at, because }]
    }),
  )
}

function reasonOf(
  found: Permissions | undefined,
  missing: Explanation['missing'],
  { path, operation }: ExplainRequest,
): string {
  const shown = JSON.stringify(path)
  if (!found) return `no rule matches ${shown}: what is not allowed is denied`
  const names = [...new Set(found.sources.map(({ policy }) => JSON.stringify(policy)))].join(', ')
  const kind = readPattern(found.path) ? 'the most specific rule for it' : 'the rule for exactly this path'
  const rule = `${JSON.stringify(found.path)} (${names}), ${kind},`
  if (!missing) return `${rule} allows ${operation} on ${shown}`
  return `${rule} ${lackOf(found, missing, operation)}`
}

function lackOf(found: Permissions, missing: NonNullable<Explanation['missing']>, operation: string): string {
  switch (missing.kind) {
    case 'rule':
      return 'does not match'
    case 'deny': {
      const by = found.sources.filter(({ rule }) => rule.capabilities & bits.deny).map(({ policy }) => policy)
      return `denies: "deny" in ${[...new Set(by)].map((name) => JSON.stringify(name)).join(', ')} clears all capabilities`
    }
    case 'capability':
      return `lacks the capability "${missing.needs}"`
    case 'sudo':
      return `allows ${operation}, but this path is root-protected and also needs the capability "sudo"`
    case 'wrapping':
      return `wants the answer wrapped${wrapRange(missing)}`
    case 'parameter':
      return parameterReason(missing)
    case 'page':
      return missing.why === 'required'
        ? 'wants the parameter "limit"'
        : `allows pages of at most ${missing.limit} keys: "limit" is ${missing.why}`
  }
}

function parameterReason({ name, why }: Extract<Shortfall, { kind: 'parameter' }>): string {
  if (why === 'required') return `wants the parameter "${name}"`
  if (why === 'denied') return `denies the parameter "${name}" or its value`
  return `does not allow the parameter "${name}" or its value`
}
