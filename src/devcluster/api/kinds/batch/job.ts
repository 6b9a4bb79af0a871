/** Jobs (batch/v1): defaults, generated selector, columns (k8s.io/kubernetes/pkg/registry/batch/job, pkg/apis/batch/v1). */
import type { KubeObject } from '../../../../kube/client.ts'
import type { Column } from '../../resource.ts'
import {
  at,
  ensureTree,
  equal,
  numberAt,
  setDefault,
  type Tree,
  textAt,
  textMapAt,
  treeAt,
  treesAt,
} from '../../tree.ts'
import type { BuiltInKind } from '../built-in.ts'
import { ageColumn, column, humanDuration, nameColumn, templateColumns } from '../columns.ts'
import { fillPodSpec } from '../pods/pod-defaults.ts'
import { templateWarnings } from '../pods/pod-warnings.ts'
import { jobProblems, jobUpdateProblems } from './job-rules.ts'
import { jobStatusProblems } from './job-status-rules.ts'

const uidLabels = ['controller-uid', 'batch.kubernetes.io/controller-uid']
const nameLabels = ['job-name', 'batch.kubernetes.io/job-name']
const maxInt32 = 2_147_483_647

const jobColumns: readonly Column[] = [
  nameColumn,
  column('Status', 'string', (job) => statusText(job)),
  column('Completions', 'string', (job) => completionsText(job)),
  column('Duration', 'string', (job, nowMs) => durationText(job, nowMs)),
  ageColumn,
  ...templateColumns,
]

export const jobKind: BuiltInKind = {
  group: 'batch',
  version: 'v1',
  plural: 'jobs',
  kind: 'Job',
  type: 'batch.Job',
  categories: ['all'],
  subresources: { status: true },
  columns: jobColumns,
  generation: 'spec',
  selectableFields: ['status.successful'],
  fieldValue: (job, field) => (field === 'status.successful' ? String(numberAt(job, 'status', 'succeeded') ?? 0) : ''),
  defaultPropagation: 'Orphan',
  deletionWarning:
    'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
  fillDefaults: (job) => {
    const spec = ensureTree(job, 'spec')
    if (spec['completions'] === undefined && spec['parallelism'] === undefined) spec['completions'] = 1
    setDefault(spec, 'parallelism', 1)
    setDefault(spec, 'backoffLimit', spec['backoffLimitPerIndex'] === undefined ? 6 : maxInt32)
    setDefault(spec, 'completionMode', 'NonIndexed')
    setDefault(spec, 'suspend', false)
    setDefault(spec, 'podReplacementPolicy', spec['podFailurePolicy'] ? 'Failed' : 'TerminatingOrFailed')
    setDefault(spec, 'manualSelector', false)
    fillTemplateOfJob(spec)
    labelLikeTemplate(job)
  },
  prepareCreate: (job) => {
    const labels = treeAt(job, 'spec', 'template', 'metadata', 'labels')
    // Labels that came from the template stay like the template's.
    const alike = equal(job.metadata.labels ?? {}, labels ?? {})
    if (at(job, 'spec', 'manualSelector') !== true) generateSelector(job)
    if (alike) delete job.metadata.labels
    labelLikeTemplate(job)
    job['status'] = {}
  },
  warningsOf: (job, before) => templateWarnings(job, before, ['spec', 'template']),
  validate: (job, before) => [...jobProblems(job), ...(before ? jobUpdateProblems(job, before) : [])],
  validateStatus: jobStatusProblems,
}

/** Of a Job's spec, and of one in a CronJob's template. */
export function fillTemplateOfJob(spec: Tree): void {
  fillPodSpec(ensureTree(spec, 'template', 'spec'))
  ensureTree(spec, 'template', 'metadata')
  for (const rule of treesAt(spec, 'podFailurePolicy', 'rules'))
    for (const pattern of treesAt(rule, 'onPodConditions')) setDefault(pattern, 'status', 'True')
}

/** A Job without labels has those of its pods. */
function labelLikeTemplate(job: KubeObject): void {
  const labels = textMapAt(job, 'spec', 'template', 'metadata', 'labels')
  if (Object.keys(job.metadata.labels ?? {}).length === 0 && Object.keys(labels).length > 0)
    job.metadata.labels = { ...labels }
}

/** Labels that a client set itself stay: the rules refuse those that say something else. */
function generateSelector(job: KubeObject): void {
  const { name = '', uid } = job.metadata
  const labels = ensureTree(job, 'spec', 'template', 'metadata', 'labels')
  for (const label of nameLabels) setDefault(labels, label, name)
  for (const label of uidLabels) setDefault(labels, label, uid)
  setDefault(ensureTree(job, 'spec', 'selector', 'matchLabels'), 'batch.kubernetes.io/controller-uid', uid)
}

const hasCondition = (job: unknown, type: string) =>
  treesAt(job, 'status', 'conditions').some((c) => c['type'] === type && c['status'] === 'True')

function statusText(job: KubeObject): string {
  for (const type of ['Complete', 'Failed']) if (hasCondition(job, type)) return type
  if (job.metadata.deletionTimestamp) return 'Terminating'
  if (hasCondition(job, 'Suspended')) return 'Suspended'
  for (const type of ['FailureTarget', 'SuccessCriteriaMet']) if (hasCondition(job, type)) return type
  return 'Running'
}

function completionsText(job: KubeObject): string {
  const succeeded = numberAt(job, 'status', 'succeeded') ?? 0
  const completions = numberAt(job, 'spec', 'completions')
  if (completions !== undefined) return `${succeeded}/${completions}`
  const parallelism = numberAt(job, 'spec', 'parallelism') ?? 0
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`
}

function durationText(job: KubeObject, nowMs: number): string {
  const start = textAt(job, 'status', 'startTime')
  if (start === undefined) return ''
  const end = textAt(job, 'status', 'completionTime')
  return humanDuration((end === undefined ? nowMs : Date.parse(end)) - Date.parse(start))
}
