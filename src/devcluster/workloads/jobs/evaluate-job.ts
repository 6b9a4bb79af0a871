/** Where a Job stands: what has ended since the last look, and whether it is over (pkg/controller/job syncJob). Pure. */
import type { SuccessPolicy } from 'kubernetes-types/batch/v1.d.ts'
import type { Job, Pod } from '../../../kube/object-types.ts'
import { isActive, isTerminating } from '../control/pod-state.ts'
import { type Backoff, backoffAfter } from './backoff.ts'
import { judgeFailure } from './failure-policy.ts'
import { countNamed, parseIndexes } from './indexes.ts'
import { failuresBefore, finishedAtMs, hasFailed, indexOf, isIndexed, isTracked } from './job-pods.ts'

export interface JobObserved {
  readonly job: Job
  /** Those that it controls. */
  readonly pods: readonly Pod[]
  readonly backoff: Backoff
  readonly nowMs: number
}
/** A condition that is to become true. */
export interface Ending {
  readonly type: 'FailureTarget' | 'Failed' | 'SuccessCriteriaMet' | 'Complete'
  readonly reason: string
  readonly message: string
}
export interface Evaluation {
  readonly ending: Ending | undefined
  readonly active: readonly Pod[]
  readonly terminating: readonly Pod[]
  /** All of them, not only those of this look. */
  readonly succeeded: number
  readonly backoff: Backoff
  /** Of an Indexed Job. */
  readonly succeededIndexes: ReadonlySet<number>
  /** Undefined: failures are not counted for each index. */
  readonly failedIndexes: ReadonlySet<number> | undefined
  /** Failed pods that stay until the next one of their index has been made: it gets their count. */
  readonly replaced: ReadonlyMap<number, Pod>
  /** When its time is over. */
  readonly deadlineMs: number | undefined
}

export function evaluateJob(observed: JobObserved): Evaluation {
  const { job, pods, nowMs } = observed
  const { spec, status } = job
  const uncounted = status?.uncountedTerminatedPods
  const counted = new Set([...(uncounted?.succeeded ?? []), ...(uncounted?.failed ?? [])])
  const valid = pods.filter((pod) => isTracked(pod) && (!isIndexed(job) || indexOf(pod, job) !== undefined))
  const fresh = valid.filter((pod) => !counted.has(pod.metadata.uid ?? ''))
  const newSucceeded = fresh.filter((pod) => pod.status?.phase === 'Succeeded')
  const newFailed = fresh.filter((pod) => hasFailed(pod, job))
  const failures = newFailed.filter((pod) => judgeFailure(spec?.podFailurePolicy, pod).counts).length
  const failed = (status?.failed ?? 0) + failures + (uncounted?.failed ?? []).length
  const active = pods.filter(isActive)
  const indexes = indexesOf(job, valid)
  const startMs = status?.startTime ? Date.parse(status.startTime) : nowMs
  const limit = spec?.activeDeadlineSeconds
  const deadlineMs = limit === undefined || spec?.suspend ? undefined : startMs + limit * 1000
  const ending =
    knownEnding(job) ??
    policyEnding(job, pods) ??
    limitEnding(observed, failed, deadlineMs) ??
    (isIndexed(job) ? indexEnding(job, indexes.succeeded, indexes.failed) : undefined)
  return {
    ending,
    active,
    terminating: pods.filter(isTerminating),
    succeeded: isIndexed(job)
      ? indexes.succeeded.size
      : (status?.succeeded ?? 0) + newSucceeded.length + (uncounted?.succeeded ?? []).length,
    backoff: backoffAfter(observed.backoff, newSucceeded, newFailed),
    succeededIndexes: indexes.succeeded,
    failedIndexes: indexes.failed,
    replaced: indexes.failed ? replacedPods(job, valid, active, indexes.succeeded, indexes.failed) : new Map(),
    deadlineMs,
  }
}

const isTrue = (job: Job, type: string) =>
  job.status?.conditions?.find((condition) => condition.type === type && condition.status === 'True')

/** What an earlier look has found out stays. */
function knownEnding(job: Job): Ending | undefined {
  const met = isTrue(job, 'SuccessCriteriaMet')
  const { reason = '', message = '' } = met ?? isTrue(job, 'FailureTarget') ?? {}
  if (met) return { type: 'SuccessCriteriaMet', reason, message }
  return isTrue(job, 'FailureTarget') && { type: 'Failed', reason, message }
}

const failing = (reason: string, message: string): Ending => ({ type: 'FailureTarget', reason, message })

