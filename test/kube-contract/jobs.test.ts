/**
 * Jobs, with the test as kubelet: it ends pods by writing their status. Counting, ends, policies, indexes, suspension, clean-up,
 * and what the API server fills in and refuses.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Answer, Cluster } from './cluster.ts'
import { onlyEmbedded } from './cluster.ts'
import { conditionOf, found, openWorkloadCluster, told, type Workloads, workloadsIn } from './workload-cluster.ts'

let cluster: Cluster
beforeAll(async () => {
  cluster = await openWorkloadCluster()
})
afterAll(() => cluster.close())

const workloads = async () => workloadsIn(cluster, await cluster.namespace())
const template = (spec: object = {}, labels?: object) => ({
  ...(labels ? { metadata: { labels } } : {}),
  spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'a:1' }], ...spec },
})
const job = (spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'work', ...metadata },
  spec: { template: template(), ...spec },
})
const work = (w: Workloads) => w.get('jobs', 'work')
const pods = (w: Workloads, count: number) =>
  found(`${count} active pods`, async () => {
    const all = await w.active()
    return all.length === count && all
  })
const status = (w: Workloads, what: string, holds: (status: Answer, job: Answer) => unknown) =>
  found(what, async () => {
    const now = await work(w)
    return holds(now.status ?? {}, now) ? now : undefined
  })
/** "Type: Reason: message" of the conditions that are true. */
const truths = (object: Answer): string[] =>
  (object.status.conditions ?? [])
    .filter((condition: Answer) => condition.status === 'True')
    .map((condition: Answer) => `${condition.type}: ${condition.reason}: ${condition.message}`)
const counters = ({ status: now }: Answer) => {
  const { conditions: _, startTime: __, completionTime: ___, ...rest } = now
  return rest
}
const indexOf = (pod: Answer) => pod.metadata.annotations['batch.kubernetes.io/job-completion-index']
const events = (w: Workloads, count: number) =>
  found(`${count} events`, async () => {
    const all = await w.events('Job', 'work')
    return all.length >= count && all
  })

