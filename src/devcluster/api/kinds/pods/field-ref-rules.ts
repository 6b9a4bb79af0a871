/** Which fields of its own a pod may hand to its containers (the downward API). */
import { type FieldProblem, invalid, notSupported, required } from '../../field-problem.ts'
import { type Tree, textAt } from '../../tree.ts'

/** What the API knows of a pod by name. */
const known = [
  ...['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid'],
  ...['spec.nodeName', 'spec.restartPolicy', 'spec.serviceAccountName', 'spec.schedulerName', 'status.phase'],
  ...['status.hostIP', 'status.hostIPs', 'status.podIP', 'status.podIPs'],
]
const handedOut = {
  env: [
    ...['metadata.name', 'metadata.namespace', 'metadata.uid', 'spec.nodeName', 'spec.serviceAccountName'],
    ...['status.hostIP', 'status.hostIPs', 'status.podIP', 'status.podIPs'],
  ],
  volume: ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid'],
}

export function fieldRefProblems(ref: Tree, path: string, place: 'env' | 'volume'): FieldProblem[] {
  const field = `${path}.fieldPath`
  const asked = textAt(ref, 'fieldPath') ?? ''
  if (!textAt(ref, 'apiVersion')) return [required(`${path}.apiVersion`)]
  if (asked === '') return [required(field)]
  const keyed = /^(metadata\.(?:annotations|labels))\['(.*)'\]$/.exec(asked)
  if (keyed) return []
  if (!known.includes(asked))
    return [invalid(field, asked, `error converting fieldPath: field label not supported: ${asked}`)]
  return handedOut[place].includes(asked) ? [] : [notSupported(field, asked, handedOut[place])]
}
