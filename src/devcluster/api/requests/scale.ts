/** The scale subresource: how many replicas, whatever the kind. */
import type { KubeObject } from '../../../kube/client.ts'
import { invalid } from '../field-problem.ts'
import { selectorText } from '../kinds/columns.ts'
import { dnsSubdomainProblem } from '../kinds/names.ts'
import type { Resource, ScalePaths } from '../resource.ts'
import { checkShape } from '../shapes/check-shape.ts'
import type { Field, Shape } from '../shapes/shape.ts'
import { invalidObject } from '../status.ts'
import { at, ensureTree, isTree, numberAt, type Tree } from '../tree.ts'

export function scaleOf(object: KubeObject, paths: ScalePaths): Tree & KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const selector = paths.labelSelectorPath ? at(object, ...paths.labelSelectorPath) : at(object, 'spec', 'selector')
  const text = typeof selector === 'string' ? selector : isTree(selector) ? selectorText(selector) : undefined
  const asked = at(object, ...paths.specReplicasPath)
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    // To Go none is nothing to tell.
    spec: asked ? { replicas: asked } : {},
    status: { replicas: at(object, ...paths.statusReplicasPath) ?? 0, ...(text ? { selector: text } : {}) },
  }
}

/** `object` with the replicas that `scale` asks for; changes it. */
export function applyScale(object: KubeObject, scale: unknown, paths: ScalePaths): KubeObject {
  const replicas = numberAt(scale, 'spec', 'replicas') ?? 0
  const last = paths.specReplicasPath.at(-1)
  if (last === undefined || replicas < 0)
    throw invalidObject({ group: 'autoscaling', kind: 'Scale' }, object.metadata.name ?? '', [
      invalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ])
  ensureTree(object, ...paths.specReplicasPath.slice(0, -1))[last] = replicas
  return object
}

const field = (shape: Shape): Field => ({ shape, retainKeys: false })
const text = field({ kind: 'scalar', type: 'text' })
const count = field({ kind: 'scalar', type: 'integer' })
const struct = (name: string, fields: Readonly<Record<string, Field>>): Shape => ({
  kind: 'struct',
  name: `autoscaling.${name}`,
  atomic: false,
  fields: new Map(Object.entries(fields)),
})

/** What a request for the scale of `parent` is read as. */
export function scaleKind(parent: Resource): Resource {
  const metadata = parent.shape.kind === 'struct' ? parent.shape.fields.get('metadata') : undefined
  const shape = struct('Scale', {
    apiVersion: text,
    kind: text,
    ...(metadata ? { metadata } : {}),
    spec: field(struct('ScaleSpec', { replicas: count })),
    status: field(struct('ScaleStatus', { replicas: count, selector: text })),
  })
  return {
    ...parent,
    group: 'autoscaling',
    version: 'v1',
    kind: 'Scale',
    custom: false,
    shape,
    nameProblem: dnsSubdomainProblem,
    decode: (object) => checkShape(object, shape),
  }
}
