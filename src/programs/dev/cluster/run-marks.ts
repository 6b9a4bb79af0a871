/** How what belongs to a run can be told from everything else in a cluster, and goes when the run's namespace goes. */
import type { KubeObject, ObjectMeta, OwnerReference } from '../../../kube/client.ts'

export const managedByLabel = 'app.kubernetes.io/managed-by'
export const managedBy = 'coffer-dev'
export const runLabel = 'coffer.dev/run'

export interface RunMarks {
  /** Such as "1a2b3c4d". */
  readonly id: string
  /** The run's namespace and node, and the first part of the name of all that has no namespace: "coffer-dev-1a2b3c4d". */
  readonly name: string
  /**
   * Its namespace. Everything without a namespace names it as its owner, so that the cluster's garbage collector removes it
   * after the namespace: one delete is enough, whoever is left to send it.
   */
  readonly owner: OwnerReference
}

export const runName = (id: string) => `coffer-dev-${id}`

/**
 * For a run of which nobody is left. The namespace alone would wait for ever: for the controller to take its finalizers back, and
 * for the runner to report the end of its pods, which the cluster does itself once their Node is gone.
 */
export const removalCommand = (name: string) =>
  `kubectl -n ${name} get externalsecrets -o name | xargs -r -n1 kubectl -n ${name} patch --type merge -p '{"metadata":{"finalizers":null}}'; kubectl delete node/${name} namespace/${name}`

export function labelsOf(marks: Pick<RunMarks, 'id'>): Record<string, string> {
  return { [managedByLabel]: managedBy, [runLabel]: marks.id }
}

/** Metadata of an object without a namespace. */
export function clusterScoped(marks: RunMarks, name: string): ObjectMeta {
  return { name, labels: labelsOf(marks), ownerReferences: [marks.owner] }
}

export const inNamespace = (marks: RunMarks, name: string): ObjectMeta => ({
  name,
  namespace: marks.name,
  labels: labelsOf(marks),
})

export const isOurs = (object: KubeObject) => object.metadata.labels?.[managedByLabel] === managedBy
