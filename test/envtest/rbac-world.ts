/** Random rights: roles, bindings and questions about them, the same for the same seed. */

export type Pick = <T>(values: readonly T[]) => T
export interface Chance {
  readonly pick: Pick
  /** Between one and `most` different ones. */
  some<T>(values: readonly T[], most: number): T[]
  happens(probability: number): boolean
}

/** mulberry32 */
export function chanceOf(seed: number): Chance {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const pick: Pick = (values) => {
    const value = values[Math.floor(next() * values.length)]
    if (value === undefined) throw new Error('nothing to pick from')
    return value
  }
  return {
    pick,
    some: (values, most) => [...new Set(Array.from({ length: 1 + Math.floor(next() * most) }, () => pick(values)))],
    happens: (probability) => next() < probability,
  }
}

export interface Rule {
  apiGroups?: string[]
  resources?: string[]
  verbs: string[]
  resourceNames?: string[]
  nonResourceURLs?: string[]
}
export interface RbacObject {
  apiVersion: string
  kind: 'Role' | 'ClusterRole' | 'RoleBinding' | 'ClusterRoleBinding'
  metadata: { name: string; namespace?: string; labels?: Record<string, string> }
  [member: string]: unknown
}
export interface Person {
  readonly name: string
  readonly groups: readonly string[]
}

const group = 'rbac.authorization.k8s.io'
const apiVersion = `${group}/v1`
const apiGroups = ['', '', 'apps', group, 'x.example', '*']
const resources = [
  ...['pods', 'pods/log', 'pods/exec', 'secrets', 'secrets/status', 'configmaps', 'deployments', 'deployments/scale'],
  ...['*/status', '*/log', '*/scale', 'widgets', 'widgets/status', 'roles', 'namespaces', '*'],
]
const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection', 'odd', '*', '*']
const objectNames = ['a', 'b', 'c', '']
const urls = ['/healthz', '/metrics', '/api/*', '/logs/**', '/logs/x/*', '/x', '/x/', '*', '/a*b']

export function randomRule({ some, happens }: Chance, cluster: boolean): Rule {
  if (cluster && happens(0.2)) return { nonResourceURLs: some(urls, 3), verbs: some(verbs, 3) }
  return {
    apiGroups: some(apiGroups, 2),
    resources: some(resources, 3),
    verbs: some(verbs, 4),
    ...(happens(0.25) ? { resourceNames: some(objectNames, 2) } : {}),
  }
}

const rules = (chance: Chance, cluster: boolean) =>
  Array.from({ length: chance.pick([0, 1, 2, 3, 4]) }, () => randomRule(chance, cluster))

export interface World {
  readonly roles: readonly RbacObject[]
  readonly bindings: readonly RbacObject[]
  readonly people: readonly Person[]
  readonly namespaces: readonly string[]
}

/** `prefix` keeps its names apart from everything else in the cluster. */
export function randomWorld(chance: Chance, prefix: string, namespaces: readonly string[]): World {
  const clusterRoles = Array.from({ length: 14 }, (_, i): RbacObject => {
    const labels = chance.happens(0.5) ? { [`${prefix}.example/part`]: chance.pick(['x', 'y', 'z']) } : {}
    const metadata = { name: `${prefix}-${i}`, labels }
    return { apiVersion, kind: 'ClusterRole', metadata, rules: rules(chance, true) }
  })
  const roles = namespaces.flatMap((namespace) =>
    Array.from({ length: 6 }, (_, i): RbacObject => {
      return { apiVersion, kind: 'Role', metadata: { name: `r${i}`, namespace }, rules: rules(chance, false) }
    }),
  )
  const people = peopleOf(prefix, namespaces)
  const bindings = [
    ...Array.from({ length: 14 }, (_, i) => binding(chance, { prefix, i, people, namespaces })),
    ...namespaces.flatMap((namespace) =>
      Array.from({ length: 9 }, (_, i) => binding(chance, { prefix, i, people, namespaces, namespace })),
    ),
  ]
  return { roles: [...clusterRoles, ...aggregates(prefix), ...roles], bindings, people, namespaces }
}

