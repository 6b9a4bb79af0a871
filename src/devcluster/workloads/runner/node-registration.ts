/** Makes this runner a Node of the cluster, with the address of its log server. */
import { arch, cpus, hostname, platform, release, totalmem } from 'node:os'
import { ApiError, type KubeClient } from '../../../kube/client.ts'
import { nodes } from '../../../kube/object-types.ts'
import type { Clock } from '../../../lib/clock.ts'

export interface NodeFacts {
  readonly name: string
  readonly hostIp: string
  /** Undefined: no logs are served. */
  readonly logPort: number | undefined
  readonly isolation: string
}

/** Where people look for how pods are kept apart here. */
const isolationLabel = 'coffer.dev/pod-isolation'

export async function registerNode(client: KubeClient, facts: NodeFacts, clock: Clock): Promise<void> {
  const labels = {
    'kubernetes.io/hostname': facts.name,
    'kubernetes.io/os': platform(),
    'kubernetes.io/arch': arch() === 'x64' ? 'amd64' : arch(),
    [isolationLabel]: facts.isolation,
  }
  const metadata = { name: facts.name, labels, annotations: { [isolationLabel]: facts.isolation } }
  try {
    await client.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata })
  } catch (error) {
    if (!(error instanceof ApiError && error.reason === 'AlreadyExists')) throw error
    await client.patch(nodes, { name: facts.name }, { kind: 'merge', body: { metadata } })
  }
  const body = { status: nodeStatus(facts, clock.now()) }
  await client.patch(nodes, { name: facts.name }, { kind: 'merge', body }, { subresource: 'status' })
}

/** So that nobody takes a runner that ended for one that is silent. */
export async function markNodeStopped(client: KubeClient, name: string, clock: Clock): Promise<void> {
  const conditions = [readyCondition('False', 'PodRunnerStopped', 'the pod runner has stopped', clock.now())]
  const patch = { kind: 'merge' as const, body: { status: { conditions } } }
  await client.patch(nodes, { name }, patch, { subresource: 'status' })
}

function nodeStatus(facts: NodeFacts, nowMs: number) {
  const capacity = { cpu: String(cpus().length), memory: `${Math.floor(totalmem() / 1024)}Ki`, pods: '110' }
  return {
    addresses: [
      { type: 'InternalIP', address: facts.hostIp },
      { type: 'Hostname', address: hostname() },
    ],
    ...(facts.logPort === undefined ? {} : { daemonEndpoints: { kubeletEndpoint: { Port: facts.logPort } } }),
    capacity,
    allocatable: capacity,
    conditions: [readyCondition('True', 'PodRunnerReady', 'the pod runner starts pods as local processes', nowMs)],
    nodeInfo: {
      architecture: arch() === 'x64' ? 'amd64' : arch(),
      operatingSystem: platform(),
      kernelVersion: release(),
      osImage: 'the host',
      containerRuntimeVersion: `process://${facts.isolation}`,
      kubeletVersion: 'v1.30.0+coffer-pod-runner',
      kubeProxyVersion: '',
      bootID: '',
      machineID: '',
      systemUUID: '',
    },
  }
}

function readyCondition(status: string, reason: string, message: string, nowMs: number) {
  const now = `${new Date(nowMs).toISOString().slice(0, 19)}Z`
  return { type: 'Ready', status, reason, message, lastHeartbeatTime: now, lastTransitionTime: now }
}
