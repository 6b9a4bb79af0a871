/** Deployments make ReplicaSets, ReplicaSets make pods: the two loops of Kubernetes' controller manager that we need. */
import { ApiError, type KubeClient, type KubeObject, type ResourceType } from '../../../kube/client.ts'
import { createEventRecorder, type EventRecorder } from '../../../kube/events.ts'
import {
  type Deployment,
  deployments,
  type Pod,
  pods,
  type ReplicaSet,
  replicaSets,
} from '../../../kube/object-types.ts'
import { refOf } from '../../../kube/resource-path.ts'
import { WorkQueue, type WorkResult } from '../../../kube/work-queue.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { type DeploymentDecision, decideDeployment, revisionAnnotation } from './decide-deployment.ts'
import { decideReplicaSet, podOf, replicaSetStatus } from './decide-replica-set.ts'
import { controlledBy } from './pod-state.ts'

export interface DeploymentControllerOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
}

/** Works until `signal` aborts. Reads what it decides on afresh from the API server, so it never acts on an old view. */
export async function runDeploymentController(options: DeploymentControllerOptions, signal: AbortSignal) {
  const controller = new DeploymentController(options)
  await controller.run(signal)
}

class DeploymentController {
  readonly #options: DeploymentControllerOptions
  readonly #recorder: EventRecorder
  readonly #deployments: WorkQueue
  readonly #replicaSets: WorkQueue

