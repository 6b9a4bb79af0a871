import { describe, expect, it } from 'vitest'
import type { Job, Pod } from '../../../kube/object-types.ts'
import { backoffAfter, noBackoff, waitMs } from './backoff.ts'
import { type Ending, evaluateJob } from './evaluate-job.ts'
import { countNamed, formatIndexes, parseIndexes } from './indexes.ts'
import { trackingFinalizer } from './job-pods.ts'
import { planPods } from './plan-pods.ts'
import { settled, trackJob } from './track-job.ts'

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5)
const ago = (seconds: number) => `${new Date(nowMs - seconds * 1000).toISOString().slice(0, 19)}Z`
const job = (spec: object = {}, status: object = {}): Job => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'work', namespace: 'n', uid: 'j' },
  spec: { parallelism: 2, completions: 3, backoffLimit: 6, template: { spec: { containers: [] } }, ...spec },
  status: { startTime: ago(100), ...status },
})
const pod = (uid: string, phase: string, more: Partial<Pod['metadata']> = {}, exitCode = 1, endedAgo = 1): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: uid, namespace: 'n', uid, finalizers: [trackingFinalizer], creationTimestamp: ago(50), ...more },
  status: {
    phase,
    containerStatuses: ['Succeeded', 'Failed'].includes(phase)
      ? [
          {
            name: 'c',
            image: '',
            imageID: '',
            ready: false,
            restartCount: 0,
            state: { terminated: { exitCode, finishedAt: ago(endedAgo) } },
          },
        ]
      : [],
  },
})
const indexed = (uid: string, phase: string, index: number, failures?: number): Pod =>
  pod(uid, phase, {
    annotations: {
      'batch.kubernetes.io/job-completion-index': String(index),
      ...(failures === undefined ? {} : { 'batch.kubernetes.io/job-index-failure-count': String(failures) }),
    },
  })
const evaluate = (what: Job, pods: Pod[]) => evaluateJob({ job: what, pods, backoff: noBackoff, nowMs })
const plan = (what: Job, pods: Pod[]) => {
  const { create, remove, waitMs: wait } = planPods(what, evaluate(what, pods), nowMs)
  const index = ({ metadata }: Pod) => metadata.annotations?.['batch.kubernetes.io/job-completion-index'] ?? '-'
  return { create: create.map(index), remove: remove.map(({ metadata }) => metadata.uid), wait }
}
const nothing = { create: [], remove: [], wait: undefined }
const byIndex = { completionMode: 'Indexed' }
const exits = (action: string) => ({
  podFailurePolicy: { rules: [{ action, onExitCodes: { operator: 'In', values: [3] } }] },
})

describe('the pods that a Job needs', () => {
  it.each([
    ['as many as it may have at once', job(), [], { ...nothing, create: ['-', '-'] }],
    ['no more than are left to do', job({}, { succeeded: 2 }), [], { ...nothing, create: ['-'] }],
    ['none when enough run', job(), [pod('a', 'Running'), pod('b', 'Pending')], nothing],
    [
      'fewer when it may have fewer',
      job({ parallelism: 1 }),
      [pod('a', 'Running'), pod('b', 'Pending')],
      { ...nothing, remove: ['b'] },
    ],
    ['none while it is suspended', job({ suspend: true }), [pod('a', 'Running')], { ...nothing, remove: ['a'] }],
    ['none at once after a failure', job(), [pod('a', 'Failed')], { ...nothing, wait: 9000 }],
    [
      'one a while after a failure',
      job({ parallelism: 1 }),
      [pod('a', 'Failed', {}, 1, 11)],
      { ...nothing, create: ['-'] },
    ],
    [
      'the first indexes that are free',
      job(byIndex, { completedIndexes: '0' }),
      [],
      { ...nothing, create: ['1', '2'] },
    ],
    [
      'none twice of an index',
      job(byIndex),
      [indexed('a', 'Running', 1), indexed('b', 'Pending', 1)],
      { ...nothing, remove: ['b'] },
    ],
    [
      'none for one that ends while only failed ones are replaced',
      job({ podReplacementPolicy: 'Failed', parallelism: 1 }),
      [pod('a', 'Running', { deletionTimestamp: ago(1) })],
      nothing,
    ],
  ])('%s', (_what, what, pods, expected) => expect(plan(what, pods)).toEqual(expected))
})

describe('the end of a Job', () => {
  it.each([
    ['none while it is within its limits', job(), [pod('a', 'Failed')], undefined],
    ['too many failures', job({ backoffLimit: 0 }), [pod('a', 'Failed')], 'FailureTarget BackoffLimitExceeded'],
    ['too much time', job({ activeDeadlineSeconds: 100 }), [], 'FailureTarget DeadlineExceeded'],
    ['no end by time while suspended', job({ activeDeadlineSeconds: 100, suspend: true }), [], undefined],
    ['an exit code that ends it', job(exits('FailJob')), [pod('a', 'Failed', {}, 3)], 'FailureTarget PodFailurePolicy'],
    [
      'none for an exit code that passes',
      job({ ...exits('Ignore'), backoffLimit: 0 }),
      [pod('a', 'Failed', {}, 3)],
      undefined,
    ],
    [
      'a failed index when the others are done',
      job({ ...byIndex, backoffLimitPerIndex: 0 }, { completedIndexes: '0,1' }),
      [indexed('a', 'Failed', 2, 0)],
      'FailureTarget FailedIndexes',
    ],
    [
      'more failed indexes than it may have',
      job({ ...byIndex, backoffLimitPerIndex: 0, maxFailedIndexes: 0 }),
      [indexed('a', 'Failed', 2, 0)],
      'FailureTarget MaxFailedIndexesExceeded',
    ],
    [
      'success by its policy',
      job({ ...byIndex, successPolicy: { rules: [{ succeededIndexes: '1-2', succeededCount: 1 }] } }),
      [indexed('a', 'Succeeded', 2)],
      'SuccessCriteriaMet SuccessPolicy',
    ],
    [
      'what was found out before',
      job({}, { conditions: [{ type: 'FailureTarget', status: 'True', reason: 'Old' }] }),
      [],
      'Failed Old',
    ],
  ])('%s', (_what, what, pods, expected) => {
    const { ending } = evaluate(what, pods)
    expect(ending && `${ending.type} ${ending.reason}`).toBe(expected)
  })
})

