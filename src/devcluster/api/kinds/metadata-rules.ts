/** What holds for the metadata of every object (k8s.io/apimachinery/pkg/api/validation). */
import type { KubeObject } from '../../../kube/client.ts'
import { type FieldProblem, forbidden, invalid, required, tooLong } from '../field-problem.ts'
import type { Resource } from '../resource.ts'
import { labelValueProblem, qualifiedNameProblem } from './names.ts'

const maxAnnotationBytes = 256 * 1024

export function metadataProblems(resource: Resource, object: KubeObject): FieldProblem[] {
  const { metadata } = object
  const out: FieldProblem[] = []
  const name = metadata.name ?? ''
  if (name === '') out.push(required('metadata.name', 'name or generateName is required'))
  const problem = name === '' ? undefined : resource.nameProblem(name)
  if (problem) out.push(invalid('metadata.name', name, problem))
  if (resource.namespaced && !metadata.namespace) out.push(required('metadata.namespace'))
  if (!resource.namespaced && metadata.namespace) out.push(forbidden('metadata.namespace', 'not allowed on this type'))
  out.push(...labelProblems(metadata.labels, 'metadata.labels'))
  out.push(...annotationProblems(metadata.annotations, 'metadata.annotations'))
  out.push(...ownerProblems(object))
  for (const finalizer of metadata.finalizers ?? []) {
    const why = qualifiedNameProblem(finalizer)
    if (why) out.push(invalid('metadata.finalizers', finalizer, why))
  }
  return out
}

export function labelProblems(labels: Readonly<Record<string, string>> | undefined, field: string): FieldProblem[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => {
    const wrongKey = qualifiedNameProblem(key)
    const wrongValue = labelValueProblem(value)
    return [
      ...(wrongKey ? [invalid(field, key, wrongKey)] : []),
      ...(wrongValue ? [invalid(field, value, wrongValue)] : []),
    ]
  })
}

export function annotationProblems(
  annotations: Readonly<Record<string, string>> | undefined,
  field: string,
): FieldProblem[] {
  const out: FieldProblem[] = []
  let bytes = 0
  for (const [key, value] of Object.entries(annotations ?? {})) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
    const why = qualifiedNameProblem(key.toLowerCase())
    if (why) out.push(invalid(field, key, why))
  }
  if (bytes > maxAnnotationBytes) out.push(tooLong(field, maxAnnotationBytes))
  return out
}

function ownerProblems(object: KubeObject): FieldProblem[] {
  const field = 'metadata.ownerReferences'
  const owners = object.metadata.ownerReferences ?? []
  const out: FieldProblem[] = []
  for (const [index, owner] of owners.entries()) {
    const of = `${field}[${index}]`
    if (!owner.apiVersion) out.push(invalid(`${of}.apiVersion`, '', 'version must not be empty'))
    if (!owner.kind) out.push(invalid(`${of}.kind`, '', 'must not be empty'))
    if (!owner.name) out.push(invalid(`${of}.name`, '', 'must not be empty'))
    if (!owner.uid) out.push(invalid(`${of}.uid`, '', 'must not be empty'))
  }
  const controllers = owners.filter((owner) => owner.controller === true)
  const [first, second] = controllers
  if (first && second)
    out.push(
      invalid(
        field,
        owners,
        `Only one reference can have Controller set to true. Found "true" in references for ${first.kind}/${first.name} and ${second.kind}/${second.name}`,
      ),
    )
  return out
}

/** Of an update; what the server sets itself has been put back before. */
export function metadataUpdateProblems(object: KubeObject, before: KubeObject): FieldProblem[] {
  const out: FieldProblem[] = []
  if (before.metadata.deletionTimestamp) {
    const known = before.metadata.finalizers ?? []
    const added = (object.metadata.finalizers ?? []).filter((finalizer) => !known.includes(finalizer))
    if (added.length > 0)
      out.push(
        forbidden(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((f) => JSON.stringify(f)).join(', ')}}`,
        ),
      )
  }
  return out
}
