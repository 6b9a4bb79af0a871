/** CronJobs make Jobs when their times come. */
import type { CronJobStatus } from 'kubernetes-types/batch/v1.d.ts'
import { ApiError } from '../../../kube/client.ts'
import { type CronJob, cronJobs, type Job, jobs } from '../../../kube/object-types.ts'
import { refOf } from '../../../kube/resource-path.ts'
import type { WorkResult } from '../../../kube/work-queue.ts'
import {
  type Controller,
  type ControllerOptions,
  controllerQueue,
  controllersOf,
  type Informers,
  keyOf,
  recorderOf,
  refFrom,
  writeStatus,
} from '../control/controller.ts'
import { controlledBy, fieldManager } from '../control/ownership.ts'
import { timestamp } from '../control/timestamp.ts'
import { type CronJobDecision, decideCronJob } from './decide-cron-job.ts'
import { readSchedule } from './schedule.ts'

export function cronJobController(options: ControllerOptions, informers: Informers): Controller {
  const recorder = recorderOf(options, 'cronjob-controller')
  const queue = controllerQueue(options, 'cronjobs', (key) => sync({ ...options, recorder }, key))
  informers.cronJobs.onChange(({ type, object }) =>
    type === 'deleted' ? queue.forget(keyOf(object)) : queue.add(keyOf(object)),
  )
  informers.jobs.onChange((change) => {
    for (const key of controllersOf(change, 'CronJob')) queue.add(key)
  })
  return {
    async run(signal) {
      await queue.run(signal)
      await recorder.flush()
    },
  }
}

type Tools = ControllerOptions & { readonly recorder: ReturnType<typeof recorderOf> }

async function sync(tools: Tools, key: string): Promise<WorkResult> {
  const { client, clock, recorder } = tools
  const cronJob = await client.get(cronJobs, refFrom(key))
  if (!cronJob) return undefined
  const all = (await client.list(jobs, { namespace: cronJob.metadata.namespace })).items
  const own = all.filter((job) => controlledBy(job.metadata, cronJob.metadata.uid))
  const decision = decideCronJob({ cronJob, jobs: own, nowMs: clock.now(), readSchedule })
  for (const { type, reason, message } of decision.events) recorder.record(cronJob, type, reason, message)
  const removed = new Set<string | undefined>()
  for (const { name = '', namespace, uid } of decision.replace) {
    await removeJob(tools, cronJob, { name, namespace, uid })
    removed.add(uid)
  }
  const active = (decision.status.active ?? []).filter(({ uid }) => !removed.has(uid))
  const { active: _, ...rest } = decision.status
  const status = { ...rest, ...(active.length > 0 ? { active } : {}) }
  const after = decision.create ? await start(tools, cronJob, decision.create, status) : status
  for (const job of decision.remove) await removeJob(tools, cronJob, job.metadata)
  await writeStatus(client, cronJobs, cronJob, after)
  return decision.lookAgainMs === undefined ? undefined : { requeueAfterMs: decision.lookAgainMs }
}

/** The status with the Job that was made, or that an earlier look has made without being able to write it down. */
async function start(
  { client, recorder, log }: Tools,
  cronJob: CronJob,
  { job, scheduledMs }: NonNullable<CronJobDecision['create']>,
  status: CronJobStatus,
): Promise<CronJobStatus> {
  let made: Job | undefined
  try {
    made = await client.create(jobs, job, { fieldManager })
    recorder.record(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${made.metadata.name}`)
    log.info('cronjob.job_created', { name: made.metadata.name ?? '' })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.reason !== 'AlreadyExists') {
      recorder.record(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${error.message}`)
      throw error
    }
    made = await client.get(jobs, refOf(job))
    // Somebody else's: it counts for them.
    if (!made || !controlledBy(made.metadata, cronJob.metadata.uid)) return status
  }
  const { name, namespace, uid, resourceVersion } = made.metadata
  const reference = { apiVersion: made.apiVersion, kind: made.kind, name, namespace, uid, resourceVersion }
  return { ...status, active: [...(status.active ?? []), reference], lastScheduleTime: timestamp(scheduledMs) }
}

async function removeJob(
  { client, recorder }: Tools,
  cronJob: CronJob,
  { name = '', namespace, uid }: { name?: string; namespace?: string; uid?: string },
): Promise<void> {
  try {
    const ref = namespace ? { namespace, name } : { name }
    await client.delete(jobs, ref, { ...(uid ? { uid } : {}), propagationPolicy: 'Background' })
  } catch (error) {
    if (error instanceof ApiError) recorder.record(cronJob, 'Warning', 'FailedDelete', `Deleted job: ${error.message}`)
    throw error
  }
  recorder.record(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`)
}
