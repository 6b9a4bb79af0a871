/** What a ReplicaSet needs now: pure. */
import type { KubeObject } from '../../../kube/client.ts'
import type { Pod, ReplicaSet } from '../../../kube/object-types.ts'
import { type Condition, withCondition } from './conditions.ts'
import { availableInMs, isActive, isReady } from './pod-state.ts'

export interface ReplicaSetObserved {
  readonly replicaSet: ReplicaSet
  /** Those that it controls. */
  readonly pods: readonly Pod[]
  readonly nowMs: number
}
export interface ReplicaSetDecision {
  /** How many pods to create. */
  readonly create: number
  readonly remove: readonly Pod[]
  /** The next look, for pods that become available by time alone. */
  readonly lookAgainMs: number | undefined
}

export function decideReplicaSet({ replicaSet, pods, nowMs }: ReplicaSetObserved): ReplicaSetDecision {
  const active = pods.filter(isActive)
  const missing = (replicaSet.spec?.replicas ?? 1) - active.length
  const waits = active.flatMap((pod) => availableInMs(pod, replicaSet.spec?.minReadySeconds ?? 0, nowMs) ?? [])
  const next = Math.min(...waits.filter((ms) => ms > 0))
  return {
    create: Math.max(0, missing),
    remove: missing < 0 ? [...active].sort(leastWorthFirst).slice(0, -missing) : [],
    lookAgainMs: Number.isFinite(next) ? next : undefined,
  }
}

/** Its template as a pod; the API server makes the name. */
export function podOf(replicaSet: ReplicaSet): KubeObject {
  const template = replicaSet.spec?.template
  const { name = '', namespace, uid = '' } = replicaSet.metadata
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: template?.metadata?.labels ?? {},
      annotations: template?.metadata?.annotations ?? {},
      finalizers: template?.metadata?.finalizers ?? [],
      ownerReferences: [
        {
          apiVersion: replicaSet.apiVersion,
          kind: replicaSet.kind,
          name,
          uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: template?.spec ?? {},
  }
}

/** `failure`: why pods could not be created, if so. */
export function replicaSetStatus(observed: ReplicaSetObserved, failure: string | undefined) {
  const { replicaSet, pods, nowMs } = observed
  const active = pods.filter(isActive)
  const labels = Object.entries(replicaSet.spec?.template?.metadata?.labels ?? {})
  const minReadySeconds = replicaSet.spec?.minReadySeconds ?? 0
  const others = conditionsOf(replicaSet).filter((condition) => condition.type !== 'ReplicaFailure')
  const before = conditionsOf(replicaSet).filter((condition) => condition.type === 'ReplicaFailure')
  const failed = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: failure }
  return {
    replicas: active.length,
    fullyLabeledReplicas: active.filter((pod) => labels.every(([name, value]) => pod.metadata.labels?.[name] === value))
      .length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: active.filter((pod) => (availableInMs(pod, minReadySeconds, nowMs) ?? 1) <= 0).length,
    observedGeneration: replicaSet.metadata.generation ?? 0,
    conditions:
      failure === undefined
        ? others
        : withCondition([...others, ...before], failed, nowMs).map(({ lastUpdateTime: _, ...condition }) => condition),
  }
}

const conditionsOf = (replicaSet: ReplicaSet): Condition[] =>
  (replicaSet.status?.conditions ?? []).map(({ type, status, reason, message, lastTransitionTime }) => ({
    type,
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    ...(lastTransitionTime === undefined ? {} : { lastTransitionTime: String(lastTransitionTime) }),
  }))

/** Pods that run nowhere, then those not ready, then the youngest go first. */
function leastWorthFirst(a: Pod, b: Pod): number {
  const worth = (pod: Pod) => (pod.spec?.nodeName ? 1 : 0) + (isReady(pod) ? 2 : 0)
  if (worth(a) !== worth(b)) return worth(a) - worth(b)
  return (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '')
}
