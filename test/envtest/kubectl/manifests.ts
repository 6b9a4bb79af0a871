/** The files that the script's command lines name; NS stands for the namespace of the run. */

const web = (image: string) => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: c
        image: ${image}
        ports: [{containerPort: 80}]
        resources: {limits: {cpu: 500m, memory: 64Mi}}
`

const settings = (value: string) => `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: ${value}, c: d}
`

export const manifests: Readonly<Record<string, string>> = {
  'web.yaml': web('a:1'),
  'web-2.yaml': web('a:2'),
  'settings.yaml': settings('b'),
  'settings-2.yaml': settings('z'),
  'typo.yaml': `apiVersion: v1
kind: ConfigMap
metadata: {name: typo}
dat: {a: b}
`,
  'wrong.yaml': `apiVersion: v1
kind: Secret
metadata: {name: wrong}
data: [a]
`,
  'node.yaml': `apiVersion: v1
kind: Node
metadata: {name: NS}
`,
  'roles.yaml': `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reconciled}
rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reconciled}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reconciled}
subjects: [{kind: ServiceAccount, name: robot, namespace: NS}]
`,
  'kinds.yaml': `apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: holder}
spec: {holderIdentity: me, leaseDurationSeconds: 15, renewTime: "2026-01-01T00:00:00.000001Z"}
---
apiVersion: v1
kind: Event
metadata: {name: happened}
involvedObject: {kind: Secret, name: one, namespace: NS, fieldPath: data}
type: Warning
reason: Happened
message: Something happened
source: {component: tester, host: here}
firstTimestamp: "2026-01-01T00:00:00Z"
lastTimestamp: "2026-01-01T00:00:00Z"
count: 3
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: NS}
webhooks:
- name: one.example.org
  clientConfig: {url: 'https://127.0.0.1:1/x'}
  rules: [{apiGroups: [no.such.example.org], apiVersions: [v1], operations: [CREATE], resources: [things]}]
  admissionReviewVersions: [v1]
  sideEffects: None
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NS}
webhooks:
- name: one.example.org
  clientConfig: {url: 'https://127.0.0.1:1/x'}
  rules: [{apiGroups: [no.such.example.org], apiVersions: [v1], operations: [CREATE], resources: [things]}]
  admissionReviewVersions: [v1]
  sideEffects: None
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: later}
spec:
  schedule: '0 0 1 1 *'
  suspend: true
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'a:1'}]}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: nothing}
spec:
  suspend: true
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'a:1'}]}}
---
apiVersion: v1
kind: Service
metadata: {name: elsewhere}
spec: {type: ExternalName, externalName: example.org}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NS}
rules:
- {apiGroups: [''], resources: [secrets], resourceNames: [one], verbs: [get]}
- {nonResourceURLs: [/metrics], verbs: [get]}
`,
  'widgets.yaml': `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.NS.example.org}
spec:
  group: NS.example.org
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList, shortNames: [wd], categories: [toys]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
    additionalPrinterColumns:
    - {name: Size, type: string, jsonPath: .spec.size, description: How big it is}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Colour, type: string, jsonPath: .spec.colour, priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        description: A thing for tests.
        properties:
          spec:
            type: object
            description: What is wanted.
            required: [size]
            properties:
              size: {type: string, description: How big., enum: [small, big]}
              replicas: {type: integer, format: int32}
              colour: {type: string, default: red}
              parts: {type: array, items: {type: object, properties: {name: {type: string}}}}
              labels: {type: object, additionalProperties: {type: string}}
              any: {type: object, x-kubernetes-preserve-unknown-fields: true}
          status:
            type: object
            properties: {phase: {type: string}, replicas: {type: integer}}
`,
  'widget.yaml': `apiVersion: NS.example.org/v1
kind: Widget
metadata: {name: small}
spec: {size: small, replicas: 2, parts: [{name: a}], any: {x: 1}}
`,
  'widget-typo.yaml': `apiVersion: NS.example.org/v1
kind: Widget
metadata: {name: typo}
spec: {size: small, colr: blue}
`,
}

/** Stands for STATUS in a command line. */
export const podStatus = JSON.stringify({
  status: {
    phase: 'Running',
    podIP: '10.0.0.7',
    podIPs: [{ ip: '10.0.0.7' }],
    conditions: [{ type: 'Ready', status: 'False', reason: 'ContainersNotReady' }],
    containerStatuses: [
      {
        name: 'solo',
        image: 'a:1',
        imageID: 'x',
        ready: false,
        restartCount: 2,
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: { terminated: { exitCode: 1, reason: 'Error', finishedAt: '2026-01-01T00:00:00Z' } },
      },
    ],
  },
})

/** Stands for KUBELET in a command line. */
export const nodeStatus = (port: number) =>
  JSON.stringify({
    status: {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    },
  })
