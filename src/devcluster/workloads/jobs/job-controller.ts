/** Jobs make pods until enough of them have done their work. */
import type { JobCondition } from 'kubernetes-types/batch/v1.d.ts'
import { ApiError } from '../../../kube/client.ts'
import { type Job, jobs, type Pod, pods } from '../../../kube/object-types.ts'
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
import { claim, controlledBy, controllerOf, fieldManager, selects } from '../control/ownership.ts'
import { createPods, deletePod } from '../control/pod-maker.ts'
import { isReady } from '../control/pod-state.ts'
import { timestamp } from '../control/timestamp.ts'
import { type Backoff, noBackoff } from './backoff.ts'
import { type Ending, type Evaluation, evaluateJob, type JobObserved } from './evaluate-job.ts'
import { isTracked, trackingFinalizer } from './job-pods.ts'
import { planPods } from './plan-pods.ts'
import { type Counts, finished, settled, trackJob, withJobCondition } from './track-job.ts'

type Tools = ControllerOptions & {
  readonly recorder: ReturnType<typeof recorderOf>
  /** By the Jobs' uids. */
  readonly backoffs: Map<string, Backoff>
}

export function jobController(options: ControllerOptions, informers: Informers): Controller {
  const recorder = recorderOf(options, 'job-controller')
  const tools: Tools = { ...options, recorder, backoffs: new Map() }
  const queue = controllerQueue(options, 'jobs', (key) => sync(tools, key))
  const orphans = controllerQueue(options, 'orphaned job pods', (key) => releaseOrphan(tools, key))
  informers.jobs.onChange(({ type, object }) => {
    queue.add(keyOf(object))
    if (type !== 'deleted') return
    tools.backoffs.delete(object.metadata.uid ?? '')
    for (const pod of informers.pods.store.list(object.metadata.namespace))
      if (controlledBy(pod.metadata, object.metadata.uid)) orphans.add(keyOf(pod))
  })
  informers.pods.onChange((change) => {
    for (const key of controllersOf(change, 'Job')) queue.add(key)
    const { object } = change
    if (isTracked(object)) orphans.add(keyOf(object))
    // Nobody's: whoever selects it may have it.
    if (controllerOf(object.metadata)) return
    for (const job of informers.jobs.store.list(object.metadata.namespace))
      if (selects(job.spec?.selector, object.metadata.labels)) queue.add(keyOf(job))
  })
  return {
    async run(signal) {
      await Promise.all([queue.run(signal), orphans.run(signal)])
      await recorder.flush()
    },
  }
}

const ownName = 'kubernetes.io/job-controller'

async function sync(tools: Tools, key: string): Promise<WorkResult> {
  const { client, clock, backoffs } = tools
  const job = await client.get(jobs, refFrom(key))
  if (!job || (job.spec?.managedBy ?? ownName) !== ownName) return undefined
  const uid = job.metadata.uid ?? ''
  const end = job.status?.conditions?.find(isEnd)
  if (end) {
    backoffs.delete(uid)
    return expire(tools, job, end)
  }
  const all = (await client.list(pods, { namespace: job.metadata.namespace })).items
  const { selector } = job.spec ?? {}
  const own = await claim({ client, type: pods, owner: job, selector, finalizer: trackingFinalizer }, all)
  const backoff = backoffs.get(uid) ?? noBackoff
  return reconcile(tools, { job, pods: own, backoff, nowMs: clock.now() })
}

const isEnd = ({ type, status }: JobCondition) => (type === 'Complete' || type === 'Failed') && status === 'True'

/** A finished Job goes after the time that it names. */
async function expire({ client, clock }: Tools, job: Job, end: JobCondition): Promise<WorkResult> {
  const seconds = job.spec?.ttlSecondsAfterFinished
  if (seconds === undefined || job.metadata.deletionTimestamp) return undefined
  const leftMs = Date.parse(end.lastTransitionTime ?? '') + seconds * 1000 - clock.now()
  if (leftMs > 0) return { requeueAfterMs: leftMs }
  await client.delete(jobs, refOf(job), { uid: job.metadata.uid, propagationPolicy: 'Foreground' })
  return undefined
}

async function reconcile(tools: Tools, observed: JobObserved): Promise<WorkResult> {
  const { client, backoffs } = tools
  const { job, nowMs } = observed
  const evaluation = evaluateJob(observed)
  const step = evaluation.ending
    ? await removeActive(tools, job, evaluation)
    : await managePods(tools, observed, evaluation)
  const { status, release, final } = trackJob({ ...observed, evaluation, ...step })
  const written = await writeStatus(client, jobs, job, status)
  backoffs.set(job.metadata.uid ?? '', evaluation.backoff)
  for (const pod of release) await releasePod(tools, pod)
  const released = new Set(release.map((pod) => pod.metadata.uid))
  const left = observed.pods.filter((pod) => isTracked(pod) && !released.has(pod.metadata.uid))
  const counted = settled(written.status ?? {}, new Set(left.map((pod) => pod.metadata.uid ?? '')))
  const over = finished(counted, final, nowMs)
  await writeStatus(client, jobs, written, over ?? counted)
  if (over && final) tellEnd(tools, job, over.succeeded ?? 0, final)
  if (step.failure !== undefined) throw new Error(step.failure)
  return nextLook(evaluation, step.waitMs, nowMs)
}

