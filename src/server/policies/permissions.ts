/** What one pattern permits once all rules that name it are merged. */
import type { KeyFilter } from './key-filter.ts'
import { mergeParameters, type ParameterLimits } from './parameters.ts'
import { type Found, PatternIndex, readPattern } from './pattern-index.ts'
import { bits, type ParameterRules, type PolicyRule } from './policy.ts'

/** A rule that had a part in it. */
export interface RuleSource {
  readonly policy: string
  readonly rule: PolicyRule
}

export interface Permissions extends ParameterLimits {
  /** Filled in: no template is left. */
  readonly path: string
  readonly capabilities: number
  readonly allowed?: ParameterRules
  readonly denied?: ParameterRules
  readonly required: readonly string[]
  readonly minWrapMs: number
  readonly maxWrapMs: number
  /** 0 = no limit. */
  readonly pageLimit: number
  readonly filter?: KeyFilter
  readonly sources: readonly RuleSource[]
}

export function permissionsOf(path: string, rule: PolicyRule, policy: string): Permissions {
  const { capabilities, allowed, denied, required, minWrapMs, maxWrapMs, pageLimit = 0, filter } = rule
  return {
    path,
    capabilities,
    ...(allowed && { allowed }),
    ...(denied && { denied }),
    required,
    minWrapMs,
    maxWrapMs,
    pageLimit,
    ...(filter && { filter }),
    sources: [{ policy, rule }],
  }
}

export function mergePermissions(known: Permissions, added: Permissions): Permissions {
  const sources = [...known.sources, ...added.sources]
  const capabilities = known.capabilities | added.capabilities
  if (capabilities & bits.deny) return { ...known, capabilities: bits.deny, sources }
  // Without allowed_parameters every parameter is allowed, and so it stays whatever else is merged.
  const allowed = known.allowed && added.allowed ? mergeParameters(known.allowed, added.allowed) : undefined
  const denied = mergeParameters(known.denied, added.denied)
  const filter = known.filter ?? added.filter
  return {
    path: known.path,
    capabilities,
    ...(allowed && { allowed }),
    ...(denied && { denied }),
    required: [...new Set([...known.required, ...added.required])],
    minWrapMs: smallerLimit(known.minWrapMs, added.minWrapMs),
    maxWrapMs: smallerLimit(known.maxWrapMs, added.maxWrapMs),
    pageLimit: smallerLimit(known.pageLimit, added.pageLimit),
    ...(filter && { filter }),
    sources,
  }
}

/** 0 is no limit. */
function smallerLimit(a: number, b: number): number {
  return a === 0 || b === 0 ? a + b : Math.min(a, b)
}

/** How many rules are taken in between two chances for others to run. */
export const rulesPerTurn = 250

/** Permissions by pattern, found by path. */
export class RuleIndex {
  readonly all: ReadonlyMap<string, Permissions>
  readonly #exact = new Map<string, Permissions>()
  readonly #patterns = new PatternIndex<Permissions>()

  private constructor(all: ReadonlyMap<string, Permissions>) {
    this.all = all
  }

  /** Pauses now and then: there may be many thousands. */
  static *build(all: ReadonlyMap<string, Permissions>): Generator<void, RuleIndex> {
    const index = new RuleIndex(all)
    let count = 0
    for (const permissions of all.values()) {
      index.#add(permissions)
      count += 1
      if (count % rulesPerTurn === 0) yield
    }
    return index
  }

  #add(permissions: Permissions): void {
    const pattern = readPattern(permissions.path)
    if (pattern) this.#patterns.add(pattern, permissions)
    else this.#exact.set(permissions.path, permissions)
  }

  exact(path: string): Permissions | undefined {
    return this.#exact.get(path)
  }

  best(path: string): Found<Permissions> | undefined {
    return this.#patterns.best(path)
  }
}
