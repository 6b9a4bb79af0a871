/** Manifests that were written for a cluster of one's own, put where a run in somebody's cluster has its things. */
import type { KubeObject } from '../../../kube/client.ts'
import { clusterScoped, labelsOf, type RunMarks } from './run-marks.ts'

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

export function placeIn(marks: RunMarks): (object: KubeObject, namespaced: boolean) => KubeObject {
  return (object, namespaced) => {
    const { name = '', labels = {}, ...metadata } = object.metadata
    if (namespaced)
      return {
        ...object,
        metadata: { ...metadata, name, namespace: marks.name, labels: { ...labels, ...labelsOf(marks) } },
      }
    const own = clusterScoped(marks, `${marks.name}-${name}`)
    const placed = { ...object, metadata: { ...metadata, ...own, labels: { ...labels, ...own.labels } } }
    const { subjects } = object
    if (!Array.isArray(subjects)) return placed
    // Whom a binding names has moved too.
    const moved = subjects.map((one: unknown) =>
      isRecord(one) && one['namespace'] ? { ...one, namespace: marks.name } : one,
    )
    return { ...placed, subjects: moved }
  }
}
