/** The kinds that random requests are about: a good object of each, and what its fields may be instead, mostly good. */
import type { Tree } from './random-writes.ts'

export interface RandomKind {
  readonly kind: string
  readonly apiVersion: string
  readonly plural: string
  readonly base: () => Tree
  /** A field's place (steps with dots) and what it may be; undefined: the field is taken out. */
  readonly fields: readonly (readonly [place: string, values: readonly unknown[]])[]
  readonly statusFields?: readonly (readonly [place: string, values: readonly unknown[]])[]
  readonly scaled?: true
  readonly selectors: readonly string[]
}

/** At most one bad member in a map: Go walks maps in any order, so two of them are told in any order. */
export const metadataFields: RandomKind['fields'] = [
  ['metadata.labels', [{ set: 'a' }, { set: 'b', 'x.io/y': '1' }, {}, undefined, { set: '-' }, { 'a/b/c': 'x' }, null]],
  ['metadata.labels.set', ['a', 'b', '', undefined, 'long'.repeat(20)]],
  ['metadata.annotations', [{ note: 'x' }, { 'x.io/note': '' }, undefined, { 'no te': 'x' }, { a: 'x'.repeat(300) }]],
  ['metadata.finalizers', [['x.io/hold'], ['x.io/hold', 'x.io/hold'], [], undefined, ['hold'], ['x/']]],
  ['metadata.resourceVersion', [undefined, '0', '1', 'x', '']],
  ['metadata.uid', ['other', '', undefined]],
  ['metadata.namespace', [undefined, 'default', '']],
  ['metadata.generateName', ['gen-', 'Gen_', '']],
  ['metadata.creationTimestamp', ['2020-01-01T00:00:00Z', null, 'yesterday']],
  ['metadata.deletionTimestamp', ['2020-01-01T00:00:00Z', null]],
  ['metadata.deletionGracePeriodSeconds', [0, 5, null]],
  ['metadata.generation', [0, 7, -1]],
  ['metadata.selfLink', ['/x', '']],
  ['metadata.ownerReferences', [[], [{}], [{ apiVersion: 'v1', kind: 'Event', name: 'n', uid: 'u' }], null]],
  ['metadata.managedFields', [[], [{}], null]],
  ['metadata.odd', ['x']],
  ['odd', [{}, 1]],
]

const b64 = (text: string) => Buffer.from(text).toString('base64')

const secret: RandomKind = {
  kind: 'Secret',
  apiVersion: 'v1',
  plural: 'secrets',
  base: () => ({ data: { a: b64('1') } }),
  fields: [
    [
      'data',
      [{ a: b64('2'), b: '' }, {}, null, undefined, { 'a/b': '' }, { a: 'no base64!' }, { a: 5 }, { a: null }, []],
    ],
    ['data.a', [b64('3'), '', null, undefined, 'MQ', 'MQ==\n', '-_8=', {}]],
    ['stringData', [{ a: 'x' }, { b: '' }, {}, null, { 'tls.key': 'x' }, { b: 1 }, { 'b c': 'x' }]],
    [
      'type',
      ['Opaque', '', undefined, 'x.io/y', 'kubernetes.io/tls', 'kubernetes.io/basic-auth', 'kubernetes.io/ssh-auth'],
    ],
    ['type', ['kubernetes.io/dockercfg', 'kubernetes.io/dockerconfigjson', 5, null]],
    ['immutable', [true, false, null, undefined, 'yes']],
  ],
  selectors: ['type=Opaque', 'type!=Opaque'],
}

const configMap: RandomKind = {
  kind: 'ConfigMap',
  apiVersion: 'v1',
  plural: 'configmaps',
  base: () => ({ data: { a: '1' } }),
  fields: [
    ['data', [{ a: '2', b: '' }, {}, null, undefined, { 'a/b': '' }, { a: 5 }, { a: null }, []]],
    ['data.b', ['3', '', null, undefined, true]],
    ['binaryData', [{ x: b64('1') }, { a: '' }, {}, null, { 'x y': '' }, { x: '%' }]],
    ['immutable', [true, false, null, undefined, 'yes']],
  ],
  selectors: ['metadata.name!=one'],
}

