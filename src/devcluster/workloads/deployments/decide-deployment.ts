/** What a Deployment needs now: pure. */
import type { Deployment, ReplicaSet } from '../../../kube/object-types.ts'
import { type Condition, withCondition } from './conditions.ts'
import { absolute, type Generation, planRollout } from './rollout.ts'
import { hashLabel, templateHash } from './template-hash.ts'

export interface DeploymentObserved {
  readonly deployment: Deployment
  /** Those that it controls. */
  readonly replicaSets: readonly ReplicaSet[]
  /** Pods of each ReplicaSet (by uid) that still exist, those being deleted included. */
  readonly podCounts: ReadonlyMap<string, number>
  readonly nowMs: number
}
export interface DeploymentDecision {
  readonly create: ReplicaSet | undefined
  /** `revision`: the ReplicaSet of the present template gets it, when it had an older one. */
  readonly scale: readonly { readonly replicaSet: ReplicaSet; readonly replicas: number; readonly revision?: string }[]
  readonly remove: readonly ReplicaSet[]
  readonly status: DeploymentStatusFields
  readonly revision: string | undefined
}
export interface DeploymentStatusFields {
  readonly observedGeneration: number
  readonly replicas: number
  readonly updatedReplicas: number
  readonly readyReplicas: number
  readonly availableReplicas: number
  readonly unavailableReplicas: number
  readonly conditions: readonly Condition[]
}

export const revisionAnnotation = 'deployment.kubernetes.io/revision'

export function decideDeployment(observed: DeploymentObserved): DeploymentDecision {
  const { deployment, podCounts } = observed
  const hash = templateHash(deployment.spec?.template)
  const sets = [...observed.replicaSets].sort((a, b) => revisionOf(a) - revisionOf(b))
  const current = sets.find((set) => set.metadata.labels?.[hashLabel] === hash)
  const old = sets.filter((set) => set !== current)
  const newest = revisionOf(sets.at(-1))
  const revision = current && revisionOf(current) === newest ? newest : newest + 1
  const paused = deployment.spec?.paused === true
  const create = current || paused ? undefined : newReplicaSet(deployment, hash, revision)
  const oldPods = old.reduce((total, set) => total + (podCounts.get(set.metadata.uid ?? '') ?? 0), 0)
  const plan =
    current && !(paused && oldPods > 0) ? planRollout(rolloutInput(deployment, current, old, oldPods)) : new Map()
  const status = statusOf(observed, current ?? create, old)
  return {
    create,
    scale: sets.flatMap((replicaSet) => {
      const replicas = plan.get(replicaSet.metadata.name ?? '')
      if (replicas === undefined) return []
      const renewed = replicaSet === current && revisionOf(current) !== revision
      return [{ replicaSet, replicas, ...(renewed ? { revision: String(revision) } : {}) }]
    }),
    remove: outdated(deployment, old, podCounts),
    status,
    revision: current || create ? String(revision) : undefined,
  }
}

function rolloutInput(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[], oldPods: number) {
  const { strategy, replicas } = deployment.spec ?? {}
  const generation = (set: ReplicaSet): Generation => ({
    name: set.metadata.name ?? '',
    replicas: set.spec?.replicas ?? 0,
    available: Math.min(set.status?.availableReplicas ?? 0, set.spec?.replicas ?? 0),
  })
  return {
    strategy: strategy?.type === 'Recreate' ? ('Recreate' as const) : ('RollingUpdate' as const),
    desired: replicas ?? 1,
    maxSurge: strategy?.rollingUpdate?.maxSurge ?? '25%',
    maxUnavailable: strategy?.rollingUpdate?.maxUnavailable ?? '25%',
    current: generation(current),
    old: old.map(generation),
    oldPods,
  }
}

function newReplicaSet(deployment: Deployment, hash: string, revision: number): ReplicaSet {
  const { name = '', namespace, uid = '' } = deployment.metadata
  const { template, selector, minReadySeconds } = deployment.spec ?? {}
  const withHash = (labels: Record<string, string> | undefined) => ({ ...labels, [hashLabel]: hash })
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels: withHash(template?.metadata?.labels),
      annotations: { [revisionAnnotation]: String(revision) },
      ownerReferences: [
        {
          apiVersion: deployment.apiVersion,
          kind: deployment.kind,
          name,
          uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      // The rollout fills it: how many may exist depends on the older ones.
      replicas: 0,
      selector: { ...selector, matchLabels: withHash(selector?.matchLabels) },
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      template: { ...template, metadata: { ...template?.metadata, labels: withHash(template?.metadata?.labels) } },
    },
  }
}

