/** Single requests about identity and rights, right and wrong ones, to be answered alike. `N` stands for a namespace of both. */
import type { Sent } from './both-servers.ts'

const rbac = '/apis/rbac.authorization.k8s.io/v1'
const authorization = '/apis/authorization.k8s.io/v1'
const authentication = '/apis/authentication.k8s.io/v1'

const post = (path: string, body: unknown, headers: Sent['headers'] = []): Sent => {
  return { method: 'POST', path, body, headers }
}
const get = (path: string, headers: Sent['headers'] = []): Sent => ({ method: 'GET', path, headers })
const as = (user: string, ...more: (readonly [string, string])[]) => [['Impersonate-User', user] as const, ...more]

const who = (...headers: (readonly [string, string])[]) => post(`${authentication}/selfsubjectreviews`, {}, headers)
const may = (spec: unknown, metadata?: unknown) => post(`${authorization}/subjectaccessreviews`, { metadata, spec })
const mayHere = (spec: unknown, metadata?: unknown) =>
  post(`${authorization}/namespaces/N/localsubjectaccessreviews`, { metadata, spec })
const mayI = (resourceAttributes: unknown) =>
  post(`${authorization}/selfsubjectaccessreviews`, { spec: { resourceAttributes } }, as('bob'))
const token = (body: unknown, account = 'default') =>
  post(`/api/v1/namespaces/N/serviceaccounts/${account}/token`, body)
const bound = (boundObjectRef: unknown) => token({ spec: { boundObjectRef } })
const review = (spec: unknown) => post(`${authentication}/tokenreviews`, { spec })

const pods = { verb: 'get', resource: 'pods' }
const path = { verb: 'get', path: '/x' }
const group = 'rbac.authorization.k8s.io'
const role = (rules: unknown) => post(`${rbac}/namespaces/N/roles?dryRun=All`, { metadata: { name: 'v' }, rules })
const clusterRole = (body: object) => post(`${rbac}/clusterroles?dryRun=All`, { metadata: { name: 'v' }, ...body })
const aggregate = (selector: unknown) => clusterRole({ aggregationRule: { clusterRoleSelectors: [selector] } })
const binding = (roleRef: unknown, subjects?: unknown) =>
  post(`${rbac}/namespaces/N/rolebindings?dryRun=All`, { metadata: { name: 'v' }, roleRef, subjects })
const clusterBinding = (roleRef: unknown, subjects?: unknown) =>
  post(`${rbac}/clusterrolebindings?dryRun=All`, { metadata: { name: 'v' }, roleRef, subjects })

export const accessReviews: readonly Sent[] = [
  may({ user: 'x', resourceAttributes: pods }),
  may({ groups: ['system:masters'], resourceAttributes: pods }),
  may({ user: 'x', uid: '1', extra: { a: ['b'] }, nonResourceAttributes: path }),
  may({}),
  may({ user: 'x' }),
  may({ user: 'x', resourceAttributes: pods, nonResourceAttributes: path }),
  may({ user: 'x', resourceAttributes: pods }, { name: 'q', labels: { a: 'b' } }),
  may({ user: 'x', resourceAttributes: pods }, { namespace: 'N' }),
  mayHere({ user: 'x', resourceAttributes: { ...pods, namespace: 'N' } }),
  mayHere({ user: 'x', resourceAttributes: pods }),
  mayHere({ user: 'x', resourceAttributes: { ...pods, namespace: 'other' } }, { name: 'q' }),
  mayHere({ user: 'x', nonResourceAttributes: path }),
  mayHere({ user: 'x', resourceAttributes: { ...pods, namespace: 'N' } }, { namespace: 'other' }),
  mayI({ ...pods, fieldSelector: { rawSelector: 'a=b' } }),
  mayI({ ...pods, fieldSelector: { rawSelector: 'a,b' } }),
  mayI({ ...pods, fieldSelector: { rawSelector: 'a=b=c' } }),
  mayI({ ...pods, fieldSelector: { rawSelector: 'a=b\\,c,d!=e' } }),
  mayI({ ...pods, labelSelector: { rawSelector: 'a=b,c in (d,e),!f' } }),
  mayI({ ...pods, labelSelector: { rawSelector: 'a=b=c' } }),
  mayI({ ...pods, labelSelector: { requirements: [{ key: 'x', operator: 'Odd', values: ['y'] }] } }),
  mayI({
    ...pods,
    labelSelector: {
      requirements: [
        { key: 'x', operator: 'Odd' },
        { key: 'x', operator: 'Exists' },
      ],
    },
    fieldSelector: {
      requirements: [
        { key: 'x', operator: 'Exists' },
        { key: 'x', operator: 'In', values: ['1'] },
      ],
    },
  }),
  mayI({ ...pods, fieldSelector: { requirements: [{ key: 'x', operator: 'In', values: ['1', '2'] }] } }),
  mayI({ ...pods, fieldSelector: {}, labelSelector: {} }),
  mayI({
    ...pods,
    fieldSelector: {
      rawSelector: 'a=b',
      requirements: [{ operator: 'In' }, { key: 'k', operator: 'Exists', values: ['v'] }],
    },
  }),
  mayI({
    ...pods,
    labelSelector: {
      rawSelector: 'a=b',
      requirements: [
        { key: 'xyz', operator: 'NotIn' },
        { key: 'k', operator: 'DoesNotExist', values: ['-'] },
      ],
    },
  }),
  post(`${authorization}/selfsubjectaccessreviews`, { spec: {} }),
  post(`${authorization}/selfsubjectrulesreviews`, { spec: {} }),
  post(`${authorization}/localsubjectaccessreviews`, { spec: {} }),
  post(`${authorization}/namespaces/N/subjectaccessreviews`, { spec: {} }),
  get(`${authorization}/subjectaccessreviews`),
  get(`${authorization}/subjectaccessreviews/x`),
  get(`${authorization}/nothing`),
]