describe('a Job', () => {
  it('has defaults, a selector of its own, and labels that its pods share', async () => {
    const w = await workloads()
    const { status: code, body } = await w.create('jobs', job({ suspend: true }))
    const { uid } = body.metadata
    const labels = {
      'batch.kubernetes.io/controller-uid': uid,
      'batch.kubernetes.io/job-name': 'work',
      'controller-uid': uid,
      'job-name': 'work',
    }
    expect(code).toBe(201)
    const { template: made, ...spec } = body.spec
    expect(spec).toEqual({
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      completions: 1,
      manualSelector: false,
      parallelism: 1,
      podReplacementPolicy: 'TerminatingOrFailed',
      selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } },
      suspend: true,
    })
    expect(made.metadata.labels).toEqual(labels)
    expect(body.metadata.labels).toEqual(labels)
    expect(body.metadata.generation).toBe(1)
  })

  it('that does its work is complete', async () => {
    const w = await workloads()
    await w.create('jobs', job())
    const [pod] = await pods(w, 1)
    const { uid } = (await work(w)).metadata
    expect(pod.metadata.name).toMatch(/^work-[a-z0-9]{5}$/)
    expect(pod.metadata.finalizers).toEqual(['batch.kubernetes.io/job-tracking'])
    expect(pod.metadata.labels).toEqual({
      'batch.kubernetes.io/controller-uid': uid,
      'batch.kubernetes.io/job-name': 'work',
      'controller-uid': uid,
      'job-name': 'work',
    })
    expect(pod.metadata.ownerReferences).toEqual([
      { apiVersion: 'batch/v1', kind: 'Job', name: 'work', uid, controller: true, blockOwnerDeletion: true },
    ])
    const running = await status(w, 'active', (now) => now.active === 1)
    expect(counters(running)).toEqual({ active: 1, ready: 0, terminating: 0, uncountedTerminatedPods: {} })
    await w.makeReady([pod])
    await status(w, 'ready', (now) => now.ready === 1)
    await w.end(pod, 0)
    const done = await status(w, 'complete', (_, now) => conditionOf(now, 'Complete'))
    expect(truths(done)).toEqual([
      'SuccessCriteriaMet: CompletionsReached: Reached expected number of succeeded pods',
      'Complete: CompletionsReached: Reached expected number of succeeded pods',
    ])
    expect(counters(done)).toEqual({ succeeded: 1, ready: 0, terminating: 0, uncountedTerminatedPods: {} })
    expect(Date.parse(done.status.completionTime)).toBeGreaterThanOrEqual(Date.parse(done.status.startTime))
    expect((await w.get('pods', pod.metadata.name)).metadata.finalizers).toBeUndefined()
    expect(await events(w, 2)).toEqual([
      'Normal Completed: Job completed',
      `Normal SuccessfulCreate: Created pod: ${pod.metadata.name}`,
    ])
  })

  it('makes as many pods as it may have at once, and no more than it needs', async () => {
    const w = await workloads()
    await w.create('jobs', job({ parallelism: 2, completions: 3 }))
    for (const pod of await pods(w, 2)) await w.end(pod, 0)
    const [last] = await pods(w, 1)
    await status(w, 'two of three', (now) => now.succeeded === 2 && now.active === 1)
    await w.end(last, 0)
    const done = await status(w, 'complete', (_, now) => conditionOf(now, 'Complete'))
    expect(done.status.succeeded).toBe(3)
    expect((await w.list('pods')).length).toBe(3)
  })

  it('without a number of completions is done with the first success, when the others have ended', async () => {
    const w = await workloads()
    await w.create('jobs', job({ parallelism: 2 }))
    const [first, second] = await pods(w, 2)
    await w.end(first, 0)
    await status(w, 'one success', (now) => now.succeeded === 1 && now.active === 1)
    await w.end(second, 0)
    const done = await status(w, 'complete', (_, now) => conditionOf(now, 'Complete'))
    expect(done.status.succeeded).toBe(2)
  })

  it('that fails more often than it may has failed, and its pods stay', async () => {
    const w = await workloads()
    await w.create('jobs', job({ backoffLimit: 0 }))
    const [pod] = await pods(w, 1)
    await w.end(pod, 1)
    const done = await status(w, 'failed', (_, now) => conditionOf(now, 'Failed'))
    expect(truths(done)).toEqual([
      'FailureTarget: BackoffLimitExceeded: Job has reached the specified backoff limit',
      'Failed: BackoffLimitExceeded: Job has reached the specified backoff limit',
    ])
    expect(counters(done)).toEqual({ failed: 1, ready: 0, terminating: 0, uncountedTerminatedPods: {} })
    expect((await w.list('pods')).length).toBe(1)
    expect(await events(w, 2)).toContain('Warning BackoffLimitExceeded: Job has reached the specified backoff limit')
  })

  it('waits ten seconds before it makes another pod for a failed one', async () => {
    const w = await workloads()
    await w.create('jobs', job({ backoffLimit: 1 }))
    const [first] = await pods(w, 1)
    const endedMs = Date.now()
    await w.end(first, 1)
    const waiting = await status(w, 'the failure is counted', (now) => now.failed === 1)
    expect(waiting.status.active ?? 0).toBe(0)
    const [second] = await pods(w, 1)
    // The end is told in whole seconds.
    expect(Date.now() - endedMs).toBeGreaterThanOrEqual(8_900)
    await w.end(second, 1)
    await status(w, 'failed', (_, now) => conditionOf(now, 'Failed'))
  })

  it('that takes too long has failed, and its pods are removed', async () => {
    const w = await workloads()
    await w.create('jobs', job({ activeDeadlineSeconds: 1 }))
    const [pod] = await pods(w, 1)
    const done = await status(w, 'failed', (_, now) => conditionOf(now, 'Failed'))
    expect(truths(done)).toEqual([
      'FailureTarget: DeadlineExceeded: Job was active longer than specified deadline',
      'Failed: DeadlineExceeded: Job was active longer than specified deadline',
    ])
    expect(counters(done)).toEqual({ failed: 1, ready: 0, terminating: 0, uncountedTerminatedPods: {} })
    expect(await w.list('pods')).toEqual([])
    expect(await events(w, 3)).toEqual([
      `Normal SuccessfulCreate: Created pod: ${pod.metadata.name}`,
      `Normal SuccessfulDelete: Deleted pod: ${pod.metadata.name}`,
      'Warning DeadlineExceeded: Job was active longer than specified deadline',
    ])
  })

  it('counts a removed pod as failed and makes another', async () => {
    const w = await workloads()
    await w.create('jobs', job({ parallelism: 1, completions: 1 }))
    const [pod] = await pods(w, 1)
    await w.remove('pods', pod.metadata.name)
    await status(w, 'one failure', (now) => now.failed === 1)
    await found('the pod has gone', async () => (await w.get('pods', pod.metadata.name)).code === 404)
    const [next] = await pods(w, 1)
    expect(next.metadata.uid).not.toBe(pod.metadata.uid)
  })

  it('that is suspended has no pods, and begins anew when it goes on', async () => {
    const w = await workloads()
    await w.create('jobs', job({ suspend: true }))
    const asleep = await status(
      w,
      'suspended',
      (_, now) => told(now, 'Suspended') === 'True JobSuspended: Job suspended',
    )
    expect(asleep.status.startTime).toBeUndefined()
    await w.patch('jobs', 'work', { spec: { suspend: false } })
    await pods(w, 1)
    await status(
      w,
      'resumed',
      (now, all) => told(all, 'Suspended') === 'False JobResumed: Job resumed' && now.startTime,
    )
    await w.patch('jobs', 'work', { spec: { suspend: true } })
    await found('no pods', async () => (await w.list('pods')).length === 0)
    const again = await status(w, 'suspended again', (_, now) => conditionOf(now, 'Suspended').status === 'True')
    expect(again.status.failed).toBeUndefined()
    const stops = (await events(w, 4)).filter((event) => event.includes('Job '))
    expect(new Set(stops)).toEqual(new Set(['Normal Suspended: Job suspended', 'Normal Resumed: Job resumed']))
  })

  it('goes after its time to live, pods and all', async () => {
    const w = await workloads()
    await w.create('jobs', job({ ttlSecondsAfterFinished: 1 }))
    await w.end((await pods(w, 1))[0], 0)
    await found('its end', async () => (await work(w)).code === 404 && (await w.list('pods')).length === 0)
  })

  it('leaves its pods when it is removed without a word, and takes them along when told so', async () => {
    const w = await workloads()
    await w.create('jobs', job())
    const [pod] = await pods(w, 1)
    await w.remove('jobs', 'work')
    const left = await found('an orphan', async () => {
      const now = await w.get('pods', pod.metadata.name)
      return now.metadata.ownerReferences === undefined && now.metadata.finalizers === undefined && now
    })
    expect(left.metadata.uid).toBe(pod.metadata.uid)
    await w.create('jobs', job({}, { name: 'other' }))
    await pods(w, 2)
    await w.remove('jobs', 'other', 'Background')
    await found('the end of its pods', async () => (await w.list('pods')).length === 1)
  })
})

