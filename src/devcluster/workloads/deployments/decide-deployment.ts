/** What a Deployment needs now: pure. */
import type { DeploymentCondition, DeploymentStatus } from 'kubernetes-types/apps/v1.d.ts'
import type { Deployment, Pod, ReplicaSet } from '../../../kube/object-types.ts'
import { sameJson } from '../control/json-equal.ts'
import { hasEnded } from '../control/pod-state.ts'
import {
  condition,
  conditionOf,
  countedStatus,
  deadlineCheckMs,
  hasDeadline,
  isComplete,
  rolloutStatus,
  withCondition,
} from './deployment-status.ts'
import { type SizedGeneration, scaleProportionally } from './proportional.ts'
import {
  byAge,
  currentAnnotations,
  currentOf,
  desiredAnnotation,
  maxAnnotation,
  newReplicaSet,
  revisionAnnotation,
  revisionOf,
  sizeAnnotations,
} from './revisions.ts'
import { planRollout, sharesOf } from './rollout.ts'

export interface DeploymentObserved {
  readonly deployment: Deployment
  /** Those that it controls. */
  readonly replicaSets: readonly ReplicaSet[]
  /** Those that they control, whatever their state. */
  readonly pods: readonly Pod[]
  readonly nowMs: number
}
export interface DeploymentDecision {
  readonly create: ReplicaSet | undefined
  readonly update: readonly { readonly before: ReplicaSet; readonly after: ReplicaSet }[]
  readonly remove: readonly ReplicaSet[]
  readonly status: DeploymentStatus
  /** The Deployment's revision from now on. */
  readonly revision: string | undefined
  readonly lookAgainMs: number | undefined
}

/** name -> replicas. */
type Sizes = ReadonlyMap<string, number>
const unchanged: Sizes = new Map()

interface View extends DeploymentObserved {
  /** The ReplicaSet of the present template, when there is one. */
  readonly current: ReplicaSet | undefined
  /** Oldest first. */
  readonly old: readonly ReplicaSet[]
  readonly conditions: readonly DeploymentCondition[]
}

export function decideDeployment(observed: DeploymentObserved): DeploymentDecision {
  const { deployment, nowMs } = observed
  const current = currentOf(deployment, observed.replicaSets)
  const old = observed.replicaSets.filter((set) => set !== current).sort(byAge)
  const view: View = { ...observed, current, old, conditions: [...(deployment.status?.conditions ?? [])] }
  if (deployment.metadata.deletionTimestamp) return steady(view, unchanged, [])
  const told = withPause(view)
  if (deployment.spec?.paused) return steady(told, scaled(told), outdated(told))
  const found = withFound(told)
  if (isScaling(found)) return steady(found, scaled(found), [])
  const recreate = deployment.spec?.strategy?.type === 'Recreate'
  if (recreate && hasOldPods(found)) return rolling(found, new Map(old.map((set) => [nameOf(set), 0])))
  if (current) return rolling(found, recreate ? new Map([[nameOf(current), wantedOf(deployment)]]) : rolledOut(found))
  const fresh = newReplicaSet(deployment, old)
  const created: View = {
    ...found,
    current: fresh,
    conditions: hasDeadline(deployment)
      ? withCondition(
          found.conditions,
          condition('Progressing', 'True', 'NewReplicaSetCreated', `Created new replica set "${nameOf(fresh)}"`),
          nowMs,
        )
      : found.conditions,
  }
  return rolling(created, recreate ? new Map([[nameOf(fresh), wantedOf(deployment)]]) : rolledOut(created))
}

/** Nothing rolls out: only counters are written. */
function steady(view: View, sizes: Sizes, remove: readonly ReplicaSet[]): DeploymentDecision {
  return decision(view, sizes, remove, countedStatus)
}

function rolling(view: View, sizes: Sizes): DeploymentDecision {
  const complete = isComplete(view.deployment, view.deployment.status ?? {})
  return decision(view, sizes, complete ? outdated(view) : [], rolloutStatus)
}

function decision(
  view: View,
  sizes: Sizes,
  remove: readonly ReplicaSet[],
  statusOf: typeof countedStatus,
): DeploymentDecision {
  const { deployment, current, old, conditions, nowMs, replicaSets } = view
  const sets = current ? [...old, current] : old
  const sized = sets.map((set) => ({ before: set, after: rewritten(view, set, sizes) }))
  const isNew = current !== undefined && !replicaSets.includes(current)
  const wanted = sized.reduce((total, { after }) => total + (after.spec?.replicas ?? 0), 0)
  const status = statusOf({ deployment, sets, current, conditions, wanted, nowMs })
  const present = sized.find(({ before }) => before === current)?.after
  return {
    create: isNew ? present : undefined,
    update: sized.filter(({ before, after }) => replicaSets.includes(before) && !sameJson(before, after)),
    remove,
    status,
    revision: present?.metadata.annotations?.[revisionAnnotation],
    lookAgainMs: deployment.spec?.paused ? undefined : deadlineCheckMs(deployment, status, nowMs),
  }
}

