/** Replays test/recorded/eso-cases.json, what ESO 2.9 left in a cluster, on our controller. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { type CoreEvent, events, namespaces, secrets } from '../kube/object-types.ts'
import { externalSecrets } from './crds/external-secret.ts'
import { secretStores } from './crds/secret-store.ts'
import { FakeWorld, vaultStore } from './fake-world.ts'
import {
  before,
  config,
  described,
  fakeStore,
  namespace,
  type RecordedCase,
  type RecordedStatus,
  recorded,
  refused,
  timeless,
} from './test-recording.ts'

let world: FakeWorld

beforeEach(async () => {
  world = await FakeWorld.open([fakeStore])
  world.vault.put('my-app/config', config)
  const stores = [
    vaultStore(),
    vaultStore('down', 'http://nowhere'),
    { ...vaultStore('fake'), spec: { provider: { fake: { data: [] } } } },
  ]
  const ns = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
  await world.client.create(namespaces, ns)
  for (const store of stores) {
    await world.client.create(secretStores, { ...store, metadata: { ...store.metadata, namespace } })
  }
  await world.controller()
  await world.until('stores that were looked at', async () => {
    const { items } = await world.client.list(secretStores)
    return items.every((store) => store['status'] !== undefined)
  })
})
afterEach(() => world.close())

/** As `kubectl apply` sends it. */
function asApplied(applied: KubeObject): KubeObject {
  const { annotations = {}, ...metadata } = applied.metadata
  const last = sorted({ ...applied, metadata: { ...metadata, annotations } })
  return {
    ...applied,
    metadata: {
      ...applied.metadata,
      annotations: { ...annotations, 'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify(last)}\n` },
    },
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, sorted(member)]),
  )
}

async function replay(one: RecordedCase) {
  const { name = '' } = one.applied.metadata
  const spec = one.applied['spec'] as { target?: { name?: string } }
  const target = spec.target?.name ?? name
  const existing = before[target]
  if (existing) {
    const secret = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: {}, ...existing }
    await world.client.create(secrets, secret, { fieldManager: 'kubectl-client-side-apply' })
    // managedFields are in order of time, by the second.
    await world.clock.advance(1000)
  }
  await world.client.create(externalSecrets, asApplied(one.applied))
  const ref = { namespace, name }
  await world.until(`a status of ${name}`, async () => (await world.client.get(externalSecrets, ref))?.['status'])
  for (let turns = 0; turns < 50; turns += 1) await world.clock.advance(0)
  const es = await world.client.get(externalSecrets, ref)
  const told = (await world.client.list<CoreEvent>(events)).items
    .filter((event) => event.involvedObject.kind === 'ExternalSecret')
    .map(({ type, reason, message }) => ({ type, reason, message }))
  return {
    externalSecret: {
      finalizers: es?.metadata.finalizers,
      spec: es?.['spec'],
      status: timeless(es?.['status'] as RecordedStatus),
    },
    secret: described(await world.client.get(secrets, { namespace, name: target })),
    events: told,
  }
}

describe('the recorded cases of ESO', () => {
  it.each(recorded.cases.filter((one) => refused[one.case] === undefined))('$case', async (one) => {
    expect(await replay(one)).toEqual({
      externalSecret: { ...one.externalSecret, status: timeless(one.externalSecret.status) },
      secret: one.secret,
      events: one.events,
    })
  })

  it.each(recorded.cases.filter((one) => refused[one.case] !== undefined))('$case is refused by name', async (one) => {
    const { secret, events: told } = await replay(one)
    expect(secret).toBeUndefined()
    expect(told).toEqual([
      {
        type: 'Warning',
        reason: 'UpdateFailed',
        message: `${refused[one.case]} is not supported by this version of Coffer`,
      },
    ])
  })

  it('of stores: conditions are equal; capabilities are ReadOnly until there is PushSecret', async () => {
    for (const { name, status } of recorded.stores) {
      const store = await world.client.get(secretStores, { namespace, name })
      const ours = store?.['status'] as { conditions: { lastTransitionTime: string }[]; capabilities?: string }
      const condition = (from: typeof ours) => from.conditions.map((one) => ({ ...one, lastTransitionTime: 'T' }))
      expect(condition(ours)).toEqual(condition(status))
      expect(ours.capabilities).toBe(name === 'down' ? undefined : 'ReadOnly')
    }
  })
})
