/** What a change of a Job's status may not do: its end stays, its counters grow (pkg/registry/batch/job, ValidateJobStatusUpdate). */
import type { KubeObject } from '../../../../kube/client.ts'
import { duplicate, type FieldProblem, invalid, required } from '../../field-problem.ts'
import { at, equal, numberAt, textAt, textsAt, treesAt } from '../../tree.ts'
import { firstOverlap, indexRanges } from './index-ranges.ts'

interface StatusChange {
  readonly job: KubeObject
  readonly before: KubeObject
  /** Whether a condition is true now, and whether it was. */
  is(type: string): boolean
  was(type: string): boolean
  /** Whether a member of status is another than before. */
  changed(member: string): boolean
}

export function jobStatusProblems(job: KubeObject, before: KubeObject): FieldProblem[] {
  const has = (object: KubeObject) => (type: string) =>
    treesAt(object, 'status', 'conditions').some((c) => c['type'] === type && c['status'] === 'True')
  const change: StatusChange = {
    job,
    before,
    is: has(job),
    was: has(before),
    changed: (member) => !equal(at(job, 'status', member), at(before, 'status', member)),
  }
  return [
    ...counterProblems(change),
    ...endProblems(change),
    ...finishedProblems(change),
    ...indexProblems(change),
    ...criteriaProblems(change),
    ...transitionProblems(change),
  ]
}

const conditions = (why: string): FieldProblem => ({
  reason: 'FieldValueInvalid',
  field: 'status.conditions',
  message: `Invalid value: ${why}`,
})

function counterProblems({ job }: StatusChange): FieldProblem[] {
  const counters = ['active', 'succeeded', 'failed', 'ready', 'terminating'].flatMap((member) => {
    const value = numberAt(job, 'status', member) ?? 0
    return value < 0 ? [invalid(`status.${member}`, value, 'must be greater than or equal to 0')] : []
  })
  const seen = new Set<string>()
  const uncounted = ['succeeded', 'failed'].flatMap((member) =>
    textsAt(job, 'status', 'uncountedTerminatedPods', member).flatMap((uid, index) => {
      const field = `status.uncountedTerminatedPods.${member}[${index}]`
      if (uid === '') return [invalid(field, uid, 'must not be empty')]
      if (seen.has(uid)) return [duplicate(field, uid)]
      seen.add(uid)
      return []
    }),
  )
  return [...counters, ...uncounted]
}

function endProblems({ job, is, was, changed }: StatusChange): FieldProblem[] {
  const complete = is('Complete')
  const completed = complete !== was('Complete')
  const end = textAt(job, 'status', 'completionTime')
  const start = textAt(job, 'status', 'startTime')
  const moved = completed || changed('completionTime')
  const out: FieldProblem[] = []
  if ((completed || is('Failed') !== was('Failed')) && complete && is('Failed'))
    out.push(conditions('cannot set Complete=True and Failed=true conditions'))
  if ((completed || is('FailureTarget') !== was('FailureTarget')) && complete && is('FailureTarget'))
    out.push(conditions('cannot set Complete=True and FailureTarget=true conditions'))
  if (moved && end !== undefined && !complete)
    out.push(
      invalid('status.completionTime', end, 'cannot set completionTime when there is no Complete=True condition'),
    )
  if (moved && end === undefined && complete)
    out.push(required('status.completionTime', 'completionTime is required for Complete jobs'))
  if ((changed('startTime') || changed('completionTime')) && start !== undefined && end !== undefined && end < start)
    out.push(invalid('status.completionTime', end, 'must be equal to or after `startTime`'))
  if ((is('Failed') !== was('Failed') || changed('failedIndexes')) && is('Failed') && !is('FailureTarget'))
    out.push(conditions('cannot set Failed=True condition without the FailureTarget=true condition'))
  const criteria = is('SuccessCriteriaMet')
  if ((completed || criteria !== was('SuccessCriteriaMet')) && complete && !criteria)
    out.push(conditions('cannot set Complete=True condition without the SuccessCriteriaMet=true condition'))
  return out
}

function finishedProblems({ job, is, was, changed }: StatusChange): FieldProblem[] {
  const finished = is('Complete') || is('Failed')
  if (!finished) return []
  const ended = !(was('Complete') || was('Failed'))
  const active = numberAt(job, 'status', 'active') ?? 0
  const uncounted = at(job, 'status', 'uncountedTerminatedPods')
  const [succeeded, failed] = [textsAt(uncounted, 'succeeded'), textsAt(uncounted, 'failed')]
  // As Go prints its internal type.
  const shown = { Succeeded: succeeded.length > 0 ? succeeded : null, Failed: failed.length > 0 ? failed : null }
  const neverRuns = at(job, 'spec', 'suspend') === true && at(job, 'spec', 'completions') === 0
  const out: FieldProblem[] = []
  if ((ended || changed('active')) && active > 0)
    out.push(invalid('status.active', active, 'active>0 is invalid for finished job'))
  if ((ended || changed('startTime')) && !neverRuns && textAt(job, 'status', 'startTime') === undefined)
    out.push(required('status.startTime', 'startTime is required for finished job'))
  if ((ended || changed('uncountedTerminatedPods')) && succeeded.length + failed.length > 0)
    out.push(invalid('status.uncountedTerminatedPods', shown, 'must be empty for finished job'))
  return out
}

