/** What the API server fills into a pod or a pod template (k8s.io/kubernetes/pkg/apis/core/v1/defaults.go). */
import { isTree, listAt, setDefault, type Tree, textAt, treeAt, treesAt } from '../../tree.ts'

export function fillPodSpec(spec: Tree): void {
  setDefault(spec, 'restartPolicy', 'Always')
  setDefault(spec, 'terminationGracePeriodSeconds', 30)
  setDefault(spec, 'dnsPolicy', 'ClusterFirst')
  setDefault(spec, 'securityContext', {})
  setDefault(spec, 'schedulerName', 'default-scheduler')
  // Two names of one field; the older is kept equal for old clients.
  const account = spec['serviceAccountName'] ?? spec['serviceAccount']
  if (account !== undefined) {
    spec['serviceAccountName'] = account
    spec['serviceAccount'] = account
  }
  for (const container of treesAt(spec, 'initContainers')) fillContainer(container)
  for (const container of treesAt(spec, 'containers')) fillContainer(container)
  for (const volume of treesAt(spec, 'volumes')) fillVolume(volume)
  // On the network of its node a port is that of the node.
  if (spec['hostNetwork'] === true)
    for (const container of [...treesAt(spec, 'initContainers'), ...treesAt(spec, 'containers')])
      for (const port of treesAt(container, 'ports')) setDefault(port, 'hostPort', port['containerPort'])
}

/** Only of pods themselves, not of templates. */
export function fillPodOnly(spec: Tree): void {
  for (const container of [...treesAt(spec, 'initContainers'), ...treesAt(spec, 'containers')])
    fillRequests(treeAt(container, 'resources'))
  // A negative time is the shortest.
  if (Number(spec['terminationGracePeriodSeconds']) < 0) spec['terminationGracePeriodSeconds'] = 1
  setDefault(spec, 'enableServiceLinks', true)
}

/** What plugins of admission write into a pod (Priority, DefaultTolerationSeconds): nobody who sent it owns that. */
export function fillByAdmission(spec: Tree): void {
  setDefault(spec, 'preemptionPolicy', 'PreemptLowerPriority')
  setDefault(spec, 'priority', 0)
  const tolerations = listAt(spec, 'tolerations').filter(isTree)
  const added = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']
    .filter(
      (key) =>
        !tolerations.some(
          (t) => [key, '', undefined].includes(textAt(t, 'key')) && (t['effect'] ?? 'NoExecute') === 'NoExecute',
        ),
    )
    .map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }))
  spec['tolerations'] = [...tolerations, ...added]
}

function fillContainer(container: Tree): void {
  setDefault(container, 'imagePullPolicy', pullPolicyOf(textAt(container, 'image') ?? ''))
  setDefault(container, 'terminationMessagePath', '/dev/termination-log')
  setDefault(container, 'terminationMessagePolicy', 'File')
  setDefault(container, 'resources', {})
  for (const port of treesAt(container, 'ports')) setDefault(port, 'protocol', 'TCP')
  for (const env of treesAt(container, 'env')) {
    const field = treeAt(env, 'valueFrom', 'fieldRef')
    if (field) setDefault(field, 'apiVersion', 'v1')
  }
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) fillProbe(treeAt(container, name))
  for (const hook of ['postStart', 'preStop']) fillHttpGet(treeAt(container, 'lifecycle', hook, 'httpGet'))
}

/** "latest", said or meant, is pulled always. */
function pullPolicyOf(image: string): string {
  // What is no reference has no tag either.
  if (image.includes('@') || image !== image.trim()) return 'IfNotPresent'
  const name = image.slice(image.lastIndexOf('/') + 1)
  const colon = name.indexOf(':')
  return colon < 0 || name.slice(colon + 1) === 'latest' ? 'Always' : 'IfNotPresent'
}

function fillProbe(probe: Tree | undefined): void {
  if (!probe) return
  setDefault(probe, 'timeoutSeconds', 1)
  setDefault(probe, 'periodSeconds', 10)
  setDefault(probe, 'successThreshold', 1)
  setDefault(probe, 'failureThreshold', 3)
  fillHttpGet(treeAt(probe, 'httpGet'))
  const grpc = treeAt(probe, 'grpc')
  if (grpc) setDefault(grpc, 'service', '')
}

function fillHttpGet(get: Tree | undefined): void {
  if (!get) return
  setDefault(get, 'path', '/')
  setDefault(get, 'scheme', 'HTTP')
}

/** A limit without a request is also the request. */
function fillRequests(resources: Tree | undefined): void {
  const limits = resources ? treeAt(resources, 'limits') : undefined
  if (!resources || !limits) return
  resources['requests'] = { ...limits, ...treeAt(resources, 'requests') }
}

const defaultMode = 0o644

function fillVolume(volume: Tree): void {
  if (Object.keys(volume).every((member) => member === 'name')) volume['emptyDir'] = {}
  for (const source of ['secret', 'configMap', 'projected', 'downwardAPI']) {
    const tree = treeAt(volume, source)
    if (tree) setDefault(tree, 'defaultMode', defaultMode)
  }
  const hostPath = treeAt(volume, 'hostPath')
  if (hostPath) setDefault(hostPath, 'type', '')
  fillFieldRefs(treesAt(volume, 'downwardAPI', 'items'))
  for (const source of treesAt(volume, 'projected', 'sources')) {
    const token = treeAt(source, 'serviceAccountToken')
    if (token) setDefault(token, 'expirationSeconds', 3600)
    fillFieldRefs(treesAt(source, 'downwardAPI', 'items'))
  }
}

function fillFieldRefs(items: readonly Tree[]): void {
  for (const item of items) {
    const field = treeAt(item, 'fieldRef')
    if (field) setDefault(field, 'apiVersion', 'v1')
  }
}

/** How the pod would fare under memory pressure, from its requests and limits. */
export function qosClass(spec: unknown): 'BestEffort' | 'Burstable' | 'Guaranteed' {
  const containers = [...treesAt(spec, 'containers'), ...treesAt(spec, 'initContainers')]
  const all = containers.map((container) => ({
    limits: treeAt(container, 'resources', 'limits') ?? {},
    requests: treeAt(container, 'resources', 'requests') ?? {},
  }))
  if (all.every(({ limits, requests }) => Object.keys(limits).length + Object.keys(requests).length === 0))
    return 'BestEffort'
  const guaranteed = all.every(({ limits, requests }) =>
    ['cpu', 'memory'].every((name) => limits[name] !== undefined && String(limits[name]) === String(requests[name])),
  )
  return guaranteed ? 'Guaranteed' : 'Burstable'
}
