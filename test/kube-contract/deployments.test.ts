/** Deployments on the development cluster's API without sockets: what `kubectl rollout status` and `wait` look at. */
import { afterEach, describe, expect, it } from 'vitest'
import { ApiServer } from '../../src/devcluster/api/api-server.ts'
import { runDeploymentController } from '../../src/devcluster/workloads/deployments/deployment-controller.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { createInProcessClient } from '../../src/kube/in-process-client.ts'
import { deployments, events, type Pod, pods, replicaSets } from '../../src/kube/object-types.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'

const endings: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

function cluster() {
  const api = new ApiServer({ clock: systemClock, random: systemRandom, caPem: 'CA', adminToken: 'admin' })
  const options = { clock: systemClock, random: systemRandom, log: silentLog }
  const client = createInProcessClient((request) => api.handle(request), {
    ...options,
    headers: { authorization: 'Bearer admin' },
  })
  const stop = new AbortController()
  const done = runDeploymentController({ ...options, client }, stop.signal)
  endings.push(async () => {
    stop.abort(new Error('over'))
    await done
    api.close()
  })
  return { api, client }
}

const ref = { namespace: 'default', name: 'web' }
const deployment = (spec: object = {}, image = 'a:1') => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image }] } },
    ...spec,
  },
})

async function eventually<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const podsOf = async (client: KubeClient) => (await client.list(pods, { namespace: 'default' })).items
const active = (all: readonly Pod[]) => all.filter((pod) => !pod.metadata.deletionTimestamp)
async function makeReady(client: KubeClient, all: readonly Pod[]) {
  for (const { metadata } of all) {
    const status = {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2020-01-01T00:00:00Z' }],
    }
    const target = { namespace: 'default', name: metadata.name ?? '' }
    await client.patch(pods, target, { kind: 'merge', body: { status } }, { subresource: 'status' })
  }
}
const conditionOf = async (client: KubeClient, type: string) =>
  (await client.get(deployments, ref))?.status?.conditions?.find((condition) => condition.type === type)

describe('deployments', () => {
  it('make pods with a hash and owners, and count those that are ready', async () => {
    const { client } = cluster()
    await client.create(deployments, deployment())
    const made = await eventually('two pods', async () => {
      const all = await podsOf(client)
      return all.length === 2 && all
    })
    const [set] = (await client.list(replicaSets, { namespace: 'default' })).items
    const hash = set?.metadata.labels?.['pod-template-hash']
    expect(set?.metadata.name).toBe(`web-${hash}`)
    for (const pod of made) {
      expect(pod.metadata.labels).toEqual({ app: 'web', 'pod-template-hash': hash })
      expect(pod.metadata.name?.startsWith(`web-${hash}-`)).toBe(true)
      expect(pod.metadata.ownerReferences?.[0]).toMatchObject({ kind: 'ReplicaSet', controller: true })
    }
    expect((await conditionOf(client, 'Available'))?.status).toBe('False')
    await makeReady(client, made)
    await eventually('available', async () => (await conditionOf(client, 'Available'))?.status === 'True')
    const after = await client.get(deployments, ref)
    expect(after?.status).toMatchObject({
      replicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
      updatedReplicas: 2,
      observedGeneration: 1,
    })
    expect(after?.metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('1')
    expect((await conditionOf(client, 'Progressing'))?.reason).toBe('NewReplicaSetAvailable')
  })

  it('roll a new template out, keep the old ReplicaSet, and roll back to it', async () => {
    const { client } = cluster()
    await client.create(deployments, deployment())
    const rolled = (image: string) =>
      eventually(`all pods run ${image}`, async () => {
        const all = await podsOf(client)
        await makeReady(client, active(all))
        const status = (await client.get(deployments, ref))?.status
        return (
          all.length === 2 &&
          all.every((pod) => pod.spec?.containers[0]?.image === image) &&
          status?.updatedReplicas === 2 &&
          status.availableReplicas === 2
        )
      })
    await rolled('a:1')
    const template = (image: string) => ({
      kind: 'strategic' as const,
      body: { spec: { template: { spec: { containers: [{ name: 'c', image }] } } } },
    })
    await client.patch(deployments, ref, template('a:2'))
    await rolled('a:2')
    expect(
      (await client.list(replicaSets, { namespace: 'default' })).items.map((set) => set.spec?.replicas).sort(),
    ).toEqual([0, 2])
    await client.patch(deployments, ref, template('a:1'))
    await rolled('a:1')
    expect((await client.list(replicaSets, { namespace: 'default' })).items.length).toBe(2)
    await eventually(
      'its revision',
      async () =>
        (await client.get(deployments, ref))?.metadata.annotations?.['deployment.kubernetes.io/revision'] === '3',
    )
  })

  it('scale, replace what was deleted, and go with all they made', async () => {
    const { api, client } = cluster()
    await client.create(deployments, deployment())
    const count = (n: number) => eventually(`${n} pods`, async () => (await podsOf(client)).length === n)
    await count(2)
    await client.patch(deployments, ref, { kind: 'merge', body: { spec: { replicas: 3 } } }, { subresource: 'scale' })
    await count(3)
    const [one] = await podsOf(client)
    await client.delete(pods, { namespace: 'default', name: one?.metadata.name ?? '' })
    await eventually('a new one', async () => {
      const names = (await podsOf(client)).map((pod) => pod.metadata.name)
      return names.length === 3 && !names.includes(one?.metadata.name)
    })
    await client.patch(deployments, ref, { kind: 'merge', body: { spec: { replicas: 0 } } })
    await count(0)
    await client.delete(deployments, ref)
    await api.idle()
    expect((await client.list(replicaSets, { namespace: 'default' })).items).toEqual([])
  })

  it('say why pods cannot be made', async () => {
    const { client } = cluster()
    const template = {
      metadata: { labels: { app: 'web' } },
      spec: { serviceAccountName: 'nobody', containers: [{ name: 'c', image: 'a' }] },
    }
    await client.create(deployments, deployment({ template }))
    const failure = await eventually('ReplicaFailure', () => conditionOf(client, 'ReplicaFailure'))
    expect(failure).toMatchObject({ status: 'True', reason: 'FailedCreate' })
    expect(failure.message).toContain('serviceaccount "nobody" not found')
    await eventually('an event', async () =>
      (await client.list(events, { namespace: 'default' })).items.some(
        (e) => e.reason === 'FailedCreate' && e.message?.startsWith('Error creating: '),
      ),
    )
  })
})
