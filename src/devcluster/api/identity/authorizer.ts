/** RBAC: what roles and bindings allow (k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac). */
import type { KubeObject } from '../../../kube/client.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { type Tree, textAt, textsAt, treesAt } from '../tree.ts'
import type { User } from './user.ts'

export type Access =
  | {
      readonly verb: string
      readonly group: string
      readonly resource: string
      readonly subresource: string | undefined
      readonly namespace: string | undefined
      readonly name: string | undefined
    }
  | { readonly verb: string; readonly path: string }

const suffix = 'rbac.authorization.k8s.io'

export class Authorizer {
  readonly #store: ObjectStore

  constructor(options: { readonly store: ObjectStore }) {
    this.#store = options.store
  }

  allows(user: User, access: Access): boolean {
    if (user.groups.includes('system:masters')) return true
    const clusterWide = this.#rulesOf(this.#store.list(`clusterrolebindings.${suffix}`), user)
    if (clusterWide.some((rule) => permits(rule, access))) return true
    if (!('resource' in access) || access.namespace === undefined) return false
    const local = this.#store
      .list(`rolebindings.${suffix}`)
      .filter((binding) => binding.metadata.namespace === access.namespace)
    return this.#rulesOf(local, user).some((rule) => permits(rule, access))
  }

  #rulesOf(bindings: readonly KubeObject[], user: User): readonly Tree[] {
    return bindings
      .filter((binding) => treesAt(binding, 'subjects').some((s) => isSubject(s, user, binding.metadata.namespace)))
      .flatMap((binding) => treesAt(this.#roleOf(binding), 'rules'))
  }

  #roleOf(binding: KubeObject): KubeObject | undefined {
    const name = textAt(binding, 'roleRef', 'name') ?? ''
    return textAt(binding, 'roleRef', 'kind') === 'Role'
      ? this.#store.get(`roles.${suffix}`, binding.metadata.namespace, name)
      : this.#store.get(`clusterroles.${suffix}`, undefined, name)
  }
}

function isSubject(subject: Tree, user: User, namespace: string | undefined): boolean {
  const name = textAt(subject, 'name') ?? ''
  switch (textAt(subject, 'kind')) {
    case 'User':
      return user.name === name
    case 'Group':
      return user.groups.includes(name)
    case 'ServiceAccount':
      return user.name === `system:serviceaccount:${textAt(subject, 'namespace') ?? namespace}:${name}`
    default:
      return false
  }
}

function permits(rule: Tree, access: Access): boolean {
  const has = (member: string, value: string) => {
    const values = textsAt(rule, member)
    return values.includes('*') || values.includes(value)
  }
  if (!has('verbs', access.verb)) return false
  if ('path' in access)
    return textsAt(rule, 'nonResourceURLs').some(
      (url) => url === '*' || url === access.path || (url.endsWith('*') && access.path.startsWith(url.slice(0, -1))),
    )
  const names = textsAt(rule, 'resourceNames')
  const { resource, subresource } = access
  const wanted = subresource ? [`${resource}/${subresource}`, `*/${subresource}`] : [resource]
  const resources = textsAt(rule, 'resources')
  return (
    has('apiGroups', access.group) &&
    (resources.includes('*') || wanted.some((name) => resources.includes(name))) &&
    (names.length === 0 || (access.name !== undefined && names.includes(access.name)))
  )
}
