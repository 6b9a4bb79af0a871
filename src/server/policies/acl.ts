import type { Turns } from '../../lib/turns.ts'
import type { NamespaceInfo } from '../contracts/epochs.ts'
import { type AclContext, CompiledPolicies, type FilledRules } from './compiled-policies.ts'
import type { ListRules } from './filter-list.ts'
import { compareSpecificity, readPattern } from './pattern-index.ts'
import type { Permissions } from './permissions.ts'
import { bits, capabilityNames, type Policy } from './policy.ts'
import { type AclRequest, findShortfall, isListing, neededCapability, pageSize } from './shortfall.ts'

export interface Verdict {
  readonly allowed: boolean
  /** The rule has the sudo capability (whether or not the operation is allowed). */
  readonly sudo: boolean
  readonly root: boolean
  /** The policies that allow it; empty when nothing does. */
  readonly granting: readonly { readonly name: string; readonly namespace: NamespaceInfo; readonly type: string }[]
  /** What the answer of an allowed LIST or SCAN may hold: for `filterSteps`. */
  readonly list?: ListRules
}

type Verdicts = WeakMap<Permissions, Map<number, Verdict>>

const denial: Verdict = { allowed: false, sudo: false, root: false, granting: [] }

/**
 * Policies to one structure that answers by lookup. Templated rules without a value for this identity are dropped. In the
 * root namespace the policy named `root` permits everything and stands alone (Refusal 400 otherwise).
 */
export function compileAcl(policies: readonly Policy[], context: AclContext = {}): Acl {
  return aclOf(new CompiledPolicies(policies, context), context.template)
}

export function aclOf(policies: CompiledPolicies, template?: (name: string) => string | undefined): Acl {
  return new Acl(policies.rules(template), policies.namespace)
}

/** Answers what one set of policies permits; https://developer.hashicorp.com/vault/docs/concepts/policies */
export class Acl {
  readonly root: boolean
  readonly namespace: NamespaceInfo
  /** '' or the child namespace, from the policies' own, where it is asked ("child/"). */
  readonly prefix: string
  readonly #rules: FilledRules | undefined
  /** The one answer of root. */
  readonly #all: Verdict | undefined
  /** What rules permit, by the capability that it takes. */
  readonly #verdicts: Verdicts
  #prepared: Promise<void> | undefined

  constructor(
    rules: FilledRules | undefined,
    namespace: NamespaceInfo,
    prefix = '',
    verdicts: Verdicts = new WeakMap(),
  ) {
    this.root = rules === undefined
    this.#verdicts = verdicts
    this.namespace = namespace
    this.#rules = rules
    this.prefix = prefix
    if (rules !== undefined) return
    const granting = [{ name: 'root', namespace: this.namespace, type: 'acl' }]
    this.#all = { allowed: true, sudo: true, root: true, granting }
  }

  /** Does what the first question would do, with pauses: a policy may have thousands of rules to fill in. */
  prepare(turns: Turns): Promise<this> {
    this.#prepared ??= this.#rules?.prepare(turns) ?? Promise.resolve()
    return this.#prepared.then(() => this)
  }