const serviceAccount: RandomKind = {
  kind: 'ServiceAccount',
  apiVersion: 'v1',
  plural: 'serviceaccounts',
  base: () => ({}),
  fields: [
    ['secrets', [[{ name: 's' }], [{ name: 's', namespace: 'x', kind: 'Secret' }], [], [{}], null, undefined, ['s']]],
    ['imagePullSecrets', [[{ name: 'p' }, { name: 'q' }], [{ name: 'p' }, { name: 'p' }], [{}], null, 'p']],
    ['automountServiceAccountToken', [true, false, null, undefined, 'no']],
    ['metadata.annotations', [{ 'kubernetes.io/enforce-mountable-secrets': 'true' }]],
  ],
  selectors: ['metadata.name=one'],
}

const service: RandomKind = {
  kind: 'Service',
  apiVersion: 'v1',
  plural: 'services',
  // Others get an address on the real one.
  base: () => ({ spec: { clusterIP: 'None', selector: { app: 'x' }, ports: [{ port: 80 }] } }),
  fields: [
    [
      'spec.ports',
      [
        [
          { name: 'a', port: 80 },
          { name: 'b', port: 81, protocol: 'UDP' },
        ],
        [{ port: 80 }, { port: 81 }],
        [],
        undefined,
      ],
    ],
    ['spec.ports.0.port', [81, 0, 65_536, '80', undefined]],
    ['spec.ports.0.name', ['http', 'A_', '', 'a'.repeat(64)]],
    ['spec.ports.0.targetPort', [8080, 'http', 0, 'no such!', '']],
    ['spec.ports.0.protocol', ['TCP', 'UDP', 'SCTP', 'ICMP', '']],
    ['spec.selector', [{ app: 'y' }, { app: 'y', b: 'c' }, { 'a/b/c': 'x' }]],
    ['spec.sessionAffinity', ['None', 'ClientIP', 'Often', '']],
    ['spec.publishNotReadyAddresses', [true, false]],
  ],
  selectors: ['metadata.name=one'],
}

