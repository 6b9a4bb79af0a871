/** Events, shown by two groups: v1 and events.k8s.io/v1 are two views of the same objects. */
import type { KubeObject } from '../../../kube/client.ts'
import { type FieldProblem, invalid } from '../field-problem.ts'
import type { Column } from '../resource.ts'
import { at, numberAt, textAt } from '../tree.ts'
import type { BuiltInKind } from './built-in.ts'
import { age, column, nameColumn } from './columns.ts'

export const eventCollection = 'events'
/** As kube-apiserver's --event-ttl. */
export const eventLifetimeMs = 3_600_000

const lastSeen = (event: KubeObject) =>
  at(event, 'series', 'lastObservedTime') ??
  at(event, 'lastTimestamp') ??
  at(event, 'deprecatedLastTimestamp') ??
  at(event, 'eventTime') ??
  event.metadata.creationTimestamp

const subjectOf = (event: KubeObject) => at(event, 'involvedObject') ?? at(event, 'regarding')
const source = (event: KubeObject) => {
  const old = at(event, 'source') ?? at(event, 'deprecatedSource')
  const component =
    textAt(old, 'component') ?? textAt(event, 'reportingComponent') ?? textAt(event, 'reportingController')
  const host = textAt(old, 'host')
  return host ? `${component ?? ''}, ${host}` : (component ?? '')
}
const count = (event: KubeObject) =>
  numberAt(event, 'series', 'count') ?? numberAt(event, 'count') ?? numberAt(event, 'deprecatedCount') ?? 1

const eventColumns: readonly Column[] = [
  column('Last Seen', 'string', (event, nowMs) => age(lastSeen(event), nowMs)),
  column('Type', 'string', (event) => textAt(event, 'type') ?? ''),
  column('Reason', 'string', (event) => textAt(event, 'reason') ?? ''),
  column('Object', 'string', (event) => {
    const subject = subjectOf(event)
    return `${(textAt(subject, 'kind') ?? '').toLowerCase()}/${textAt(subject, 'name') ?? ''}`
  }),
  column('Subobject', 'string', (event) => textAt(subjectOf(event), 'fieldPath') ?? '', 1),
  column('Source', 'string', source, 1),
  column('Message', 'string', (event) => (textAt(event, 'message') ?? textAt(event, 'note') ?? '').trim()),
  column('First Seen', 'string', (event, nowMs) => age(at(event, 'firstTimestamp') ?? lastSeen(event), nowMs), 1),
  column('Count', 'string', count, 1),
  { ...nameColumn, priority: 1 },
]

const selectable = (subject: string, ...more: readonly string[]) => [
  ...['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map((f) => `${subject}.${f}`),
  'reason',
  'type',
  ...more,
]

export const eventKind: BuiltInKind = {
  group: '',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  type: 'core.Event',
  shortNames: ['ev'],
  collection: eventCollection,
  columns: eventColumns,
  selectableFields: selectable('involvedObject', 'reportingComponent', 'source'),
  fieldValue: (event, field) => (field === 'source' ? source(event) : String(at(event, ...field.split('.')) ?? '')),
  validate: (event) =>
    namespaceProblems(event, textAt(event, 'involvedObject', 'namespace'), 'involvedObject.namespace'),
}

export const newEventKind: BuiltInKind = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  type: 'events.Event',
  shortNames: ['ev'],
  collection: eventCollection,
  columns: eventColumns,
  selectableFields: selectable('regarding', 'reportingController'),
  validate: (event) => namespaceProblems(event, textAt(event, 'regarding', 'namespace'), 'regarding.namespace'),
  toStored: (event) => rename(event, 'v1', false),
  fromStored: (event) => rename(event, 'events.k8s.io/v1', true),
}

/** An event stands in the namespace of its subject; of a cluster-wide subject in `default`. */
function namespaceProblems(event: KubeObject, subject: string | undefined, field: string): FieldProblem[] {
  const { namespace } = event.metadata
  if (subject ? subject === namespace : namespace === 'default' || namespace === 'kube-system') return []
  return [invalid(field, subject ?? '', 'does not match event.namespace')]
}

/** Member of v1, member of events.k8s.io/v1. */
const pairs: readonly (readonly [string, string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
]

function rename(event: KubeObject, apiVersion: string, toNew: boolean): KubeObject {
  const out: KubeObject = { ...event, apiVersion }
  for (const [old, fresh] of pairs) {
    const [from, to] = toNew ? [old, fresh] : [fresh, old]
    delete out[from]
    if (event[from] !== undefined) out[to] = event[from]
  }
  return out
}