  constructor(options: DeploymentControllerOptions) {
    this.#options = options
    this.#recorder = createEventRecorder({ ...options, component: 'deployment-controller' })
    const queue = (name: string, work: (key: string) => Promise<WorkResult>) =>
      new WorkQueue({ ...options, name, concurrency: 4, work, maxDelayMs: 30_000 })
    this.#deployments = queue('deployments', (key) => this.#syncDeployment(key))
    this.#replicaSets = queue('replicasets', (key) => this.#syncReplicaSet(key))
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.#deployments.run(signal),
      this.#replicaSets.run(signal),
      this.#follow(deployments, signal, (object) => this.#deployments.add(keyOf(object))),
      this.#follow(replicaSets, signal, (object) => {
        this.#replicaSets.add(keyOf(object))
        this.#addOwner(object, 'Deployment', this.#deployments)
      }),
      this.#follow(pods, signal, (object) => this.#addOwner(object, 'ReplicaSet', this.#replicaSets)),
    ])
    await this.#recorder.flush()
  }

  async #follow<T extends KubeObject>(type: ResourceType<T>, signal: AbortSignal, changed: (object: T) => void) {
    for await (const event of this.#options.client.watch(type, {}, signal)) {
      if (event.type !== 'synced') changed(event.object)
    }
  }

  #addOwner(object: KubeObject, kind: string, queue: WorkQueue): void {
    const owner = object.metadata.ownerReferences?.find((o) => o.controller === true && o.kind === kind)
    if (owner) queue.add(`${object.metadata.namespace ?? ''}/${owner.name}`)
  }

  async #syncDeployment(key: string): Promise<WorkResult> {
    const { client, clock } = this.#options
    const deployment = await client.get(deployments, refFrom(key))
    if (!deployment || deployment.metadata.deletionTimestamp) return undefined
    const namespace = deployment.metadata.namespace
    const [sets, allPods] = await Promise.all([
      client.list(replicaSets, { namespace }),
      client.list(pods, { namespace }),
    ])
    const own = sets.items.filter((set) => controlledBy(set.metadata, deployment.metadata.uid))
    const decision = decideDeployment({
      deployment,
      replicaSets: own.filter((set) => !set.metadata.deletionTimestamp),
      podCounts: countByController(allPods.items),
      nowMs: clock.now(),
    })
    if (decision.create) await this.#createReplicaSet(deployment, decision.create)
    for (const step of decision.scale) await this.#scale(deployment, step)
    for (const replicaSet of decision.remove) {
      await client.delete(replicaSets, refOf(replicaSet), { uid: replicaSet.metadata.uid })
    }
    await this.#writeStatus(deployments, deployment, decision.status)
    if (decision.revision && deployment.metadata.annotations?.[revisionAnnotation] !== decision.revision) {
      await this.#annotateRevision(deployments, deployment, decision.revision)
    }
    const waiting = decision.status.unavailableReplicas > 0
    return waiting ? { requeueAfterMs: (deployment.spec?.progressDeadlineSeconds ?? 600) * 1000 + 1000 } : undefined
  }

  async #createReplicaSet(deployment: Deployment, replicaSet: ReplicaSet): Promise<void> {
    try {
      await this.#options.client.create(replicaSets, replicaSet)
    } catch (error) {
      // Created by the run before this one; its watch event brings us back.
      if (error instanceof ApiError && error.reason === 'AlreadyExists') return
      throw error
    }
    this.#options.log.info('deployment.replicaset_created', { name: replicaSet.metadata.name ?? '' })
    this.#deployments.add(keyOf(deployment))
  }

  async #scale(deployment: Deployment, { replicaSet, replicas, revision }: DeploymentDecision['scale'][number]) {
    const { name = '', resourceVersion } = replicaSet.metadata
    const before = replicaSet.spec?.replicas ?? 0
    const annotations = revision ? { annotations: { [revisionAnnotation]: revision } } : {}
    const body = { metadata: { resourceVersion, ...annotations }, spec: { replicas } }
    await this.#options.client.patch(replicaSets, refOf(replicaSet), { kind: 'merge', body })
    const how = replicas > before ? 'up' : 'down'
    const message = `Scaled ${how} replica set ${name} from ${before} to ${replicas}`
    this.#recorder.record(deployment, 'Normal', 'ScalingReplicaSet', message)
  }

  async #syncReplicaSet(key: string): Promise<WorkResult> {
    const { client, clock } = this.#options
    const replicaSet = await client.get(replicaSets, refFrom(key))
    if (!replicaSet || replicaSet.metadata.deletionTimestamp) return undefined
    const read = async () => {
      const all = await client.list(pods, { namespace: replicaSet.metadata.namespace })
      const own = all.items.filter((pod) => controlledBy(pod.metadata, replicaSet.metadata.uid))
      return { replicaSet, pods: own, nowMs: clock.now() }
    }
    const observed = await read()
    const decision = decideReplicaSet(observed)
    const failure = await this.#createPods(replicaSet, decision.create)
    for (const pod of decision.remove) {
      await client.delete(pods, refOf(pod), { uid: pod.metadata.uid })
      this.#recorder.record(replicaSet, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`)
    }
    const changed = decision.create > 0 || decision.remove.length > 0
    await this.#writeStatus(replicaSets, replicaSet, replicaSetStatus(changed ? await read() : observed, failure))
    if (failure !== undefined) throw new Error(failure)
    return decision.lookAgainMs === undefined ? undefined : { requeueAfterMs: decision.lookAgainMs }
  }

  /** Undefined, or why it went no further. */
  async #createPods(replicaSet: ReplicaSet, count: number): Promise<string | undefined> {
    for (let i = 0; i < count; i++) {
      try {
        const pod = await this.#options.client.create(pods, podOf(replicaSet))
        this.#recorder.record(replicaSet, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`)
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
        this.#recorder.record(replicaSet, 'Warning', 'FailedCreate', `Error creating: ${error.message}`)
        return error.message
      }
    }
    return undefined
  }

  async #writeStatus<T extends KubeObject>(type: ResourceType<T>, object: T, status: object): Promise<void> {
    if (contains(object['status'], status)) return
    await this.#options.client.patch(
      type,
      refOf(object),
      { kind: 'merge', body: { status } },
      { subresource: 'status' },
    )
  }

  async #annotateRevision(type: ResourceType<Deployment>, deployment: Deployment, revision: string): Promise<void> {
    const body = { metadata: { annotations: { [revisionAnnotation]: revision } } }
    await this.#options.client.patch(type, refOf(deployment), { kind: 'merge', body })
  }
}

function countByController(all: readonly Pod[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const pod of all) {
    const uid = pod.metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid
    if (uid && pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed') {
      counts.set(uid, (counts.get(uid) ?? 0) + 1)
    }
  }
  return counts
}

/** Whether everything in `wanted` is in `held`; an absent number is zero, as the API server leaves zeros out. */
function contains(held: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    const list = Array.isArray(held) ? held : []
    return list.length === wanted.length && wanted.every((item, i) => contains(list[i], item))
  }
  if (typeof wanted === 'object' && wanted !== null) {
    const members: Record<string, unknown> = typeof held === 'object' && held !== null ? { ...held } : {}
    return Object.entries(wanted).every(([name, value]) => contains(members[name], value))
  }
  return held === wanted || (held === undefined && (wanted === 0 || wanted === undefined))
}

const keyOf = (object: KubeObject) => `${object.metadata.namespace ?? ''}/${object.metadata.name ?? ''}`

function refFrom(key: string): { namespace: string; name: string } {
  const [namespace = '', name = ''] = key.split('/')
  return { namespace, name }
}
