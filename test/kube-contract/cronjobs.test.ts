/**
 * CronJobs. On both: what the API server fills in and refuses, the Job that a due time makes (by "@every 1s", so that nobody waits for a
 * minute), history, suspension. On the embedded cluster alone, with a clock of the test's: what happens as minutes pass.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ApiServer } from '../../src/devcluster/api/api-server.ts'
import { runControllers } from '../../src/devcluster/workloads/controllers.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { createInProcessClient } from '../../src/kube/in-process-client.ts'
import { type CronJob, cronJobs, events as eventType, jobs } from '../../src/kube/object-types.ts'
import { FakeClock } from '../../src/lib/fake-clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import type { Answer, Cluster } from './cluster.ts'
import { onlyEmbedded } from './cluster.ts'
import { conditionOf, found, openWorkloadCluster, type Workloads, workloadsIn } from './workload-cluster.ts'

let cluster: Cluster
beforeAll(async () => {
  cluster = await openWorkloadCluster()
})
afterAll(() => cluster.close())

const workloads = async () => workloadsIn(cluster, await cluster.namespace())
const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'a:1' }] } }
const never = '0 0 1 1 *'
const cronJob = (spec: object = {}, name = 'tick') => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name },
  spec: { schedule: never, jobTemplate: { spec: { template } }, ...spec },
})
const tick = (w: Workloads) => w.get('cronjobs', 'tick')
const pods = (w: Workloads, count: number) =>
  found(`${count} active pods`, async () => {
    const all = await w.active()
    return all.length === count && all
  })
const event = (w: Workloads, words: string) =>
  found(words, async () => (await w.events('CronJob', 'tick')).find((text) => text.startsWith(words)))

describe('a CronJob', () => {
  it('has defaults', async () => {
    const w = await workloads()
    const { body } = await w.create('cronjobs', cronJob({ jobTemplate: { spec: { parallelism: 2, template } } }))
    const { jobTemplate, ...spec } = body.spec
    expect(spec).toEqual({
      concurrencyPolicy: 'Allow',
      failedJobsHistoryLimit: 1,
      schedule: never,
      successfulJobsHistoryLimit: 3,
      suspend: false,
    })
    expect(Object.keys(jobTemplate.spec).sort()).toEqual(['parallelism', 'template'])
    expect(jobTemplate.spec.template.spec.dnsPolicy).toBe('ClusterFirst')
    expect(body.metadata.generation).toBe(1)
  })

  it('makes a Job named for the minute of its time, and follows it to its end', async () => {
    const w = await workloads()
    const jobTemplate = { metadata: { labels: { l: 'm' }, annotations: { a: 'b' } }, spec: { template } }
    await w.create('cronjobs', cronJob({ schedule: '@every 1s', jobTemplate, timeZone: 'Asia/Kolkata' }))
    const [job] = await found('a Job', async () => {
      const all = await w.list('jobs')
      return all.length > 0 && all
    })
    await cluster.patch(w.pathOf('cronjobs', 'tick'), 'merge', { spec: { suspend: true } })
    const scheduled = job.metadata.annotations['batch.kubernetes.io/cronjob-scheduled-timestamp']
    expect(scheduled).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+05:30$/)
    const minute = Math.floor(Date.parse(scheduled) / 60_000)
    expect(job.metadata.name).toBe(`tick-${minute}`)
    expect(job.metadata.labels).toMatchObject({ l: 'm' })
    expect(job.metadata.annotations.a).toBe('b')
    const { uid } = (await tick(w)).metadata
    expect(job.metadata.ownerReferences).toEqual([
      { apiVersion: 'batch/v1', kind: 'CronJob', name: 'tick', uid, controller: true, blockOwnerDeletion: true },
    ])
    const active = await found('it is active', async () => {
      const { status } = await tick(w)
      return status.active?.length === 1 && status
    })
    expect(active.active).toEqual([
      {
        apiVersion: 'batch/v1',
        kind: 'Job',
        name: job.metadata.name,
        namespace: w.namespace,
        uid: job.metadata.uid,
        resourceVersion: expect.any(String),
      },
    ])
    expect(Date.parse(active.lastScheduleTime)).toBeGreaterThanOrEqual(Date.parse(scheduled))
    await event(w, `Normal SuccessfulCreate: Created job ${job.metadata.name}`)
    for (const pod of await pods(w, 1)) await w.end(pod, 0)
    const done = await found('no longer active', async () => {
      const { status } = await tick(w)
      return status.active === undefined && status.lastSuccessfulTime !== undefined && status
    })
    expect(done.lastSuccessfulTime).toBe((await w.get('jobs', job.metadata.name)).status.completionTime)
    await event(w, `Normal SawCompletedJob: Saw completed job: ${job.metadata.name}, condition: Complete`)
  })

  it('that is suspended makes none', async () => {
    const w = await workloads()
    await w.create('cronjobs', cronJob({ schedule: '@every 1s', suspend: true }))
    await w.create('cronjobs', cronJob({ schedule: '@every 1s' }, 'other'))
    await found('two of the other', async () => (await w.get('cronjobs', 'other')).status.lastScheduleTime)
    expect((await w.list('jobs')).every((job) => job.metadata.name.startsWith('other-'))).toBe(true)
    expect((await tick(w)).status).toEqual({})
  })

  it('keeps as many finished Jobs as the history may have, those made by hand among them', async () => {
    const w = await workloads()
    const made = (await w.create('cronjobs', cronJob({ successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 0 })))
      .body
    const { uid } = made.metadata
    // As `kubectl create job --from=cronjob/tick` does.
    const byHand = (name: string, spec: object = {}) => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name,
        annotations: { 'cronjob.kubernetes.io/instantiate': 'manual' },
        ownerReferences: [{ apiVersion: 'batch/v1', kind: 'CronJob', name: 'tick', uid, controller: true }],
      },
      spec: { ...made.spec.jobTemplate.spec, ...spec },
    })
    for (const name of ['first', 'second']) {
      expect((await w.create('jobs', byHand(name))).status).toBe(201)
      for (const pod of await pods(w, 1)) await w.end(pod, 0)
      await found(`${name} is complete`, async () => {
        const job = await w.get('jobs', name)
        return job.code === 404 || conditionOf(job, 'Complete')
      })
    }
    await w.create('jobs', byHand('third', { backoffLimit: 0 }))
    for (const pod of await pods(w, 1)) await w.end(pod, 1)
    await found('one is left', async () => {
      const all = (await w.list('jobs')).filter((job) => !job.metadata.deletionTimestamp)
      return all.length === 1 && all[0].metadata.name !== 'third'
    })
    await event(w, 'Warning UnexpectedJob: Saw a job that the controller did not create or forgot: third')
    await event(w, 'Normal SuccessfulDelete: Deleted job third')
    expect((await tick(w)).status.lastSuccessfulTime).toBeDefined()
  })
})

describe('the API server', () => {
  const at = 'CronJob.batch "tick" is invalid: '
  const schedules: [string, string | undefined][] = [
    ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['a * * * *', 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
    ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
    ['1/2/3 * * * *', 'too many slashes: 1/2/3'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['* * * * 7', 'end of range (7) above maximum (6): 7'],
    ['@foo', 'unrecognized descriptor: @foo'],
    ['@every x', 'failed to parse duration @every x: time: invalid duration "x"'],
    ['@every 5', 'failed to parse duration @every 5: time: missing unit in duration "5"'],
    ['TZ=UTC 0 0 1 1 *', 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'],
    ['@hourly', undefined],
    ['@every 1h30m', undefined],
    ['5/15 1,2,3 ? JAN-MAR SUN', undefined],
  ]
  it.each(schedules)('reads the schedule %s', async (schedule, why) => {
    const w = await workloads()
    const { status, body } = await w.create('cronjobs', cronJob({ schedule, suspend: true }))
    if (why === undefined) expect(status).toBe(201)
    else
      expect([status, body.message]).toEqual([
        422,
        `${at}spec.schedule: Invalid value: ${JSON.stringify(schedule)}: ${why}`,
      ])
  })

  const zones: [string, string | undefined][] = [
    ['', 'timeZone must be nil or non-empty string'],
    ['Mars/Base', 'unknown time zone Mars/Base'],
    ['europe/vienna', 'unknown time zone europe/vienna'],
    ['../x', 'unknown time zone ../x'],
    ['+01', 'unknown time zone +01'],
    ['Local', 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'],
    ['Europe/Vienna', undefined],
    ['US/Eastern', undefined],
    ['UTC', undefined],
  ]
  it.each(zones)('knows the time zone "%s" or refuses it', async (timeZone, why) => {
    const w = await workloads()
    const { status, body } = await w.create('cronjobs', cronJob({ timeZone, suspend: true }))
    if (why === undefined) expect(status).toBe(201)
    else
      expect([status, body.message]).toEqual([
        422,
        `${at}spec.timeZone: Invalid value: ${JSON.stringify(timeZone)}: ${why}`,
      ])
  })

  it.each<[string, object, string]>([
    [
      'an unknown concurrency policy',
      { concurrencyPolicy: 'X' },
      'spec.concurrencyPolicy: Unsupported value: "X": supported values: "Allow", "Forbid", "Replace"',
    ],
    [
      'negative limits',
      { startingDeadlineSeconds: -1, successfulJobsHistoryLimit: -1 },
      '[spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0, spec.successfulJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0]',
    ],
    [
      'a selector of its own',
      { jobTemplate: { spec: { template, selector: { matchLabels: { a: 'b' } }, manualSelector: true } } },
      '[spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated, spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"]',
    ],
    ['no schedule', { schedule: undefined }, 'spec.schedule: Required value'],
  ])('refuses %s', async (_what, spec, words) => {
    const w = await workloads()
    const { status, body } = await w.create('cronjobs', cronJob(spec))
    expect([status, body.message]).toEqual([422, at + words])
  })

  it('takes names that leave room for the time of a Job', async () => {
    const w = await workloads()
    expect((await w.create('cronjobs', cronJob({}, 'a'.repeat(52)))).status).toBe(201)
    const { body } = await w.create('cronjobs', cronJob({}, 'a'.repeat(53)))
    expect(body.details.causes).toEqual([
      {
        field: 'metadata.name',
        message: `Invalid value: "${'a'.repeat(53)}": must be no more than 52 characters`,
        reason: 'FieldValueInvalid',
      },
    ])
  })

  it('prints what kubectl shows', async () => {
    const w = await workloads()
    await w.create('cronjobs', cronJob({ suspend: true, timeZone: 'UTC' }))
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
    const { body } = await cluster.get(w.pathOf('cronjobs', ''), { headers: { accept } })
    expect(body.columnDefinitions.map((column: Answer) => `${column.name} ${column.type} ${column.priority}`)).toEqual([
      'Name string 0',
      'Schedule string 0',
      'Timezone string 0',
      'Suspend boolean 0',
      'Active integer 0',
      'Last Schedule string 0',
      'Age string 0',
      'Containers string 1',
      'Images string 1',
      'Selector string 1',
    ])
    const { cells } = body.rows[0]
    expect([...cells.slice(0, 6), ...cells.slice(7)]).toEqual([
      'tick',
      never,
      'UTC',
      'True',
      0,
      '<none>',
      'c',
      'a:1',
      '<none>',
    ])
  })
})

describe('as minutes pass', () => {
  beforeEach((test) => onlyEmbedded(test, 'its clock cannot be moved'))

  const start = Date.UTC(2026, 0, 2, 3, 4, 30)
  const minuteMs = 60_000
  const ref = { namespace: 'default', name: 'tick' }
  const nameAt = (minutes: number) => `tick-${Math.floor(start / minuteMs) + minutes}`

  async function withClock(spec: object, body: (world: World) => Promise<void>) {
    const clock = new FakeClock(start)
    const server = new ApiServer({ clock, random: systemRandom, caPem: 'CA', adminToken: 'admin' })
    const options = { clock, random: systemRandom, log: silentLog }
    const headers = { authorization: 'Bearer admin' }
    const client = createInProcessClient((request) => server.handle(request), { ...options, headers })
    const stop = new AbortController()
    const done = runControllers({ ...options, client }, stop.signal)
    const { apiVersion, kind, spec: defaults } = cronJob(spec)
    const object = { apiVersion, kind, metadata: ref, spec: defaults } as CronJob
    await client.create(cronJobs, object)
    try {
      await body(worldOf(client, clock))
    } finally {
      stop.abort(new Error('over'))
      await done
      server.close()
    }
  }

  const worldOf = (client: KubeClient, clock: FakeClock) => {
    const names = async () =>
      (await client.list(jobs, { namespace: 'default' })).items.map((job) => job.metadata.name).sort()
    const settled = async () => {
      // The API server is a function: what follows from a change has happened after a while of turns.
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    return {
      client,
      clock,
      names,
      pass: async (minutes: number) => {
        await settled()
        await clock.advance(minutes * minuteMs)
        await settled()
      },
      settled,
      told: async (reason: string) =>
        (await client.list(eventType, { namespace: 'default' })).items
          .filter((found) => found.reason === reason)
          .map((found) => found.message),
    }
  }
  type World = ReturnType<typeof worldOf>

  it('each makes a Job, and they run side by side', () =>
    withClock({ schedule: '* * * * *' }, async ({ names, pass }) => {
      await pass(0)
      expect(await names()).toEqual([])
      await pass(1)
      expect(await names()).toEqual([nameAt(1)])
      await pass(1)
      expect(await names()).toEqual([nameAt(1), nameAt(2)])
    }))

  it('Forbid waits for the one before, and says so', () =>
    withClock({ schedule: '* * * * *', concurrencyPolicy: 'Forbid' }, async ({ names, pass, told }) => {
      await pass(1)
      await pass(1)
      expect(await names()).toEqual([nameAt(1)])
      expect(await told('JobAlreadyActive')).toEqual([
        'Not starting job because prior execution is running and concurrency policy is Forbid',
      ])
    }))

  it('Replace puts a new one in its place', () =>
    withClock({ schedule: '* * * * *', concurrencyPolicy: 'Replace' }, async ({ names, pass, told, client }) => {
      await pass(1)
      await pass(1)
      expect(await names()).toEqual([nameAt(2)])
      expect(await told('SuccessfulDelete')).toContain(`Deleted job ${nameAt(1)}`)
      expect((await client.get(cronJobs, ref))?.status?.active?.map(({ name }) => name)).toEqual([nameAt(2)])
    }))

  it('a time that was missed for too long makes none', () =>
    withClock(
      { schedule: '*/10 * * * *', startingDeadlineSeconds: 30, suspend: true },
      async ({ client, names, pass, told }) => {
        await pass(7)
        await client.patch(cronJobs, ref, { kind: 'merge', body: { spec: { suspend: false } } })
        await pass(0)
        expect(await names()).toEqual([])
        expect(await told('MissSchedule')).toEqual([])
        await pass(10)
        expect(await names()).toEqual([nameAt(16)])
      },
    ))

  it('of many that were missed only the last one makes a Job', () =>
    withClock({ schedule: '* * * * *', suspend: true }, async ({ client, names, pass, told }) => {
      await pass(150)
      await client.patch(cronJobs, ref, { kind: 'merge', body: { spec: { suspend: false } } })
      await pass(0)
      expect(await names()).toEqual([nameAt(150)])
      expect(await told('TooManyMissedTimes')).toEqual([
        'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
      ])
    }))

  it('its time zone counts', () =>
    withClock({ schedule: '45 8 * * *', timeZone: 'Asia/Kolkata' }, async ({ names, pass, client }) => {
      await pass(10)
      expect(await names()).toEqual([])
      await pass(1)
      expect(await names()).toEqual([nameAt(11)])
      const [job] = (await client.list(jobs, { namespace: 'default' })).items
      expect(job?.metadata.annotations).toEqual({
        'batch.kubernetes.io/cronjob-scheduled-timestamp': '2026-01-02T08:45:00+05:30',
      })
    }))
})