const podTemplateFields = (at: string): RandomKind['fields'] => [
  [
    `${at}.containers`,
    [
      [
        { name: 'app', image: 'b' },
        { name: 'side', image: 'c:1' },
      ],
      [{ name: 'App', image: 'x' }],
      [],
      null,
      undefined,
    ],
  ],
  [`${at}.containers.0.image`, ['app:2', 'r.io:5000/app', ' app', '', undefined, 5]],
  [`${at}.containers.0.name`, ['main', '', 'A_b', undefined]],
  [`${at}.containers.0.command`, [['x'], [], null, 'x', [1]]],
  [`${at}.containers.0.imagePullPolicy`, ['Never', 'Always', 'Often', '']],
  [`${at}.containers.0.workingDir`, ['/x', '']],
  [
    `${at}.containers.0.env`,
    [[{ name: 'A', value: '1' }, { name: 'B' }], [{ name: 'A=', value: '' }], [{ value: 'x' }], [{ name: '1' }]],
  ],
  [
    `${at}.containers.0.env`,
    [[{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }], [{ name: 'A', valueFrom: {} }]],
  ],
  [
    `${at}.containers.0.envFrom`,
    [[{ secretRef: { name: 's' } }], [{ prefix: 'X', configMapRef: { name: 'c', optional: true } }], [{}]],
  ],
  [
    `${at}.containers.0.ports`,
    [
      [{ containerPort: 80 }, { containerPort: 81, name: 'p' }],
      [{ containerPort: 0 }],
      [{ containerPort: 80, protocol: 'X' }],
    ],
  ],
  [
    `${at}.containers.0.resources`,
    [{ limits: { cpu: '500m' } }, { requests: { memory: '1Gi' } }, { limits: { cpu: 'x' } }, {}],
  ],
  [
    `${at}.containers.0.resources`,
    [{ limits: { cpu: '1' }, requests: { cpu: '2' } }, { limits: { thing: 1 } }, { requests: { cpu: -1 } }],
  ],
  [
    `${at}.containers.0.volumeMounts`,
    [
      [{ name: 'v', mountPath: '/v' }],
      [
        { name: 'v', mountPath: '/v' },
        { name: 'v', mountPath: '/v' },
      ],
      [{ name: 'v' }],
    ],
  ],
  [
    `${at}.containers.0.livenessProbe`,
    [{ httpGet: { port: 80 } }, { exec: { command: ['x'] }, periodSeconds: 0 }, {}, { tcpSocket: { port: 'p!' } }],
  ],
  [
    `${at}.containers.0.readinessProbe`,
    [{ grpc: { port: 5 } }, { exec: { command: [] } }, { httpGet: { port: 80, path: 'x', scheme: 'FTP' } }],
  ],
  [
    `${at}.containers.0.securityContext`,
    [{ runAsUser: 5, runAsNonRoot: true }, { runAsUser: -1 }, { privileged: true, allowPrivilegeEscalation: false }],
  ],
  [
    `${at}.containers.0.securityContext`,
    [
      { capabilities: { drop: ['ALL'] } },
      { seccompProfile: { type: 'RuntimeDefault' } },
      { seccompProfile: { type: 'X' } },
    ],
  ],
  [
    `${at}.initContainers`,
    [
      [{ name: 'init', image: 'i' }],
      [{ name: 'app', image: 'i' }],
      [{ name: 'side', image: 's', restartPolicy: 'Always' }],
    ],
  ],
  [
    `${at}.volumes`,
    [[{ name: 'v', emptyDir: {} }], [{ name: 'v' }], [{ name: 'v' }, { name: 'v' }], [{ name: 'V!' }], [{}]],
  ],
  [
    `${at}.volumes`,
    [[{ name: 'v', secret: { secretName: 's', items: [{ key: 'k', path: '../x' }] } }], [{ name: 'v', secret: {} }]],
  ],
  [
    `${at}.volumes`,
    [
      [{ name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 600 } }] } }],
      [{ name: 'v', projected: {} }],
    ],
  ],
  [
    `${at}.volumes`,
    [
      [{ name: 'v', configMap: { name: 'c', defaultMode: 256 } }],
      [{ name: 'v', hostPath: { path: '' } }],
      [{ name: 'v', emptyDir: { medium: 'Memory', sizeLimit: '1Gi' } }],
    ],
  ],
  [`${at}.restartPolicy`, ['Always', 'OnFailure', 'Never', 'X', '']],
  [`${at}.terminationGracePeriodSeconds`, [0, 5, -1, '5', null]],
  [`${at}.activeDeadlineSeconds`, [1, 100, 0, -1, null]],
  [`${at}.serviceAccountName`, ['default', 'other', 'A_', '']],
  [`${at}.nodeSelector`, [{ a: 'b' }, {}, { 'a/b/c': 'x' }]],
  [`${at}.tolerations`, [[{ key: 'a', operator: 'Exists' }], [{ operator: 'Equal' }], [{ key: 'a', effect: 'X' }]]],
  [`${at}.dnsPolicy`, ['Default', 'None', 'X']],
  [`${at}.securityContext`, [{ runAsUser: 1, fsGroup: 2 }, { fsGroup: -1 }, { supplementalGroups: [1] }, {}]],
  [`${at}.hostNetwork`, [true, false]],
  [`${at}.hostAliases`, [[{ ip: '1.1.1.1', hostnames: ['a'] }], [{ ip: 'x' }], [{ ip: '1.1.1.1', hostnames: ['A_'] }]]],
  [`${at}.imagePullSecrets`, [[{ name: 'p' }], [{}], []]],
  [`${at}.odd`, ['x']],
]

const podSpec = (more: Tree = {}): Tree => ({
  automountServiceAccountToken: false,
  containers: [{ name: 'app', image: 'app:1' }],
  ...more,
})

