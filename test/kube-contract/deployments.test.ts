/**
 * Deployments and ReplicaSets, with the test as kubelet: pods are made and never run, their status is what the test writes.
 * Rollouts, their conditions and events, scaling, history, ownership, and what the API server refuses.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Answer, Cluster } from './cluster.ts'
import { minorVersion } from './cluster.ts'
import { conditionOf, found, openWorkloadCluster, told, type Workloads, workloadsIn } from './workload-cluster.ts'

let cluster: Cluster
beforeAll(async () => {
  cluster = await openWorkloadCluster()
})
afterAll(() => cluster.close())

const workloads = async () => workloadsIn(cluster, await cluster.namespace())
const template = (image: string, more: object = {}) => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image }], ...more },
})
const deployment = (spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', ...metadata },
  spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template: template('a:1'), ...spec },
})
const withImage = (image: string) => ({ spec: { template: { spec: { containers: [{ name: 'c', image }] } } } })
const web = (w: Workloads) => w.get('deployments', 'web')
const imageOf = (object: Answer) => (object.spec.template ?? object).spec.containers[0].image
const revisionOf = (object: Answer) => object.metadata.annotations?.['deployment.kubernetes.io/revision']

/** image -> replicas, of the ReplicaSets. */
async function sizes(w: Workloads): Promise<Record<string, number>> {
  return Object.fromEntries((await w.list('replicasets')).map((set) => [imageOf(set), set.spec.replicas]))
}
const sized = (w: Workloads, wanted: Record<string, number>) =>
  found(`ReplicaSets of ${JSON.stringify(wanted)}`, async () => {
    const now = await sizes(w)
    return JSON.stringify(Object.entries(now).sort()) === JSON.stringify(Object.entries(wanted).sort())
  })
const pods = (w: Workloads, count: number, image?: string) =>
  found(`${count} pods`, async () => {
    const all = (await w.active()).filter((pod) => image === undefined || pod.spec.containers[0].image === image)
    return all.length === count && all
  })
const says = (w: Workloads, type: string, words: string) =>
  found(`${type} ${words}`, async () => told(await web(w), type)?.includes(words))

/** Makes all pods ready, again and again, until the rollout is over. */
const rolledOut = (w: Workloads, image: string, replicas: number) =>
  found(`${replicas} of ${image}`, async () => {
    await w.makeReady((await w.active()).filter((pod) => pod.status.phase === 'Pending'))
    const all = await w.active()
    const { status, metadata } = await web(w)
    return (
      all.length === replicas &&
      all.every((pod) => pod.spec.containers[0].image === image) &&
      status.updatedReplicas === replicas &&
      status.availableReplicas === replicas &&
      status.observedGeneration === metadata.generation &&
      conditionOf(await web(w), 'Progressing')?.reason === 'NewReplicaSetAvailable'
    )
  })

