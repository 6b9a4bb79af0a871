/** What a ReplicaSet needs now: pure. */
import type { ReplicaSetCondition, ReplicaSetStatus } from 'kubernetes-types/apps/v1.d.ts'
import type { Pod, ReplicaSet } from '../../../kube/object-types.ts'
import { availableInMs, isActive, isReady, leastWorthFirst } from '../control/pod-state.ts'
import { timestamp } from '../control/timestamp.ts'

export interface ReplicaSetObserved {
  readonly replicaSet: ReplicaSet
  /** Those that it controls. */
  readonly pods: readonly Pod[]
  /** Those of the ReplicaSets with the same controller: of pods that share a node one goes first. */
  readonly related: readonly Pod[]
  readonly nowMs: number
}
export interface ReplicaSetDecision {
  /** How many pods to create. */
  readonly create: number
  readonly remove: readonly Pod[]
}

/** Of one look, as in Kubernetes. */
const burst = 500

export function decideReplicaSet({ replicaSet, pods, related }: ReplicaSetObserved): ReplicaSetDecision {
  if (replicaSet.metadata.deletionTimestamp) return { create: 0, remove: [] }
  const active = pods.filter(isActive)
  const missing = (replicaSet.spec?.replicas ?? 1) - active.length
  if (missing >= 0) return { create: Math.min(missing, burst), remove: [] }
  return { create: 0, remove: leastWorthFirst(active, related).slice(0, Math.min(-missing, burst)) }
}

/** The next look, for pods that become available by time alone. */
export function lookAgainMs({ replicaSet, pods, nowMs }: ReplicaSetObserved): number | undefined {
  const waits = pods
    .filter(isActive)
    .flatMap((pod) => availableInMs(pod, replicaSet.spec?.minReadySeconds ?? 0, nowMs) ?? [])
  const next = Math.min(...waits.filter((ms) => ms > 0))
  return Number.isFinite(next) ? next : undefined
}

/** `failure`: why pods could not be created or removed, if so. */
export function replicaSetStatus(observed: ReplicaSetObserved, failure: string | undefined): ReplicaSetStatus {
  const { replicaSet, nowMs } = observed
  const active = observed.pods.filter(isActive)
  const labels = Object.entries(replicaSet.spec?.template?.metadata?.labels ?? {})
  const minReadySeconds = replicaSet.spec?.minReadySeconds ?? 0
  const fullyLabeled = (pod: Pod) => labels.every(([name, value]) => pod.metadata.labels?.[name] === value)
  const counters = {
    fullyLabeledReplicas: active.filter(fullyLabeled).length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: active.filter((pod) => (availableInMs(pod, minReadySeconds, nowMs) ?? 1) <= 0).length,
    observedGeneration: replicaSet.metadata.generation ?? 0,
  }
  const conditions = conditionsWith(observed, active.length, failure)
  return {
    replicas: active.length,
    // Without zeros, as the API server shows it.
    ...Object.fromEntries(Object.entries(counters).filter(([, count]) => count !== 0)),
    ...(conditions.length > 0 ? { conditions } : {}),
  }
}

/** A failure that is known already keeps its words. */
function conditionsWith(
  { replicaSet, nowMs }: ReplicaSetObserved,
  active: number,
  failure: string | undefined,
): ReplicaSetCondition[] {
  const before = replicaSet.status?.conditions ?? []
  const known = before.some((condition) => condition.type === 'ReplicaFailure')
  if (failure === undefined) return before.filter((condition) => condition.type !== 'ReplicaFailure')
  if (known) return before
  const reason = active < (replicaSet.spec?.replicas ?? 1) ? 'FailedCreate' : 'FailedDelete'
  const lastTransitionTime = timestamp(nowMs)
  return [...before, { type: 'ReplicaFailure', status: 'True', reason, message: failure, lastTransitionTime }]
}
