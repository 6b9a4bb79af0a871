import type { ObjectMeta } from '../../../kube/client.ts'
import type { Pod } from '../../../kube/object-types.ts'

export const isActive = (pod: Pod) =>
  !pod.metadata.deletionTimestamp && pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed'

const readySince = (pod: Pod): number | undefined => {
  const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready')
  if (ready?.status !== 'True') return undefined
  return ready.lastTransitionTime ? Date.parse(String(ready.lastTransitionTime)) : 0
}

export const isReady = (pod: Pod) => readySince(pod) !== undefined

/** When the pod has been ready for `minReadySeconds`: 0 or less is now; undefined: it isn't ready. */
export function availableInMs(pod: Pod, minReadySeconds: number, nowMs: number): number | undefined {
  const since = readySince(pod)
  return since === undefined ? undefined : since + minReadySeconds * 1000 - nowMs
}

/** Whether `uid` is the controller of the object. */
export const controlledBy = (metadata: ObjectMeta, uid: string | undefined) =>
  uid !== undefined &&
  metadata.ownerReferences?.some((owner) => owner.controller === true && owner.uid === uid) === true
