/** What a namespace says of its own end (k8s.io/kubernetes/pkg/controller/namespace/deletion). */
import type { Resource } from '../resource.ts'
import type { Tree } from '../tree.ts'

/** Something in the namespace that is still there. */
export interface Remaining {
  readonly resource: Resource
  readonly finalizers: readonly string[]
}

interface Condition {
  readonly type: string
  readonly reason: string
  readonly message: string
}

/** In Kubernetes' order, as they read when all is well. Kinds are always found and deletions never fail here. */
const fine: readonly Condition[] = [
  {
    type: 'NamespaceDeletionDiscoveryFailure',
    reason: 'ResourcesDiscovered',
    message: 'All resources successfully discovered',
  },
  {
    type: 'NamespaceDeletionGroupVersionParsingFailure',
    reason: 'ParsedGroupVersions',
    message: 'All legacy kube types successfully parsed',
  },
  {
    type: 'NamespaceDeletionContentFailure',
    reason: 'ContentDeleted',
    message: 'All content successfully deleted, may be waiting on finalization',
  },
  { type: 'NamespaceContentRemaining', reason: 'ContentRemoved', message: 'All content successfully removed' },
  {
    type: 'NamespaceFinalizersRemaining',
    reason: 'ContentHasNoFinalizers',
    message: 'All content-preserving finalizers finished',
  },
]

/** `before`: what it said last; the time of what did not change stays. */
export function endingConditions(before: readonly Tree[], left: readonly Remaining[], now: string): Tree[] {
  const troubles = [contentLeft(left), finalizersLeft(left)]
  return fine.map((well) => {
    const trouble = troubles.find((candidate) => candidate?.type === well.type)
    const { type, reason, message } = trouble ?? well
    const status = trouble ? 'True' : 'False'
    const old = before.find((condition) => condition['type'] === type)
    const since = old?.['status'] === status ? old['lastTransitionTime'] : now
    return { type, status, lastTransitionTime: since, reason, message }
  })
}

function contentLeft(left: readonly Remaining[]): Condition | undefined {
  const counted = counts(left.map(({ resource }) => `${resource.plural}.${resource.group}`))
  if (counted.length === 0) return undefined
  const list = counted.map(([name, count]) => `${name} has ${count} resource instances`).sort()
  const message = `Some resources are remaining: ${list.join(', ')}`
  return { type: 'NamespaceContentRemaining', reason: 'SomeResourcesRemain', message }
}

function finalizersLeft(left: readonly Remaining[]): Condition | undefined {
  const counted = counts(left.flatMap(({ finalizers }) => finalizers))
  if (counted.length === 0) return undefined
  const list = counted.map(([name, count]) => `${name} in ${count} resource instances`).sort()
  const message = `Some content in the namespace has finalizers remaining: ${list.join(', ')}`
  return { type: 'NamespaceFinalizersRemaining', reason: 'SomeFinalizersRemain', message }
}

function counts(names: readonly string[]): [string, number][] {
  const out = new Map<string, number>()
  for (const name of names) out.set(name, (out.get(name) ?? 0) + 1)
  return [...out]
}
