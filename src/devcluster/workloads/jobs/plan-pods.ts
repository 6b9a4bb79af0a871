/** Which pods a Job that goes on needs more or less of (pkg/controller/job manageJob). Pure. */
import type { Job, Pod } from '../../../kube/object-types.ts'
import { leastWorthFirst } from '../control/pod-state.ts'
import { waitMs } from './backoff.ts'
import type { Evaluation } from './evaluate-job.ts'
import { judgeFailure } from './failure-policy.ts'
import { failuresBefore, finishedAtMs, indexOf, isIndexed, podForJob, replacesOnlyFailed } from './job-pods.ts'

export interface PodPlan {
  readonly create: readonly Pod[]
  readonly remove: readonly Pod[]
  /** Pods are missing but the last one failed a moment ago. */
  readonly waitMs: number | undefined
}

/** Of one look, as in Kubernetes. */
const burst = 500

export function planPods(job: Job, evaluation: Evaluation, nowMs: number): PodPlan {
  const { active, terminating } = evaluation
  if (job.metadata.deletionTimestamp) return { create: [], remove: [], waitMs: undefined }
  const wanted = job.spec?.suspend ? 0 : wantedActive(job, evaluation)
  const remove = surplus(job, active, active.length - wanted)
  if (remove.length > 0 || job.spec?.suspend) return { create: [], remove: remove.slice(0, burst), waitMs: undefined }
  const waiting = replacesOnlyFailed(job) ? terminating.length : 0
  const missing = Math.min(wanted - waiting - active.length, burst)
  if (missing <= 0) return { create: [], remove: [], waitMs: undefined }
  return isIndexed(job) ? planIndexes(job, evaluation, missing, nowMs) : planAny(job, evaluation, missing, nowMs)
}

function wantedActive({ spec }: Job, { active, succeeded }: Evaluation): number {
  const parallelism = spec?.parallelism ?? 1
  // One success is enough; those that run may go on.
  if (spec?.completions === undefined) return succeeded > 0 ? active.length : parallelism
  return Math.max(0, Math.min(spec.completions - succeeded, parallelism))
}

function planAny(job: Job, { backoff }: Evaluation, missing: number, nowMs: number): PodPlan {
  const ms = waitMs(backoff, nowMs)
  if (ms > 0) return { create: [], remove: [], waitMs: ms }
  const create = Array.from({ length: missing }, () => podForJob(job, undefined))
  return { create, remove: [], waitMs: undefined }
}

function planIndexes(job: Job, evaluation: Evaluation, missing: number, nowMs: number): PodPlan {
  const { backoff, replaced, failedIndexes } = evaluation
  const pending = pendingIndexes(job, evaluation, missing)
  if (!failedIndexes) {
    const ms = waitMs(backoff, nowMs)
    if (ms > 0) return { create: [], remove: [], waitMs: ms }
    return { create: pending.map((index) => podForJob(job, index)), remove: [], waitMs: undefined }
  }
  const waits = pending.map((index) => ({ index, ms: waitOf(replaced.get(index), nowMs) }))
  const now = waits.filter(({ ms }) => ms === 0)
  const create = now.map(({ index }) => podForJob(job, index, failuresWith(job, replaced.get(index))))
  const later = Math.min(...waits.filter(({ ms }) => ms > 0).map(({ ms }) => ms))
  return { create, remove: [], waitMs: Number.isFinite(later) ? later : undefined }
}

function waitOf(last: Pod | undefined, nowMs: number): number {
  if (!last) return 0
  const { counted, ignored } = failuresBefore(last)
  return waitMs({ failures: counted + ignored + 1, lastFailureMs: finishedAtMs(last) }, nowMs)
}

function failuresWith(job: Job, last: Pod | undefined) {
  const before = failuresBefore(last)
  if (!last) return before
  const { counts } = judgeFailure(job.spec?.podFailurePolicy, last)
  return counts ? { ...before, counted: before.counted + 1 } : { ...before, ignored: before.ignored + 1 }
}

/** The first ones that are neither done nor under way. */
function pendingIndexes(job: Job, evaluation: Evaluation, count: number): number[] {
  const { succeededIndexes, failedIndexes, active, terminating } = evaluation
  const busy = [...active, ...(replacesOnlyFailed(job) ? terminating : [])].map((pod) => indexOf(pod, job))
  const taken = new Set<number | undefined>([...succeededIndexes, ...(failedIndexes ?? []), ...busy])
  const out: number[] = []
  for (let index = 0; index < (job.spec?.completions ?? 0) && out.length < count; index++)
    if (!taken.has(index)) out.push(index)
  return out
}

/** Pods of an index that there is not or that another pod has, and then as many as are too many. */
function surplus(job: Job, active: readonly Pod[], tooMany: number): Pod[] {
  const remove: Pod[] = []
  let left = [...active]
  if (isIndexed(job)) {
    const best = new Map<number, Pod>()
    // The last one of an index in this order is the best.
    for (const pod of leastWorthFirst(active)) {
      const index = indexOf(pod, job)
      const worse = index === undefined ? pod : best.get(index)
      if (worse) remove.push(worse)
      if (index !== undefined) best.set(index, pod)
    }
    left = left.filter((pod) => !remove.includes(pod))
  }
  return [...remove, ...leastWorthFirst(left).slice(0, Math.max(0, tooMany - remove.length))]
}
