/** Makes this runner a Node of the cluster, with the address of its log server. */
import { arch, cpus, freemem, platform, release, totalmem } from 'node:os'
import type { NodeCondition } from 'kubernetes-types/core/v1.d.ts'
import type { KubeClient } from '../../../../kube/client.ts'
import { type Node, nodes } from '../../../../kube/object-types.ts'
import type { Clock } from '../../../../lib/clock.ts'

export interface NodeFacts {
  readonly name: string
  readonly hostIp: string
  /** Undefined: no logs are served. */
  readonly logPort: number | undefined
  readonly isolation: string
}

/** Where people look for how pods are kept apart here; a node that has it is a pod runner. */
export const isolationLabel = 'coffer.dev/pod-isolation'

const machine = arch() === 'x64' ? 'amd64' : arch()

export function nodeLabels(facts: Pick<NodeFacts, 'name' | 'isolation'>): Record<string, string> {
  return {
    'kubernetes.io/hostname': facts.name,
    'kubernetes.io/os': platform(),
    'kubernetes.io/arch': machine,
    [isolationLabel]: facts.isolation,
  }
}

/** Who made the Node before us has its labels, taints and owner; ours are added. */
export async function registerNode(client: KubeClient, facts: NodeFacts, clock: Clock): Promise<Node> {
  const metadata = { labels: nodeLabels(facts), annotations: { [isolationLabel]: facts.isolation } }
  const { name } = facts
  // Asked first: to create Nodes may not be allowed where ours is there already.
  const there = await client.get(nodes, { name })
  if (there) {
    refuseOthers(there)
    await client.patch(nodes, { name }, { kind: 'merge', body: { metadata } })
  } else {
    await client.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name, ...metadata } })
  }
  return postNodeStatus(client, facts, clock)
}

/** A kubelet's Node, such as this machine's own: its pods and its address would be taken from it. */
function refuseOthers({ metadata, status }: Node): void {
  const kubelet = status?.nodeInfo?.kubeletVersion
  if (!kubelet || metadata.labels?.[isolationLabel] !== undefined) return
  throw new Error(`Node ${metadata.name} is a kubelet's (${kubelet}) and is left alone: give another --node-name`)
}

/** The whole of our part of the status, as a kubelet posts it; what others say of the node (its network, its cloud) stays. */
export async function postNodeStatus(client: KubeClient, facts: NodeFacts, clock: Clock): Promise<Node> {
  const { name } = facts
  const known = (await client.get(nodes, { name }))?.status?.conditions ?? []
  const body = { status: { ...nodeStatus(facts), conditions: merged(known, ownConditions(), clock.now()) } }
  return client.patch(nodes, { name }, { kind: 'merge', body }, { subresource: 'status' })
}

/** So that nobody takes a runner that ended for one that is silent. */
export async function markNodeStopped(client: KubeClient, name: string, clock: Clock): Promise<void> {
  const known = (await client.get(nodes, { name }))?.status?.conditions ?? []
  const stopped = { type: 'Ready', status: 'False', reason: 'PodRunnerStopped', message: 'the pod runner has stopped' }
  const body = { status: { conditions: merged(known, [stopped], clock.now()) } }
  await client.patch(nodes, { name }, { kind: 'merge', body }, { subresource: 'status' })
}

function nodeStatus(facts: NodeFacts) {
  const capacity = { cpu: String(cpus().length), memory: `${Math.floor(totalmem() / 1024)}Ki`, pods: '110' }
  return {
    // No Hostname address: API servers try it first, and the name of a runner is in nobody's DNS.
    addresses: [{ type: 'InternalIP', address: facts.hostIp }],
    ...(facts.logPort === undefined ? {} : { daemonEndpoints: { kubeletEndpoint: { Port: facts.logPort } } }),
    capacity,
    allocatable: capacity,
    nodeInfo: {
      architecture: machine,
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

type Said = Pick<NodeCondition, 'type' | 'status' | 'reason' | 'message'>

/** Below this share of free memory a kubelet would begin to evict; the runner only says it. */
const lowMemoryPart = 0.02

function ownConditions(): readonly Said[] {
  const low = freemem() < totalmem() * lowMemoryPart
  const fine = (type: string, reason: string, message: string): Said => ({ type, status: 'False', reason, message })
  return [
    low
      ? {
          type: 'MemoryPressure',
          status: 'True',
          reason: 'HostHasLittleMemory',
          message: 'the host has little memory left',
        }
      : fine('MemoryPressure', 'HostHasSufficientMemory', 'the host has memory left'),
    fine('DiskPressure', 'NotWatched', 'the pod runner does not watch disks'),
    fine('PIDPressure', 'NotWatched', 'the pod runner does not watch process ids'),
    {
      type: 'Ready',
      status: 'True',
      reason: 'PodRunnerReady',
      message: 'the pod runner starts pods as local processes',
    },
  ]
}

/** A condition keeps the time of its last change; those that are not ours are kept as they are. */
function merged(known: readonly NodeCondition[], own: readonly Said[], nowMs: number) {
  const now = `${new Date(nowMs).toISOString().slice(0, 19)}Z`
  const others = known.filter((condition) => !own.some(({ type }) => type === condition.type))
  const ours = own.map((said) => {
    const before = known.find((condition) => condition.type === said.type)
    const since = before?.status === said.status ? before.lastTransitionTime : undefined
    return { ...said, lastHeartbeatTime: now, lastTransitionTime: since ?? now }
  })
  return [...others, ...ours]
}
