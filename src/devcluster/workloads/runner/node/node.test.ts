/** What a node says of itself and hears of others, without sockets. */
import { describe, expect, it } from 'vitest'
import type { KubeClient, WatchEvent } from '../../../../kube/client.ts'
import type { Node } from '../../../../kube/object-types.ts'
import { FakeClock } from '../../../../lib/fake-clock.ts'
import { Neighbours } from './neighbours.ts'
import { isolationLabel, markNodeStopped, postNodeStatus, registerNode } from './node-registration.ts'
import { requestServingCertificate } from './serving-certificate.ts'

/** One Node behind the four calls that registration makes. */
function cluster(node: Node | undefined) {
  let held = node
  const merge = (into: any, from: any): any => {
    if (typeof from !== 'object' || from === null || Array.isArray(from)) return from
    const base: any = typeof into === 'object' && into !== null ? { ...into } : {}
    for (const [name, value] of Object.entries(from)) base[name] = merge(base[name], value)
    return base
  }
  const client: any = {
    get: async () => held,
    create: async (_type: unknown, object: Node) => {
      held = object
      return held
    },
    patch: async (_type: unknown, _ref: unknown, patch: { body: object }) => {
      held = merge(held, patch.body)
      return held
    },
  }
  return { client: client as KubeClient, node: () => held }
}
const facts = { name: 'n1', hostIp: '192.0.2.1', logPort: 10_250, isolation: 'none' }
const conditions = (node: Node | undefined) =>
  Object.fromEntries((node?.status?.conditions ?? []).map((one) => [one.type, one.status]))

describe('a Node', () => {
  it('keeps the labels, the taints and the conditions that others gave it', async () => {
    const network = { type: 'NetworkUnavailable', status: 'False' }
    const { client, node } = cluster({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1', labels: { team: 'a' } },
      spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] },
      status: { conditions: [network] },
    })
    await registerNode(client, facts, new FakeClock())
    expect(node()?.metadata.labels).toMatchObject({
      team: 'a',
      'kubernetes.io/hostname': 'n1',
      [isolationLabel]: 'none',
    })
    expect(node()?.spec?.taints).toHaveLength(1)
    expect(conditions(node())).toMatchObject({ NetworkUnavailable: 'False', DiskPressure: 'False', Ready: 'True' })
    expect(node()?.status?.daemonEndpoints).toEqual({ kubeletEndpoint: { Port: 10_250 } })
  })

  it('a condition keeps the time of its last change, and each post is a heartbeat', async () => {
    const clock = new FakeClock()
    const { client, node } = cluster(undefined)
    await registerNode(client, facts, clock)
    const ready = () => node()?.status?.conditions?.find((one) => one.type === 'Ready')
    const first = ready()
    await clock.advance(60_000)
    await postNodeStatus(client, facts, clock)
    expect(ready()?.lastTransitionTime).toBe(first?.lastTransitionTime)
    expect(ready()?.lastHeartbeatTime).not.toBe(first?.lastHeartbeatTime)
    await clock.advance(60_000)
    await markNodeStopped(client, 'n1', clock)
    expect(ready()).toMatchObject({ status: 'False', reason: 'PodRunnerStopped' })
    expect(ready()?.lastTransitionTime).not.toBe(first?.lastTransitionTime)
  })
})

it("a kubelet's Node is left alone, that of an earlier runner is taken again", async () => {
  const known = (labels: object): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1', labels: { ...labels } },
    status: { nodeInfo: { kubeletVersion: 'v1.34.4' } as any },
  })
  const real = cluster(known({}))
  await expect(registerNode(real.client, facts, new FakeClock())).rejects.toThrow('give another --node-name')
  expect(real.node()).toEqual(known({}))
  const earlier = cluster(known({ [isolationLabel]: 'none' }))
  await registerNode(earlier.client, facts, new FakeClock())
  expect(conditions(earlier.node())).toMatchObject({ Ready: 'True' })
})

it('a signing request that is there already is not removed', async () => {
  const removed: unknown[] = []
  const client: any = {
    create: async (_type: unknown, object: any) => ({ metadata: { name: `${object.metadata.generateName}x` } }),
    update: async () => ({}),
    get: async () => ({ status: { certificate: 'Y2VydA==' } }),
    delete: async (_type: unknown, ref: unknown) => void removed.push(ref),
  }
  const options = { client, clock: new FakeClock(), nodeName: 'n1', hostIp: '192.0.2.1', withinMs: 1000 }
  expect(await requestServingCertificate(options)).toMatchObject({ certPem: 'cert' })
  expect(removed).toEqual([{ name: 'n1-x' }])
})

describe('other nodes', () => {
  const node = (name: string, ready: boolean, labels = {}): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'Unknown' }] },
  })
  const follow = async (events: WatchEvent<Node>[]) => {
    const seen: string[] = []
    const watch: any = async function* () {
      yield* events
    }
    const neighbours: Neighbours = new Neighbours({
      client: { watch },
      ownName: 'n1',
      changed: () => seen.push(neighbours.anyReady ? 'shared' : 'alone'),
      ownLost: (own) => seen.push(own ? 'not ready' : 'deleted'),
    })
    await neighbours.follow(new AbortController().signal, () => seen.push('synced'))
    return seen
  }

  it('count while they are ready, pod runners never', async () => {
    expect(
      await follow([
        { type: 'upserted', object: node('runner', true, { [isolationLabel]: 'none' }) },
        { type: 'upserted', object: node('n1', true) },
        { type: 'synced' },
        { type: 'upserted', object: node('a', true) },
        { type: 'upserted', object: node('b', true) },
        { type: 'upserted', object: node('a', false) },
        { type: 'deleted', object: node('b', true) },
      ]),
    ).toEqual(['synced', 'shared', 'alone'])
  })

  it('our own is missed when it is gone or called not ready', async () => {
    const own = node('n1', false)
    expect(
      await follow([
        { type: 'upserted', object: own },
        { type: 'deleted', object: own },
      ]),
    ).toEqual(['not ready', 'deleted'])
  })
})