function indexProblems({ job, changed }: StatusChange): FieldProblem[] {
  const size = numberAt(job, 'spec', 'completions')
  const done = textAt(job, 'status', 'completedIndexes') ?? ''
  const failed = textAt(job, 'status', 'failedIndexes')
  const perIndex = at(job, 'spec', 'backoffLimitPerIndex') !== undefined
  const doneRanges = indexRanges(done, size ?? 0)
  const failedRanges = indexRanges(failed ?? '', size ?? 0)
  const field = 'status.failedIndexes'
  const out: FieldProblem[] = []
  const parsed = (name: string, text: string, ranges: unknown) =>
    typeof ranges === 'string' ? [invalid(`status.${name}`, text, `error parsing ${name}: ${ranges}`)] : []
  if (changed('completedIndexes') && size !== undefined) out.push(...parsed('completedIndexes', done, doneRanges))
  if (changed('failedIndexes') && size !== undefined && perIndex && failed !== undefined)
    out.push(...parsed('failedIndexes', failed, failedRanges))
  if (changed('completedIndexes') && done !== '' && textAt(job, 'spec', 'completionMode') !== 'Indexed')
    out.push(
      invalid(
        'status.completedIndexes',
        done,
        'cannot set non-empty completedIndexes when non-indexed completion mode',
      ),
    )
  if (changed('failedIndexes') && failed !== undefined && !perIndex)
    out.push(invalid(field, failed, 'cannot set non-null failedIndexes when backoffLimitPerIndex is null'))
  if (typeof doneRanges === 'string' || typeof failedRanges === 'string') return out
  const overlap = firstOverlap(doneRanges, failedRanges)
  if ((changed('failedIndexes') || changed('completedIndexes')) && overlap !== undefined)
    out.push(invalid(field, failed, `failedIndexes and completedIndexes overlap at index: ${overlap}`))
  return out
}

function criteriaProblems({ job, is, was, changed }: StatusChange): FieldProblem[] {
  const finished = is('Complete') || is('Failed')
  const ended = finished && !(was('Complete') || was('Failed'))
  const terminating = numberAt(job, 'status', 'terminating') ?? 0
  const ready = numberAt(job, 'status', 'ready')
  const met = is('SuccessCriteriaMet')
  const out: FieldProblem[] = []
  if ((ended || changed('terminating')) && finished && terminating > 0)
    out.push(invalid('status.terminating', terminating, 'terminating>0 is invalid for finished job'))
  if (
    (changed('ready') || changed('active')) &&
    ready !== undefined &&
    ready > (numberAt(job, 'status', 'active') ?? 0)
  )
    out.push(invalid('status.ready', ready, 'cannot set more ready pods than active'))
  if (met && is('Failed')) out.push(conditions('cannot set SuccessCriteriaMet=True and Failed=true conditions'))
  if (met && is('FailureTarget'))
    out.push(conditions('cannot set SuccessCriteriaMet=True and FailureTarget=true conditions'))
  if (at(job, 'spec', 'successPolicy') !== undefined && !met && is('Complete'))
    out.push(conditions('cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True'))
  return out
}

function transitionProblems({ job, before, is, was, changed }: StatusChange): FieldProblem[] {
  const out: FieldProblem[] = ['Failed', 'Complete', 'FailureTarget']
    .filter((type) => was(type) && !is(type))
    .map((type) => conditions(`cannot disable the terminal ${type}=True condition`))
  const shrinks = (member: string) => (numberAt(job, 'status', member) ?? 0) < (numberAt(before, 'status', member) ?? 0)
  const counter = (member: string) =>
    invalid(`status.${member}`, numberAt(job, 'status', member) ?? 0, `cannot decrease the ${member} counter`)
  // An Indexed Job can be made smaller, and its counter with it.
  const mayShrink =
    textAt(job, 'spec', 'completionMode') === 'Indexed' &&
    at(job, 'spec', 'completions') === at(job, 'spec', 'parallelism')
  if (shrinks('failed')) out.push(counter('failed'))
  if (!mayShrink && shrinks('succeeded')) out.push(counter('succeeded'))
  const end = textAt(job, 'status', 'completionTime')
  if (end !== undefined && at(before, 'status', 'completionTime') !== undefined && changed('completionTime'))
    out.push(invalid('status.completionTime', end, 'field is immutable'))
  const resumes =
    was('Suspended') &&
    treesAt(job, 'status', 'conditions').some((c) => c['type'] === 'Suspended' && c['status'] === 'False')
  const running = at(job, 'spec', 'suspend') !== true && !resumes
  if (at(before, 'status', 'startTime') !== undefined && changed('startTime') && running)
    out.push(required('status.startTime', 'startTime cannot be removed for unsuspended job'))
  if (was('SuccessCriteriaMet') && !is('SuccessCriteriaMet'))
    out.push(conditions('cannot disable the SuccessCriteriaMet=True condition'))
  if (was('Complete') && !was('SuccessCriteriaMet') && is('SuccessCriteriaMet'))
    out.push(conditions('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions'))
  return out
}
