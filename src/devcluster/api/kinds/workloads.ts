/** Deployments and ReplicaSets. */
import type { KubeObject } from '../../../kube/client.ts'
import { type FieldProblem, forbidden, immutable, invalid, notSupported, required } from '../field-problem.ts'
import type { Column } from '../resource.ts'
import { matchesLabels, readLabelSelector } from '../store/selectors.ts'
import { at, ensureTree, equal, isTree, numberAt, setDefault, type Tree, textAt, textMapAt, treeAt } from '../tree.ts'
import type { BuiltInKind } from './built-in.ts'
import { ageColumn, column, countColumn, nameColumn, templateColumns } from './columns.ts'
import { annotationProblems, labelProblems } from './metadata-rules.ts'
import { fillPodSpec } from './pods/pod-defaults.ts'
import { podSpecProblems } from './pods/pod-rules.ts'

const scale = {
  specReplicasPath: ['spec', 'replicas'],
  statusReplicasPath: ['status', 'replicas'],
}

const deploymentColumns: readonly Column[] = [
  nameColumn,
  column('Ready', 'string', (d) => `${at(d, 'status', 'readyReplicas') ?? 0}/${at(d, 'spec', 'replicas') ?? 0}`),
  countColumn('Up-to-date', 'status', 'updatedReplicas'),
  countColumn('Available', 'status', 'availableReplicas'),
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
  fillDefaults: (object) => {
    const spec = ensureTree(object, 'spec')
    setDefault(spec, 'replicas', 1)
    setDefault(spec, 'revisionHistoryLimit', 10)
    setDefault(spec, 'progressDeadlineSeconds', 600)
    const strategy = ensureTree(spec, 'strategy')
    setDefault(strategy, 'type', 'RollingUpdate')
    if (strategy['type'] === 'RollingUpdate') {
      setDefault(ensureTree(strategy, 'rollingUpdate'), 'maxUnavailable', '25%')
      setDefault(ensureTree(strategy, 'rollingUpdate'), 'maxSurge', '25%')
    }
    fillTemplate(spec)
  },
  validate: (object, before) => [
    ...controllerProblems(object, before, 'deployment'),
    ...strategyProblems(treeAt(object, 'spec', 'strategy')),
    ...deadlineProblems(object),
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
  selectableFields: ['status.replicas'],
  fillDefaults: (object) => {
    const spec = ensureTree(object, 'spec')
    setDefault(spec, 'replicas', 1)
    fillTemplate(spec)
  },
  validate: (object, before) => controllerProblems(object, before, 'replicaset'),
}

function fillTemplate(spec: Tree): void {
  fillPodSpec(ensureTree(spec, 'template', 'spec'))
}

function controllerProblems(object: KubeObject, before: KubeObject | undefined, kind: string): FieldProblem[] {
  const spec = object['spec']
  const replicas = numberAt(spec, 'replicas') ?? 0
  const out: FieldProblem[] = []
  if (replicas < 0) out.push(invalid('spec.replicas', replicas, 'must be greater than or equal to 0'))
  const selector = at(spec, 'selector')
  out.push(...selectorProblems(selector, kind))
  const template = at(spec, 'template')
  // A nil selector matches nothing, so the labels never fit it: the API server reports both.
  const requirements = readLabelSelector(selector)
  const labels = at(template, 'metadata', 'labels')
  const empty = requirements !== undefined && requirements.length === 0
  if (!empty && !(requirements && matchesLabels(requirements, textMapAt(template, 'metadata', 'labels'))))
    out.push(invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'))
  out.push(...templateProblems(template))
  if (before && !equal(selector, at(before, 'spec', 'selector'))) out.push(immutable('spec.selector', selector))
  return out
}

function selectorProblems(selector: unknown, kind: string): FieldProblem[] {
  if (!isTree(selector)) return [required('spec.selector')]
  const requirements = readLabelSelector(selector)
  if (!requirements) return [invalid('spec.selector', selector, 'invalid label selector')]
  if (requirements.length === 0) return [invalid('spec.selector', selector, `empty selector is invalid for ${kind}`)]
  return labelProblems(textMapAt(selector, 'matchLabels'), 'spec.selector.matchLabels')
}

function templateProblems(template: unknown): FieldProblem[] {
  const restart = textAt(template, 'spec', 'restartPolicy')
  return [
    ...labelProblems(textMapAt(template, 'metadata', 'labels'), 'spec.template.labels'),
    ...annotationProblems(textMapAt(template, 'metadata', 'annotations'), 'spec.template.annotations'),
    ...podSpecProblems(at(template, 'spec'), 'spec.template.spec'),
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
  if (type === 'RollingUpdate') return []
  if (type !== 'Recreate') return [notSupported('spec.strategy.type', type, ['Recreate', 'RollingUpdate'])]
  if (!treeAt(strategy, 'rollingUpdate')) return []
  return [forbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'")]
}

function deadlineProblems(object: KubeObject): FieldProblem[] {
  const deadline = numberAt(object, 'spec', 'progressDeadlineSeconds') ?? 600
  if (deadline > (numberAt(object, 'spec', 'minReadySeconds') ?? 0)) return []
  return [invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds')]
}
