/** What each part may do in somebody's cluster: its own namespace, and of the rest only what a node needs. */

import { leaseNamespace } from '../../../devcluster/workloads/runner/node/node-lease.ts'
import type { KubeObject } from '../../../kube/client.ts'
import { clusterScoped, inNamespace, type RunMarks } from './run-marks.ts'

/** The injector has none: it is told its certificate and never calls the cluster. */
export const partsWithAccounts = ['janitor', 'controller', 'workloads'] as const
export type PartWithAccount = (typeof partsWithAccounts)[number]

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  readonly resourceNames?: readonly string[]
}
const rule = (
  group: string,
  resources: readonly string[],
  verbs: readonly string[],
  names?: readonly string[],
): Rule => ({
  apiGroups: [group],
  resources,
  verbs,
  ...(names ? { resourceNames: names } : {}),
})
const see = ['get', 'list', 'watch']
const write = ['create', 'update', 'patch', 'delete']

const inOwnNamespace: Readonly<Record<PartWithAccount, (marks: RunMarks) => readonly Rule[]>> = {
  janitor: ({ name }) => [
    rule('', ['namespaces'], ['get', 'delete'], [name]),
    rule('', ['pods'], ['list', 'delete']),
    rule('external-secrets.io', ['externalsecrets'], ['list', 'patch']),
  ],
  controller: () => [
    rule('', ['secrets'], [...see, ...write]),
    rule('', ['configmaps', 'serviceaccounts'], see),
    rule('', ['serviceaccounts/token'], ['create']),
    rule('', ['events'], ['create', 'patch']),
    rule('external-secrets.io', ['externalsecrets', 'secretstores'], [...see, 'update', 'patch']),
    rule('external-secrets.io', ['externalsecrets/status', 'secretstores/status'], ['update', 'patch']),
    // An owner that blocks its own deletion may only be named by who could change its finalizers.
    rule('external-secrets.io', ['externalsecrets/finalizers'], ['update']),
  ],
  workloads: () => [
    rule('', ['pods'], [...see, 'delete']),
    rule('', ['pods/status'], ['patch']),
    rule('', ['pods/binding'], ['create']),
    rule('', ['secrets', 'configmaps'], see),
    rule('', ['serviceaccounts/token'], ['create']),
    rule('', ['events'], ['create', 'patch']),
  ],
}

/** The pod runner's, and nobody else's: the Node and the Lease of its own name, who else is there, and who may read logs. */
const nodeRules = ({ name }: RunMarks): readonly Rule[] => [
  rule('', ['nodes'], ['list', 'watch']),
  rule('', ['nodes'], ['get', 'patch'], [name]),
  rule('', ['nodes/status'], ['patch'], [name]),
  rule('coordination.k8s.io', ['leases'], ['get', 'patch'], [name]),
  rule('authorization.k8s.io', ['subjectaccessreviews'], ['create']),
]

const rbac = 'rbac.authorization.k8s.io'

export function serviceAccountOf(marks: RunMarks, part: PartWithAccount): KubeObject {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: inNamespace(marks, part) }
}

export function rolesOf(marks: RunMarks, part: PartWithAccount): readonly KubeObject[] {
  const subjects = [{ kind: 'ServiceAccount', name: part, namespace: marks.name }]
  const metadata = inNamespace(marks, part)
  return [
    { apiVersion: `${rbac}/v1`, kind: 'Role', metadata, rules: inOwnNamespace[part](marks) },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'Role', name: part },
      subjects,
    },
  ]
}

/** Nodes and their Leases are outside every namespace of ours. */
export function nodeRole(marks: RunMarks): readonly KubeObject[] {
  const metadata = clusterScoped(marks, `${marks.name}-node`)
  return [
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata, rules: nodeRules(marks) },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: `${marks.name}-node` },
      subjects: [{ kind: 'ServiceAccount', name: 'workloads', namespace: marks.name }],
    },
  ]
}

/** Tainted: nothing comes here that does not ask for it. */
export const nodeTaint = { key: 'coffer.dev/pod-runner', value: 'true', effect: 'NoSchedule' } as const

/** Else the cluster's load balancers would send its traffic to this machine too (kubernetes.io, "Well-Known Labels"). */
const noLoadBalancers = 'node.kubernetes.io/exclude-from-external-load-balancers'

export function nodeOf(marks: RunMarks): KubeObject {
  const { labels, ...metadata } = clusterScoped(marks, marks.name)
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { ...metadata, labels: { ...labels, [noLoadBalancers]: '' } },
    spec: { taints: [nodeTaint] },
  }
}

export function leaseOf(marks: RunMarks, nodeUid: string): KubeObject {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      ...clusterScoped(marks, marks.name),
      namespace: leaseNamespace,
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: marks.name, uid: nodeUid }],
    },
    spec: { holderIdentity: marks.name, leaseDurationSeconds: 40 },
  }
}

export function webhookOf(marks: RunMarks, address: string, caPem: string): KubeObject {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: clusterScoped(marks, marks.name),
    webhooks: [
      {
        name: 'vault.hashicorp.com',
        admissionReviewVersions: ['v1', 'v1beta1'],
        clientConfig: { url: `${address}/mutate`, caBundle: Buffer.from(caPem).toString('base64') },
        rules: [
          { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' },
        ],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': marks.name } },
        failurePolicy: 'Fail',
        matchPolicy: 'Equivalent',
        sideEffects: 'None',
        timeoutSeconds: 5,
      },
    ],
  }
}