describe('counting', () => {
  const track = (what: Job, pods: Pod[], ending?: Ending) =>
    trackJob({
      job: what,
      pods,
      evaluation: evaluate(what, pods),
      ending,
      counts: { active: 0, ready: 0, terminating: 0 },
      conditions: [],
      startTime: what.status?.startTime,
      nowMs,
    })

  it('writes a pod down before it loses its finalizer, and counts it once', () => {
    const ended = [pod('a', 'Succeeded'), pod('b', 'Failed')]
    const { status, release } = track(job(), [...ended, pod('c', 'Running')])
    expect(release).toEqual(ended)
    expect(status.uncountedTerminatedPods).toEqual({ succeeded: ['a'], failed: ['b'] })
    expect(status.succeeded).toBeUndefined()
    const counted = settled(status, new Set(['b']))
    expect(counted).toMatchObject({ succeeded: 1, uncountedTerminatedPods: { failed: ['b'] } })
    // A crash in between: the next look finds both, one still with its finalizer.
    const again = track(job({}, status), [{ ...pod('a', 'Succeeded'), metadata: { uid: 'a' } }, pod('b', 'Failed')])
    expect(settled(again.status, new Set())).toMatchObject({ succeeded: 1, failed: 1, uncountedTerminatedPods: {} })
  })

  it('ends no Job before its last pod is counted, however many there are', () => {
    const ended = Array.from({ length: 501 }, (_, index) => pod(`p${index}`, 'Succeeded'))
    const ending: Ending = { type: 'SuccessCriteriaMet', reason: 'CompletionsReached', message: '' }
    const first = track(job(), ended, ending)
    expect([first.release.length, first.final]).toEqual([500, undefined])
    const second = track(job({}, settled(first.status, new Set(['p500']))), ended.slice(500), ending)
    expect(second.release).toEqual(ended.slice(500))
    expect(second.final?.type).toBe('Complete')
    expect(settled(second.status, new Set()).succeeded).toBe(501)
  })

  it('keeps a failed pod of an index until the next one has its count', () => {
    const what = job({ ...byIndex, backoffLimitPerIndex: 2 })
    expect(track(what, [indexed('a', 'Failed', 0, 0)]).release).toEqual([])
    const replaced = [indexed('a', 'Failed', 0, 0), indexed('b', 'Pending', 0, 1)]
    expect(track(what, replaced).release.map(({ metadata }) => metadata.uid)).toEqual(['a'])
  })
})

describe('the wait after failures', () => {
  it.each([
    [1, 10_000],
    [2, 20_000],
    [3, 40_000],
    [7, 600_000],
    [60, 600_000],
  ])('%s of them: %s ms', (failures, ms) => expect(waitMs({ failures, lastFailureMs: nowMs }, nowMs)).toBe(ms))

  it('is over with a success, and counts only what failed after it', () => {
    const failed = [pod('a', 'Failed', {}, 1, 9), pod('b', 'Failed', {}, 1, 3)]
    expect(backoffAfter(noBackoff, [], failed)).toEqual({ failures: 2, lastFailureMs: nowMs - 3000 })
    expect(backoffAfter(noBackoff, [pod('s', 'Succeeded', {}, 0, 5)], failed).failures).toBe(1)
    expect(backoffAfter({ failures: 4, lastFailureMs: 1 }, [pod('s', 'Succeeded', {}, 0, 1)], failed)).toEqual(
      noBackoff,
    )
  })
})

describe('index sets', () => {
  it.each([
    ['', []],
    ['0', [0]],
    ['0,1', [0, 1]],
    ['0-2', [0, 1, 2]],
    ['1,3-5,7', [1, 3, 4, 5, 7]],
  ])('"%s" is read and written', (text, indexes) => {
    expect([...parseIndexes(text, 10)]).toEqual(indexes)
    expect(formatIndexes(new Set(indexes))).toBe(text)
  })

  it('of two billion indexes are counted without writing them out', () => {
    expect(countNamed('0-1999999999', 2_000_000_000, new Set([7, 3]))).toEqual({ named: 2_000_000_000, both: 2 })
    expect(countNamed('1,3-5,9-12', 10, new Set([12, 9, 5, 2, 1]))).toEqual({ named: 5, both: 3 })
    expect(countNamed('x', 10, new Set([0]))).toEqual({ named: 0, both: 0 })
  })

  it('has nothing that the Job does not have', () => expect([...parseIndexes('1-9,x', 3)]).toEqual([1, 2]))
})