describe('an Indexed Job', () => {
  it('gives each pod its number, and counts numbers', async () => {
    const w = await workloads()
    await w.create('jobs', job({ completionMode: 'Indexed', completions: 4, parallelism: 4 }))
    const made = await pods(w, 4)
    for (const pod of made) {
      const index = indexOf(pod)
      expect(pod.metadata.labels['batch.kubernetes.io/job-completion-index']).toBe(index)
      expect(pod.metadata.name).toMatch(new RegExp(`^work-${index}-[a-z0-9]{5}$`))
      expect(pod.spec.hostname).toBe(`work-${index}`)
      expect(pod.spec.containers[0].env).toEqual([
        {
          name: 'JOB_COMPLETION_INDEX',
          valueFrom: {
            fieldRef: { apiVersion: 'v1', fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']" },
          },
        },
      ])
    }
    expect(made.map(indexOf).sort()).toEqual(['0', '1', '2', '3'])
    for (const pod of made.filter((candidate) => indexOf(candidate) !== '1')) await w.end(pod, 0)
    await status(w, 'three of four', (now) => now.completedIndexes === '0,2,3' && now.succeeded === 3)
    for (const pod of made.filter((candidate) => indexOf(candidate) === '1')) await w.end(pod, 0)
    const done = await status(w, 'complete', (_, now) => conditionOf(now, 'Complete'))
    expect(done.status.completedIndexes).toBe('0-3')
  })

  it('is done when its success policy says so, and the rest is removed', async () => {
    const w = await workloads()
    const successPolicy = { rules: [{ succeededIndexes: '0-1', succeededCount: 1 }] }
    await w.create('jobs', job({ completionMode: 'Indexed', completions: 3, parallelism: 3, successPolicy }))
    const made = await pods(w, 3)
    for (const pod of made.filter((candidate) => indexOf(candidate) === '1')) await w.end(pod, 0)
    const done = await status(w, 'complete', (_, now) => conditionOf(now, 'Complete'))
    expect(truths(done)).toEqual([
      'SuccessCriteriaMet: SuccessPolicy: Matched rules at index 0',
      'Complete: SuccessPolicy: Matched rules at index 0',
    ])
    expect(done.status.completedIndexes).toBe('1')
    expect((await w.list('pods')).map(indexOf)).toEqual(['1'])
  })

  it('counts failures for each number, and fails with the numbers that failed', async () => {
    const w = await workloads()
    const spec = { completionMode: 'Indexed', completions: 2, parallelism: 2, backoffLimitPerIndex: 0 }
    await w.create('jobs', job(spec))
    const made = await pods(w, 2)
    expect(made[0].metadata.annotations['batch.kubernetes.io/job-index-failure-count']).toBe('0')
    await w.end(
      made.find((pod) => indexOf(pod) === '0'),
      1,
    )
    await status(w, 'a failed index', (now) => now.failedIndexes === '0')
    await w.end(
      made.find((pod) => indexOf(pod) === '1'),
      0,
    )
    const done = await status(w, 'failed', (_, now) => conditionOf(now, 'Failed'))
    expect(truths(done).at(-1)).toBe('Failed: FailedIndexes: Job has failed indexes')
    expect(counters(done)).toMatchObject({ completedIndexes: '1', failedIndexes: '0', failed: 1, succeeded: 1 })
  })
})

describe('a pod failure policy', () => {
  const policy = (action: string, values: number[]) => ({
    podFailurePolicy: { rules: [{ action, onExitCodes: { operator: 'In', values } }] },
  })

  it('ends the Job by an exit code', async () => {
    const w = await workloads()
    await w.create('jobs', job(policy('FailJob', [3])))
    const [pod] = await pods(w, 1)
    await w.end(pod, 3)
    const done = await status(w, 'failed', (_, now) => conditionOf(now, 'Failed'))
    const words = `Container c for pod ${w.namespace}/${pod.metadata.name} failed with exit code 3 matching FailJob rule at index 0`
    expect(truths(done)).toEqual([`FailureTarget: PodFailurePolicy: ${words}`, `Failed: PodFailurePolicy: ${words}`])
  })

  it('lets failures pass that it names', async () => {
    const w = await workloads()
    await w.create('jobs', job({ ...policy('Ignore', [3]), backoffLimit: 0 }))
    const [pod] = await pods(w, 1)
    await w.end(pod, 3)
    const released = await found('it is dealt with', async () => {
      const now = await w.get('pods', pod.metadata.name)
      return now.metadata.finalizers === undefined && now
    })
    expect(released.status.phase).toBe('Failed')
    const now = await work(w)
    // What counts is written down before the pod is let go.
    expect([now.status.failed, now.status.uncountedTerminatedPods]).toEqual([undefined, {}])
    expect(truths(now)).toEqual([])
  })
})

describe('the API server', () => {
  const refusals: [string, object, string][] = [
    [
      'negative numbers',
      { parallelism: -1, completions: -1 },
      '[spec.parallelism: Invalid value: -1: must be greater than or equal to 0, spec.completions: Invalid value: -1: must be greater than or equal to 0]',
    ],
    [
      'pods that never end',
      { template: template({ restartPolicy: 'Always' }) },
      'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ],
    [
      'an unknown completion mode',
      { completionMode: 'X' },
      'spec.completionMode: Unsupported value: "X": supported values: "NonIndexed", "Indexed"',
    ],
    [
      'indexes without a number of completions',
      { completionMode: 'Indexed', parallelism: 2 },
      'spec.completions: Required value: when completion mode is Indexed',
    ],
    [
      'limits for each index without indexes',
      { backoffLimitPerIndex: 1 },
      'spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode',
    ],
    [
      'a bare name in managedBy',
      { managedBy: 'x' },
      'spec.managedBy: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")',
    ],
    [
      'a selector without manualSelector',
      { selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'x' } } },
      'spec.selector: Invalid value: {"matchLabels":{"batch.kubernetes.io/controller-uid":"x"}}: `selector` not auto-generated',
    ],
    [
      'a failure rule that says nothing',
      { podFailurePolicy: { rules: [{ action: 'Ignore' }] } },
      'spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required',
    ],
    [
      'exit codes that cannot be',
      { podFailurePolicy: { rules: [{ action: 'X', onExitCodes: { operator: 'In', values: [3, 0] } }] } },
      '[spec.podFailurePolicy.rules[0].action: Unsupported value: "X": supported values: "Count", "FailIndex", "FailJob", "Ignore", spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator, spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [3,0]: must be ordered]',
    ],
    [
      'a success rule beyond the indexes',
      { completionMode: 'Indexed', completions: 3, successPolicy: { rules: [{ succeededIndexes: '1-9' }] } },
      'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "1-9": error parsing succeededIndexes: too large index: "9"',
    ],
  ]
  it.each(refusals)('refuses %s', async (_what, spec, words) => {
    const w = await workloads()
    const { status: code, body } = await w.create('jobs', job(spec))
    expect(code).toBe(422)
    expect(body.message).toContain(words)
  })

  it.each([
    ['completions', 4, 'spec.completions: Invalid value: 4: field is immutable'],
    ['completionMode', 'Indexed', 'spec.completionMode: Invalid value: "Indexed": field is immutable'],
    ['managedBy', 'a.b/c', 'spec.managedBy: Invalid value: "a.b/c": field is immutable'],
  ])('keeps %s', async (member, value, words) => {
    const w = await workloads()
    await w.create('jobs', job({ suspend: true, completions: 3 }))
    const { status: code, body } = await w.patch('jobs', 'work', { spec: { [member]: value } })
    expect([code, body.message]).toEqual([422, `Job.batch "work" is invalid: ${words}`])
  })

  it('keeps the template of a Job that has begun', async () => {
    const w = await workloads()
    await w.create('jobs', job())
    await pods(w, 1)
    await status(w, 'begun', (now) => now.startTime)
    const { status: code, body } = await w.patch('jobs', 'work', {
      spec: { template: { spec: { nodeSelector: { a: 'b' } } } },
    })
    expect(code).toBe(422)
    expect(body.message).toMatch(
      /^Job\.batch "work" is invalid: spec\.template: Invalid value: .*: field is immutable$/s,
    )
  })

  it('refuses an end that is none', async () => {
    const w = await workloads()
    await w.create('jobs', job({ suspend: true, managedBy: 'example.com/mine' }))
    const end = { conditions: [{ type: 'Complete', status: 'True' }] }
    const { body } = await cluster.patch(`${w.pathOf('jobs', 'work')}/status`, 'merge', { status: end })
    expect(body.message).toBe(
      'Job.batch "work" is invalid: [status.completionTime: Required value: completionTime is required for Complete jobs, status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition, status.startTime: Required value: startTime is required for finished job]',
    )
  })

  it('prints what kubectl shows', async () => {
    const w = await workloads()
    await w.create('jobs', job({ suspend: true, completions: 3 }))
    await status(w, 'suspended', (_, now) => conditionOf(now, 'Suspended'))
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
    const { body } = await cluster.get(w.pathOf('jobs', ''), { headers: { accept } })
    expect(body.columnDefinitions.map((column: Answer) => `${column.name} ${column.type} ${column.priority}`)).toEqual([
      'Name string 0',
      'Status string 0',
      'Completions string 0',
      'Duration string 0',
      'Age string 0',
      'Containers string 1',
      'Images string 1',
      'Selector string 1',
    ])
    const { uid } = (await work(w)).metadata
    const [name, state, completions, duration, _age, ...wide] = body.rows[0].cells
    expect([name, state, completions, duration, ...wide]).toEqual([
      'work',
      'Suspended',
      '0/3',
      '',
      'c',
      'a:1',
      `batch.kubernetes.io/controller-uid=${uid}`,
    ])
    const successful = await cluster.get(`${w.pathOf('jobs', '')}?fieldSelector=status.successful%3D0`)
    expect(successful.body.items.length).toBe(1)
  })
})

it('tells of the pods that go on while it waits to replace a failed one', async (test) => {
  // `active` stays as it was, or is 0, until the wait is over.
  onlyEmbedded(test, 'the controller manager sends a status meanwhile that the API server refuses')
  const w = await workloads()
  await w.create('jobs', job({ parallelism: 2, completions: 2 }))
  const [first, second] = await pods(w, 2)
  await w.makeReady([first])
  await w.end(second, 1)
  await status(w, 'one failed, one goes on', (now) => now.failed === 1 && now.active === 1 && now.ready === 1)
})
