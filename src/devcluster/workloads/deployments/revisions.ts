/** Which ReplicaSet is a Deployment's present one, and the annotations that tell the revisions apart. */
import type { Deployment, ReplicaSet } from '../../../kube/object-types.ts'
import { ownerReferenceOf } from '../control/ownership.ts'
import { sharesOf } from './rollout.ts'
import { hashLabel, sameTemplate, templateHash } from './template-hash.ts'

const prefix = 'deployment.kubernetes.io'
export const revisionAnnotation = `${prefix}/revision`
const historyAnnotation = `${prefix}/revision-history`
export const desiredAnnotation = `${prefix}/desired-replicas`
export const maxAnnotation = `${prefix}/max-replicas`
const ownAnnotations = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
  revisionAnnotation,
  historyAnnotation,
  desiredAnnotation,
  maxAnnotation,
]
const maxHistoryChars = 2000
const maxNameChars = 253

type Annotations = Readonly<Record<string, string>>

export const revisionOf = (set: ReplicaSet) => Number(set.metadata.annotations?.[revisionAnnotation] ?? 0) || 0

export const byAge = (a: ReplicaSet, b: ReplicaSet) =>
  (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
  (a.metadata.name ?? '').localeCompare(b.metadata.name ?? '')

/** Of several the oldest, so that a rollout does not jump between them. */
export const currentOf = (deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined =>
  [...sets].sort(byAge).find((set) => sameTemplate(set.spec?.template, deployment.spec?.template))

/** How many pods the Deployment wants, and how many it may have while it rolls out. */
export function sizeAnnotations(deployment: Deployment): Annotations {
  const { desired, maxSurge } = sharesOf(deployment)
  return { [desiredAnnotation]: String(desired), [maxAnnotation]: String(desired + maxSurge) }
}

/** Of the present ReplicaSet: the Deployment's own, and the number of the newest revision. */
export function currentAnnotations(deployment: Deployment, set: ReplicaSet, old: readonly ReplicaSet[]): Annotations {
  const before = set.metadata.annotations ?? {}
  const newest = Math.max(0, ...old.map(revisionOf)) + 1
  const copied = Object.entries(deployment.metadata.annotations ?? {}).filter(
    ([name]) => !ownAnnotations.includes(name),
  )
  const annotations: Record<string, string> = { ...before, ...Object.fromEntries(copied) }
  const held = before[revisionAnnotation]
  if (Number(held ?? 0) >= newest) return annotations
  annotations[revisionAnnotation] = String(newest)
  if (held !== undefined) {
    const history = historyWith(before[historyAnnotation] ?? '', held)
    if (history !== undefined) annotations[historyAnnotation] = history
  }
  return annotations
}

/** Undefined: it has no room for the revision. */
function historyWith(history: string, revision: string): string | undefined {
  const entries = [...history.split(',').filter((entry) => entry !== ''), revision]
  while (entries.length > 1 && entries.join(',').length > maxHistoryChars) entries.shift()
  return entries.join(',').length > maxHistoryChars ? undefined : entries.join(',')
}

/** The ReplicaSet of the Deployment's present template; how many pods it has is for the rollout to say. */
export function newReplicaSet(deployment: Deployment, old: readonly ReplicaSet[]): ReplicaSet {
  const { name = '', namespace } = deployment.metadata
  const { template, selector, minReadySeconds } = deployment.spec ?? {}
  const hash = templateHash(template, deployment.status?.collisionCount)
  const withHash = (labels: Record<string, string> | undefined) => ({ ...labels, [hashLabel]: hash })
  const labels = withHash(template?.metadata?.labels)
  const bare: ReplicaSet = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name.slice(0, maxNameChars - hash.length - 1)}-${hash}`,
      ...(namespace ? { namespace } : {}),
      labels,
      ownerReferences: [ownerReferenceOf(deployment)],
    },
    spec: {
      replicas: 0,
      selector: { ...selector, matchLabels: withHash(selector?.matchLabels) },
      ...(minReadySeconds ? { minReadySeconds } : {}),
      template: { ...template, metadata: { ...template?.metadata, labels } },
    },
  }
  const annotations = { ...currentAnnotations(deployment, bare, old), ...sizeAnnotations(deployment) }
  return { ...bare, metadata: { ...bare.metadata, annotations } }
}
