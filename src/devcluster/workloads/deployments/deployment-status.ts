/** A Deployment's status and how far its rollout is (pkg/controller/deployment/progress.go). */
import type { DeploymentCondition, DeploymentStatus } from 'kubernetes-types/apps/v1.d.ts'
import type { Deployment, ReplicaSet } from '../../../kube/object-types.ts'
import { timestamp } from '../control/timestamp.ts'
import { sharesOf } from './rollout.ts'

/** Kubernetes' "never". */
const never = 2_147_483_647

export interface StatusInput {
  readonly deployment: Deployment
  /** The present one among them. */
  readonly sets: readonly ReplicaSet[]
  readonly current: ReplicaSet | undefined
  /** What has been found out in this look already. */
  readonly conditions: readonly DeploymentCondition[]
  /** How many pods all ReplicaSets are to have. */
  readonly wanted: number
  readonly nowMs: number
}

/** The counters, and whether enough pods work. Without the members that are zero, as the API server shows it. */
export function countedStatus(input: StatusInput): DeploymentStatus {
  const { deployment, sets, current, wanted, nowMs } = input
  const total = (member: 'replicas' | 'readyReplicas' | 'availableReplicas') =>
    sets.reduce((sum, set) => sum + (set.status?.[member] ?? 0), 0)
  const availableReplicas = total('availableReplicas')
  const { desired, maxUnavailable } = sharesOf(deployment)
  const enough = availableReplicas >= desired - maxUnavailable
  const conditions = withCondition(
    input.conditions,
    enough
      ? condition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.')
      : condition('Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.'),
    nowMs,
  )
  const counters = {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: total('replicas'),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: total('readyReplicas'),
    availableReplicas,
    unavailableReplicas: Math.max(0, wanted - availableReplicas),
  }
  const { collisionCount } = deployment.status ?? {}
  return {
    ...Object.fromEntries(Object.entries(counters).filter(([, count]) => count !== 0)),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions,
  }
}

/** Of a rollout under way: how it goes, and what keeps pods from being made. */
export function rolloutStatus(input: StatusInput): DeploymentStatus {
  const { deployment, sets, current, nowMs } = input
  const status = countedStatus(input)
  let conditions = status.conditions ?? []
  const before = conditionOf(input.conditions, 'Progressing')
  const over = (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && before?.reason === 'NewReplicaSetAvailable'
  if (!hasDeadline(deployment)) conditions = without(conditions, 'Progressing')
  else if (!over) conditions = withProgress(input, status, conditions, before)
  const failure = [current, ...sets]
    .flatMap((set) => set?.status?.conditions ?? [])
    .find((found) => found.type === 'ReplicaFailure')
  if (!failure) return { ...status, conditions: without(conditions, 'ReplicaFailure') }
  const { status: state, reason = '', message = '' } = failure
  return {
    ...status,
    conditions: withCondition(conditions, condition('ReplicaFailure', state, reason, message), nowMs),
  }
}

function withProgress(
  { deployment, current, nowMs }: StatusInput,
  status: DeploymentStatus,
  conditions: readonly DeploymentCondition[],
  before: DeploymentCondition | undefined,
): DeploymentCondition[] {
  const who = current ? `ReplicaSet "${current.metadata.name}"` : `Deployment "${deployment.metadata.name}"`
  const say = (state: string, reason: string, what: string) => condition('Progressing', state, reason, `${who} ${what}`)
  if (isComplete(deployment, status))
    return withCondition(conditions, say('True', 'NewReplicaSetAvailable', 'has successfully progressed.'), nowMs)
  if (progressed(deployment.status ?? {}, status)) {
    const now = timestamp(nowMs)
    const since = before?.status === 'True' ? (before.lastTransitionTime ?? now) : now
    const next = say('True', 'ReplicaSetUpdated', 'is progressing.')
    // Each step counts as news, even when the words are the same.
    return [...without(conditions, 'Progressing'), { ...next, lastUpdateTime: now, lastTransitionTime: since }]
  }
  if (isTimedOut(deployment, before, nowMs))
    return withCondition(conditions, say('False', 'ProgressDeadlineExceeded', 'has timed out progressing.'), nowMs)
  return [...conditions]
}

export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const desired = deployment.spec?.replicas ?? 1
  return (
    (status.updatedReplicas ?? 0) === desired &&
    (status.replicas ?? 0) === desired &&
    (status.availableReplicas ?? 0) === desired &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  )
}

function progressed(before: DeploymentStatus, now: DeploymentStatus): boolean {
  const old = ({ replicas = 0, updatedReplicas = 0 }: DeploymentStatus) => replicas - updatedReplicas
  const more = (member: 'updatedReplicas' | 'readyReplicas' | 'availableReplicas') =>
    (now[member] ?? 0) > (before[member] ?? 0)
  return more('updatedReplicas') || old(now) < old(before) || more('readyReplicas') || more('availableReplicas')
}

function isTimedOut(deployment: Deployment, before: DeploymentCondition | undefined, nowMs: number): boolean {
  if (!before || before.reason === 'NewReplicaSetAvailable') return false
  return before.reason === 'ProgressDeadlineExceeded' || dueMs(deployment, before) < nowMs
}

const dueMs = (deployment: Deployment, progressing: DeploymentCondition) =>
  Date.parse(progressing.lastUpdateTime ?? '') + (deployment.spec?.progressDeadlineSeconds ?? 600) * 1000

/** When to look whether the rollout is stuck; undefined: it cannot be. */
export function deadlineCheckMs(deployment: Deployment, status: DeploymentStatus, nowMs: number): number | undefined {
  const progressing = conditionOf(status.conditions ?? [], 'Progressing')
  if (!hasDeadline(deployment) || !progressing || isComplete(deployment, status)) return undefined
  // Neither changes by time: a finished rollout whose pods fail later is not late.
  if (['ProgressDeadlineExceeded', 'NewReplicaSetAvailable'].includes(progressing.reason ?? '')) return undefined
  // A second more: times in conditions are whole seconds.
  return Math.max(0, dueMs(deployment, progressing) - nowMs) + 1000
}

export function hasDeadline({ spec }: Deployment): boolean {
  return spec?.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds !== never
}

export const condition = (type: string, status: string, reason: string, message: string): DeploymentCondition => ({
  type,
  status,
  reason,
  message,
})

export const conditionOf = (conditions: readonly DeploymentCondition[], type: string) =>
  conditions.find((found) => found.type === type)

const without = (conditions: readonly DeploymentCondition[], type: string) =>
  conditions.filter((found) => found.type !== type)

/** One that says the same already stays as it is; otherwise it goes to the end, with a new time when its status moved. */
export function withCondition(
  conditions: readonly DeploymentCondition[],
  next: DeploymentCondition,
  nowMs: number,
): DeploymentCondition[] {
  const before = conditionOf(conditions, next.type)
  if (before && before.status === next.status && before.reason === next.reason) return [...conditions]
  const now = timestamp(nowMs)
  const since = before?.status === next.status ? (before.lastTransitionTime ?? now) : now
  return [...without(conditions, next.type), { ...next, lastUpdateTime: now, lastTransitionTime: since }]
}
