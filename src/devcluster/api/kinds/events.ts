/** Events, shown by two groups: v1 and events.k8s.io/v1 are two views of the same objects. */
import type { KubeObject } from '../../../kube/client.ts'
import { type FieldProblem, immutable, invalid, required } from '../field-problem.ts'
import type { Column } from '../resource.ts'
import { at, equal, numberAt, textAt, treeAt } from '../tree.ts'
import type { BuiltInKind } from './built-in.ts'
import { age, column, nameColumn } from './columns.ts'
import { standardNameProblems } from './metadata-rules.ts'
import { pathSegmentProblem, qualifiedNameProblems } from './names.ts'

export const eventCollection = 'events'
/** As kube-apiserver's --event-ttl. */
export const eventLifetimeMs = 3_600_000

const firstSeen = (event: KubeObject) =>
  at(event, 'firstTimestamp') ?? at(event, 'deprecatedFirstTimestamp') ?? at(event, 'eventTime')
const lastSeen = (event: KubeObject) =>
  treeAt(event, 'series')
    ? at(event, 'series', 'lastObservedTime')
    : (at(event, 'lastTimestamp') ?? at(event, 'deprecatedLastTimestamp') ?? firstSeen(event))

const subjectOf = (event: KubeObject) => at(event, 'involvedObject') ?? at(event, 'regarding')
const source = (event: KubeObject) => {
  const old = at(event, 'source') ?? at(event, 'deprecatedSource')
  const component =
    textAt(old, 'component') || textAt(event, 'reportingComponent') || textAt(event, 'reportingController')
  const host = textAt(old, 'host') || textAt(event, 'reportingInstance')
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
    const name = textAt(subject, 'name')
    return `${(textAt(subject, 'kind') ?? '').toLowerCase()}${name ? `/${name}` : ''}`
  }),
  column('Subobject', 'string', (event) => textAt(subjectOf(event), 'fieldPath') ?? '', 1),
  column('Source', 'string', source, 1),
  column('Message', 'string', (event) => (textAt(event, 'message') ?? textAt(event, 'note') ?? '').trim()),
  column('First Seen', 'string', (event, nowMs) => age(firstSeen(event), nowMs), 1),
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
  createOnUpdate: true,
  nameProblem: pathSegmentProblem,
  columns: eventColumns,
  selectableFields: selectable('involvedObject', 'reportingComponent', 'source'),
  fieldValue: (event, field) => (field === 'source' ? source(event) : String(at(event, ...field.split('.')) ?? '')),
  validateFirst: { problems: (event) => legacyProblems(event, 'v1'), alone: true },
  validate: (event, before) => (before ? legacyProblems(event, 'v1') : []),
}

export const newEventKind: BuiltInKind = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  type: 'events.Event',
  shortNames: ['ev'],
  collection: eventCollection,
  createOnUpdate: true,
  errorGroup: '',
  columns: eventColumns,
  selectableFields: selectable('regarding', 'reportingController'),
  validateFirst: { problems: (event) => legacyProblems(rename(event, 'v1', false), 'events.k8s.io/v1'), alone: false },
  validate: (event, before) => {
    const old = rename(event, 'v1', false)
    if (!before) return newProblems(old)
    return [...legacyProblems(old, 'events.k8s.io/v1'), ...changeProblems(old, rename(before, 'v1', false))]
  },
  toStored: (event) => rename(event, 'v1', false),
  fromStored: (event) => rename(event, 'events.k8s.io/v1', true),
}

/**
 * An event stands in the namespace of its subject; of a cluster-wide subject in `default`. One with an eventTime says besides
 * who reported what. Fields are called as in v1, but for one of two names of the reporter.
 */
function legacyProblems(event: KubeObject, apiVersion: 'v1' | 'events.k8s.io/v1'): FieldProblem[] {
  const { namespace } = event.metadata
  const subject = textAt(event, 'involvedObject', 'namespace') ?? ''
  const misplaced = invalid('involvedObject.namespace', subject, 'does not match event.namespace')
  if (!textAt(event, 'eventTime')) {
    const fits = subject === '' ? namespace === undefined || namespace === 'default' : namespace === subject
    return fits ? [] : [misplaced]
  }
  const atHome = subject !== '' || namespace === 'default' || namespace === 'kube-system'
  return [...(atHome ? [] : [misplaced]), ...reportProblems(event, apiVersion)]
}

