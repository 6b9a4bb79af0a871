/** The scale subresource: how many replicas, whatever the kind. */
import type { KubeObject } from '../../../kube/client.ts'
import { selectorText } from '../kinds/columns.ts'
import type { ScalePaths } from '../resource.ts'
import { badRequest } from '../status.ts'
import { at, ensureTree, isTree, numberAt, type Tree } from '../tree.ts'

export function scaleOf(object: KubeObject, paths: ScalePaths): Tree & KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const selector = paths.labelSelectorPath ? at(object, ...paths.labelSelectorPath) : at(object, 'spec', 'selector')
  const text = typeof selector === 'string' ? selector : isTree(selector) ? selectorText(selector) : undefined
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: at(object, ...paths.specReplicasPath) ?? 0 },
    status: { replicas: at(object, ...paths.statusReplicasPath) ?? 0, ...(text ? { selector: text } : {}) },
  }
}

/** `object` with the replicas that `scale` asks for; changes it. */
export function applyScale(object: KubeObject, scale: unknown, paths: ScalePaths): KubeObject {
  const replicas = numberAt(scale, 'spec', 'replicas') ?? 0
  const last = paths.specReplicasPath.at(-1)
  if (last === undefined || !Number.isInteger(replicas) || replicas < 0)
    throw badRequest(`spec.replicas: Invalid value: ${replicas}: must be greater than or equal to 0`)
  ensureTree(object, ...paths.specReplicasPath.slice(0, -1))[last] = replicas
  return object
}
