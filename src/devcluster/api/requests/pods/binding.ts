/** The binding subresource: a pod gets its node, once. */
import type { KubeObject } from '../../../../kube/client.ts'
import { conflict, StatusError } from '../../status.ts'
import type { ObjectStore } from '../../store/object-store.ts'
import { isTree, type Tree, textAt } from '../../tree.ts'

export interface BindingTools {
  readonly store: ObjectStore
  readonly nowText: string
  readonly dryRun: boolean
}

const resource = { group: '', plural: 'pods/binding' }

/** What is wrong with a Binding, whatever it is for. */
export function checkBinding(body: Tree): void {
  const kind = textAt(body, 'target', 'kind') ?? ''
  // The API server answers these two without a reason.
  if (kind !== '' && kind !== 'Node')
    throw new StatusError(
      500,
      '',
      `target.kind: Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`,
    )
  if (!textAt(body, 'target', 'name')) throw new StatusError(500, '', 'target.name: Required value')
}

/** `body` is a Binding for `pod`. */
export function bindPod({ store, nowText, dryRun }: BindingTools, pod: KubeObject, body: Tree): void {
  const node = textAt(body, 'target', 'name') ?? ''
  const name = pod.metadata.name ?? ''
  if (pod.metadata.deletionTimestamp)
    throw conflict(resource, name, `pod ${name} is being deleted, cannot be assigned to a host`)
  const bound = textAt(pod, 'spec', 'nodeName')
  if (bound) throw conflict(resource, name, `pod ${name} is already assigned to node "${bound}"`)
  const spec: Tree = isTree(pod['spec']) ? pod['spec'] : {}
  const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: nowText }
  const after: KubeObject = {
    ...pod,
    spec: { ...spec, nodeName: node },
    status: withCondition(pod, scheduled),
  }
  if (!dryRun && !store.put('pods', after, pod)) throw conflict(resource, name, 'the object has been modified')
}

export function withCondition(pod: KubeObject, condition: Tree): Tree {
  const status: Tree = isTree(pod['status']) ? pod['status'] : {}
  const conditions = Array.isArray(status['conditions']) ? status['conditions'] : []
  const others = conditions.filter((known) => !isTree(known) || known['type'] !== condition['type'])
  return { ...status, conditions: [...others, condition] }
}