const pod: RandomKind = {
  kind: 'Pod',
  apiVersion: 'v1',
  plural: 'pods',
  base: () => ({ spec: podSpec() }),
  fields: [
    ...podTemplateFields('spec'),
    ['spec.nodeName', ['node', '', 'A_']],
    ['spec.hostname', ['h', 'A_', '']],
    ['spec.priority', [0, 5]],
    ['spec.schedulerName', ['x', '']],
    ['spec.schedulingGates', [[{ name: 'x.io/g' }], [{ name: 'g g' }], []]],
    ['status', [{ phase: 'Running' }, {}]],
  ],
  statusFields: [
    ['status.phase', ['Running', 'Pending', 'Succeeded', 'Failed', 'X', '']],
    ['status.podIP', ['10.0.0.1', 'x', '']],
    ['status.hostIP', ['10.0.0.2', 'x']],
    ['status.message', ['m', '']],
    [
      'status.conditions',
      [[{ type: 'Ready', status: 'True' }], [{ type: 'Ready', status: 'X' }], [{ type: 'x y', status: 'True' }], []],
    ],
    [
      'status.containerStatuses',
      [
        [{ name: 'app', ready: true, restartCount: 0, image: 'a', imageID: 'b', state: { running: {} } }],
        [{ name: 'x', restartCount: -1 }],
      ],
    ],
    ['metadata.labels', [{ set: 'a' }, { set: '-' }]],
    ['spec.containers.0.image', ['other']],
  ],
  selectors: ['status.phase=Pending', 'spec.nodeName=', 'spec.restartPolicy!=Always'],
}

const labels = { app: 'x' }
const template = (more: Tree = {}): Tree => ({ metadata: { labels }, spec: podSpec(more) })

const replicated: RandomKind['fields'] = [
  ['spec.replicas', [0, 3, -1, '3', null, undefined]],
  ['spec.minReadySeconds', [0, 5, -1]],
  ['spec.selector', [undefined, {}, null, { matchLabels: { app: 'y' } }, { matchLabels: { 'a/b/c': 'x' } }]],
  [
    'spec.selector',
    [
      { matchExpressions: [{ key: 'app', operator: 'In', values: ['x', 'y'] }] },
      { matchExpressions: [{ key: 'app', operator: 'X' }] },
    ],
  ],
  ['spec.template', [undefined, {}, null]],
  ['spec.template.metadata.labels', [{ app: 'x', b: 'c' }, { app: 'z' }, {}, { app: 'x', b: '-' }]],
  ['spec.template.metadata.annotations', [{ a: 'b' }, { 'a b': 'c' }]],
  ...podTemplateFields('spec.template.spec'),
]

const deployment: RandomKind = {
  kind: 'Deployment',
  apiVersion: 'apps/v1',
  plural: 'deployments',
  base: () => ({ spec: { selector: { matchLabels: labels }, template: template() } }),
  fields: [
    ...replicated,
    ['spec.paused', [true, false]],
    ['spec.revisionHistoryLimit', [0, 5, -1]],
    ['spec.progressDeadlineSeconds', [60, 0, -1, 5]],
    [
      'spec.strategy',
      [{ type: 'Recreate' }, { type: 'X' }, {}, { type: 'Recreate', rollingUpdate: { maxSurge: 1 } }, null],
    ],
    [
      'spec.strategy',
      [
        { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } },
        { rollingUpdate: { maxSurge: '10' } },
        { rollingUpdate: { maxUnavailable: '150%' } },
      ],
    ],
  ],
  statusFields: [
    ['status.replicas', [1, 2, -1, 'x']],
    ['status.readyReplicas', [1, 3]],
    ['status.availableReplicas', [1, 2]],
    ['status.collisionCount', [1, 2, -1]],
    ['status.observedGeneration', [1, -1]],
    ['status.conditions', [[{ type: 'Available', status: 'True' }], [{ type: 'A', status: 'X' }], [{}]]],
    ['metadata.annotations', [{ note: 's' }]],
    ['spec.replicas', [7]],
  ],
  scaled: true,
  selectors: ['metadata.name=one', 'status.replicas=1'],
}