function policyEnding(job: Job, pods: readonly Pod[]): Ending | undefined {
  for (const pod of pods.filter((candidate) => hasFailed(candidate, job))) {
    const { failJob } = judgeFailure(job.spec?.podFailurePolicy, pod)
    if (failJob !== undefined) return failing('PodFailurePolicy', failJob)
  }
  return undefined
}

function limitEnding(
  { job, pods, nowMs }: JobObserved,
  failed: number,
  deadlineMs: number | undefined,
): Ending | undefined {
  const limit = job.spec?.backoffLimit ?? 6
  if (failed > limit || restartsExceed(job, pods, limit))
    return failing('BackoffLimitExceeded', 'Job has reached the specified backoff limit')
  if (job.status?.startTime && deadlineMs !== undefined && nowMs >= deadlineMs)
    return failing('DeadlineExceeded', 'Job was active longer than specified deadline')
  return undefined
}

/** Containers that the node starts again count like pods that are made again. */
function restartsExceed(job: Job, pods: readonly Pod[], limit: number): boolean {
  if (job.spec?.template.spec?.restartPolicy !== 'OnFailure') return false
  const restarts = pods
    .filter(({ status }) => status?.phase === 'Running' || status?.phase === 'Pending')
    .flatMap(({ status }) => [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])])
    .reduce((sum, { restartCount }) => sum + restartCount, 0)
  return limit === 0 ? restarts > 0 : restarts >= limit
}

function indexesOf(job: Job, valid: readonly Pod[]) {
  const { spec, status } = job
  const succeeded = parseIndexes(status?.completedIndexes, spec?.completions ?? 0)
  if (!isIndexed(job)) return { succeeded, failed: undefined }
  const add = (set: Set<number>, pod: Pod) => {
    const index = indexOf(pod, job)
    if (index !== undefined) set.add(index)
  }
  for (const pod of valid) if (pod.status?.phase === 'Succeeded') add(succeeded, pod)
  if (spec?.backoffLimitPerIndex === undefined) return { succeeded, failed: undefined }
  const failed = parseIndexes(status?.failedIndexes, spec.completions ?? 0)
  for (const pod of valid) if (endsIndex(pod, job, spec.backoffLimitPerIndex)) add(failed, pod)
  return { succeeded, failed }
}

function endsIndex(pod: Pod, job: Job, limit: number): boolean {
  if (!hasFailed(pod, job)) return false
  const { action, counts } = judgeFailure(job.spec?.podFailurePolicy, pod)
  return action === 'FailIndex' || (counts && failuresBefore(pod).counted >= limit)
}

function indexEnding(
  { spec }: Job,
  succeeded: ReadonlySet<number>,
  failed: ReadonlySet<number> | undefined,
): Ending | undefined {
  const completions = spec?.completions ?? 0
  if (failed && spec?.maxFailedIndexes !== undefined && failed.size > spec.maxFailedIndexes)
    return failing('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes')
  if (failed && failed.size > 0 && failed.size + succeeded.size >= completions)
    return failing('FailedIndexes', 'Job has failed indexes')
  const rule = metRule(spec?.successPolicy, completions, succeeded)
  return rule === undefined
    ? undefined
    : { type: 'SuccessCriteriaMet', reason: 'SuccessPolicy', message: `Matched rules at index ${rule}` }
}

function metRule(
  policy: SuccessPolicy | undefined,
  completions: number,
  succeeded: ReadonlySet<number>,
): number | undefined {
  if (succeeded.size === 0) return undefined
  const rule = policy?.rules.findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined) return succeeded.size >= (succeededCount ?? Number.POSITIVE_INFINITY)
    const { named, both } = countNamed(succeededIndexes, completions, succeeded)
    return named > 0 && (both === named || (succeededCount !== undefined && both >= succeededCount))
  })
  return rule === undefined || rule < 0 ? undefined : rule
}

function replacedPods(
  job: Job,
  valid: readonly Pod[],
  active: readonly Pod[],
  succeeded: ReadonlySet<number>,
  failed: ReadonlySet<number>,
): ReadonlyMap<number, Pod> {
  const running = new Set(active.map((pod) => indexOf(pod, job)))
  const all = (pod: Pod) => failuresBefore(pod).counted + failuresBefore(pod).ignored
  const out = new Map<number, Pod>()
  for (const pod of valid.filter((candidate) => hasFailed(candidate, job))) {
    const index = indexOf(pod, job)
    if (index === undefined || succeeded.has(index) || failed.has(index) || running.has(index)) continue
    const held = out.get(index)
    if (!held || (all(held) <= all(pod) && finishedAtMs(held) <= finishedAtMs(pod))) out.set(index, pod)
  }
  return out
}