export const tokenRequests: readonly Sent[] = [
  token({}),
  token({ spec: { audiences: ['a', 'b'], expirationSeconds: 601 } }),
  token({ spec: { expirationSeconds: 599 } }),
  token({ spec: { expirationSeconds: 4294967297 } }),
  token({ metadata: { name: 'other' }, spec: {} }),
  token({ metadata: { name: 'default', namespace: 'N' }, spec: {} }),
  token({ metadata: { namespace: 'other' }, spec: {} }),
  token({ metadata: { uid: 'other' }, spec: {} }),
  token({}, 'nobody'),
  bound({ kind: 'Odd', apiVersion: 'v1', name: 'x' }),
  bound({ kind: 'Pod', apiVersion: 'apps/v1', name: 'x' }),
  bound({ kind: 'Pod', name: 'x' }),
  bound({ kind: 'Pod', apiVersion: 'v1' }),
  bound({ kind: 'Node', apiVersion: 'v1', name: 'x' }),
  bound({ kind: 'Secret', apiVersion: 'v2', name: 'x' }),
  get('/api/v1/namespaces/N/serviceaccounts/default/token'),
  review({}),
  review({ token: 'abc' }),
  review({ token: 'a.b.c', audiences: ['x'] }),
  post(`${authentication}/tokenreviews`, {}),
]

export const impersonations: readonly Sent[] = [
  who(...as('bob')),
  who(...as('bob', ['Impersonate-Group', 'a,b'], ['Impersonate-Group', 'c'], ['Impersonate-Uid', '1'])),
  who(...as('bob', ['Impersonate-Extra-Some%2fKey', 'x'], ['Impersonate-Extra-Some%2fKey', 'y, z'])),
  who(...as('system:serviceaccount:N:x')),
  who(...as('system:serviceaccount:N:x', ['Impersonate-Group', 'q'])),
  who(...as('system:serviceaccount:N_:x')),
  who(...as('system:anonymous')),
  who(...as('system:anonymous', ['Impersonate-Group', 'system:authenticated'])),
  who(...as('bob', ['Impersonate-Group', 'system:unauthenticated'])),
  who(...as('bob', ['Impersonate-Group', 'system:authenticated'], ['Impersonate-Group', 'c'])),
  who(...as('bob', ['Impersonate-Group', ''])),
]

export const plainRequests: readonly Sent[] = [
  get('/api/v1/namespaces/N?watch=true', as('bob')),
  get('/api/v1/namespaces?watch=true&fieldSelector=metadata.name%3DN', as('bob')),
  get('/api/v1/namespaces?watch=false&fieldSelector=metadata.name%3DN', as('bob')),
  get('/api/v1/namespaces?watch=&fieldSelector=metadata.name!%3DN', as('bob')),
  get('/api/v1/namespaces/N/pods/x/log', as('bob')),
  get('/api/v1/namespaces/N/pods/x%2Flog', as('bob')),
  get('/api/v1/namespaces/N/pods/x/log/more', as('bob')),
  get('/api/v1/namespaces/N/status', as('bob')),
  get('/api/v1/namespaces/N/pods/%3Cb%3E', as('<&>')),
  { method: 'DELETE', path: '/api/v1/namespaces/N/pods', headers: as('bob') },
  { method: 'DELETE', path: '/api/v1/namespaces/N/pods/x', headers: as('bob') },
  { method: 'PATCH', path: '/api/v1/nodes/x', headers: as('bob') },
  { method: 'PUT', path: '/apis/apps/v1/namespaces/N/deployments/x/scale', headers: as('bob') },
  post('/api/v1/namespaces', {}, as('bob')),
  post('/apis', {}, as('bob')),
  get('/metrics', as('bob')),
  get('/openid/v1/jwks', as('bob')),
  get('/', as('bob')),
  get('/apis/nothing.example/v1/things', as('bob')),
  get('/apis/nothing.example/v1/things'),
  get('/api/v1/things'),
]