const replicaSet: RandomKind = {
  kind: 'ReplicaSet',
  apiVersion: 'apps/v1',
  plural: 'replicasets',
  base: () => ({ spec: { selector: { matchLabels: labels }, template: template() } }),
  fields: replicated,
  statusFields: [
    ['status.replicas', [1, 2, -1]],
    ['status.readyReplicas', [1, 3, -1]],
    ['status.fullyLabeledReplicas', [1, 2]],
    ['status.availableReplicas', [1, 2]],
    ['status.observedGeneration', [1, -1]],
  ],
  scaled: true,
  selectors: ['status.replicas=0', 'status.replicas!=0'],
}

const jobFields = (at: string): RandomKind['fields'] => [
  [`${at}.parallelism`, [0, 2, -1, null]],
  [`${at}.completions`, [1, 3, -1, null]],
  [`${at}.backoffLimit`, [0, 3, -1]],
  [`${at}.activeDeadlineSeconds`, [5, 0, -1]],
  [`${at}.ttlSecondsAfterFinished`, [0, 5, -1]],
  [`${at}.suspend`, [true, false]],
  [`${at}.completionMode`, ['Indexed', 'NonIndexed', 'X']],
  [`${at}.backoffLimitPerIndex`, [1, -1]],
  [`${at}.maxFailedIndexes`, [1, -1]],
  [`${at}.manualSelector`, [true, false]],
  [`${at}.selector`, [{ matchLabels: { a: 'b' } }, {}]],
  [`${at}.podReplacementPolicy`, ['Failed', 'TerminatingOrFailed', 'X']],
  [
    `${at}.podFailurePolicy`,
    [
      { rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] }] },
      { rules: [{ action: 'X' }] },
      { rules: [] },
    ],
  ],
  [
    `${at}.podFailurePolicy`,
    [
      { rules: [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [1, 2] } }] },
      { rules: [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [0] } }] },
    ],
  ],
  [
    `${at}.successPolicy`,
    [{ rules: [{ succeededCount: 1 }] }, { rules: [{ succeededIndexes: '0-x' }] }, { rules: [] }],
  ],
  [`${at}.managedBy`, ['x.io/y', 'x']],
  [`${at}.template.metadata`, [{ labels: { l: 'm' } }, {}]],
  ...podTemplateFields(`${at}.template.spec`),
]

const job: RandomKind = {
  kind: 'Job',
  apiVersion: 'batch/v1',
  plural: 'jobs',
  base: () => ({ spec: { template: { spec: podSpec({ restartPolicy: 'Never' }) } } }),
  fields: jobFields('spec'),
  statusFields: [
    ['status.active', [1, -1]],
    ['status.succeeded', [1, -1]],
    ['status.failed', [1, -1]],
    ['status.startTime', ['2020-01-01T00:00:00Z', null]],
    ['status.completionTime', ['2020-01-01T00:01:00Z', null]],
    [
      'status.conditions',
      [
        [{ type: 'Complete', status: 'True' }],
        [{ type: 'Failed', status: 'True' }],
        [{ type: 'Suspended', status: 'X' }],
      ],
    ],
    [
      'status.conditions',
      [[{ type: 'SuccessCriteriaMet', status: 'True' }], [{ type: 'FailureTarget', status: 'True' }]],
    ],
    ['status.ready', [0, 5, -1]],
    ['status.uncountedTerminatedPods', [{}, { succeeded: ['a'] }, { succeeded: ['a'], failed: ['a'] }]],
  ],
  selectors: ['status.successful=0', 'metadata.name=one'],
}

