/** Nobody grants what they have not (kubernetes.io, "Privilege escalation prevention and bootstrapping"). */
import type { KubeObject } from '../../../kube/client.ts'
import { aggregate } from '../field-problem.ts'
import { type Authorizer, isSuperuser, type RoleReference } from '../identity/authorizer.ts'
import { rbacGroup } from '../identity/rbac/binding-index.ts'
import { describeMissing, missingFrom, quoteList } from '../identity/rbac/coverage.ts'
import { type Rule, readRules } from '../identity/rbac/rule.ts'
import { forbiddenRequest, notFound, resourceName } from '../status.ts'
import { equal, listAt, type Tree, textAt } from '../tree.ts'
import type { Admission, AdmissionAttempt } from './admission.ts'

const roleKinds = ['Role', 'ClusterRole']
const bindingKinds = ['RoleBinding', 'ClusterRoleBinding']
const nothing = { apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [] }
const fullAuthority: readonly Rule[] = [
  { ...nothing, verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { ...nothing, verbs: ['*'], nonResourceURLs: ['*'] },
]

/** Roles may hold, and bindings give, only what their writer has there, unless the writer has `escalate` or `bind` on the role. */
export function rbacAdmission(authorizer: Authorizer): Admission {
  return {
    async admit(attempt) {
      const { resource, object, operation, user } = attempt
      const matters = resource.group === rbacGroup && object && operation !== 'DELETE' && !isSuperuser(user)
      if (!matters || leavesContent(object, attempt.before)) return object
      if (roleKinds.includes(resource.kind)) checkRole(authorizer, attempt, object)
      else if (bindingKinds.includes(resource.kind)) checkBinding(authorizer, attempt, object)
      return object
    },
  }
}

/** Of what garbage collection needs to change, nothing is a right. */
function leavesContent(object: KubeObject, before: KubeObject | undefined): boolean {
  return before !== undefined && equal(content(object), content(before))
}

function content(object: KubeObject): Tree {
  const left = ['ownerReferences', 'finalizers', 'selfLink', 'managedFields']
  const metadata = Object.entries(object.metadata).filter(([member]) => !left.includes(member))
  return { ...object, metadata: Object.fromEntries(metadata) }
}

function checkRole(authorizer: Authorizer, attempt: AdmissionAttempt, role: KubeObject): void {
  const { user, namespace, resource } = attempt
  const place = { group: rbacGroup, resource: resource.plural, subresource: undefined, namespace }
  if (authorizer.allows(user, { ...place, verb: 'escalate', name: attempt.pathName })) return
  refuseExcess(authorizer, attempt, readRules(role))
  // It can gather anything, and keeps others from taking rules away.
  if (!aggregates(role) && !aggregates(attempt.before)) return
  if (missingFrom(authorizer.rulesOf(user, namespace).rules, fullAuthority).length > 0)
    throw forbiddenRequest(resource, attempt.name, 'must have cluster-admin privileges to use the aggregationRule')
}

const aggregates = (role: KubeObject | undefined) => listAt(role, 'aggregationRule', 'clusterRoleSelectors').length > 0

function checkBinding(authorizer: Authorizer, attempt: AdmissionAttempt, binding: KubeObject): void {
  const { user, namespace, resource } = attempt
  const role = roleOf(binding)
  if (!role) return
  const plural = role.kind === 'Role' ? 'roles' : 'clusterroles'
  const place = { group: rbacGroup, resource: plural, subresource: undefined, namespace }
  if (authorizer.allows(user, { ...place, verb: 'bind', name: role.name })) return
  const rules = authorizer.rulesOfRole(role, namespace)
  // Named as the API server does, which looks for the role with the request's own resource.
  if (!rules) throw notFound(resource, role.name)
  refuseExcess(authorizer, attempt, rules)
}

/** Undefined: a kind that validation refuses. */
function roleOf(binding: KubeObject): RoleReference | undefined {
  const kind = textAt(binding, 'roleRef', 'kind')
  if (kind !== 'Role' && kind !== 'ClusterRole') return undefined
  return { kind, name: textAt(binding, 'roleRef', 'name') ?? '' }
}

function refuseExcess(authorizer: Authorizer, attempt: AdmissionAttempt, wanted: readonly Rule[]): void {
  const { user, namespace, resource, name } = attempt
  const held = authorizer.rulesOf(user, namespace)
  const excess = missingFrom(held.rules, wanted)
  if (excess.length === 0) return
  const lost = aggregate(held.missing.map((role) => `${resourceName(resource)} "${role.name}" not found`))
  throw forbiddenRequest(
    resource,
    name,
    `user "${user.name}" (groups=${quoteList(user.groups)}) is attempting to grant RBAC permissions not currently held:\n${describeMissing(excess)}${held.missing.length > 0 ? `; resolution errors: [${lost}]` : ''}`,
  )
}