describe('a rollout', () => {
  it('makes pods with a hash and owners, and tells how far it is', async () => {
    const w = await workloads()
    await w.create('deployments', deployment())
    const made = await pods(w, 2)
    const [set] = await w.list('replicasets')
    const hash = set.metadata.labels['pod-template-hash']
    expect(set.metadata.name).toBe(`web-${hash}`)
    expect(set.metadata.annotations).toEqual({
      'deployment.kubernetes.io/desired-replicas': '2',
      'deployment.kubernetes.io/max-replicas': '3',
      'deployment.kubernetes.io/revision': '1',
    })
    expect(set.spec.selector).toEqual({ matchLabels: { app: 'web', 'pod-template-hash': hash } })
    expect(set.metadata.ownerReferences).toEqual([
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        name: 'web',
        uid: expect.any(String),
        controller: true,
        blockOwnerDeletion: true,
      },
    ])
    for (const pod of made) {
      expect(pod.metadata.labels).toEqual({ app: 'web', 'pod-template-hash': hash })
      expect(pod.metadata.name.startsWith(`web-${hash}-`)).toBe(true)
      expect(pod.metadata.ownerReferences).toEqual([
        expect.objectContaining({
          kind: 'ReplicaSet',
          uid: set.metadata.uid,
          controller: true,
          blockOwnerDeletion: true,
        }),
      ])
    }
    await says(w, 'Progressing', `True ReplicaSetUpdated: ReplicaSet "web-${hash}" is progressing.`)
    const before = await found('counted', async () => {
      const now = await web(w)
      return now.status.unavailableReplicas === 2 && now.status.replicas === 2 && now
    })
    expect(told(before, 'Available')).toBe(
      'False MinimumReplicasUnavailable: Deployment does not have minimum availability.',
    )
    expect(before.status).not.toHaveProperty('readyReplicas')
    await w.makeReady(made)
    await says(w, 'Progressing', `True NewReplicaSetAvailable: ReplicaSet "web-${hash}" has successfully progressed.`)
    const after = await web(w)
    const { conditions, ...counters } = after.status
    // Kubernetes counts those on their way out from 1.35 on.
    const terminating = minorVersion >= 35 ? { terminatingReplicas: 0 } : {}
    expect(counters).toEqual({
      availableReplicas: 2,
      observedGeneration: 1,
      readyReplicas: 2,
      replicas: 2,
      updatedReplicas: 2,
      ...terminating,
    })
    expect(conditions.map((condition: Answer) => condition.type)).toEqual(['Available', 'Progressing'])
    expect(told(after, 'Available')).toBe('True MinimumReplicasAvailable: Deployment has minimum availability.')
    expect(after.metadata.generation).toBe(1)
    expect(revisionOf(after)).toBe('1')
    expect((await w.get('replicasets', set.metadata.name)).status).toEqual({
      availableReplicas: 2,
      fullyLabeledReplicas: 2,
      observedGeneration: 1,
      readyReplicas: 2,
      replicas: 2,
      ...terminating,
    })
    await found('events', async () => (await w.events('ReplicaSet', set.metadata.name)).length === 2)
    expect(await w.events('Deployment', 'web')).toEqual([
      `Normal ScalingReplicaSet: Scaled up replica set web-${hash} from 0 to 2`,
    ])
    expect((await w.events('ReplicaSet', set.metadata.name)).sort()).toEqual(
      made.map((pod) => `Normal SuccessfulCreate: Created pod: ${pod.metadata.name}`).sort(),
    )
  })

  it.each([
    ['25%', '25%', { 'a:1': 3, 'a:2': 2 }],
    [2, 0, { 'a:1': 4, 'a:2': 2 }],
    [0, 1, { 'a:1': 3, 'a:2': 1 }],
    ['30%', '60%', { 'a:1': 2, 'a:2': 4 }],
  ])('goes as far as surge %s and missing %s allow until new pods work', async (maxSurge, maxUnavailable, wanted) => {
    const w = await workloads()
    const rollingUpdate = { maxSurge, maxUnavailable }
    await w.create('deployments', deployment({ replicas: 4, strategy: { type: 'RollingUpdate', rollingUpdate } }))
    await rolledOut(w, 'a:1', 4)
    await w.patch('deployments', 'web', withImage('a:2'))
    await sized(w, wanted)
    await rolledOut(w, 'a:2', 4)
    await sized(w, { 'a:1': 0, 'a:2': 4 })
  })

  it('keeps old ReplicaSets, and going back gives one of them the next revision', async () => {
    const w = await workloads()
    await w.create('deployments', deployment({}, { annotations: { note: 'first' } }))
    await rolledOut(w, 'a:1', 2)
    await w.patch('deployments', 'web', { ...withImage('a:2'), metadata: { annotations: { note: 'second' } } })
    await rolledOut(w, 'a:2', 2)
    expect(revisionOf(await web(w))).toBe('2')
    expect((await w.list('replicasets')).map((set) => [imageOf(set), set.metadata.annotations.note]).sort()).toEqual([
      ['a:1', 'first'],
      ['a:2', 'second'],
    ])
    await w.patch('deployments', 'web', withImage('a:1'))
    await rolledOut(w, 'a:1', 2)
    const set = await found('revision 3', async () => {
      const current = (await w.list('replicasets')).find((candidate) => imageOf(candidate) === 'a:1')
      return revisionOf(current) === '3' && current
    })
    expect(set.metadata.annotations['deployment.kubernetes.io/revision-history']).toBe('1')
    expect(set.metadata.annotations.note).toBe('second')
    expect((await w.list('replicasets')).length).toBe(2)
    await found('its revision', async () => revisionOf(await web(w)) === '3')
  })

  it('by Recreate starts nothing before the last old pod has gone', async () => {
    const w = await workloads()
    await w.create('deployments', deployment({ strategy: { type: 'Recreate' } }))
    await rolledOut(w, 'a:1', 2)
    const [held] = await w.active()
    await cluster.patch(w.pathOf('pods', held.metadata.name), 'merge', {
      metadata: { finalizers: ['example.com/hold'] },
    })
    await w.patch('deployments', 'web', withImage('a:2'))
    await found('one old pod on its way', async () => {
      const all = await w.list('pods')
      return all.length === 1 && all[0].metadata.deletionTimestamp !== undefined
    })
    await found('the new generation', async () => {
      const { metadata, status } = await web(w)
      return status.observedGeneration === metadata.generation && (status.replicas ?? 0) === 0
    })
    expect(await sizes(w)).toEqual({ 'a:1': 0 })
    await cluster.patch(w.pathOf('pods', held.metadata.name), 'merge', { metadata: { finalizers: null } })
    await rolledOut(w, 'a:2', 2)
  })

  it('waits while it is paused', async () => {
    const w = await workloads()
    await w.create('deployments', deployment())
    await rolledOut(w, 'a:1', 2)
    await w.patch('deployments', 'web', { spec: { paused: true } })
    await says(w, 'Progressing', 'Unknown DeploymentPaused: Deployment is paused')
    await w.patch('deployments', 'web', withImage('a:2'))
    await w.patch('deployments', 'web', { spec: { replicas: 3 } })
    await pods(w, 3, 'a:1')
    expect(await sizes(w)).toEqual({ 'a:1': 3 })
    await w.patch('deployments', 'web', { spec: { paused: null } })
    await rolledOut(w, 'a:2', 3)
  })

  it('that makes no progress in time says so', async () => {
    const w = await workloads()
    await w.create('deployments', deployment({ progressDeadlineSeconds: 1 }))
    const [set] = await found('its ReplicaSet', async () => {
      const sets = await w.list('replicasets')
      return sets.length === 1 && sets
    })
    const words = `False ProgressDeadlineExceeded: ReplicaSet "${set.metadata.name}" has timed out progressing.`
    await says(w, 'Progressing', words)
    await w.makeReady(await pods(w, 2))
    await says(w, 'Progressing', 'True NewReplicaSetAvailable')
  })

  it('counts pods as available after minReadySeconds', async () => {
    const w = await workloads()
    await w.create('deployments', deployment({ replicas: 1, minReadySeconds: 3 }))
    const made = await pods(w, 1)
    const now = `${new Date().toISOString().slice(0, 19)}Z`
    await w.makeReady(made, now)
    const ready = await found('ready', async () => {
      const { status } = await web(w)
      return status.readyReplicas === 1 && status
    })
    expect(ready.availableReplicas ?? 0).toBe(0)
    await found('available', async () => (await web(w)).status.availableReplicas === 1)
  })

  it('keeps as many old ReplicaSets as the history may have', async () => {
    const w = await workloads()
    await w.create('deployments', deployment({ replicas: 1, revisionHistoryLimit: 1 }))
    for (const image of ['a:1', 'a:2', 'a:3']) {
      await w.patch('deployments', 'web', withImage(image))
      await rolledOut(w, image, 1)
    }
    await sized(w, { 'a:2': 0, 'a:3': 1 })
  })

  it('takes another name when an object that is not its own has the one it wants', async () => {
    const w = await workloads()
    await w.create('deployments', deployment({ replicas: 1 }))
    const [set] = await found('its ReplicaSet', async () => {
      const sets = await w.list('replicasets')
      return sets.length === 1 && sets
    })
    await w.remove('deployments', 'web', 'Orphan')
    await found('an orphan', async () => (await w.list('replicasets'))[0]?.metadata.ownerReferences === undefined)
    const { name } = set.metadata
    await w.remove('replicasets', name)
    await found('its end', async () => (await w.list('replicasets')).length === 0)
    const other = { matchLabels: { app: 'other' } }
    const alien = { ...template('x:1'), metadata: { labels: { app: 'other' } } }
    const taken = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name },
      spec: { replicas: 0, selector: other, template: alien },
    }
    expect((await w.create('replicasets', taken)).status).toBe(201)
    await w.create('deployments', deployment({ replicas: 1 }))
    await pods(w, 1, 'a:1')
    await found('a collision', async () => (await web(w)).status.collisionCount === 1)
    expect((await w.list('replicasets')).map(imageOf).sort()).toEqual(['a:1', 'x:1'])
  })

  it('says why pods cannot be made', async () => {
    const w = await workloads()
    await w.create('deployments', deployment({ template: template('a:1', { serviceAccountName: 'nobody' }) }))
    await says(w, 'ReplicaFailure', 'True FailedCreate: pods "web-')
    const words = told(await web(w), 'ReplicaFailure')
    expect(words).toContain(`error looking up service account ${w.namespace}/nobody: serviceaccount "nobody" not found`)
    const [set] = await w.list('replicasets')
    const events = await found('an event', async () => {
      const all = await w.events('ReplicaSet', set.metadata.name)
      return all.length > 0 && all
    })
    expect(events[0]).toContain('Warning FailedCreate: Error creating: pods "web-')
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'nobody' } }
    await cluster.post(`/api/v1/namespaces/${w.namespace}/serviceaccounts`, account)
    await pods(w, 2)
    await found('no failure', async () => conditionOf(await web(w), 'ReplicaFailure') === undefined)
  })
})