const cronJob: RandomKind = {
  kind: 'CronJob',
  apiVersion: 'batch/v1',
  plural: 'cronjobs',
  base: () => ({
    spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: { template: { spec: podSpec({ restartPolicy: 'Never' }) } } } },
  }),
  fields: [
    [
      'spec.schedule',
      ['*/5 * * * *', '@daily', '@every 1h', 'x', '', '61 * * * *', 'TZ=UTC 0 0 * * *', '0 0 31 2 *', undefined],
    ],
    ['spec.timeZone', ['UTC', 'Europe/Berlin', 'Nowhere/X', '', 'Local']],
    ['spec.concurrencyPolicy', ['Forbid', 'Replace', 'X', '']],
    ['spec.suspend', [true, false, null]],
    ['spec.startingDeadlineSeconds', [5, -1]],
    ['spec.successfulJobsHistoryLimit', [0, 3, -1]],
    ['spec.failedJobsHistoryLimit', [0, -1]],
    ['spec.jobTemplate.metadata', [{ labels: { a: 'b' } }, { labels: { a: '-' } }]],
    ...jobFields('spec.jobTemplate.spec'),
  ],
  statusFields: [
    ['status.lastScheduleTime', ['2020-01-01T00:00:00Z', null]],
    ['status.active', [[{ kind: 'Job', name: 'x' }], []]],
  ],
  selectors: ['metadata.name=one'],
}

const lease: RandomKind = {
  kind: 'Lease',
  apiVersion: 'coordination.k8s.io/v1',
  plural: 'leases',
  base: () => ({ spec: { holderIdentity: 'a', leaseDurationSeconds: 15 } }),
  fields: [
    ['spec', [{}, null, undefined]],
    ['spec.holderIdentity', ['b', '', null]],
    ['spec.leaseDurationSeconds', [1, 0, -1, '5', 1.5]],
    ['spec.leaseTransitions', [1, -1]],
    ['spec.renewTime', ['2020-01-01T00:00:00.000000Z', '2020-01-01T00:00:00Z', 'now', null]],
    ['spec.strategy', ['OldestEmulationVersion', 'x']],
    ['spec.preferredHolder', ['b', '']],
  ],
  selectors: ['metadata.name=one'],
}

const event: RandomKind = {
  kind: 'Event',
  apiVersion: 'v1',
  plural: 'events',
  base: () => ({
    involvedObject: { kind: 'Secret', name: 'one', namespace: 'NS' },
    reason: 'R',
    type: 'Normal',
    count: 1,
  }),
  fields: [
    ['involvedObject', [{}, { namespace: 'default' }, undefined]],
    ['reason', ['S', '', 5]],
    ['message', ['m', 'x'.repeat(1100)]],
    ['count', [2, -1]],
    ['type', ['Warning', 'X', '']],
    ['eventTime', ['2020-01-01T00:00:00.000000Z', null]],
    ['firstTimestamp', ['2020-01-01T00:00:00Z', null]],
    ['source', [{ component: 'c', host: 'h' }, {}]],
    ['reportingComponent', ['x.io/c', 'c c', '']],
    ['reportingInstance', ['i', 'x'.repeat(130)]],
    ['action', ['A', '']],
    ['series', [{ count: 2, lastObservedTime: '2020-01-01T00:00:00.000000Z' }, { count: 1 }]],
  ],
  selectors: ['reason=R', 'type!=Normal', 'involvedObject.kind=Secret'],
}

const newEvent: RandomKind = {
  kind: 'Event',
  apiVersion: 'events.k8s.io/v1',
  plural: 'events',
  base: () => ({
    eventTime: '2020-01-01T00:00:00.000000Z',
    reportingController: 'x.io/c',
    reportingInstance: 'i',
    action: 'A',
    reason: 'R',
    type: 'Normal',
    regarding: { kind: 'Secret', name: 'one', namespace: 'NS' },
  }),
  fields: [
    ['regarding', [{}, { namespace: 'default' }, undefined]],
    ['reason', ['S', '', undefined]],
    ['note', ['m', 'x'.repeat(1100)]],
    ['deprecatedCount', [2, 0]],
    ['type', ['Warning', 'X', undefined]],
    ['eventTime', ['2021-01-01T00:00:00.000000Z', null, undefined]],
    ['deprecatedSource', [{ component: 'c' }, {}]],
    ['reportingController', ['c c', '']],
    ['action', ['B', '']],
    ['series', [{ count: 2, lastObservedTime: '2020-01-01T00:00:00.000000Z' }, { count: 1 }]],
  ],
  selectors: ['reason=R', 'regarding.kind=Secret'],
}

