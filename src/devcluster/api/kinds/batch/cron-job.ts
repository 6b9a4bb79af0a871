/** CronJobs (batch/v1). */
import type { KubeObject } from '../../../../kube/client.ts'
import { type FieldProblem, invalid, notSupported, required } from '../../field-problem.ts'
import type { Column } from '../../resource.ts'
import { at, ensureTree, equal, listAt, numberAt, setDefault, textAt, treeAt, treesAt } from '../../tree.ts'
import type { BuiltInKind } from '../built-in.ts'
import { age, ageColumn, column, nameColumn, selectorText } from '../columns.ts'
import { templateWarnings } from '../pods/pod-warnings.ts'
import { scheduleProblem } from './cron-schedule.ts'
import { fillTemplateOfJob } from './job.ts'
import { jobSpecProblems } from './job-rules.ts'

/** A Job's name is the CronJob's with a time behind it, and has at most 63 bytes. */
const maxName = 52
const policies = ['Allow', 'Forbid', 'Replace']

const containers = (cronJob: KubeObject, member: string) =>
  treesAt(cronJob, 'spec', 'jobTemplate', 'spec', 'template', 'spec', 'containers')
    .map((container) => textAt(container, member) ?? '')
    .join(',')

const cronJobColumns: readonly Column[] = [
  nameColumn,
  column('Schedule', 'string', (cronJob) => textAt(cronJob, 'spec', 'schedule') ?? ''),
  column('Timezone', 'string', (cronJob) => textAt(cronJob, 'spec', 'timeZone') ?? '<none>'),
  column('Suspend', 'boolean', (cronJob) => (at(cronJob, 'spec', 'suspend') === true ? 'True' : 'False')),
  column('Active', 'integer', (cronJob) => listAt(cronJob, 'status', 'active').length),
  column('Last Schedule', 'string', (cronJob, nowMs) => {
    const last = textAt(cronJob, 'status', 'lastScheduleTime')
    return last === undefined ? '<none>' : age(last, nowMs)
  }),
  ageColumn,
  column('Containers', 'string', (cronJob) => containers(cronJob, 'name'), 1),
  column('Images', 'string', (cronJob) => containers(cronJob, 'image'), 1),
  column('Selector', 'string', (cronJob) => selectorText(at(cronJob, 'spec', 'jobTemplate', 'spec', 'selector')), 1),
]

export const cronJobKind: BuiltInKind = {
  group: 'batch',
  version: 'v1',
  plural: 'cronjobs',
  kind: 'CronJob',
  type: 'batch.CronJob',
  shortNames: ['cj'],
  categories: ['all'],
  subresources: { status: true },
  columns: cronJobColumns,
  generation: 'spec',
  fillDefaults: (cronJob) => {
    const spec = ensureTree(cronJob, 'spec')
    if (spec['concurrencyPolicy'] === '') delete spec['concurrencyPolicy']
    setDefault(spec, 'concurrencyPolicy', 'Allow')
    setDefault(spec, 'suspend', false)
    setDefault(spec, 'successfulJobsHistoryLimit', 3)
    setDefault(spec, 'failedJobsHistoryLimit', 1)
    ensureTree(spec, 'jobTemplate', 'metadata')
    fillTemplateOfJob(ensureTree(spec, 'jobTemplate', 'spec'))
    // To Go an empty list of rules is none.
    const policy = treeAt(spec, 'jobTemplate', 'spec', 'podFailurePolicy')
    if (policy && listAt(policy, 'rules').length === 0) policy['rules'] = null
  },
  prepareCreate: (cronJob) => {
    cronJob['status'] = {}
  },
  warningsOf: (cronJob, before) => [
    ...templateWarnings(cronJob, before, ['spec', 'jobTemplate', 'spec', 'template']),
    // Kubernetes says "spec" twice.
    ...(before && textAt(cronJob, 'spec', 'schedule')?.includes('TZ') ? [zoneInScheduleWarning] : []),
  ],
  validate: (cronJob, before) => [...specProblems(cronJob, before), ...(before ? [] : nameProblems(cronJob))],
}

const zoneInScheduleWarning =
  'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details'

function nameProblems({ metadata: { name = '' } }: KubeObject): FieldProblem[] {
  return name.length > maxName ? [invalid('metadata.name', name, `must be no more than ${maxName} characters`)] : []
}

function specProblems(cronJob: KubeObject, before: KubeObject | undefined): FieldProblem[] {
  const spec = cronJob['spec']
  const policy = textAt(spec, 'concurrencyPolicy') ?? ''
  const sameZone = before !== undefined && equal(at(spec, 'timeZone'), at(before, 'spec', 'timeZone'))
  const template = 'spec.jobTemplate.spec'
  const selector = at(spec, 'jobTemplate', 'spec', 'selector')
  return [
    ...scheduleProblems(spec, textAt(before, 'spec', 'schedule')),
    ...notNegative(spec, 'startingDeadlineSeconds'),
    ...(sameZone ? [] : zoneProblems(textAt(spec, 'timeZone'))),
    ...(policies.includes(policy) ? [] : [notSupported('spec.concurrencyPolicy', policy, policies)]),
    ...jobSpecProblems(at(spec, 'jobTemplate', 'spec'), template),
    ...(selector === undefined ? [] : [invalid(`${template}.selector`, selector, '`selector` will be auto-generated')]),
    ...(at(spec, 'jobTemplate', 'spec', 'manualSelector') === true
      ? [notSupported(`${template}.manualSelector`, true, ['nil', 'false'])]
      : []),
    ...notNegative(spec, 'successfulJobsHistoryLimit'),
    ...notNegative(spec, 'failedJobsHistoryLimit'),
  ]
}

function notNegative(spec: unknown, member: string): FieldProblem[] {
  const value = numberAt(spec, member)
  if (value === undefined || value >= 0) return []
  return [invalid(`spec.${member}`, value, 'must be greater than or equal to 0')]
}

function scheduleProblems(spec: unknown, before: string | undefined): FieldProblem[] {
  const schedule = textAt(spec, 'schedule') ?? ''
  const field = 'spec.schedule'
  if (schedule === '') return [required(field)]
  const why = scheduleProblem(schedule)
  const out = why ? [invalid(field, schedule, why)] : []
  if (!schedule.includes('TZ')) return out
  if (!before?.includes('TZ'))
    out.push(invalid(field, schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'))
  else if (textAt(spec, 'timeZone') !== undefined)
    out.push(invalid(field, schedule, 'cannot use both timeZone field and TZ or CRON_TZ in schedule'))
  return out
}

function zoneProblems(zone: string | undefined): FieldProblem[] {
  const field = 'spec.timeZone'
  if (zone === undefined) return []
  if (zone === '') return [invalid(field, zone, 'timeZone must be nil or non-empty string')]
  const unknown = invalid(field, zone, `unknown time zone ${zone}`)
  const wellFormed = (part: string) => /^[A-Za-z.\-_0-9+]{1,14}$/.test(part) && !/^(\.\.?$|-)/.test(part)
  if (!zone.split('/').every(wellFormed)) return [unknown]
  if (zone.toLowerCase() === 'local') {
    const why = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'
    return [invalid(field, zone, why), ...(zone === 'Local' ? [] : [unknown])]
  }
  return isTimeZone(zone) ? [] : [unknown]
}

/** Letters of the wrong case are taken by JavaScript and not by Go; offsets neither. */
function isTimeZone(zone: string): boolean {
  if (/^[+-]/.test(zone)) return false
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions()
    return timeZone === zone || timeZone.toLowerCase() !== zone.toLowerCase()
  } catch {
    return false
  }
}
