/** Nobody grants what they have not (kubernetes.io, "Privilege escalation prevention and bootstrapping"). */
import type { KubeObject } from '../../../kube/client.ts'
import type { Access, Authorizer } from '../identity/authorizer.ts'
import { forbiddenRequest } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { type Tree, textAt, textsAt, treesAt } from '../tree.ts'
import type { Admission, AdmissionAttempt } from './admission.ts'

const group = 'rbac.authorization.k8s.io'
const roleKinds = ['Role', 'ClusterRole']
const bindingKinds = ['RoleBinding', 'ClusterRoleBinding']

/** Roles may hold, and bindings give, only what their writer may do there, unless the writer has `escalate` or `bind` on the role. */
export function rbacAdmission(store: ObjectStore, authorizer: Authorizer): Admission {
  return {
    async admit(attempt) {
      const { resource, object, operation } = attempt
      if (resource.group !== group || !object || operation === 'DELETE') return object
      if (roleKinds.includes(resource.kind)) {
        const { plural } = resource
        if (!permitted(authorizer, attempt, 'escalate', plural, attempt.name)) refuse(authorizer, attempt, object)
      } else if (bindingKinds.includes(resource.kind)) {
        const name = textAt(object, 'roleRef', 'name') ?? ''
        const cluster = textAt(object, 'roleRef', 'kind') === 'ClusterRole'
        const plural = cluster ? 'clusterroles' : 'roles'
        if (permitted(authorizer, attempt, 'bind', plural, name)) return object
        refuse(authorizer, attempt, store.get(`${plural}.${group}`, cluster ? undefined : attempt.namespace, name))
      }
      return object
    },
  }
}

function permitted(authorizer: Authorizer, attempt: AdmissionAttempt, verb: string, resource: string, name: string) {
  const { user, namespace } = attempt
  return authorizer.allows(user, { verb, group, resource, subresource: undefined, namespace, name })
}

/** A role that is not there could become anything later. */
function refuse(authorizer: Authorizer, attempt: AdmissionAttempt, role: KubeObject | undefined): void {
  const { user, namespace, resource, name } = attempt
  const rules = role ? treesAt(role, 'rules') : [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]
  const excess = rules.filter((rule) => !accessesOf(rule, namespace).every((one) => authorizer.allows(user, one)))
  if (excess.length === 0) return
  throw forbiddenRequest(
    resource,
    name,
    `user "${user.name}" is attempting to grant RBAC permissions not currently held: ${JSON.stringify(excess)}`,
  )
}

/** A "*" is held only by who has a "*" there. */
function accessesOf(rule: Tree, namespace: string | undefined): Access[] {
  const names = textsAt(rule, 'resourceNames')
  return textsAt(rule, 'verbs').flatMap((verb): Access[] => [
    ...textsAt(rule, 'nonResourceURLs').map((path) => ({ verb, path })),
    ...textsAt(rule, 'apiGroups').flatMap((apiGroup) =>
      textsAt(rule, 'resources').flatMap((text) => {
        const [resource = '', subresource] = text.split('/')
        return (names.length > 0 ? names : [undefined]).map((name) => {
          return { verb, group: apiGroup, resource, subresource, namespace, name }
        })
      }),
    ),
  ])
}