const apiGroup = 'rbac.authorization.k8s.io'
const ruleFields: RandomKind['fields'] = [
  ['rules', [[], null, undefined, [{}], [{ verbs: ['get'] }], [{ nonResourceURLs: ['/x'], verbs: ['get'] }], 'x']],
  [
    'rules',
    [
      [
        { apiGroups: [''], resources: ['pods'], verbs: ['*'] },
        { apiGroups: ['*'], resources: ['*'], verbs: [] },
      ],
    ],
  ],
  ['rules.0.resourceNames', [['a'], []]],
  ['rules.0.verbs', [['list'], [], 'get']],
]

const role: RandomKind = {
  kind: 'Role',
  apiVersion: `${apiGroup}/v1`,
  plural: 'roles',
  base: () => ({ rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }] }),
  fields: ruleFields,
  selectors: ['metadata.name=one'],
}

const roleBinding: RandomKind = {
  kind: 'RoleBinding',
  apiVersion: `${apiGroup}/v1`,
  plural: 'rolebindings',
  base: () => ({
    roleRef: { apiGroup, kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'User', name: 'ann' }],
  }),
  fields: [
    [
      'roleRef',
      [
        { kind: 'Role', name: 'one' },
        { apiGroup, kind: 'X', name: 'y' },
        { apiGroup: 'x', kind: 'Role', name: 'one' },
        {},
        undefined,
      ],
    ],
    ['roleRef.name', ['edit', '', 'a/b']],
    [
      'subjects',
      [
        [],
        null,
        [{ kind: 'ServiceAccount', name: 'a', namespace: 'b' }],
        [{ kind: 'ServiceAccount', name: 'A_' }],
        [{}],
      ],
    ],
    [
      'subjects.0',
      [
        { kind: 'Group', name: 'g', apiGroup },
        { kind: 'User', name: '' },
        { kind: 'X', name: 'y' },
        { kind: 'User', name: 'a', apiGroup: 'x' },
      ],
    ],
  ],
  selectors: ['metadata.name=one'],
}

export const customKind: RandomKind = {
  kind: 'Widget',
  apiVersion: 'patch.example.com/v1',
  plural: 'widgets',
  base: () => ({ spec: { text: 'x' } }),
  fields: [
    ['spec', [{}, null, undefined, 'x', []]],
    ['spec.text', ['y', '', 5, null]],
    ['spec.items', [[{ name: 'a' }, { name: 'b', port: 1 }], [{ name: 'a' }, { name: 'a' }], [{}], [], null]],
    ['spec.set', [['a', 'b'], ['a', 'a'], [1]]],
    ['spec.numbers', [[1, 2], [1, 1], ['x'], [1.5]]],
    ['spec.map', [{ a: 'b' }, { a: 1 }, { a: null }]],
    ['spec.either', [1, '50%', true, 1.5]],
    ['spec.free', [{ a: { b: [1] } }, 'x']],
    ['spec.nested', [{ deep: {} }, { deep: { p: 'x', r: 'y' } }]],
    ['spec.odd', [1]],
    ['status', [{ phase: 'x' }]],
  ],
  statusFields: [
    ['status.phase', ['a', 5, null]],
    ['status.conditions', [[{ type: 'A', status: 'True' }], [{ type: 'A' }, { type: 'A' }], [{}]]],
    ['spec.text', ['z']],
    ['metadata.labels', [{ set: 'a' }]],
  ],
  selectors: ['metadata.name=one', 'spec.text=x'],
}

export const randomKinds: readonly RandomKind[] = [
  ...[secret, configMap, serviceAccount, service, pod, deployment, replicaSet],
  ...[job, cronJob, lease, event, newEvent, role, roleBinding, customKind],
]
