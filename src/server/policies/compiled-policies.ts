/** Policies as rules that answer by lookup; what no identity changes is compiled once and shared by all. */
import { atOnce, inTurns, type Turns } from '../../lib/turns.ts'
import { type NamespaceInfo, rootNamespace } from '../contracts/epochs.ts'
import { Refusal } from '../contracts/request.ts'
import { compareSpecificity } from './pattern-index.ts'
import { mergePermissions, type Permissions, permissionsOf, RuleIndex, rulesPerTurn } from './permissions.ts'
import { fillTemplate, isTemplated, type Policy, type PolicyRule } from './policy.ts'

export interface AclContext {
  /** Where the policies are; default root. */
  readonly namespace?: NamespaceInfo
  /** Fills `{{…}}`; without it templated rules are dropped. */
  template?(name: string): string | undefined
  /** Wall clock; without it expirations are not looked at. */
  now?(): number
}

/** One set of policies: what no identity changes is compiled once and shared by the ACLs of all identities. */
export class CompiledPolicies {
  /** Whether ACLs of different identities can differ. */
  readonly templated: boolean
  readonly ruleCount: number
  readonly #policies: readonly Policy[]
  readonly namespace: NamespaceInfo
  readonly #now: () => number
  readonly #root: boolean
  #built: Built | undefined

  constructor(policies: readonly Policy[], context: Omit<AclContext, 'template'>) {
    this.namespace = context.namespace ?? rootNamespace
    this.#now = context.now ?? (() => 0)
    this.#root = this.namespace.id === rootNamespace.id && policies.some((policy) => policy.name === 'root')
    if (this.#root && policies.length > 1) throw new Refusal(400, 'other policies present along with root')
    this.#policies = policies
    this.templated = policies.some((policy) => policy.rules.some(isTemplated))
    this.ruleCount = policies.reduce((count, policy) => count + policy.rules.length, 0)
  }

  /** Undefined: everything is permitted. */
  rules(template?: (name: string) => string | undefined): FilledRules | undefined {
    return this.#root ? undefined : new FilledRules(this, template)
  }

  /** Does the work before the first question, with pauses. */
  async prepare(turns: Turns): Promise<this> {
    this.#built = await inTurns(this.#build(this.#now()), turns)
    return this
  }

  /** What stands in it now, without templated rules. The same object until something expires. */
  plain(): RuleIndex {
    return this.#current().plain
  }

  /** The templated rules in force, filled in, each merged with what the others have for the same pattern. */
  *filled(template: (name: string) => string | undefined): Generator<void, RuleIndex> {
    const { plain, templates } = this.#current()
    const all = new Map<string, Permissions>()
    for (const [i, { policy, rule }] of templates.entries()) {
      if (i % rulesPerTurn === rulesPerTurn - 1) yield
      const path = fillTemplate(rule.path, template, policy)
      if (path === undefined) continue
      const shared = all.has(path) ? undefined : plain.all.get(path)
      if (shared) all.set(path, shared)
      add(all, path, rule, policy.name)
    }
    return yield* RuleIndex.build(all)
  }

  #current(): Built {
    const now = this.#now()
    if (!this.#built || now >= this.#built.until) this.#built = atOnce(this.#build(now))
    return this.#built
  }

  *#build(now: number): Generator<void, Built> {
    const all = new Map<string, Permissions>()
    const templates: Built['templates'] = []
    let until = Number.POSITIVE_INFINITY
    let count = 0
    for (const policy of this.#policies) {
      for (const rule of policy.rules) {
        count += 1
        if (count % rulesPerTurn === 0) yield
        const ends = Math.min(policy.expiresAt ?? until, rule.expiresAt ?? until)
        if (now >= ends) continue
        until = Math.min(until, ends)
        if (isTemplated(rule)) templates.push({ policy, rule })
        else add(all, rule.path, rule, policy.name)
      }
    }
    return { plain: yield* RuleIndex.build(all), templates, until }
  }
}

interface Built {
  readonly plain: RuleIndex
  readonly templates: { readonly policy: Policy; readonly rule: PolicyRule }[]
  /** From then on something has expired. */
  readonly until: number
}

function add(all: Map<string, Permissions>, path: string, rule: PolicyRule, policy: string): void {
  const known = all.get(path)
  const added = permissionsOf(path, rule, policy)
  all.set(path, known ? mergePermissions(known, added) : added)
}

/** Two layers: what everyone with these policies shares, and over it what one identity's values make of templates. */
export class FilledRules {
  readonly #policies: CompiledPolicies
  readonly #template: ((name: string) => string | undefined) | undefined
  #plain: RuleIndex | undefined
  #filled: RuleIndex | undefined

  constructor(policies: CompiledPolicies, template: ((name: string) => string | undefined) | undefined) {
    this.#policies = policies
    this.#template = policies.templated ? template : undefined
  }

  /** Does the work before the first question, with pauses. */
  async prepare(turns: Turns): Promise<void> {
    const plain = this.#policies.plain()
    const filled = this.#template && (await inTurns(this.#policies.filled(this.#template), turns))
    this.#plain = plain
    this.#filled = filled
  }

  #layers(): { plain: RuleIndex; filled: RuleIndex | undefined } {
    const plain = this.#policies.plain()
    if (plain !== this.#plain) {
      this.#plain = plain
      this.#filled = this.#template && atOnce(this.#policies.filled(this.#template))
    }
    return { plain, filled: this.#filled }
  }

  exact(path: string): Permissions | undefined {
    const { plain, filled } = this.#layers()
    return filled?.exact(path) ?? plain.exact(path)
  }

  /** A pattern that both layers have is merged in the upper one. */
  best(path: string): Permissions | undefined {
    const { plain, filled } = this.#layers()
    const below = plain.best(path)
    const above = filled?.best(path)
    if (!above || !below) return (above ?? below)?.value
    return compareSpecificity(above.pattern, below.pattern) >= 0 ? above.value : below.value
  }

  all(): Permissions[] {
    const { plain, filled } = this.#layers()
    if (!filled) return [...plain.all.values()]
    return [...new Map([...plain.all, ...filled.all]).values()]
  }
}