describe('scaling', () => {
  it('makes and removes pods, those that do not work first', async () => {
    const w = await workloads()
    await w.create('deployments', deployment())
    const first = await pods(w, 2)
    await w.makeReady(first)
    const answer = await cluster.patch(`${w.pathOf('deployments', 'web')}/scale`, 'merge', { spec: { replicas: 4 } })
    expect(answer.body.spec).toEqual({ replicas: 4 })
    await pods(w, 4)
    await w.patch('deployments', 'web', { spec: { replicas: 2 } })
    const left = await pods(w, 2)
    expect(left.map((pod) => pod.metadata.name)).toEqual(first.map((pod) => pod.metadata.name))
    await w.remove('pods', first[0].metadata.name)
    await found('another one', async () => {
      const names = (await w.active()).map((pod) => pod.metadata.name)
      return names.length === 2 && !names.includes(first[0].metadata.name)
    })
    await w.patch('deployments', 'web', { spec: { replicas: 0 } })
    await pods(w, 0)
    const [set] = await w.list('replicasets')
    expect(set.metadata.annotations['deployment.kubernetes.io/desired-replicas']).toBe('0')
  })

  it('in the middle of a rollout keeps the generations in proportion', async () => {
    const w = await workloads()
    const rollingUpdate = { maxSurge: 3, maxUnavailable: 2 }
    await w.create('deployments', deployment({ replicas: 10, strategy: { rollingUpdate } }))
    await rolledOut(w, 'a:1', 10)
    await w.patch('deployments', 'web', withImage('a:2'))
    await sized(w, { 'a:1': 8, 'a:2': 5 })
    await pods(w, 13)
    await found('it is told', async () => {
      const { status, metadata } = await web(w)
      return status.observedGeneration === metadata.generation && status.replicas === 13
    })
    await w.patch('deployments', 'web', { spec: { replicas: 15 } })
    await sized(w, { 'a:1': 11, 'a:2': 7 })
  })
})