function reportProblems(event: KubeObject, apiVersion: 'v1' | 'events.k8s.io/v1'): FieldProblem[] {
  const reporter = textAt(event, 'reportingComponent') ?? ''
  const field = apiVersion === 'v1' ? 'reportingComponent' : 'reportingController'
  const needed = (member: string, most: number) => {
    const text = textAt(event, member) ?? ''
    if (text === '') return member === 'message' ? [] : [required(member)]
    return text.length > most ? [invalid(member, '', `can have at most ${most} characters`)] : []
  }
  return [
    ...(reporter === '' ? [required(field)] : []),
    ...qualifiedNameProblems(reporter).map((why) => invalid(field, reporter, why)),
    ...needed('reportingInstance', 128),
    ...needed('action', 128),
    ...needed('reason', 128),
    ...needed('message', 1024),
  ]
}

/** events.k8s.io holds them to the rule of the core's kinds. */
const finalizerProblems = (event: KubeObject): FieldProblem[] =>
  (event.metadata.finalizers ?? []).flatMap((finalizer, index) =>
    standardNameProblems(finalizer, `metadata.finalizers[${index}]`),
  )

function newProblems(event: KubeObject): FieldProblem[] {
  const type = textAt(event, 'type') ?? ''
  const unset = (field: string, value: unknown) => (value ? [invalid(field, '', 'needs to be unset')] : [])
  return [
    ...finalizerProblems(event),
    ...seriesProblems(event),
    ...(textAt(event, 'eventTime') ? [] : [required('eventTime')]),
    ...(type === 'Normal' || type === 'Warning' ? [] : [invalid('type', '', `has invalid value: ${type}`)]),
    ...unset('firstTimestamp', at(event, 'firstTimestamp')),
    ...unset('lastTimestamp', at(event, 'lastTimestamp')),
    ...unset('count', numberAt(event, 'count')),
    ...unset('source', textAt(event, 'source', 'component') || textAt(event, 'source', 'host')),
  ]
}

function seriesProblems(event: KubeObject): FieldProblem[] {
  if (!treeAt(event, 'series')) return []
  return [
    ...((numberAt(event, 'series', 'count') ?? 0) < 2 ? [invalid('series.count', '', 'should be at least 2')] : []),
    ...(textAt(event, 'series', 'lastObservedTime') ? [] : [required('series.lastObservedTime')]),
  ]
}

const frozenFields = [
  ...['involvedObject', 'reason', 'message', 'source', 'firstTimestamp', 'lastTimestamp', 'count', 'reason', 'type'],
  ...['eventTime', 'action', 'related', 'reportingComponent', 'reportingInstance'],
]

const frozenTexts: ReadonlySet<string> = new Set([
  ...['reason', 'message', 'type', 'action', 'reportingComponent', 'reportingInstance'],
])

/** Only the series of an event goes on. */
function changeProblems(event: KubeObject, before: KubeObject): FieldProblem[] {
  // To Go what is not there is empty.
  const valueIn = (object: KubeObject, field: string) =>
    object[field] ?? (frozenTexts.has(field) ? '' : field === 'count' ? 0 : null)
  const changed = frozenFields.filter((field) => !equal(valueIn(event, field), valueIn(before, field)))
  const shown = (field: string) => (field === 'reportingComponent' ? 'reportingController' : field)
  return [
    ...finalizerProblems(event),
    ...(equal(event['series'], before['series']) ? [] : seriesProblems(event)),
    ...changed.map((field) => immutable(shown(field), valueIn(event, field))),
  ]
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
  // The new group leaves out what is empty.
  if (toNew)
    for (const member of ['reportingController', 'reportingInstance']) if (out[member] === '') delete out[member]
  return out
}
