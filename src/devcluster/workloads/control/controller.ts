/** What the controllers of this folder's neighbours share: the view of the cluster and the ways to act on it. */
import { ApiError, type KubeClient, type KubeObject, type ResourceType } from '../../../kube/client.ts'
import { createEventRecorder, type EventRecorder } from '../../../kube/events.ts'
import type { Informer } from '../../../kube/informer.ts'
import type { CronJob, Deployment, Job, Pod, ReplicaSet } from '../../../kube/object-types.ts'
import { WorkQueue, type WorkResult } from '../../../kube/work-queue.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { sameJson } from './json-equal.ts'
import { controllerOf, fieldManager } from './ownership.ts'

export interface ControllerOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
}

/** They say when to look; what is decided on is read afresh, so nobody acts on an old view. */
export interface Informers {
  readonly deployments: Informer<Deployment>
  readonly replicaSets: Informer<ReplicaSet>
  readonly jobs: Informer<Job>
  readonly cronJobs: Informer<CronJob>
  readonly pods: Informer<Pod>
}

export interface Controller {
  /** Works until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>
}

export const keyOf = ({ metadata }: KubeObject) => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`

export function refFrom(key: string): { namespace: string; name: string } {
  const [namespace = '', name = ''] = key.split('/')
  return { namespace, name }
}

export const recorderOf = (options: ControllerOptions, component: string): EventRecorder =>
  createEventRecorder({ ...options, component })

/** Whom a change of an object concerns: its controller of that kind, and the one that it had before. */
export function controllersOf(
  change: { readonly object: KubeObject; readonly before?: KubeObject },
  kind: string,
): string[] {
  const keys = [change.object, change.before].flatMap((object) => {
    const owner = object && controllerOf(object.metadata)
    return owner?.kind === kind ? [`${object?.metadata.namespace ?? ''}/${owner.name}`] : []
  })
  return [...new Set(keys)]
}

/** A lost race is no failure: another look soon. */
const conflictDelayMs = 20

export function controllerQueue(
  options: ControllerOptions,
  name: string,
  work: (key: string) => Promise<WorkResult>,
): WorkQueue {
  return new WorkQueue({
    ...options,
    name,
    concurrency: 4,
    maxDelayMs: 30_000,
    work: async (key) => {
      try {
        return await work(key)
      } catch (error) {
        if (error instanceof ApiError && error.reason === 'Conflict') return { requeueAfterMs: conflictDelayMs }
        throw error
      }
    },
  })
}

/** Writes `object`'s status when it says something new. Throws a Conflict when the object changed meanwhile. */
export async function writeStatus<T extends KubeObject>(
  client: Pick<KubeClient, 'update'>,
  type: ResourceType<T>,
  object: T,
  status: unknown,
  annotations: Readonly<Record<string, string>> = {},
): Promise<T> {
  const metadata = { ...object.metadata, annotations: { ...object.metadata.annotations, ...annotations } }
  if (sameJson(object['status'] ?? {}, status) && sameJson(object.metadata.annotations ?? {}, metadata.annotations))
    return object
  return client.update(type, { ...object, metadata, status }, { subresource: 'status', fieldManager })
}