describe('ownership', () => {
  it('follows the labels of pods: what fits is taken, what does not is let go', async () => {
    const w = await workloads()
    await w.create('deployments', deployment({ replicas: 1 }))
    const [pod] = await pods(w, 1)
    await w.patch('pods', pod.metadata.name, { metadata: { labels: { app: 'mine' } } })
    await found('a new pod', async () => (await w.active()).length === 2)
    const released = await w.get('pods', pod.metadata.name)
    expect(released.metadata.ownerReferences).toBeUndefined()
    await w.patch('pods', pod.metadata.name, { metadata: { labels: { app: 'web' } } })
    await pods(w, 1)
  })

  it('takes over ReplicaSets that nobody owns', async () => {
    const w = await workloads()
    await w.create('deployments', deployment())
    await rolledOut(w, 'a:1', 2)
    const before = (await w.list('replicasets'))[0]
    await w.remove('deployments', 'web', 'Orphan')
    await found('an orphan', async () => {
      const [set] = await w.list('replicasets')
      return set.metadata.ownerReferences === undefined && (await web(w)).code === 404
    })
    await w.create('deployments', deployment())
    await found('taken over', async () => {
      const [set] = await w.list('replicasets')
      return set.metadata.ownerReferences?.[0]?.uid === (await web(w)).metadata.uid
    })
    await says(w, 'Progressing', 'True NewReplicaSetAvailable')
    expect((await w.list('replicasets')).map((set) => set.metadata.uid)).toEqual([before.metadata.uid])
  })

  it.each(['Background', 'Foreground'])('takes ReplicaSets and pods along (%s)', async (policy) => {
    const w = await workloads()
    await w.create('deployments', deployment())
    await pods(w, 2)
    expect((await w.remove('deployments', 'web', policy)).status).toBe(200)
    await found('the end of all', async () => {
      const left = [...(await w.list('deployments')), ...(await w.list('replicasets')), ...(await w.list('pods'))]
      return left.length === 0
    })
  })
})

