/**
 * Counts every pod of a Job exactly once (kubernetes.io, "Job termination and cleanup", KEP 2307): first its uid goes into the
 * status, then the pod loses its finalizer, then it is a number. Pure.
 */
import type { JobCondition, JobStatus } from 'kubernetes-types/batch/v1.d.ts'
import type { Job, Pod } from '../../../kube/object-types.ts'
import { timestamp } from '../control/timestamp.ts'
import type { Ending, Evaluation } from './evaluate-job.ts'
import { judgeFailure } from './failure-policy.ts'
import { formatIndexes } from './indexes.ts'
import { hasFailed, indexOf, isIndexed, isTracked } from './job-pods.ts'

export interface Counts {
  readonly active: number
  readonly ready: number
  readonly terminating: number
}
export interface TrackInput {
  readonly job: Job
  readonly pods: readonly Pod[]
  readonly evaluation: Evaluation
  /** Undefined: it goes on. */
  readonly ending: Ending | undefined
  readonly counts: Counts
  readonly conditions: readonly JobCondition[]
  readonly startTime: string | undefined
  readonly nowMs: number
}
export interface Tracked {
  /** To be written before the finalizers go. */
  readonly status: JobStatus
  readonly release: readonly Pod[]
  /** What the Job becomes when nothing is left to be counted; undefined: it goes on, or pods are left for the next look. */
  readonly final: Ending | undefined
}

/** More in one look would make the status too large. */
const maxUncounted = 500

export function trackJob(input: TrackInput): Tracked {
  const { job, pods, evaluation, ending, conditions, counts, startTime, nowMs } = input
  const held = new Set(pods.filter(isTracked).map((pod) => pod.metadata.uid ?? ''))
  const { succeeded, failed, release, all } = countPods(input, held)
  const uncounted = { ...(succeeded.length > 0 ? { succeeded } : {}), ...(failed.length > 0 ? { failed } : {}) }
  const status: JobStatus = withoutZeros({
    ...settled(job.status ?? {}, held),
    ...counts,
    ...(startTime === undefined ? {} : { startTime }),
    ...indexFields(job, evaluation),
    uncountedTerminatedPods: uncounted,
    conditions: withInterim(conditions, ending, nowMs),
  })
  // Pods that this look had no room for would never be counted, nor lose their finalizers.
  return { status, release, final: all ? finalOf(ending) : undefined }
}

/** The uids to be counted, those of an earlier look among them. */
function countPods(input: TrackInput, held: ReadonlySet<string>) {
  const { job, pods } = input
  const before = job.status?.uncountedTerminatedPods
  const succeeded = new Set((before?.succeeded ?? []).filter((uid) => held.has(uid)))
  const failed = new Set((before?.failed ?? []).filter((uid) => held.has(uid)))
  const ready = pods.filter((candidate) => isTracked(candidate) && mayRelease(input, candidate))
  const release = ready.slice(0, maxUncounted)
  for (const pod of release) {
    const uid = pod.metadata.uid ?? ''
    // An Indexed Job counts indexes instead.
    if (pod.status?.phase === 'Succeeded' && !failed.has(uid)) {
      if (!isIndexed(job)) succeeded.add(uid)
    } else if (countsAsFailed(input, pod)) failed.add(uid)
  }
  return { succeeded: [...succeeded], failed: [...failed], release, all: release.length === ready.length }
}

/** Uids whose pods have lost their finalizer become numbers. */
export function settled(status: JobStatus, held: ReadonlySet<string>): JobStatus {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {}
  const gone = (uids: readonly string[]) => uids.filter((uid) => !held.has(uid)).length
  const left = { succeeded: succeeded.filter((uid) => held.has(uid)), failed: failed.filter((uid) => held.has(uid)) }
  return withoutZeros({
    ...status,
    succeeded: (status.succeeded ?? 0) + gone(succeeded),
    failed: (status.failed ?? 0) + gone(failed),
    uncountedTerminatedPods: {
      ...(left.succeeded.length > 0 ? { succeeded: left.succeeded } : {}),
      ...(left.failed.length > 0 ? { failed: left.failed } : {}),
    },
  })
}

/** The status of the end, when it has come. */
export function finished(status: JobStatus, final: Ending | undefined, nowMs: number): JobStatus | undefined {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {}
  if (!final || succeeded.length + failed.length > 0 || (status.terminating ?? 0) > 0) return undefined
  const conditions = withJobCondition(status.conditions ?? [], { ...final, status: 'True' }, nowMs)
  return { ...status, conditions, ...(final.type === 'Complete' ? { completionTime: timestamp(nowMs) } : {}) }
}

function mayRelease({ job, evaluation, ending }: TrackInput, pod: Pod): boolean {
  if (job.metadata.deletionTimestamp || ending || pod.status?.phase === 'Succeeded') return true
  if (!hasFailed(pod, job)) return false
  const index = indexOf(pod, job)
  return index === undefined || evaluation.replaced.get(index)?.metadata.uid !== pod.metadata.uid
}

/** When a Job ends otherwise than well, each pod that has not ended has failed. */
function countsAsFailed({ job, ending }: TrackInput, pod: Pod): boolean {
  const lost = ending !== undefined && ending.type !== 'SuccessCriteriaMet'
  if (!hasFailed(pod, job) && !lost) return false
  if (isIndexed(job) && indexOf(pod, job) === undefined) return false
  return judgeFailure(job.spec?.podFailurePolicy, pod).counts
}

function indexFields(job: Job, { succeededIndexes, failedIndexes }: Evaluation) {
  if (!isIndexed(job)) return {}
  const completedIndexes = formatIndexes(succeededIndexes)
  return {
    succeeded: succeededIndexes.size,
    completedIndexes: completedIndexes === '' ? undefined : completedIndexes,
    ...(failedIndexes ? { failedIndexes: formatIndexes(failedIndexes) } : {}),
  }
}

/** What is known before all pods are counted. */
function withInterim(conditions: readonly JobCondition[], ending: Ending | undefined, nowMs: number): JobCondition[] {
  const interim = ending?.type === 'FailureTarget' || ending?.type === 'SuccessCriteriaMet'
  if (!interim || conditions.some(({ type, status }) => type === ending.type && status === 'True'))
    return [...conditions]
  return withJobCondition(conditions, { ...ending, status: 'True' }, nowMs)
}

function finalOf(ending: Ending | undefined): Ending | undefined {
  if (ending?.type === 'FailureTarget') return { ...ending, type: 'Failed' }
  return ending?.type === 'SuccessCriteriaMet' ? { ...ending, type: 'Complete' } : ending
}

/** One that says the same stays as it is; one that was never there does not become false. */
export function withJobCondition(
  conditions: readonly JobCondition[],
  next: JobCondition,
  nowMs: number,
): JobCondition[] {
  const before = conditions.find(({ type }) => type === next.type)
  const now = timestamp(nowMs)
  const entry = { ...next, lastProbeTime: now, lastTransitionTime: now }
  if (!before) return next.status === 'False' ? [...conditions] : [...conditions, entry]
  const same = before.status === next.status && before.reason === next.reason && before.message === next.message
  return same ? [...conditions] : conditions.map((condition) => (condition === before ? entry : condition))
}

/** The counters that the API server leaves out when they are zero. */
function withoutZeros(status: JobStatus): JobStatus {
  const out: JobStatus = { ...status }
  for (const member of ['active', 'succeeded', 'failed'] as const) if (out[member] === 0) delete out[member]
  if (out.completedIndexes === undefined) delete out.completedIndexes
  if (out.conditions?.length === 0) delete out.conditions
  return out
}