function outdated(deployment: Deployment, old: readonly ReplicaSet[], podCounts: ReadonlyMap<string, number>) {
  const limit = deployment.spec?.revisionHistoryLimit ?? 10
  const empty = old.filter((set) => set.spec?.replicas === 0 && (podCounts.get(set.metadata.uid ?? '') ?? 0) === 0)
  return empty.slice(0, Math.max(0, old.length - limit))
}

function statusOf(observed: DeploymentObserved, current: ReplicaSet | undefined, old: readonly ReplicaSet[]) {
  const { deployment } = observed
  const all = current ? [...old, current] : old
  const total = (member: 'replicas' | 'readyReplicas' | 'availableReplicas') =>
    all.reduce((sum, set) => sum + (set.status?.[member] ?? 0), 0)
  const counts = {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: total('replicas'),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: total('readyReplicas'),
    availableReplicas: total('availableReplicas'),
    unavailableReplicas: Math.max(0, (deployment.spec?.replicas ?? 1) - total('availableReplicas')),
  }
  return { ...counts, conditions: conditionsOf(observed, current, counts) }
}

function conditionsOf(
  { deployment, nowMs }: DeploymentObserved,
  current: ReplicaSet | undefined,
  counts: Omit<DeploymentStatusFields, 'conditions'>,
): Condition[] {
  const desired = deployment.spec?.replicas ?? 1
  const { maxUnavailable = '25%' } = deployment.spec?.strategy?.rollingUpdate ?? {}
  const bearable = deployment.spec?.strategy?.type === 'Recreate' ? 0 : absolute(maxUnavailable, desired, Math.floor)
  const available = counts.availableReplicas >= desired - bearable
  const before = (deployment.status?.conditions ?? []).map((condition) => ({
    ...condition,
    lastTransitionTime: condition.lastTransitionTime ? String(condition.lastTransitionTime) : undefined,
    lastUpdateTime: condition.lastUpdateTime ? String(condition.lastUpdateTime) : undefined,
  }))
  const failure = current?.status?.conditions?.find((condition) => condition.type === 'ReplicaFailure')
  const kept = before.filter((condition) => condition.type !== 'ReplicaFailure')
  let conditions = withCondition(
    kept,
    available
      ? {
          type: 'Available',
          status: 'True',
          reason: 'MinimumReplicasAvailable',
          message: 'Deployment has minimum availability.',
        }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
    nowMs,
  )
  conditions = withCondition(conditions, progress(deployment, current, counts, nowMs), nowMs)
  if (!failure) return conditions
  const { type, status, reason, message } = failure
  const old = before.filter((condition) => condition.type === 'ReplicaFailure')
  return withCondition([...conditions, ...old], { type, status, reason, message }, nowMs)
}

function progress(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  counts: Omit<DeploymentStatusFields, 'conditions'>,
  nowMs: number,
): Condition {
  const desired = deployment.spec?.replicas ?? 1
  const name = current?.metadata.name ?? ''
  const done = counts.updatedReplicas === desired && counts.replicas === desired && counts.availableReplicas >= desired
  const say = (status: string, reason: string, message: string) => ({ type: 'Progressing', status, reason, message })
  if (done) return say('True', 'NewReplicaSetAvailable', `ReplicaSet "${name}" has successfully progressed.`)
  const before = deployment.status?.conditions?.find((condition) => condition.type === 'Progressing')
  const seconds = deployment.spec?.progressDeadlineSeconds ?? 600
  const since = before?.lastUpdateTime ? Date.parse(String(before.lastUpdateTime)) : nowMs
  // The words carry the counts' sum, so that each step of progress moves the time of the last update.
  const advance = `${counts.updatedReplicas}/${desired} updated, ${counts.availableReplicas} available`
  const message = `ReplicaSet "${name}" is progressing: ${advance}.`
  const stuck = before?.reason === 'ProgressDeadlineExceeded' || before?.message === message
  if (stuck && (before.reason === 'ProgressDeadlineExceeded' || nowMs - since > seconds * 1000)) {
    const sameTemplate = before.message?.includes(name) === true
    if (sameTemplate) return say('False', 'ProgressDeadlineExceeded', `ReplicaSet "${name}" has timed out progressing.`)
  }
  return say('True', 'ReplicaSetUpdated', message)
}

const revisionOf = (set: ReplicaSet | undefined) => Number(set?.metadata.annotations?.[revisionAnnotation] ?? 0)
