import type { JsonObject } from '../../lib/json/value.ts'
import { Refusal } from '../contracts/request.ts'
import { mergeParameters, parametersPass } from './parameters.ts'
import { PatternIndex, readPattern } from './pattern-index.ts'
import { bits, capabilityNames, fillTemplate, type Policy, type PolicyRule } from './policy.ts'

export interface AclRequest {
  /** Without a leading slash, namespace not included; LIST and SCAN with their trailing slash. */
  readonly path: string
  readonly operation: 'create' | 'read' | 'update' | 'patch' | 'delete' | 'list' | 'scan' | 'head'
  readonly input?: JsonObject
  /** Absent: no wrapping was asked for. */
  readonly wrapTtlMs?: number
}

export interface Verdict {
  readonly allowed: boolean
  /** The rule has the sudo capability (whether or not the operation is allowed). */
  readonly sudo: boolean
  readonly root: boolean
  /** The policies that allow it; empty when nothing does. */
  readonly granting: readonly { readonly name: string; readonly type: string }[]
}

/** What one pattern permits once all policies that name it are merged. */
interface Permissions {
  readonly path: string
  capabilities: number
  allowed: PolicyRule['allowed']
  denied: PolicyRule['denied']
  required: readonly string[]
  minWrapMs: number
  maxWrapMs: number
  readonly sources: { readonly policy: string; readonly capabilities: number }[]
}

const operationBits = {
  create: bits.create,
  read: bits.read,
  head: bits.read,
  update: bits.update,
  patch: bits.patch,
  delete: bits.delete,
  list: bits.list,
  scan: bits.scan,
} as const
const withParameters = new Set<AclRequest['operation']>(['create', 'update', 'patch'])
const denial: Verdict = { allowed: false, sudo: false, root: false, granting: [] }
const rootVerdict: Verdict = { allowed: true, sudo: true, root: true, granting: [{ name: 'root', type: 'acl' }] }

/**
 * Policies to one structure that answers by lookup. Templated rules without a value for this identity are dropped. The policy
 * named `root` permits everything and stands alone (Refusal 400 otherwise).
 */
export function compileAcl(
  policies: readonly Policy[],
  template: (name: string) => string | undefined = () => undefined,
): Acl {
  if (policies.some((policy) => policy.name === 'root')) {
    if (policies.length > 1) throw new Refusal(400, 'other policies present along with root')
    return new Acl(new Map(), true)
  }
  const merged = new Map<string, Permissions>()
  for (const policy of policies) {
    for (const rule of policy.rules) {
      const path = fillTemplate(rule.path, template)
      if (path === undefined) continue
      const known = merged.get(path)
      if (known) merge(known, rule, policy.name)
      else merged.set(path, permissionsOf(path, rule, policy.name))
    }
  }
  return new Acl(merged, false)
}

function permissionsOf(path: string, rule: PolicyRule, policy: string): Permissions {
  const { capabilities, allowed, denied, required, minWrapMs, maxWrapMs } = rule
  const sources = [{ policy, capabilities }]
  return { path, capabilities, allowed, denied, required, minWrapMs, maxWrapMs, sources }
}

function merge(into: Permissions, rule: PolicyRule, policy: string): void {
  into.sources.push({ policy, capabilities: rule.capabilities })
  into.capabilities |= rule.capabilities
  if (into.capabilities & bits.deny) {
    into.capabilities = bits.deny
    return
  }
  // Without allowed_parameters every parameter is allowed, and so it stays whatever else is merged.
  into.allowed = into.allowed && rule.allowed ? mergeParameters(into.allowed, rule.allowed) : undefined
  into.denied = mergeParameters(into.denied, rule.denied)
  into.required = [...new Set([...into.required, ...rule.required])]
  into.minWrapMs = smallerLimit(into.minWrapMs, rule.minWrapMs)
  into.maxWrapMs = smallerLimit(into.maxWrapMs, rule.maxWrapMs)
}