/** One gathers two labels, another one the first and more. */
function aggregates(prefix: string): RbacObject[] {
  const part = `${prefix}.example/part`
  const role = (name: string, labels: Record<string, string>, clusterRoleSelectors: object[]): RbacObject => {
    const metadata = { name: `${prefix}-${name}`, labels }
    return { apiVersion, kind: 'ClusterRole', metadata, aggregationRule: { clusterRoleSelectors }, rules: [] }
  }
  return [
    role('gathered', { [part]: 'w' }, [{ matchLabels: { [part]: 'x' } }, { matchLabels: { [part]: 'y' } }]),
    role('again', {}, [{ matchExpressions: [{ key: part, operator: 'In', values: ['w', 'z'] }] }]),
  ]
}

function peopleOf(prefix: string, namespaces: readonly string[]): Person[] {
  const everyone = 'system:authenticated'
  const account = (namespace: string, name: string): Person => ({
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, everyone],
  })
  return [
    { name: `${prefix}-ann`, groups: [everyone] },
    { name: `${prefix}-ben`, groups: [`${prefix}-g1`, everyone] },
    { name: `${prefix}-cleo`, groups: [`${prefix}-g1`, `${prefix}-g2`, everyone] },
    { name: `${prefix}-dan`, groups: [`${prefix}-g2`, 'system:unauthenticated'] },
    ...namespaces.map((namespace) => account(namespace, 'default')),
    account(namespaces[0] ?? '', 'other'),
    { name: 'nobody', groups: [] },
  ]
}

interface Place {
  readonly prefix: string
  readonly i: number
  readonly people: readonly Person[]
  readonly namespaces: readonly string[]
  readonly namespace?: string
}

function binding(chance: Chance, { prefix, i, people, namespaces, namespace }: Place): RbacObject {
  const { pick, some, happens } = chance
  const clusterRole = pick([
    ...Array.from({ length: 14 }, (_, n) => `${prefix}-${n}`),
    `${prefix}-gathered`,
    `${prefix}-again`,
  ])
  const missing = happens(0.08)
  const local = namespace !== undefined && happens(0.5)
  const name = missing ? `${prefix}-missing-${i}` : local ? `r${pick([0, 1, 2, 3, 4, 5])}` : clusterRole
  // System groups only where nobody else is.
  const groups = [
    `${prefix}-g1`,
    `${prefix}-g2`,
    ...(namespace === undefined
      ? []
      : ['system:serviceaccounts', 'system:unauthenticated', `system:serviceaccounts:${namespace}`]),
  ]
  const subject = () =>
    pick<() => object>([
      () => ({ kind: 'User', apiGroup: group, name: pick(people).name }),
      () => ({ kind: 'Group', apiGroup: group, name: pick(groups) }),
      () => ({ kind: 'ServiceAccount', namespace: pick(namespaces), name: pick(['default', 'other']) }),
      ...(namespace === undefined ? [] : [() => ({ kind: 'ServiceAccount', name: pick(['default', 'other']) })]),
    ])()
  return {
    apiVersion,
    kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
    metadata: { name: `${prefix}-${i}`, ...(namespace === undefined ? {} : { namespace }) },
    roleRef: { apiGroup: group, kind: local ? 'Role' : 'ClusterRole', name },
    subjects: some([1, 2, 3], 3).map(subject),
  }
}

export interface Question {
  readonly person: Person
  readonly resourceAttributes?: Record<string, string>
  readonly nonResourceAttributes?: Record<string, string>
}

export function randomQuestion(chance: Chance, { people, namespaces }: World): Question {
  const { pick, happens } = chance
  const person = pick(people.slice(0, -1))
  const verb = pick(verbs)
  if (happens(0.25)) {
    const path = pick([
      '/healthz',
      '/metrics',
      '/api/v1',
      '/logs/x',
      '/logs/x/y',
      '/x',
      '/x/',
      '/a',
      '/axb',
      '/version',
      '',
    ])
    return { person, nonResourceAttributes: { verb, path } }
  }
  const [resource = '', subresource = ''] = pick(resources.filter((name) => !name.startsWith('*'))).split('/')
  const namespace = happens(0.7) ? pick(namespaces) : ''
  const attributes = {
    verb,
    group: pick(apiGroups),
    resource,
    subresource,
    namespace,
    name: pick([...objectNames, 'd']),
  }
  return { person, resourceAttributes: attributes }
}

export const collectionOf = ({ kind, metadata }: RbacObject) =>
  `/apis/${apiVersion}${metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`}/${kind.toLowerCase()}s`
