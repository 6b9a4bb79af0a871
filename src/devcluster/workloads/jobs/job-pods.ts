/** The pods of a Job: how they are made, and what one of them means for it. */
import type { Container } from 'kubernetes-types/core/v1.d.ts'
import type { Job, Pod } from '../../../kube/object-types.ts'
import { podOf } from '../control/pod-maker.ts'

export const trackingFinalizer = 'batch.kubernetes.io/job-tracking'
const indexKey = 'batch.kubernetes.io/job-completion-index'
const failureCountKey = 'batch.kubernetes.io/job-index-failure-count'
const ignoredCountKey = 'batch.kubernetes.io/job-index-ignored-failure-count'
const indexVariable = 'JOB_COMPLETION_INDEX'
/** The API server adds five letters; no name is longer than 63. */
const maxPrefix = 58

export const isIndexed = ({ spec }: Job) => spec?.completionMode === 'Indexed'
export const isTracked = (pod: Pod) => pod.metadata.finalizers?.includes(trackingFinalizer) === true

/** Undefined: it has none, or none that the Job has. */
export function indexOf(pod: Pod, { spec }: Job): number | undefined {
  const text = pod.metadata.annotations?.[indexKey]
  if (text === undefined || !/^\d+$/.test(text)) return undefined
  return Number(text) < (spec?.completions ?? 0) ? Number(text) : undefined
}

/** Whether a pod is replaced only when it has ended, not when its deletion begins. */
export const replacesOnlyFailed = ({ spec }: Job) =>
  spec?.podReplacementPolicy === 'Failed' || spec?.podFailurePolicy !== undefined

export function hasFailed(pod: Pod, job: Job): boolean {
  if (pod.status?.phase === 'Failed') return true
  if (replacesOnlyFailed(job)) return false
  return pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== 'Succeeded'
}

/** The end of its containers, or as near to it as is known. */
export function finishedAtMs(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map(({ state }) => state?.terminated?.finishedAt)
  const times = ends.flatMap((end) => (end === undefined ? [] : [Date.parse(end)]))
  if (times.length > 0 && times.length === ends.length) return Math.max(...times)
  const unready = pod.status?.conditions?.find(({ type, status }) => type === 'Ready' && status === 'False')
  if (unready?.lastTransitionTime) return Date.parse(unready.lastTransitionTime)
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, creationTimestamp = '' } = pod.metadata
  if (deletionTimestamp) return Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000
  return Date.parse(creationTimestamp)
}

export interface IndexFailures {
  /** Those that count towards backoffLimitPerIndex. */
  readonly counted: number
  readonly ignored: number
}

export function failuresBefore(pod: Pod | undefined): IndexFailures {
  const count = (key: string) => Math.max(0, Number.parseInt(pod?.metadata.annotations?.[key] ?? '0', 10) || 0)
  return { counted: count(failureCountKey), ignored: count(ignoredCountKey) }
}

/** `failures`: of the pods before it with this index, when the Job counts them for each. */
export function podForJob(job: Job, index: number | undefined, failures?: IndexFailures): Pod {
  const pod = podOf(job, job.spec?.template)
  const { metadata } = pod
  const tracked = metadata.finalizers?.includes(trackingFinalizer)
  const finalizers = tracked ? metadata.finalizers : [...(metadata.finalizers ?? []), trackingFinalizer]
  if (index === undefined || !pod.spec) return { ...pod, metadata: { ...metadata, finalizers } }
  const name = job.metadata.name ?? ''
  const suffix = `-${index}-`
  const { initContainers } = pod.spec
  return {
    ...pod,
    metadata: {
      ...metadata,
      generateName: `${name.slice(0, maxPrefix - suffix.length)}${suffix}`,
      finalizers,
      labels: { ...metadata.labels, [indexKey]: String(index) },
      annotations: {
        ...metadata.annotations,
        [indexKey]: String(index),
        ...(failures ? { [failureCountKey]: String(failures.counted) } : {}),
        ...(failures && failures.ignored > 0 ? { [ignoredCountKey]: String(failures.ignored) } : {}),
      },
    },
    spec: {
      ...pod.spec,
      hostname: `${name}-${index}`,
      containers: pod.spec.containers.map(withIndex),
      ...(initContainers ? { initContainers: initContainers.map(withIndex) } : {}),
    },
  }
}

function withIndex(container: Container): Container {
  if (container.env?.some(({ name }) => name === indexVariable)) return container
  const fieldRef = { fieldPath: `metadata.labels['${indexKey}']` }
  return { ...container, env: [...(container.env ?? []), { name: indexVariable, valueFrom: { fieldRef } }] }
}
