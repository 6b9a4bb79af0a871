/** Which bindings name a user: kept up to date as they are written, so that a request does not look at all of them. */
import type { KubeObject } from '../../../../kube/client.ts'
import type { ObjectStore, StoreEvent } from '../../store/object-store.ts'
import { type Tree, textAt, treesAt } from '../../tree.ts'
import type { User } from '../user.ts'

export const rbacGroup = 'rbac.authorization.k8s.io'
const collections = [`clusterrolebindings.${rbacGroup}`, `rolebindings.${rbacGroup}`]

/** A binding as it applies to one user. */
export interface Held {
  readonly binding: KubeObject
  /** The first of its subjects that is the user. */
  readonly subject: Tree
  readonly position: number
}

type BySubject = Map<string, Map<string, Held>>

export class BindingIndex {
  /** By namespace, the empty one for bindings of the whole cluster; then by subject; then by the binding's name. */
  readonly #scopes = new Map<string, BySubject>()

  constructor(store: ObjectStore) {
    for (const collection of collections) for (const binding of store.list(collection)) this.#add(binding)
    store.subscribe((event) => this.#follow(event))
  }

  /** Those of one namespace, or of the whole cluster, in order of their names. */
  of(user: User, namespace: string): readonly Held[] {
    const bySubject = this.#scopes.get(namespace)
    if (!bySubject) return []
    const found = new Map<string, Held>()
    for (const key of [userKey(user.name), ...user.groups.map(groupKey)])
      for (const [name, held] of bySubject.get(key) ?? []) {
        const known = found.get(name)
        if (!known || held.position < known.position) found.set(name, held)
      }
    return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, held]) => held)
  }

  #follow({ collection, type, object, before }: StoreEvent): void {
    if (!collections.includes(collection)) return
    if (before) this.#remove(before)
    if (type !== 'DELETED') this.#add(object)
  }

  #add(binding: KubeObject): void {
    const { namespace = '', name = '' } = binding.metadata
    const bySubject: BySubject = this.#scopes.get(namespace) ?? new Map()
    this.#scopes.set(namespace, bySubject)
    treesAt(binding, 'subjects').forEach((subject, position) => {
      const key = subjectKey(subject, namespace)
      if (key === undefined) return
      const byName = bySubject.get(key) ?? new Map<string, Held>()
      bySubject.set(key, byName)
      if (!byName.has(name)) byName.set(name, { binding, subject, position })
    })
  }

  #remove(binding: KubeObject): void {
    const { namespace = '', name = '' } = binding.metadata
    const bySubject = this.#scopes.get(namespace)
    if (!bySubject) return
    for (const subject of treesAt(binding, 'subjects')) {
      const key = subjectKey(subject, namespace) ?? ''
      const byName = bySubject.get(key)
      byName?.delete(name)
      if (byName?.size === 0) bySubject.delete(key)
    }
    if (bySubject.size === 0) this.#scopes.delete(namespace)
  }
}

const userKey = (name: string) => `user ${name}`
const groupKey = (name: string) => `group ${name}`

/** A service account is the user of its name. Undefined: a subject that is nobody. */
function subjectKey(subject: Tree, namespace: string): string | undefined {
  const name = textAt(subject, 'name') ?? ''
  switch (textAt(subject, 'kind')) {
    case 'User':
      return userKey(name)
    case 'Group':
      return groupKey(name)
    case 'ServiceAccount': {
      const home = textAt(subject, 'namespace') || namespace
      return home === '' ? undefined : userKey(`system:serviceaccount:${home}:${name}`)
    }
    default:
      return undefined
  }
}
