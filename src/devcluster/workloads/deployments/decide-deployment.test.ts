import { describe, expect, it } from 'vitest'
import type { Deployment, ReplicaSet } from '../../../kube/object-types.ts'
import { decideDeployment } from './decide-deployment.ts'

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5)
const template = (image: string) => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image }] },
})
const deployment = (spec: object = {}, more: Partial<Deployment> = {}): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'n', uid: 'd', generation: 1 },
  spec: {
    replicas: 4,
    selector: { matchLabels: { app: 'web' } },
    template: template('a:2'),
    progressDeadlineSeconds: 600,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
    ...spec,
  },
  ...more,
})
const set = (image: string, replicas: number, revision: number, desired = 4): ReplicaSet => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: {
    name: `web-${image}`,
    uid: image,
    generation: 1,
    creationTimestamp: `2026-01-01T00:00:0${revision}Z`,
    annotations: {
      'deployment.kubernetes.io/revision': String(revision),
      'deployment.kubernetes.io/desired-replicas': String(desired),
      'deployment.kubernetes.io/max-replicas': String(desired + 1),
    },
  },
  spec: { replicas, selector: {}, template: template(image) },
  status: { replicas, readyReplicas: replicas, availableReplicas: replicas, observedGeneration: 1 },
})
const decide = (what: Deployment, ...replicaSets: ReplicaSet[]) =>
  decideDeployment({ deployment: what, replicaSets, pods: [], nowMs })
/** name -> replicas, of what changes. */
const changes = (what: Deployment, ...sets: ReplicaSet[]) => {
  const { create, update } = decide(what, ...sets)
  const all = [...update.map(({ after }) => after), ...(create ? [create] : [])]
  return Object.fromEntries(
    all.map((after) => [after.spec?.template?.spec?.containers[0]?.image, after.spec?.replicas]),
  )
}
const condition = (what: Deployment, type: string, ...sets: ReplicaSet[]) => {
  const found = decide(what, ...sets).status.conditions?.find((each) => each.type === type)
  return found && `${found.status} ${found.reason}`
}
const progressing = (reason: string, lastUpdateTime: string): Partial<Deployment> => ({
  status: { conditions: [{ type: 'Progressing', status: 'True', reason, lastUpdateTime }] },
})

describe('a Deployment', () => {
  it.each([
    ['without a ReplicaSet gets one with all pods', deployment(), [], { 'a:2': 4 }],
    ['rolls out by its surge and what may be missing', deployment(), [set('a:1', 4, 1)], { 'a:1': 3, 'a:2': 1 }],
    ['paused starts nothing', deployment({ paused: true }), [set('a:1', 4, 1)], {}],
    ['paused still scales', deployment({ paused: true, replicas: 5 }), [set('a:1', 4, 1)], { 'a:1': 5 }],
    [
      'scales before it rolls on',
      deployment({ replicas: 8 }),
      [set('a:1', 3, 1), set('a:2', 2, 2)],
      { 'a:1': 5, 'a:2': 4 },
    ],
    [
      'by Recreate ends the old ones first',
      deployment({ strategy: { type: 'Recreate' } }),
      [set('a:1', 4, 1)],
      { 'a:1': 0 },
    ],
    [
      'by Recreate waits for pods that are still counted',
      deployment({ strategy: { type: 'Recreate' } }),
      [{ ...set('a:1', 0, 1), status: { replicas: 1, observedGeneration: 1 } }],
      {},
    ],
    [
      'by Recreate then starts the new ones',
      deployment({ strategy: { type: 'Recreate' } }),
      [set('a:1', 0, 1)],
      { 'a:2': 4 },
    ],
    [
      'that is being deleted changes nothing',
      deployment({}, { metadata: { name: 'web', deletionTimestamp: '2026-01-02T00:00:00Z' } }),
      [set('a:1', 4, 1)],
      {},
    ],
  ])('%s', (_what, what, sets, expected) => expect(changes(what, ...sets)).toEqual(expected))

  it('that goes back numbers the ReplicaSet anew and remembers the old number', () => {
    const { update, revision } = decide(deployment(), set('a:2', 0, 1), set('a:1', 4, 2))
    const current = update.find(({ after }) => after.metadata.uid === 'a:2')?.after
    expect(revision).toBe('3')
    expect(current?.metadata.annotations).toMatchObject({
      'deployment.kubernetes.io/revision': '3',
      'deployment.kubernetes.io/revision-history': '1',
    })
  })

  it.each([
    ['has found its ReplicaSet', deployment(), [set('a:2', 4, 1)], 'True NewReplicaSetAvailable'],
    ['has made one', deployment(), [], 'True NewReplicaSetCreated'],
    [
      'is stuck after its deadline',
      deployment({}, progressing('ReplicaSetUpdated', '2026-01-02T02:54:04Z')),
      [{ ...set('a:2', 4, 1), status: { replicas: 0 } }],
      'False ProgressDeadlineExceeded',
    ],
    [
      'is not stuck before',
      deployment({}, progressing('ReplicaSetUpdated', '2026-01-02T02:54:06Z')),
      [{ ...set('a:2', 4, 1), status: { replicas: 0 } }],
      'True ReplicaSetUpdated',
    ],
    ['is paused', deployment({ paused: true }), [], 'Unknown DeploymentPaused'],
    [
      'goes on after a pause',
      deployment({}, progressing('DeploymentPaused', '2026-01-02T03:00:00Z')),
      [{ ...set('a:2', 4, 1), status: { replicas: 0 } }],
      'Unknown DeploymentResumed',
    ],
    ['has no deadline', deployment({ progressDeadlineSeconds: 2_147_483_647 }), [set('a:2', 4, 1)], undefined],
  ])('says when it %s', (_what, what, sets, expected) => expect(condition(what, 'Progressing', ...sets)).toBe(expected))

  it('looks again while a rollout may come to be late, and not after one that is over', () => {
    const broken = { ...set('a:2', 4, 1), status: { replicas: 4 } }
    const counted = { observedGeneration: 1, replicas: 4, updatedReplicas: 4 }
    const look = (reason: string) => {
      const conditions = [{ type: 'Progressing', status: 'True', reason, lastUpdateTime: '2026-01-02T03:04:00Z' }]
      return decide(deployment({}, { status: { ...counted, conditions } }), broken).lookAgainMs
    }
    expect(look('ReplicaSetUpdated')).toBe(596_000)
    expect(look('NewReplicaSetAvailable')).toBeUndefined()
  })

  it('removes the oldest empty ReplicaSets beyond its history once it is complete', () => {
    const status = { observedGeneration: 1, replicas: 4, updatedReplicas: 4, availableReplicas: 4 }
    const sets = [set('a:0', 0, 1), set('b:0', 0, 2), set('a:2', 4, 3)]
    const removed = (what: Deployment) => decide(what, ...sets).remove.map(({ metadata }) => metadata.uid)
    expect(removed(deployment({ revisionHistoryLimit: 1 }, { status }))).toEqual(['a:0'])
    expect(removed(deployment({ revisionHistoryLimit: 0 }, { status }))).toEqual(['a:0', 'b:0'])
    expect(removed(deployment({ revisionHistoryLimit: 0 }))).toEqual([])
  })
})