/** 0 is no limit. */
function smallerLimit(a: number, b: number): number {
  return a === 0 || b === 0 ? a + b : Math.min(a, b)
}

/** Answers what one set of policies permits; https://developer.hashicorp.com/vault/docs/concepts/policies */
export class Acl {
  readonly root: boolean
  readonly #exact = new Map<string, Permissions>()
  readonly #patterns: PatternIndex<Permissions>
  readonly #all: readonly Permissions[]

  constructor(merged: ReadonlyMap<string, Permissions>, root: boolean) {
    this.root = root
    const patterns = new Map<string, Permissions>()
    for (const [path, permissions] of merged) {
      if (readPattern(path)) patterns.set(path, permissions)
      else this.#exact.set(path, permissions)
    }
    this.#patterns = new PatternIndex(patterns)
    this.#all = [...merged.values()]
  }

  check(request: AclRequest): Verdict {
    if (this.root) return rootVerdict
    const { operation } = request
    const found = this.#find(request.path, operation === 'list' || operation === 'scan')
    if (!found) return denial
    const sudo = (found.capabilities & bits.sudo) !== 0
    const needed = operationBits[operation]
    if ((found.capabilities & needed) === 0 || !limitsPass(found, request)) return { ...denial, sudo }
    const names = new Set(found.sources.filter((s) => (s.capabilities & needed) !== 0).map((s) => s.policy))
    return { allowed: true, sudo, root: false, granting: [...names].map((name) => ({ name, type: 'acl' })) }
  }

  /** The one rule that counts for a path. */
  #find(path: string, listing: boolean): Permissions | undefined {
    const bare = listing && path.endsWith('/') ? path.slice(0, -1) : undefined
    return (
      this.#exact.get(path) ??
      (bare === undefined ? undefined : this.#exact.get(bare)) ??
      this.#patterns.best(path) ??
      (bare === undefined ? undefined : this.#patterns.best(bare))
    )
  }

  /** As sys/capabilities lists them: ["root"] for root, ["deny"] where nothing is permitted. Found as LIST finds its rule. */
  capabilities(path: string): string[] {
    if (this.root) return ['root']
    const found = this.#find(path, true)?.capabilities ?? 0
    const names = capabilityNames.filter((name) => found & bits[name])
    return names.length > 0 ? [...names] : ['deny']
  }

  /** Whether any rule permits something at or below `prefix` (a mount's path, with its trailing slash). */
  reaches(prefix: string): boolean {
    if (this.capabilities(prefix)[0] !== 'deny') return true
    return this.#all.some(
      ({ path, capabilities }) => capabilities !== bits.deny && capabilities !== 0 && goesBelow(path, prefix),
    )
  }
}

function limitsPass(permissions: Permissions, request: AclRequest): boolean {
  const { minWrapMs, maxWrapMs } = permissions
  const wrapMs = request.wrapTtlMs
  if ((minWrapMs > 0 || maxWrapMs > 0) && wrapMs === undefined) return false
  if (wrapMs !== undefined && ((maxWrapMs > 0 && wrapMs > maxWrapMs) || wrapMs < minWrapMs)) return false
  // Merged policies can contradict each other.
  if (maxWrapMs > 0 && maxWrapMs < minWrapMs) return false
  return !withParameters.has(request.operation) || parametersPass(permissions, request.input ?? {})
}

/** Whether the pattern can match a path under `prefix` that the pattern's literal beginning leads into. */
function goesBelow(text: string, prefix: string): boolean {
  const pattern = readPattern(text)
  if (!pattern || pattern.plusSegments === 0) return text.startsWith(prefix)
  const parts = pattern.stem.split('/')
  const wanted = prefix.split('/').slice(0, -1)
  return wanted.every((segment, i) => {
    const part = parts[i]
    if (part === '+' || part === segment) return pattern.isPrefix || i < parts.length - 1
    if (!pattern.isPrefix) return false
    // The open end of a prefix: everything after it matches.
    return part === undefined || (i === parts.length - 1 && segment.startsWith(part))
  })
}
