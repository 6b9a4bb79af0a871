import type { Pod } from '../../../kube/object-types.ts'

export const hasEnded = (pod: Pod) => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'

export const isActive = (pod: Pod) => !pod.metadata.deletionTimestamp && !hasEnded(pod)

/** On its way out but still there. */
export const isTerminating = (pod: Pod) => pod.metadata.deletionTimestamp !== undefined && !hasEnded(pod)

const readySince = (pod: Pod): number | undefined => {
  const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready')
  if (ready?.status !== 'True') return undefined
  return ready.lastTransitionTime ? Date.parse(ready.lastTransitionTime) : 0
}

export const isReady = (pod: Pod) => readySince(pod) !== undefined

/** When the pod has been ready for `minReadySeconds`: 0 or less is now; undefined: it isn't ready. */
export function availableInMs(pod: Pod, minReadySeconds: number, nowMs: number): number | undefined {
  const since = readySince(pod)
  if (since === undefined) return undefined
  return minReadySeconds === 0 ? 0 : since + minReadySeconds * 1000 - nowMs
}

const phases = ['Pending', 'Unknown', 'Running']

/**
 * The pods that are missed least come first (pkg/controller ActivePodsWithRanks): those that run nowhere, are not up, not
 * ready, cheap to delete, share their node with others of the same kind, or are young.
 */
export function leastWorthFirst(pods: readonly Pod[], related: readonly Pod[] = []): Pod[] {
  const onNode = (pod: Pod) =>
    related.filter((other) => isActive(other) && other.spec?.nodeName === pod.spec?.nodeName).length
  const worth = (pod: Pod): number[] => [
    pod.spec?.nodeName ? 1 : 0,
    phases.indexOf(pod.status?.phase ?? ''),
    isReady(pod) ? 1 : 0,
    Number.parseInt(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? '', 10) || 0,
    -onNode(pod),
    -(readySince(pod) ?? 0),
    -Math.max(0, ...(pod.status?.containerStatuses ?? []).map(({ restartCount }) => restartCount)),
    -Date.parse(pod.metadata.creationTimestamp ?? ''),
  ]
  return pods
    .map((pod) => ({ pod, worth: worth(pod) }))
    .sort((a, b) => {
      for (const [index, value] of a.worth.entries()) {
        const other = b.worth[index] ?? 0
        if (value !== other) return value - other
      }
      return (a.pod.metadata.uid ?? '') < (b.pod.metadata.uid ?? '') ? -1 : 1
    })
    .map(({ pod }) => pod)
}
