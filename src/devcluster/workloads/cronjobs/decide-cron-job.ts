/** What a CronJob needs now (pkg/controller/cronjob syncCronJob): pure. */
import type { CronJobStatus } from 'kubernetes-types/batch/v1.d.ts'
import type { ObjectReference } from 'kubernetes-types/core/v1.d.ts'
import type { CronJob, Job } from '../../../kube/object-types.ts'
import { ownerReferenceOf } from '../control/ownership.ts'
import { type DueInput, findDue, nextLookMs } from './due-times.ts'
import type { Schedule } from './schedule.ts'

export interface CronJobObserved {
  readonly cronJob: CronJob
  /** Those that it controls. */
  readonly jobs: readonly Job[]
  readonly nowMs: number
  /** Throws on what cannot be read. */
  readonly readSchedule: (text: string, timeZone: string | undefined) => Schedule
}
export interface CronJobEvent {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}
export interface CronJobDecision {
  /** Without what the Job to be made adds to it. */
  readonly status: CronJobStatus
  readonly events: readonly CronJobEvent[]
  readonly create: { readonly job: Job; readonly scheduledMs: number } | undefined
  /** Jobs that still run and make room for the new one. */
  readonly replace: readonly ObjectReference[]
  /** Finished Jobs beyond the history that is kept. */
  readonly remove: readonly Job[]
  readonly lookAgainMs: number | undefined
}

const scheduledAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp'

export function decideCronJob(observed: CronJobObserved): CronJobDecision {
  const { cronJob } = observed
  const { status, events } = followJobs(observed)
  const rest = { create: undefined, replace: [], remove: outdated(observed), lookAgainMs: undefined }
  if (cronJob.metadata.deletionTimestamp || cronJob.spec?.suspend) return { ...rest, status, events }
  const next = decideStart(observed, status)
  return { ...rest, ...next, status, events: [...events, ...next.events] }
}

const normal = (reason: string, message: string): CronJobEvent => ({ type: 'Normal', reason, message })
const warning = (reason: string, message: string): CronJobEvent => ({ type: 'Warning', reason, message })

const endOf = (job: Job): 'Complete' | 'Failed' | undefined => {
  const isTrue = (type: string) =>
    job.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True')
  return isTrue('Complete') ? 'Complete' : isTrue('Failed') ? 'Failed' : undefined
}

/** What became of the Jobs that were running. */
function followJobs({ cronJob, jobs }: CronJobObserved): { status: CronJobStatus; events: CronJobEvent[] } {
  const events: CronJobEvent[] = []
  let { active = [], lastSuccessfulTime } = cronJob.status ?? {}
  for (const job of jobs) {
    const { uid, name } = job.metadata
    const listed = active.some((ref) => ref.uid === uid)
    const end = endOf(job)
    if (!end && !listed)
      events.push(warning('UnexpectedJob', `Saw a job that the controller did not create or forgot: ${name}`))
    if (end && listed) {
      active = active.filter((ref) => ref.uid !== uid)
      events.push(normal('SawCompletedJob', `Saw completed job: ${name}, condition: ${end}`))
    }
    const { completionTime } = job.status ?? {}
    if (end === 'Complete' && completionTime && completionTime > (lastSuccessfulTime ?? ''))
      lastSuccessfulTime = completionTime
  }
  for (const ref of active.filter(({ uid }) => !jobs.some((job) => job.metadata.uid === uid))) {
    active = active.filter((other) => other !== ref)
    events.push(normal('MissingJob', `Active job went missing: ${ref.name}`))
  }
  const { lastScheduleTime } = cronJob.status ?? {}
  const status = {
    ...(active.length > 0 ? { active } : {}),
    ...(lastScheduleTime ? { lastScheduleTime } : {}),
    ...(lastSuccessfulTime ? { lastSuccessfulTime } : {}),
  }
  return { status, events }
}

type Start = Pick<CronJobDecision, 'create' | 'replace' | 'events' | 'lookAgainMs'>

