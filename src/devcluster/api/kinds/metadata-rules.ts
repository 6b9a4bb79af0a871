/** What holds for the metadata of every object (k8s.io/apimachinery/pkg/api/validation). */
import type { KubeObject } from '../../../kube/client.ts'
import { type FieldProblem, forbidden, immutable, invalid, required, tooLong } from '../field-problem.ts'
import type { Resource } from '../resource.ts'
import { labelValueProblems, pathSegmentProblem, qualifiedNameProblems } from './names.ts'

const maxAnnotationBytes = 256 * 1024

/** Finalizers without a domain that are Kubernetes' own. */
const standardFinalizers = ['kubernetes', 'orphan', 'foregroundDeletion']

const lenientGroups = ['apps', 'batch', 'coordination.k8s.io', 'events.k8s.io', 'apiextensions.k8s.io']
const isLenient = ({ group, plural }: Resource) => lenientGroups.includes(group) || plural === 'services'

export function metadataProblems(resource: Resource, object: KubeObject, isUpdate = false): FieldProblem[] {
  const { metadata } = object
  // Of what is there already these look at the name no more: it fits into a path.
  const nameProblem = isUpdate && isLenient(resource) ? pathSegmentProblem : resource.nameProblem
  const out: FieldProblem[] = []
  const { name = '', generateName = '' } = metadata
  const prefixProblem = generateName === '' ? undefined : nameProblem(maskTrailingDash(generateName))
  if (prefixProblem) out.push(invalid('metadata.generateName', generateName, prefixProblem))
  if (name === '') out.push(required('metadata.name', 'name or generateName is required'))
  const problem = name === '' ? undefined : nameProblem(name)
  if (problem) out.push(invalid('metadata.name', name, problem))
  if (resource.namespaced && !metadata.namespace) out.push(required('metadata.namespace'))
  if (!resource.namespaced && metadata.namespace) out.push(forbidden('metadata.namespace', 'not allowed on this type'))
  if ((metadata.generation ?? 0) < 0)
    out.push(invalid('metadata.generation', metadata.generation, 'must be greater than or equal to 0'))
  out.push(...labelProblems(metadata.labels, 'metadata.labels'))
  out.push(...annotationProblems(metadata.annotations, 'metadata.annotations'))
  out.push(...ownerProblems(object))
  out.push(...finalizerProblems(metadata.finalizers ?? []))
  return out
}

/** What comes after it makes a name whole. */
const maskTrailingDash = (prefix: string) =>
  prefix.length > 1 && prefix.endsWith('-') ? `${prefix.slice(0, -2)}a` : prefix

function finalizerProblems(finalizers: readonly string[]): FieldProblem[] {
  const field = 'metadata.finalizers'
  const out = finalizers.flatMap((finalizer) =>
    qualifiedNameProblems(finalizer).map((why) => invalid(field, finalizer, why)),
  )
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion'))
    out.push(invalid(field, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'))
  return out
}

/** The other groups' kinds, and events, take any. */
const strictGroups = ['', 'apps', 'batch', 'rbac.authorization.k8s.io']

/** What a kind's own rules begin with: without a domain a finalizer must be one of Kubernetes. */
export function standardFinalizerProblems(resource: Resource, { metadata }: KubeObject): FieldProblem[] {
  if (!strictGroups.includes(resource.group) || resource.kind === 'Event') return []
  return (metadata.finalizers ?? []).flatMap((finalizer, index) =>
    standardNameProblems(finalizer, `metadata.finalizers[${index}]`),
  )
}

/** Of a finalizer in a namespace's spec. */
export function finalizerNameProblems(finalizer: string, field: string): FieldProblem[] {
  const wrong = qualifiedNameProblems(finalizer).map((why) => invalid(field, finalizer, why))
  return [...wrong, ...standardNameProblems(finalizer, field)]
}

export function standardNameProblems(finalizer: string, field: string): FieldProblem[] {
  if (finalizer.includes('/') || standardFinalizers.includes(finalizer)) return []
  return [invalid(field, finalizer, 'name is neither a standard finalizer name nor is it fully qualified')]
}

export function labelProblems(labels: Readonly<Record<string, string>> | undefined, field: string): FieldProblem[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...qualifiedNameProblems(key).map((why) => invalid(field, key, why)),
    ...labelValueProblems(value).map((why) => invalid(field, value, why)),
  ])
}

export function annotationProblems(
  annotations: Readonly<Record<string, string>> | undefined,
  field: string,
): FieldProblem[] {
  const out: FieldProblem[] = []
  let bytes = 0
  for (const [key, value] of Object.entries(annotations ?? {})) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
    for (const why of qualifiedNameProblems(key.toLowerCase())) out.push(invalid(field, key, why))
  }
  if (bytes > maxAnnotationBytes) out.push(tooLong(field, maxAnnotationBytes))
  return out
}

function ownerProblems(object: KubeObject): FieldProblem[] {
  const field = 'metadata.ownerReferences'
  const owners = object.metadata.ownerReferences ?? []
  const out: FieldProblem[] = []
  let controller = ''
  for (const owner of owners) {
    const { apiVersion = '', kind = '', name = '', uid = '' } = owner
    if (apiVersion === '' || apiVersion.split('/').length > 2)
      out.push(invalid(`${field}.apiVersion`, apiVersion, 'version must not be empty'))
    if (kind === '') out.push(invalid(`${field}.kind`, '', 'must not be empty'))
    if (name === '') out.push(invalid(`${field}.name`, '', 'must not be empty'))
    if (uid === '') out.push(invalid(`${field}.uid`, '', 'must not be empty'))
    if (apiVersion === 'v1' && kind === 'Event')
      out.push(invalid(field, owner, '/v1, Kind=Event is disallowed from being an owner'))
    if (owner.controller !== true) continue
    if (controller === '') controller = `${kind}/${name}`
    else
      out.push(
        invalid(
          field,
          owners,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${kind}/${name}`,
        ),
      )
  }
  return out
}

/** Of an update; what the server sets itself has been put back before. */
export function metadataUpdateProblems(object: KubeObject, before: KubeObject): FieldProblem[] {
  const out: FieldProblem[] = []
  if (before.metadata.deletionTimestamp) {
    const known = before.metadata.finalizers ?? []
    const asked = new Set(object.metadata.finalizers ?? [])
    const added = [...asked].filter((finalizer) => !known.includes(finalizer)).sort()
    if (added.length > 0)
      out.push(
        forbidden(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((f) => JSON.stringify(f)).join(', ')}}`,
        ),
      )
  }
  for (const member of ['uid', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const)
    if (object.metadata[member] !== before.metadata[member])
      out.push(immutable(`metadata.${member}`, object.metadata[member]))
  return out
}
