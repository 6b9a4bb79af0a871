/** Which webhooks a write goes to (k8s.io/apiserver/pkg/admission/plugin/webhook/predicates). */
import type { KubeObject } from '../../../kube/client.ts'
import type { Resource, ResourceTable } from '../resource.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { matchesLabels, readLabelSelector } from '../store/selectors.ts'
import { type Tree, textAt, textsAt, treesAt } from '../tree.ts'
import type { AdmissionAttempt } from './admission.ts'

/** The version of the kind in which the webhook wants to see the object; undefined: it doesn't. */
export function matchingVersion(
  webhook: Tree,
  attempt: AdmissionAttempt,
  tables: { readonly resources: ResourceTable; readonly store: ObjectStore },
): Resource | undefined {
  if (!matchesNamespace(webhook, attempt, tables.store) || !matchesObject(webhook, attempt)) return undefined
  const rules = treesAt(webhook, 'rules')
  if (rules.some((rule) => matchesRule(rule, attempt, attempt.resource))) return attempt.resource
  if (textAt(webhook, 'matchPolicy') === 'Exact') return undefined
  const others = tables.resources.all().filter((other) => other.collection === attempt.resource.collection)
  return others.find((other) => rules.some((rule) => matchesRule(rule, attempt, other)))
}

function matchesRule(rule: Tree, attempt: AdmissionAttempt, resource: Resource): boolean {
  const has = (member: string, value: string) => {
    const values = textsAt(rule, member)
    return values.includes('*') || values.includes(value)
  }
  const scope = textAt(rule, 'scope') ?? '*'
  const scoped = scope === '*' || (scope === 'Namespaced') === resource.namespaced
  return (
    scoped &&
    has('operations', attempt.operation) &&
    has('apiGroups', resource.group) &&
    has('apiVersions', resource.version) &&
    matchesResource(textsAt(rule, 'resources'), resource.plural, attempt.subresource)
  )
}

/** "pods", "pods/status", "pods/*", "*", and so on: both halves must fit; an absent second half is the object itself. */
function matchesResource(patterns: readonly string[], plural: string, subresource = ''): boolean {
  return patterns.some((pattern) => {
    const [resource, below = ''] = pattern.split('/')
    return (resource === '*' || resource === plural) && (below === '*' || below === subresource)
  })
}

function matchesNamespace(webhook: Tree, attempt: AdmissionAttempt, store: ObjectStore): boolean {
  const isNamespace = attempt.resource.collection === 'namespaces'
  if (attempt.namespace === undefined && !isNamespace) return true
  const namespace = isNamespace
    ? (attempt.object ?? attempt.before)
    : store.get('namespaces', undefined, attempt.namespace ?? '')
  const selector = readLabelSelector(webhook['namespaceSelector'] ?? {})
  return selector !== undefined && matchesLabels(selector, namespace?.metadata.labels)
}

function matchesObject(webhook: Tree, attempt: AdmissionAttempt): boolean {
  const selector = readLabelSelector(webhook['objectSelector'] ?? {})
  const fits = (object: KubeObject | undefined) =>
    object !== undefined && selector !== undefined && matchesLabels(selector, object.metadata.labels)
  return fits(attempt.object) || fits(attempt.before)
}
