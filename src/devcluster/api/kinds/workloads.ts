/** Deployments and ReplicaSets. */
import type { KubeObject } from '../../../kube/client.ts'
import { type FieldProblem, forbidden, immutable, invalid, notSupported, required } from '../field-problem.ts'
import type { Column } from '../resource.ts'
import { matchesLabels, readLabelSelector } from '../store/selectors.ts'
import { at, ensureTree, equal, isTree, numberAt, setDefault, type Tree, textAt, textMapAt, treeAt } from '../tree.ts'
import type { BuiltInKind } from './built-in.ts'
import { ageColumn, column, countColumn, nameColumn, templateColumns } from './columns.ts'
import { fillPodSpec } from './pods/pod-defaults.ts'
import { templateWarnings } from './pods/pod-warnings.ts'
import { labelSelectorProblems } from './templates/label-selector-rules.ts'
import { podTemplateProblems } from './templates/pod-template-rules.ts'

const scale = {
  specReplicasPath: ['spec', 'replicas'],
  statusReplicasPath: ['status', 'replicas'],
}

const deploymentColumns: readonly Column[] = [
  nameColumn,
  column('Ready', 'string', (d) => `${at(d, 'status', 'readyReplicas') ?? 0}/${at(d, 'spec', 'replicas') ?? 0}`),
  { ...countColumn('Up-to-date', 'status', 'updatedReplicas'), type: 'string' },
  { ...countColumn('Available', 'status', 'availableReplicas'), type: 'string' },
  ageColumn,
  ...templateColumns,
]

const replicaSetColumns: readonly Column[] = [
  nameColumn,
  countColumn('Desired', 'spec', 'replicas'),
  countColumn('Current', 'status', 'replicas'),
  countColumn('Ready', 'status', 'readyReplicas'),
  ageColumn,
  ...templateColumns,
]

const deploymentCounters = ['replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas', 'unavailableReplicas']

export const deploymentKind: BuiltInKind = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  kind: 'Deployment',
  type: 'apps.Deployment',
  shortNames: ['deploy'],
  categories: ['all'],
  subresources: { status: true, scale },
  columns: deploymentColumns,
  generation: 'spec',
  statusLeaves: [['metadata', 'labels']],
  fillDefaults: (object) => {
    const spec = ensureTree(object, 'spec')
    setDefault(spec, 'replicas', 1)
    setDefault(spec, 'revisionHistoryLimit', 10)
    setDefault(spec, 'progressDeadlineSeconds', 600)
    const strategy = ensureTree(spec, 'strategy')
    if (strategy['type'] === '') delete strategy['type']
    setDefault(strategy, 'type', 'RollingUpdate')
    if (strategy['type'] === 'RollingUpdate') {
      setDefault(ensureTree(strategy, 'rollingUpdate'), 'maxUnavailable', '25%')
      setDefault(ensureTree(strategy, 'rollingUpdate'), 'maxSurge', '25%')
    }
    fillTemplate(spec)
  },
  prepareCreate: (object) => {
    object['status'] = {}
  },
  // Its ReplicaSets get its annotations, so a change of one is work for the controller.
  prepareUpdate: (object, before) => {
    if (!equal(object.metadata.annotations ?? {}, before.metadata.annotations ?? {}))
      object.metadata.generation = (before.metadata.generation ?? 0) + 1
  },
  validate: (object, before) => [
    ...notNegative(object, 'spec', 'replicas'),
    ...controllerProblems(object),
    ...strategyProblems(treeAt(object, 'spec', 'strategy')),
    ...notNegative(object, 'spec', 'minReadySeconds', 'revisionHistoryLimit'),
    ...deadlineProblems(object),
    ...selectorChangeProblems(object, before),
  ],
  warningsOf: (object, before) => templateWarnings(object, before, ['spec', 'template']),
  validateStatus: (object, before) => [
    ...notNegative(object, 'status', 'observedGeneration', ...deploymentCounters, 'collisionCount'),
    ...counterProblems(object, ['updatedReplicas', 'readyReplicas', 'availableReplicas']),
    ...collisionProblems(object, before),
  ],
}