function decideStart({ cronJob, nowMs, readSchedule }: CronJobObserved, status: CronJobStatus): Start {
  const { spec, metadata } = cronJob
  const idle = { create: undefined, replace: [], lookAgainMs: undefined }
  const text = spec?.schedule ?? ''
  let schedule: Schedule
  try {
    schedule = readSchedule(text, spec?.timeZone)
  } catch (error) {
    const why = `unparseable schedule: ${JSON.stringify(text)} : ${wordsOf(error)}`
    return { ...idle, events: [warning('UnparseableSchedule', why)] }
  }
  const sinceMs = Date.parse(status.lastScheduleTime ?? metadata.creationTimestamp ?? '')
  const input: DueInput = { schedule, sinceMs, nowMs, startingDeadlineSeconds: spec?.startingDeadlineSeconds }
  try {
    const start = startNow(cronJob, status, input)
    // The time that is used now is behind us: the next look is at the one after it.
    const from = start.create ? { ...input, sinceMs: start.create.scheduledMs } : input
    return { ...start, lookAgainMs: nextLookMs(from) }
  } catch (error) {
    return { ...idle, events: [warning('InvalidSchedule', `invalid schedule: ${text} : ${wordsOf(error)}`)] }
  }
}

const wordsOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

function startNow(cronJob: CronJob, status: CronJobStatus, input: DueInput): Omit<Start, 'lookAgainMs'> {
  const { dueMs, missed } = findDue(input)
  const { spec } = cronJob
  const active = status.active ?? []
  const events: CronJobEvent[] = []
  const wait = (...more: CronJobEvent[]) => ({ create: undefined, replace: [], events: [...events, ...more] })
  if (dueMs === undefined) return wait()
  if (missed === 'many')
    events.push(
      warning(
        'TooManyMissedTimes',
        'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
      ),
    )
  const deadline = spec?.startingDeadlineSeconds
  if (deadline !== undefined && dueMs + deadline * 1000 < input.nowMs)
    return wait(warning('MissSchedule', `Missed scheduled time to start a job: ${rfc1123(dueMs)}`))
  const job = jobFor(cronJob, dueMs)
  const used = status.lastScheduleTime !== undefined && Date.parse(status.lastScheduleTime) === dueMs
  if (used || active.some(({ name }) => name === job.metadata.name)) return wait()
  if (spec?.concurrencyPolicy === 'Forbid' && active.length > 0) {
    const why = 'Not starting job because prior execution is running and concurrency policy is Forbid'
    return wait(normal('JobAlreadyActive', why))
  }
  const replace = spec?.concurrencyPolicy === 'Replace' ? active : []
  return { create: { job, scheduledMs: dueMs }, replace, events }
}

/** Named for its time, so that no time makes two. */
function jobFor(cronJob: CronJob, scheduledMs: number): Job {
  const { jobTemplate, timeZone } = cronJob.spec ?? {}
  const { name = '', namespace } = cronJob.metadata
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${name}-${Math.floor(scheduledMs / 60_000)}`,
      ...(namespace ? { namespace } : {}),
      labels: { ...jobTemplate?.metadata?.labels },
      annotations: { ...jobTemplate?.metadata?.annotations, [scheduledAnnotation]: rfc3339(scheduledMs, timeZone) },
      ownerReferences: [ownerReferenceOf(cronJob)],
    },
    ...(jobTemplate?.spec ? { spec: jobTemplate.spec } : {}),
  }
}

/** With the zone's own offset; "Z" where that is none. */
function rfc3339(ms: number, timeZone = 'UTC'): string {
  const local = new Map<string, string>(
    new Intl.DateTimeFormat('en', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    })
      .formatToParts(new Date(ms))
      .map(({ type, value }) => [type, value]),
  )
  const part = (name: string) => local.get(name) ?? ''
  const text = `${part('year')}-${part('month')}-${part('day')}T${part('hour')}:${part('minute')}:${part('second')}`
  const minutes = Math.round((Date.parse(`${text}Z`) - ms) / 60_000)
  if (minutes === 0) return `${text}Z`
  const two = (value: number) => String(value).padStart(2, '0')
  const size = Math.abs(minutes)
  return `${text}${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`
}

const rfc1123 = (ms: number) => new Date(ms).toUTCString().replace('GMT', '+0000')

/** The oldest of each kind go first. */
function outdated({ cronJob, jobs }: CronJobObserved): Job[] {
  const surplus = (end: 'Complete' | 'Failed', limit: number | undefined) => {
    const ended = jobs.filter((job) => endOf(job) === end && !job.metadata.deletionTimestamp)
    return ended.sort(byStart).slice(0, limit === undefined ? 0 : Math.max(0, ended.length - limit))
  }
  return [
    ...surplus('Complete', cronJob.spec?.successfulJobsHistoryLimit),
    ...surplus('Failed', cronJob.spec?.failedJobsHistoryLimit),
  ]
}

/** Those that never began come last. */
function byStart(a: Job, b: Job): number {
  const [first, second] = [a.status?.startTime ?? '~', b.status?.startTime ?? '~']
  if (first !== second) return first < second ? -1 : 1
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1
}