function nextLook({ deadlineMs, ending }: Evaluation, wait: number | undefined, nowMs: number): WorkResult {
  if (ending) return undefined
  const times = [wait, deadlineMs === undefined ? undefined : deadlineMs - nowMs].filter((ms) => ms !== undefined)
  return times.length > 0 ? { requeueAfterMs: Math.max(0, Math.min(...times)) } : undefined
}

interface Step {
  readonly ending: Ending | undefined
  readonly counts: Counts
  readonly conditions: readonly JobCondition[]
  readonly startTime: string | undefined
  readonly failure?: string
  readonly waitMs?: number
}

const startOf = (job: Job, nowMs: number) => job.status?.startTime ?? (job.spec?.suspend ? undefined : timestamp(nowMs))

async function removeActive(tools: Tools, job: Job, { active, terminating, ending }: Evaluation): Promise<Step> {
  for (const pod of active) await deletePod(tools, job, pod)
  return {
    ending,
    counts: { active: 0, ready: 0, terminating: terminating.length + active.length },
    conditions: job.status?.conditions ?? [],
    startTime: startOf(job, tools.clock.now()),
  }
}

async function managePods(tools: Tools, { job, nowMs }: JobObserved, evaluation: Evaluation): Promise<Step> {
  const plan = planPods(job, evaluation, nowMs)
  for (const pod of plan.remove) {
    // Removed pods have not failed: nothing is to be counted.
    await releasePod(tools, pod)
    await deletePod(tools, job, pod)
  }
  const { created, failure } = await createPods(tools, job, plan.create)
  const removed = new Set(plan.remove)
  const stay = evaluation.active.filter((pod) => !removed.has(pod))
  const counts = {
    active: stay.length + created,
    ready: stay.filter(isReady).length,
    terminating: evaluation.terminating.length + plan.remove.length,
  }
  const needed = job.spec?.completions
  const enough = needed === undefined ? evaluation.succeeded > 0 : evaluation.succeeded >= needed
  const complete = enough && counts.active === 0
  const message = 'Reached expected number of succeeded pods'
  const ending: Ending | undefined = complete
    ? { type: 'SuccessCriteriaMet', reason: 'CompletionsReached', message }
    : undefined
  const suspension = complete ? keptConditions(job, nowMs) : withSuspension(tools, job, nowMs)
  const more = { ...(failure === undefined ? {} : { failure }), ...(plan.waitMs ? { waitMs: plan.waitMs } : {}) }
  return { ending, counts, ...suspension, ...more }
}

const keptConditions = (job: Job, nowMs: number) => ({
  conditions: job.status?.conditions ?? [],
  startTime: startOf(job, nowMs),
})

/** A resumed Job starts anew: its deadline counts from then. */
function withSuspension({ recorder }: Tools, job: Job, nowMs: number): Pick<Step, 'conditions' | 'startTime'> {
  const suspended = job.spec?.suspend === true
  const before = job.status?.conditions ?? []
  const next = suspended
    ? { type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' }
    : { type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' }
  const conditions = withJobCondition(before, next, nowMs)
  const changed = conditions.some((condition, index) => condition !== before[index])
  if (changed) recorder.record(job, 'Normal', suspended ? 'Suspended' : 'Resumed', next.message)
  return { conditions, startTime: changed && !suspended ? timestamp(nowMs) : startOf(job, nowMs) }
}

function tellEnd({ recorder }: Tools, job: Job, succeeded: number, { type, reason, message }: Ending): void {
  if (type !== 'Complete') {
    recorder.record(job, 'Warning', reason, message)
    return
  }
  if (job.spec?.completions !== undefined && succeeded > job.spec.completions) {
    const words = 'Too many succeeded pods running after completion count reached'
    recorder.record(job, 'Warning', 'TooManySucceededPods', words)
  }
  recorder.record(job, 'Normal', 'Completed', 'Job completed')
}

/** Whoever waits for its end to be counted need wait no longer. */
async function releasePod({ client }: Tools, pod: Pod): Promise<void> {
  if (!isTracked(pod)) return
  const fresh = await client.get(pods, refOf(pod))
  if (!fresh || fresh.metadata.uid !== pod.metadata.uid || !isTracked(fresh)) return
  const finalizers = (fresh.metadata.finalizers ?? []).filter((finalizer) => finalizer !== trackingFinalizer)
  const metadata = { resourceVersion: fresh.metadata.resourceVersion, finalizers }
  try {
    await client.patch(pods, refOf(pod), { kind: 'merge', body: { metadata } }, { fieldManager })
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error
  }
}

/** A pod whose Job is gone or has let go of it. */
async function releaseOrphan(tools: Tools, key: string): Promise<WorkResult> {
  const pod = await tools.client.get(pods, refFrom(key))
  if (!pod || !isTracked(pod)) return undefined
  const owner = controllerOf(pod.metadata)
  if (owner?.kind === 'Job') {
    const job = await tools.client.get(jobs, { ...refFrom(key), name: owner.name })
    if (job && job.metadata.uid === owner.uid) return undefined
  }
  await releasePod(tools, pod)
  return undefined
}
