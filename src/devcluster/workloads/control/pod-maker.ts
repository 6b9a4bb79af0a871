/** Makes pods of a template and takes them away, and tells people so. */
import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts'
import { ApiError, type KubeClient, type KubeObject } from '../../../kube/client.ts'
import type { EventRecorder } from '../../../kube/events.ts'
import { type Pod, pods } from '../../../kube/object-types.ts'
import { refOf } from '../../../kube/resource-path.ts'
import { fieldManager, ownerReferenceOf } from './ownership.ts'

/** The API server adds the rest of the name. */
export function podOf(owner: KubeObject, template: PodTemplateSpec | undefined, prefix?: string): Pod {
  const { labels, annotations, finalizers } = template?.metadata ?? {}
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: prefix ?? `${owner.metadata.name ?? ''}-`,
      ...(owner.metadata.namespace ? { namespace: owner.metadata.namespace } : {}),
      labels: { ...labels },
      annotations: { ...annotations },
      finalizers: [...(finalizers ?? [])],
      ownerReferences: [ownerReferenceOf(owner)],
    },
    ...(template?.spec ? { spec: template.spec } : {}),
  }
}

export interface PodMakerOptions {
  readonly client: KubeClient
  readonly recorder: EventRecorder
}

/** Makes them one after the other; `failure` is why it went no further. */
export async function createPods(
  { client, recorder }: PodMakerOptions,
  owner: KubeObject,
  wanted: readonly Pod[],
): Promise<{ readonly created: number; readonly failure: string | undefined }> {
  let created = 0
  for (const pod of wanted) {
    try {
      const made = await client.create(pods, pod, { fieldManager })
      recorder.record(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${made.metadata.name}`)
      created += 1
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      recorder.record(owner, 'Warning', 'FailedCreate', `Error creating: ${error.message}`)
      return { created, failure: error.message }
    }
  }
  return { created, failure: undefined }
}

export async function deletePod({ client, recorder }: PodMakerOptions, owner: KubeObject, pod: Pod): Promise<void> {
  try {
    await client.delete(pods, refOf(pod), { uid: pod.metadata.uid })
  } catch (error) {
    // Another pod has the name by now: this one is gone.
    if (error instanceof ApiError && error.status === 409) return
    if (error instanceof ApiError) recorder.record(owner, 'Warning', 'FailedDelete', `Error deleting: ${error.message}`)
    throw error
  }
  recorder.record(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`)
}
