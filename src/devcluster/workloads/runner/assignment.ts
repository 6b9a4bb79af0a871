/** Which pods are this node's, and which it may take although a scheduler has not said so: pure. */
import type { Pod } from '../../../kube/object-types.ts'

export interface Place {
  readonly nodeName: string
  readonly labels: Readonly<Record<string, string>>
  /** Another node is ready, so somebody else places pods. */
  readonly shared: boolean
}

/** take: nobody else will. leave: somebody else's. no match: it would be ours, and its nodeSelector forbids it. */
export type Assignment = 'take' | 'leave' | 'no match'

export function assignmentOf(pod: Pod, place: Place): Assignment {
  const { nodeName, nodeSelector = {}, schedulerName = defaultScheduler } = pod.spec ?? {}
  if (nodeName || pod.metadata.deletionTimestamp || isOver(pod) || schedulerName !== defaultScheduler) return 'leave'
  // A gate says that something else has to happen first.
  if ((gatesOf(pod) ?? []).length > 0) return 'leave'
  const fits = Object.entries(nodeSelector).every(([label, value]) => place.labels[label] === value)
  if (place.shared) return fits && nodeSelector['kubernetes.io/hostname'] === place.nodeName ? 'take' : 'leave'
  return fits ? 'take' : 'no match'
}

const defaultScheduler = 'default-scheduler'

export const isOver = (pod: Pod) => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'

function gatesOf(pod: Pod): unknown[] | undefined {
  const gates: unknown = pod.spec ? Reflect.get(pod.spec, 'schedulingGates') : undefined
  return Array.isArray(gates) ? gates : undefined
}
