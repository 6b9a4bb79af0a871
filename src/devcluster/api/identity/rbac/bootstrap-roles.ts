/**
 * The roles that every cluster starts with and that people and programs rely on, with Kubernetes' rules (also for what is
 * not served here). Those of its own controllers, nodes and add-ons are not among them: none of these runs here as a user.
 */
import type { KubeObject } from '../../../../kube/client.ts'
import { everyone, nobody } from '../user.ts'

const apiGroup = 'rbac.authorization.k8s.io'
const apiVersion = `${apiGroup}/v1`
const bootstrapping = { 'kubernetes.io/bootstrapping': 'rbac-defaults' }
const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'true' }
const aggregateTo = (role: string) => ({ [`${apiGroup}/aggregate-to-${role}`]: 'true' })

const words = (text: string) => text.split(' ')
const reading = 'get list watch'
const writing = 'create delete deletecollection patch update'
const everything = 'create delete deletecollection get list patch update watch'

const on = (group: string, resources: string, verbs: string) => {
  return { apiGroups: [group], resources: words(resources), verbs: words(verbs) }
}
const paths = (urls: string) => ({ nonResourceURLs: words(urls), verbs: ['get'] })

function role(name: string, rules: readonly object[], labels: Readonly<Record<string, string>> = {}): KubeObject {
  return {
    apiVersion,
    kind: 'ClusterRole',
    metadata: { name, labels: { ...bootstrapping, ...labels }, annotations },
    rules,
  }
}

/** Its rules are gathered from the roles that say they belong to it. */
function gathered(name: string, labels?: Readonly<Record<string, string>>): KubeObject {
  return { ...role(name, [], labels), aggregationRule: { clusterRoleSelectors: [{ matchLabels: aggregateTo(name) }] } }
}

function forGroups(name: string, groups: readonly string[]): KubeObject {
  return {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name, labels: bootstrapping, annotations },
    roleRef: { apiGroup, kind: 'ClusterRole', name },
    subjects: groups.map((group) => ({ apiGroup, kind: 'Group', name: group })),
  }
}

const extensions =
  'deployments deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale'

const toAdmin = [
  on('authorization.k8s.io', 'localsubjectaccessreviews', 'create'),
  on(apiGroup, 'rolebindings roles', everything),
]
const toEdit = [
  on('', 'pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy', reading),
  on('', 'serviceaccounts', 'impersonate'),
  on('', 'pods pods/attach pods/exec pods/portforward pods/proxy', writing),
  on('', 'pods/eviction', 'create'),
  on(
    '',
    'configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy',
    writing,
  ),
  on('', 'serviceaccounts/token', 'create'),
  on(
    'apps',
    'daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale',
    writing,
  ),
  on('autoscaling', 'horizontalpodautoscalers', writing),
  on('batch', 'cronjobs jobs', writing),
  on('extensions', withMore(extensions, 'daemonsets deployments/rollback'), writing),
  on('policy', 'poddisruptionbudgets', writing),
  on('networking.k8s.io', 'ingresses networkpolicies', writing),
  on('coordination.k8s.io', 'leases', everything),
  on('resource.k8s.io', 'resourceclaims resourceclaimtemplates', writing),
]
const toView = [
  on(
    '',
    'configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status',
    reading,
  ),
  on(
    '',
    'bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status',
    reading,
  ),
  on('', 'namespaces', reading),
  on('discovery.k8s.io', 'endpointslices', reading),
  on(
    'apps',
    'controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status',
    reading,
  ),
  on('autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status', reading),
  on('batch', 'cronjobs cronjobs/status jobs jobs/status', reading),
  on(
    'extensions',
    withMore(extensions, 'daemonsets daemonsets/status deployments/status ingresses/status replicasets/status'),
    reading,
  ),
  on('policy', 'poddisruptionbudgets poddisruptionbudgets/status', reading),
  on('networking.k8s.io', 'ingresses ingresses/status networkpolicies', reading),
  on('resource.k8s.io', 'resourceclaims resourceclaims/status resourceclaimtemplates', reading),
]

function withMore(some: string, more: string): string {
  return [...words(some), ...words(more)].sort().join(' ')
}

export const bootstrapRoles: readonly KubeObject[] = [
  role('cluster-admin', [on('*', '*', '*'), { nonResourceURLs: ['*'], verbs: ['*'] }]),
  role('system:aggregate-to-admin', toAdmin, aggregateTo('admin')),
  role('system:aggregate-to-edit', toEdit, aggregateTo('edit')),
  role('system:aggregate-to-view', toView, aggregateTo('view')),
  gathered('admin'),
  gathered('edit', aggregateTo('admin')),
  gathered('view', aggregateTo('edit')),
  role('system:discovery', [
    paths('/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/'),
  ]),
  role('system:basic-user', [
    on('authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews', 'create'),
    on('authentication.k8s.io', 'selfsubjectreviews', 'create'),
  ]),
  role('system:public-info-viewer', [paths('/healthz /livez /readyz /version /version/')]),
  role('system:monitoring', [
    paths('/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*'),
    on('', 'nodes/metrics', 'get'),
  ]),
  role('system:auth-delegator', [
    on('authentication.k8s.io', 'tokenreviews', 'create'),
    on('authorization.k8s.io', 'subjectaccessreviews', 'create'),
  ]),
  role('system:service-account-issuer-discovery', [
    paths('/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/'),
  ]),
  forGroups('cluster-admin', ['system:masters']),
  forGroups('system:discovery', [everyone]),
  forGroups('system:basic-user', [everyone]),
  forGroups('system:public-info-viewer', [everyone, nobody]),
  forGroups('system:monitoring', ['system:monitoring']),
  forGroups('system:service-account-issuer-discovery', ['system:serviceaccounts']),
]