  /** As asked from a child namespace at `prefix` ("child/"): its paths are below there. */
  below(prefix: string): Acl {
    return prefix === '' ? this : new Acl(this.#rules, this.namespace, this.prefix + prefix, this.#verdicts)
  }

  check(request: AclRequest): Verdict {
    if (this.#all) return this.#all
    const { operation } = request
    const found = this.find(request.path, operation)
    if (!found) return denial
    const sudo = (found.capabilities & bits.sudo) !== 0
    if (findShortfall(found, request)) return sudo ? { ...denial, sudo } : denial
    const permitted = this.#permitted(found, bits[neededCapability[operation]], sudo)
    const list = isListing(operation) ? this.#listRules(found, request) : undefined
    return list ? { ...permitted, list } : permitted
  }

  /** The same object for the same rule and capability: who is asked the same of each request remembers what it made of it. */
  #permitted(found: Permissions, needed: number, sudo: boolean): Verdict {
    const byCapability = this.#verdicts.get(found)
    const known = byCapability?.get(needed)
    if (known) return known
    const names = new Set(found.sources.filter((s) => (s.rule.capabilities & needed) !== 0).map((s) => s.policy))
    const granting = [...names].map((name) => ({ name, namespace: this.namespace, type: 'acl' }))
    const verdict = { allowed: true, sudo, root: false, granting }
    if (byCapability) byCapability.set(needed, verdict)
    else this.#verdicts.set(found, new Map([[needed, verdict]]))
    return verdict
  }

  /** The one rule that counts for a path. */
  find(path: string, operation: AclRequest['operation']): Permissions | undefined {
    const rules = this.#rules
    if (!rules) return undefined
    const full = this.prefix + path
    const bare = isListing(operation) && full.endsWith('/') ? full.slice(0, -1) : undefined
    const exact = rules.exact(full) ?? (bare === undefined ? undefined : rules.exact(bare))
    if (exact) return exact
    // SCAN is looked for as it is: so does OpenBao, which alone has it.
    if (bare === undefined || operation === 'scan') return rules.best(full)
    return forListing(rules.best(bare), rules.best(full))
  }

  /** Every pattern in force, with paths of the policies' own namespace. */
  rules(): readonly Permissions[] {
    return this.#rules?.all() ?? []
  }

  #listRules({ pageLimit, filter }: Permissions, { path, input, operation }: AclRequest): ListRules | undefined {
    const given = input?.['limit']
    if (pageLimit === 0 && !filter && given !== 'max') return undefined
    const wanted = given === 'max' ? 0 : (pageSize(given) ?? 0)
    const after = input?.['after']
    return {
      // A page of 0 or less would be all of it.
      limit: pageLimit === 0 ? wanted : wanted > 0 ? Math.min(wanted, pageLimit) : pageLimit,
      // A scan has an order of its own (each level before its folders), which only its operation knows.
      after: typeof after === 'string' && operation !== 'scan' ? after : '',
      ...(filter && {
        shows: (key: string) => {
          const verb = key.endsWith('/') ? 'list' : 'read'
          return this.check({ path: filter.pathOf(path, key).replace(/^\/+/, ''), operation: verb }).allowed
        },
      }),
    }
  }

  /** As sys/capabilities lists them: ["root"] for root, ["deny"] where nothing is permitted. Found as LIST finds its rule. */
  capabilities(path: string): string[] {
    if (this.root) return ['root']
    const found = this.find(path, 'list')?.capabilities ?? 0
    const names = capabilityNames.filter((name) => found & bits[name])
    return names.length > 0 ? [...names] : ['deny']
  }

  /** Whether any rule permits something at or below `prefix` (a mount's path, with its trailing slash). */
  reaches(prefix: string): boolean {
    if (this.capabilities(prefix)[0] !== 'deny') return true
    const full = this.prefix + prefix
    return this.rules().some(
      ({ path, capabilities }) => capabilities !== bits.deny && capabilities !== 0 && goesBelow(path, full),
    )
  }
}

/**
 * LIST of a folder is looked for with and without its trailing slash. The more specific rule counts; but one that says
 * nothing about listing gives way to one that allows it. A deny gives way only to what is more specific.
 */
function forListing(a: Permissions | undefined, b: Permissions | undefined): Permissions | undefined {
  if (!a || !b || a === b) return a ?? b
  const [first, second] = isCloser(a.path, b.path) ? [a, b] : [b, a]
  const silent = (first.capabilities & (bits.deny | bits.list)) === 0
  return silent && (second.capabilities & bits.list) !== 0 ? second : first
}

function isCloser(a: string, b: string): boolean {
  const [first, second] = [readPattern(a), readPattern(b)]
  return first !== undefined && second !== undefined && compareSpecificity(first, second) > 0
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