describe('the API server', () => {
  it('counts a change of spec or annotations as a generation, and one of labels not', async () => {
    const w = await workloads()
    await w.create('deployments', deployment({ paused: true, replicas: 0 }))
    const generation = async (body: object) => (await w.patch('deployments', 'web', body)).body.metadata.generation
    expect(await generation({ metadata: { labels: { a: 'b' } } })).toBe(1)
    expect(await generation({ metadata: { annotations: { a: 'b' } } })).toBe(2)
    expect(await generation({ spec: { minReadySeconds: 1 } })).toBe(3)
  })

  const at = 'Deployment.apps "web" is invalid: '
  it.each<[string, object, string]>([
    ['too few replicas', { replicas: -1 }, 'spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
    [
      'no selector',
      { selector: undefined },
      '[spec.selector: Required value, spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`]',
    ],
    [
      'an empty selector',
      { selector: {} },
      'spec.selector: Invalid value: {}: empty selector is invalid for deployment',
    ],
    [
      'labels that do not fit',
      { selector: { matchLabels: { x: 'y' } } },
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
    [
      'an unknown operator',
      { selector: { matchExpressions: [{ key: 'a', operator: 'Foo' }] } },
      '[spec.selector.matchExpressions[0].operator: Invalid value: "Foo": not a valid selector operator, spec.selector: Invalid value: {"matchExpressions":[{"key":"a","operator":"Foo"}]}: invalid label selector]',
    ],
    [
      'an unknown strategy',
      { strategy: { type: 'X' } },
      'spec.strategy: Unsupported value: {"Type":"X","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"',
    ],
    [
      'rollingUpdate with Recreate',
      { strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } },
      "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    ],
    [
      'a rollout that cannot move',
      { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } },
      'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0',
    ],
    [
      'more than everything missing',
      { strategy: { rollingUpdate: { maxSurge: 'x', maxUnavailable: '101%' } } },
      `[spec.strategy.rollingUpdate.maxSurge: Invalid value: "x": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%'), spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%]`,
    ],
    [
      'a deadline before pods are available',
      { minReadySeconds: 5, progressDeadlineSeconds: 5 },
      'spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds',
    ],
  ])('refuses %s', async (_what, spec, words) => {
    const w = await workloads()
    const { status, body } = await w.create('deployments', deployment(spec))
    expect([status, body.message]).toEqual([422, at + words])
  })

  it('keeps the selector and refuses a status that cannot be', async () => {
    const w = await workloads()
    await w.create('deployments', deployment({ paused: true, replicas: 0 }))
    const changed = await w.patch('deployments', 'web', {
      spec: { selector: { matchLabels: { app: 'web', z: 'z' } }, template: { metadata: { labels: { z: 'z' } } } },
    })
    expect(changed.body.message).toBe(
      `${at}spec.selector: Invalid value: {"matchLabels":{"app":"web","z":"z"}}: field is immutable`,
    )
    const status = { replicas: 1, updatedReplicas: 2, readyReplicas: 1, availableReplicas: 1 }
    const wrong = await cluster.patch(`${w.pathOf('deployments', 'web')}/status`, 'merge', { status })
    expect(wrong.body.message).toBe(
      `${at}status.updatedReplicas: Invalid value: 2: cannot be greater than status.replicas`,
    )
  })
})