/** The ReplicaSet as it is to be: of another size, with the annotations of its place. */
function rewritten(view: View, set: ReplicaSet, sizes: Sizes): ReplicaSet {
  const { deployment, current, old } = view
  if (deployment.metadata.deletionTimestamp) return set
  const size = sizes.get(nameOf(set)) ?? set.spec?.replicas ?? 0
  const resized = sizes.has(nameOf(set)) && (size !== (set.spec?.replicas ?? 0) || isScaling(view))
  const annotations = {
    ...(set === current ? currentAnnotations(deployment, set, old) : set.metadata.annotations),
    ...(resized ? sizeAnnotations(deployment) : {}),
  }
  const spec = set.spec && {
    ...set.spec,
    replicas: size,
    ...(set === current && (set.spec.minReadySeconds ?? 0) !== (deployment.spec?.minReadySeconds ?? 0)
      ? { minReadySeconds: deployment.spec?.minReadySeconds ?? 0 }
      : {}),
  }
  const metadata = Object.keys(annotations).length > 0 ? { ...set.metadata, annotations } : set.metadata
  return { ...set, metadata, ...(spec ? { spec } : {}) }
}

/** A pause stops the clock of the rollout; a rollout that was too late already stays so. */
function withPause(view: View): View {
  const { deployment, nowMs } = view
  const progressing = conditionOf(view.conditions, 'Progressing')
  if (!hasDeadline(deployment) || progressing?.reason === 'ProgressDeadlineExceeded') return view
  const known = progressing?.reason === 'DeploymentPaused'
  const paused = deployment.spec?.paused === true
  if (paused === known) return view
  const next = paused
    ? condition('Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused')
    : condition('Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed')
  return { ...view, conditions: withCondition(view.conditions, next, nowMs) }
}

function withFound(view: View): View {
  const { deployment, current, nowMs } = view
  if (!current || !hasDeadline(deployment) || conditionOf(view.conditions, 'Progressing')) return view
  const words = `Found new replica set "${nameOf(current)}"`
  const next = condition('Progressing', 'True', 'FoundNewReplicaSet', words)
  return { ...view, conditions: withCondition(view.conditions, next, nowMs) }
}

const nameOf = (set: ReplicaSet) => set.metadata.name ?? ''
const wantedOf = (deployment: Deployment) => deployment.spec?.replicas ?? 1
const hasPods = (set: ReplicaSet) => (set.spec?.replicas ?? 0) > 0
const all = ({ current, old }: View) => (current ? [...old, current] : [...old])

/** The ReplicaSets remember for which size of the Deployment they were made. */
function isScaling(view: View): boolean {
  return all(view)
    .filter(hasPods)
    .some((set) => {
      const desired = set.metadata.annotations?.[desiredAnnotation]
      return desired !== undefined && /^\d+$/.test(desired) && Number(desired) !== wantedOf(view.deployment)
    })
}

function scaled(view: View): Sizes {
  const { deployment, current, old } = view
  const desired = wantedOf(deployment)
  const active = all(view).filter(hasPods)
  if (active.length <= 1) {
    const only = active[0] ?? current ?? old.at(-1)
    return only ? new Map([[nameOf(only), desired]]) : unchanged
  }
  const saturated =
    current?.spec?.replicas === desired &&
    current.metadata.annotations?.[desiredAnnotation] === String(desired) &&
    current.status?.availableReplicas === desired
  if (saturated) return new Map(old.filter(hasPods).map((set) => [nameOf(set), 0]))
  if (deployment.spec?.strategy?.type === 'Recreate') return unchanged
  const generations = active.map(
    (set): SizedGeneration => ({
      name: nameOf(set),
      replicas: set.spec?.replicas ?? 0,
      maxBefore: Number(set.metadata.annotations?.[maxAnnotation]) || (deployment.status?.replicas ?? 0),
      createdAt: set.metadata.creationTimestamp ?? '',
    }),
  )
  return scaleProportionally({ ...sharesOf(deployment), generations })
}

function rolledOut({ deployment, current, old }: View): Sizes {
  if (!current) return unchanged
  const generation = (set: ReplicaSet) => ({
    name: nameOf(set),
    replicas: set.spec?.replicas ?? 0,
    available: Math.min(set.status?.availableReplicas ?? 0, set.spec?.replicas ?? 0),
  })
  return planRollout({ ...sharesOf(deployment), current: generation(current), old: old.map(generation) })
}

/** Recreate waits until the last of them has ended. */
function hasOldPods({ old, pods }: View): boolean {
  const uids = new Set(old.map((set) => set.metadata.uid))
  return (
    old.some((set) => hasPods(set) || (set.status?.replicas ?? 0) > 0) ||
    pods.some((pod) => !hasEnded(pod) && pod.metadata.ownerReferences?.some(({ uid }) => uids.has(uid)))
  )
}

/** Old ReplicaSets beyond the history that is kept; those with pods stay. */
function outdated({ deployment, old }: View): ReplicaSet[] {
  const alive = old.filter((set) => !set.metadata.deletionTimestamp)
  const surplus = alive.length - (deployment.spec?.revisionHistoryLimit ?? 10)
  const empty = (set: ReplicaSet) =>
    !hasPods(set) &&
    (set.status?.replicas ?? 0) === 0 &&
    (set.metadata.generation ?? 0) <= (set.status?.observedGeneration ?? 0)
  return [...alive]
    .sort((a, b) => revisionOf(a) - revisionOf(b) || byAge(a, b))
    .slice(0, Math.max(0, surplus))
    .filter(empty)
}