export const rightsObjects: readonly Sent[] = [
  role([{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }]),
  role([{}, { nonResourceURLs: ['/x'], verbs: ['get'], apiGroups: ['a'] }, { verbs: ['x'], apiGroups: ['a'] }]),
  role([{ nonResourceURLs: ['/x'], verbs: ['get'] }]),
  clusterRole({ aggregationRule: {}, rules: [{ nonResourceURLs: ['/x'], resources: ['r'] }] }),
  clusterRole({ rules: [{ nonResourceURLs: ['/x'], resourceNames: ['r'], verbs: ['get'] }] }),
  aggregate({ matchLabels: { a: 'b' } }),
  aggregate({}),
  aggregate({ matchLabels: { y: '-' } }),
  aggregate({ matchExpressions: [{ key: 'a', operator: 'In' }] }),
  aggregate({ matchExpressions: [{ key: 'b', operator: 'Odd' }] }),
  aggregate({ matchExpressions: [{ key: 'c', operator: 'Exists', values: ['x'] }] }),
  aggregate({ matchExpressions: [{ key: 'k', operator: 'NotIn', values: ['a', 'b c'] }] }),
  binding({ kind: 'Role', name: 'x' }, [
    { kind: 'ServiceAccount', name: 'ok' },
    { kind: 'User', name: 'u' },
  ]),
  binding({ apiGroup: 'x', kind: 'Odd', name: 'a/b' }),
  binding({ kind: 'Role', name: 'x' }, [
    { kind: 'User', name: '', apiGroup: 'z' },
    { kind: 'ServiceAccount', name: 'A_b', apiGroup: 'q' },
    { kind: 'Odd', name: 'x' },
    { kind: 'ServiceAccount' },
  ]),
  binding({ kind: 'Role', name: '..' }),
  binding(undefined),
  clusterBinding({ kind: 'Role' }, [{ kind: 'ServiceAccount', name: 'ok' }]),
  clusterBinding({ kind: 'ClusterRole', name: 'view', apiGroup: group }, [{ kind: 'Group', name: 'g', apiGroup: '' }]),
]

/** The embedded cluster is a 1.34: what a later Kubernetes words or does otherwise, equal until then. */
export const changedIn36: readonly { readonly sent: Sent; readonly why: string }[] = [
  { sent: aggregate({ matchLabels: { 'a/b/c': 'x' } }), why: 'a qualified name is called a label key' },
  {
    sent: mayI({ ...pods, labelSelector: { requirements: [{ key: 'x/y/z', operator: 'Exists' }] } }),
    why: 'a qualified name is called a label key, in questions too',
  },
  {
    sent: who(['Impersonate-Group', 'a']),
    why: 'a group without a user is a fault of the client, no more of the server',
  },
  {
    sent: who(['Impersonate-Uid', 'a'], ['Impersonate-Extra-Foo', 'x']),
    why: 'more without a user is a fault of the client, no more of the server',
  },
  ...['system:aggregate-to-edit', 'system:aggregate-to-view', 'admin', 'edit', 'view', 'system:monitoring'].map(
    (name) => ({
      sent: get(`${rbac}/clusterroles/${name}`),
      why: `${name} holds more: events.k8s.io, /flagz, /statusz`,
    }),
  ),
]

/** Answered otherwise, and meant to be. */
export const differences: readonly { readonly sent: Sent; readonly why: string }[] = [
  {
    sent: { ...get('/api/v1/namespaces'), authorization: '' },
    why: 'the embedded cluster takes no anonymous requests: it runs programs on this machine',
  },
  {
    sent: { ...get('/openid/v1/jwks'), authorization: '' },
    why: 'the same: 401 in the place of 403 as system:anonymous',
  },
  {
    sent: review({ token: ' leading-space' }),
    why: 'Kubernetes takes the empty token before the space for no credentials and calls it an authenticated system:anonymous',
  },
]
