/** RBAC: what roles and bindings allow (k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac). */
import { aggregate } from '../field-problem.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { textAt } from '../tree.ts'
import { BindingIndex, type Held, rbacGroup } from './rbac/binding-index.ts'
import { type Access, type Rule, readRules, ruleAllows } from './rbac/rule.ts'
import type { User } from './user.ts'

export type { Access } from './rbac/rule.ts'

export interface Decision {
  readonly allowed: boolean
  /** Who gave the right, or which roles could not be found; else empty. */
  readonly reason: string
}

export interface RoleReference {
  readonly kind: 'Role' | 'ClusterRole'
  readonly name: string
}

/** What a user has, as far as the roles of the bindings are there. */
export interface HeldRules {
  readonly rules: readonly Rule[]
  readonly missing: readonly RoleReference[]
}

/** Rules of a binding, or the role that is missing. */
type Grant = { readonly held: Held; readonly rules: readonly Rule[] } | { readonly missing: RoleReference }

export class Authorizer {
  readonly #store: ObjectStore
  readonly #bindings: BindingIndex
  /** A stored role never changes: another one takes its place. */
  readonly #rules = new WeakMap<object, readonly Rule[]>()

  constructor(options: { readonly store: ObjectStore }) {
    this.#store = options.store
    this.#bindings = new BindingIndex(options.store)
  }

  allows(user: User, access: Access): boolean {
    return this.decide(user, access).allowed
  }

  decide(user: User, access: Access): Decision {
    if (isSuperuser(user)) return { allowed: true, reason: '' }
    const missing: RoleReference[] = []
    for (const grant of this.#grants(user, 'path' in access ? '' : (access.namespace ?? ''))) {
      if ('missing' in grant) missing.push(grant.missing)
      else if (grant.rules.some((rule) => ruleAllows(rule, access)))
        return { allowed: true, reason: `RBAC: allowed by ${describe(grant.held)}` }
    }
    return { allowed: false, reason: missing.length === 0 ? '' : `RBAC: ${missingText(missing)}` }
  }

  /** What roles give somebody; being a superuser is not among it. */
  rulesOf(user: User, namespace: string | undefined): HeldRules {
    const rules: Rule[] = []
    const missing: RoleReference[] = []
    for (const grant of this.#grants(user, namespace ?? '')) {
      if ('missing' in grant) missing.push(grant.missing)
      else rules.push(...grant.rules)
    }
    return { rules, missing }
  }

  /** Undefined: there is no such role. */
  rulesOfRole(role: RoleReference, namespace: string | undefined): readonly Rule[] | undefined {
    const object =
      role.kind === 'Role'
        ? this.#store.get(`roles.${rbacGroup}`, namespace, role.name)
        : this.#store.get(`clusterroles.${rbacGroup}`, undefined, role.name)
    if (!object) return undefined
    const known = this.#rules.get(object)
    if (known) return known
    const read = readRules(object)
    this.#rules.set(object, read)
    return read
  }

  *#grants(user: User, namespace: string): Generator<Grant> {
    for (const scope of namespace === '' ? [''] : ['', namespace])
      for (const held of this.#bindings.of(user, scope)) {
        const role = roleOf(held)
        const rules = this.rulesOfRole(role, scope)
        yield rules ? { held, rules } : { missing: role }
      }
  }
}

/** May do everything, whatever the roles are. */
export const isSuperuser = (user: User) => user.groups.includes('system:masters')

function roleOf({ binding }: Held): RoleReference {
  const kind = textAt(binding, 'roleRef', 'kind') === 'Role' ? 'Role' : 'ClusterRole'
  return { kind, name: textAt(binding, 'roleRef', 'name') ?? '' }
}

export function missingText(missing: readonly RoleReference[]): string {
  return aggregate(missing.map(({ kind, name }) => `${kind.toLowerCase()}.${rbacGroup} "${name}" not found`))
}

function describe(held: Held): string {
  const { binding, subject } = held
  const { namespace = '', name = '' } = binding.metadata
  const { kind, name: role } = roleOf(held)
  const called = namespace === '' ? name : `${name}/${namespace}`
  return `${namespace === '' ? 'ClusterRoleBinding' : 'RoleBinding'} "${called}" of ${kind} "${role}" to ${whom(subject, namespace)}`
}

function whom(subject: Held['subject'], namespace: string): string {
  const name = textAt(subject, 'name') ?? ''
  const kind = textAt(subject, 'kind') ?? ''
  return kind === 'ServiceAccount'
    ? `${kind} "${name}/${textAt(subject, 'namespace') || namespace}"`
    : `${kind} "${name}"`
}