export const replicaSetKind: BuiltInKind = {
  group: 'apps',
  version: 'v1',
  plural: 'replicasets',
  kind: 'ReplicaSet',
  type: 'apps.ReplicaSet',
  shortNames: ['rs'],
  categories: ['all'],
  subresources: { status: true, scale },
  columns: replicaSetColumns,
  generation: 'spec',
  fillDefaults: (object) => {
    const spec = ensureTree(object, 'spec')
    setDefault(spec, 'replicas', 1)
    fillTemplate(spec)
  },
  prepareCreate: (object) => {
    object['status'] = { replicas: 0 }
  },
  validate: (object, before) => [
    ...notNegative(object, 'spec', 'replicas', 'minReadySeconds'),
    ...controllerProblems(object),
    ...selectorChangeProblems(object, before),
  ],
  warningsOf: (object, before) => templateWarnings(object, before, ['spec', 'template']),
  validateStatus: (object) => [
    ...notNegative(object, 'status', 'replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'),
    ...notNegative(object, 'status', 'observedGeneration'),
    ...counterProblems(object, ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas']),
  ],
}

function fillTemplate(spec: Tree): void {
  fillPodSpec(ensureTree(spec, 'template', 'spec'))
  ensureTree(spec, 'template', 'metadata')
}

function controllerProblems(object: KubeObject): FieldProblem[] {
  const spec = object['spec']
  const selector = at(spec, 'selector')
  const out = selectorProblems(selector)
  const template = at(spec, 'template')
  // A nil selector matches nothing, so the labels never fit it: the API server reports both.
  const requirements = readLabelSelector(selector)
  if (isTree(selector) && labelSelectorProblems(selector, '').length > 0) {
    out.push(invalid('spec.selector', selector, 'invalid label selector'))
    return out
  }
  const labels = at(template, 'metadata', 'labels')
  const empty = requirements !== undefined && requirements.length === 0
  if (!empty && !(requirements && matchesLabels(requirements, textMapAt(template, 'metadata', 'labels'))))
    out.push(invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'))
  out.push(...templateProblems(template))
  return out
}

function selectorChangeProblems(object: KubeObject, before: KubeObject | undefined): FieldProblem[] {
  const selector = at(object, 'spec', 'selector')
  return before && !equal(selector, at(before, 'spec', 'selector')) ? [immutable('spec.selector', selector)] : []
}

/** Kubernetes says "deployment" of a ReplicaSet too. */
function selectorProblems(selector: unknown): FieldProblem[] {
  if (!isTree(selector)) return [required('spec.selector')]
  const requirements = readLabelSelector(selector)
  const empty = requirements !== undefined && requirements.length === 0
  return [
    ...labelSelectorProblems(selector, 'spec.selector'),
    ...(empty ? [invalid('spec.selector', selector, 'empty selector is invalid for deployment')] : []),
  ]
}

function templateProblems(template: unknown): FieldProblem[] {
  const restart = textAt(template, 'spec', 'restartPolicy')
  return [
    ...podTemplateProblems(template, 'spec.template'),
    ...(restart === 'Always' ? [] : [notSupported('spec.template.spec.restartPolicy', restart, ['Always'])]),
    ...(at(template, 'spec', 'activeDeadlineSeconds') === undefined
      ? []
      : [
          forbidden('spec.template.spec.activeDeadlineSeconds', 'activeDeadlineSeconds in ReplicaSet is not Supported'),
        ]),
  ]
}

function strategyProblems(strategy: Tree | undefined): FieldProblem[] {
  const type = textAt(strategy, 'type')
  const rolling = treeAt(strategy, 'rollingUpdate')
  if (type === 'RollingUpdate') return rolling ? rollingProblems(rolling, 'spec.strategy.rollingUpdate') : []
  if (type !== 'Recreate') {
    const shown = { Type: type, RollingUpdate: rolling ?? null }
    return [notSupported('spec.strategy', shown, ['Recreate', 'RollingUpdate'])]
  }
  if (!rolling) return []
  return [forbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'")]
}

const percentPattern = /^[0-9]+%$/

function rollingProblems(rolling: Tree, path: string): FieldProblem[] {
  const { maxUnavailable, maxSurge } = rolling
  const amount = (value: unknown) =>
    typeof value === 'number' ? value : percentPattern.test(String(value)) ? Number.parseInt(String(value), 10) : 0
  const tooMuch = typeof maxUnavailable === 'string' && amount(maxUnavailable) > 100
  return [
    ...shareProblems(maxUnavailable, `${path}.maxUnavailable`),
    ...shareProblems(maxSurge, `${path}.maxSurge`),
    ...(amount(maxUnavailable) === 0 && amount(maxSurge) === 0
      ? [invalid(`${path}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0')]
      : []),
    ...(tooMuch ? [invalid(`${path}.maxUnavailable`, maxUnavailable, 'must not be greater than 100%')] : []),
  ]
}

/** A number of pods or a percentage of them. */
function shareProblems(value: unknown, field: string): FieldProblem[] {
  if (typeof value === 'number') return value < 0 ? [invalid(field, value, 'must be greater than or equal to 0')] : []
  if (percentPattern.test(String(value))) return []
  const why =
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
  return [invalid(field, value, why)]
}

function deadlineProblems(object: KubeObject): FieldProblem[] {
  const deadline = numberAt(object, 'spec', 'progressDeadlineSeconds') ?? 600
  const out = notNegative(object, 'spec', 'progressDeadlineSeconds')
  if (deadline <= (numberAt(object, 'spec', 'minReadySeconds') ?? 0))
    out.push(invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'))
  return out
}

function notNegative(object: KubeObject, part: 'spec' | 'status', ...members: readonly string[]): FieldProblem[] {
  return members.flatMap((member) => {
    const value = numberAt(object, part, member) ?? 0
    return value < 0 ? [invalid(`${part}.${member}`, value, 'must be greater than or equal to 0')] : []
  })
}

/** No count of some pods is above that of all. */
function counterProblems(object: KubeObject, members: readonly string[]): FieldProblem[] {
  const count = (member: string) => numberAt(object, 'status', member) ?? 0
  const out = members
    .filter((member) => count(member) > count('replicas'))
    .map((member) => invalid(`status.${member}`, count(member), 'cannot be greater than status.replicas'))
  const available = count('availableReplicas')
  if (available > count('readyReplicas'))
    out.push(invalid('status.availableReplicas', available, 'cannot be greater than readyReplicas'))
  return out
}

function collisionProblems(object: KubeObject, before: KubeObject): FieldProblem[] {
  const count = numberAt(object, 'status', 'collisionCount') ?? 0
  const known = numberAt(before, 'status', 'collisionCount')
  if (known === undefined || count >= known) return []
  return [invalid('status.collisionCount', count, 'cannot be decremented')]
}
