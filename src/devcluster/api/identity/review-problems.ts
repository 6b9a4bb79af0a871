/** What is wrong with a question about rights (k8s.io/kubernetes/pkg/apis/authorization/validation). */
import { type FieldProblem, invalid } from '../field-problem.ts'
import { type Tree, textAt, textsAt, treeAt } from '../tree.ts'

const oneOfTwo = 'exactly one of nonResourceAttributes or resourceAttributes must be specified'

export function accessProblems(review: Tree): readonly FieldProblem[] {
  const resource = treeAt(review, 'spec', 'resourceAttributes')
  const path = treeAt(review, 'spec', 'nonResourceAttributes')
  if (!resource && !path) return [invalid('spec.resourceAttributes', null, oneOfTwo)]
  if (!resource || !path) return []
  const both = 'cannot be specified in combination with resourceAttributes'
  return [invalid('spec.nonResourceAttributes', pathValue(path), both)]
}

export function subjectProblems(review: Tree): readonly FieldProblem[] {
  if (textAt(review, 'spec', 'user') || textsAt(review, 'spec', 'groups').length > 0) return []
  return [invalid('spec.user', '', 'at least one of user or group must be specified')]
}

/** As Go prints metadata. */
const metadataOrder = [
  ...['name', 'generateName', 'namespace', 'selfLink', 'uid', 'resourceVersion', 'generation', 'creationTimestamp'],
  ...['deletionTimestamp', 'deletionGracePeriodSeconds', 'labels', 'annotations', 'ownerReferences', 'finalizers'],
  'managedFields',
]

/** `allowed`: what the metadata may say all the same. */
export function metadataProblems(review: Tree, allowed?: 'namespace'): readonly FieldProblem[] {
  const said = Object.entries(treeAt(review, 'metadata') ?? {}).filter(([, value]) => !isEmpty(value))
  if (said.every(([member]) => member === allowed || member === 'managedFields')) return []
  const why = allowed === undefined ? 'must be empty' : 'must be empty except for namespace'
  said.sort(([a], [b]) => metadataOrder.indexOf(a) - metadataOrder.indexOf(b))
  return [invalid('metadata', Object.fromEntries(said), why)]
}

/** Of a LocalSubjectAccessReview: it asks about its own namespace only. */
export function placeProblems(review: Tree): readonly FieldProblem[] {
  const out: FieldProblem[] = []
  const resource = treeAt(review, 'spec', 'resourceAttributes')
  const namespace = textAt(resource, 'namespace') ?? ''
  if (resource && namespace !== (textAt(review, 'metadata', 'namespace') ?? ''))
    out.push(invalid('spec.resourceAttributes.namespace', namespace, 'must match metadata.namespace'))
  const path = treeAt(review, 'spec', 'nonResourceAttributes')
  if (path) out.push(invalid('spec.nonResourceAttributes', pathValue(path), 'disallowed on this kind of request'))
  return out
}

/** As Go prints the struct, which has no names for JSON. */
function pathValue(path: Tree): Tree {
  return { Path: textAt(path, 'path') ?? '', Verb: textAt(path, 'verb') ?? '' }
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}
