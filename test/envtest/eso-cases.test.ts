/** The recorded ExternalSecrets on a real API server, applied by the real kubectl, synced by our controller over sockets. */
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { customResourceDefinitions } from '../../src/controller/crds/definitions.ts'
import { externalSecrets } from '../../src/controller/crds/external-secret.ts'
import { secretStores } from '../../src/controller/crds/secret-store.ts'
import { vaultStore } from '../../src/controller/fake-world.ts'
import { FakeVault } from '../../src/controller/providers/vault/fake-vault.ts'
import { vaultProvider } from '../../src/controller/providers/vault/vault-provider.ts'
import { runController } from '../../src/controller/run-controller.ts'
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
} from '../../src/controller/test-recording.ts'
import type { KubeClient, KubeObject } from '../../src/kube/client.ts'
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts'
import {
  type CoreEvent,
  customResourceDefinitions as definitionType,
  events,
  namespaces,
  secrets,
  serviceAccounts,
} from '../../src/kube/object-types.ts'
import { createKubeClient } from '../../src/kube/rest-client.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'

const { kubeconfig, kubectl } = inject('controlPlane')
const stop = new AbortController()
const definitions = customResourceDefinitions()
let client: KubeClient
let controller: Promise<void>

async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const end = performance.now() + 60_000
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const run = (...args: readonly string[]) =>
  execFileSync(kubectl, ['--kubeconfig', kubeconfig, '--namespace', namespace, ...args], { encoding: 'utf8' })
const apply = (object: KubeObject) =>
  execFileSync(kubectl, ['--kubeconfig', kubeconfig, 'apply', '-f', '-'], {
    encoding: 'utf8',
    input: JSON.stringify(object),
  })

beforeAll(async () => {
  const config_ = await loadKubeConfig({
    path: kubeconfig,
    env: {},
    clock: systemClock,
    readFile: (path) => readFile(path, 'utf8'),
  })
  const common = { clock: systemClock, random: systemRandom, log: silentLog }
  client = createKubeClient({ ...common, config: config_, userAgent: 'envtest' })
  for (const definition of definitions) await client.apply(definitionType, definition, { fieldManager: 'envtest' })
  for (const { metadata } of definitions)
    run('wait', '--for=condition=Established', '--timeout=60s', `crd/${metadata.name}`)
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  await until('the default service account', () => client.get(serviceAccounts, { namespace, name: 'default' }))
  const vault = new FakeVault()
  vault.put('my-app/config', config)
  const unreachable = new FakeVault()
  unreachable.set('down')
  const dial = ({ address }: { address: string }) => (address === 'http://vault' ? vault : unreachable)
  for (const store of [
    vaultStore(),
    vaultStore('down', 'http://nowhere'),
    { ...vaultStore('fake'), spec: { provider: { fake: { data: [] } } } },
  ])
    await client.create(secretStores, { ...store, metadata: { ...store.metadata, namespace } })
  controller = runController(
    {
      ...common,
      client,
      providers: [vaultProvider({ dial }), fakeStore],
      ownToken: async () => undefined,
      controllerClass: 'default',
      concurrency: 4,
      storeRequeueIntervalMs: 300_000,
      onReady: () => {},
    },
    stop.signal,
  )
  await until('stores that were looked at', async () =>
    (await client.list(secretStores, { namespace })).items.every((store) => store['status'] !== undefined),
  )
})

afterAll(async () => {
  stop.abort(new Error('over'))
  await controller
  run('delete', 'externalsecrets,secretstores', '--all', '--wait=false')
  for (const { items } of [await client.list(externalSecrets, { namespace })])
    for (const { metadata } of items)
      await client.patch(
        externalSecrets,
        { namespace, name: metadata.name ?? '' },
        { kind: 'merge', body: { metadata: { finalizers: null } } },
        { fieldManager: 'envtest' },
      )
  run('delete', 'namespace', namespace, '--wait=true')
  for (const { metadata } of definitions) run('delete', 'crd', metadata.name ?? '', '--wait=true')
  await client.close()
})

async function replay(one: RecordedCase) {
  const { name = '' } = one.applied.metadata
  const spec = one.applied['spec'] as { target?: { name?: string } }
  const target = spec.target?.name ?? name
  const existing = before[target]
  if (existing) {
    const secret = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: {}, ...existing }
    await client.create(secrets, secret, { fieldManager: 'kubectl-client-side-apply' })
  }
  expect(apply(one.applied)).toContain(`/${name} created`)
  const ref = { namespace, name }
  const told = async () =>
    (await client.list<CoreEvent>(events, { namespace })).items
      .filter(({ involvedObject }) => involvedObject.kind === 'ExternalSecret' && involvedObject.name === name)
      .map(({ type, reason, message }) => ({ type, reason, message }))
  await until(`a status of ${name}`, async () => {
    const status = (await client.get(externalSecrets, ref))?.['status'] as Partial<RecordedStatus> | undefined
    return status?.conditions !== undefined && (await told()).length >= one.events.length
  })
  const es = await client.get(externalSecrets, ref)
  return {
    externalSecret: {
      finalizers: es?.metadata.finalizers,
      spec: es?.['spec'],
      status: timeless(es?.['status'] as RecordedStatus),
    },
    secret: described(await client.get(secrets, { namespace, name: target })),
    events: await told(),
  }
}

/** By name: the API server orders them by their times, which are whole seconds. */
const sorted = <T extends { manager?: string }>(managers: readonly T[] | undefined) =>
  managers?.toSorted((a, b) => ((a.manager ?? '') < (b.manager ?? '') ? -1 : 1))

describe('the recorded cases of ESO, on a real API server', () => {
  it.each(recorded.cases.filter((one) => refused[one.case] === undefined))('$case', async (one) => {
    const { secret, ...rest } = await replay(one)
    expect({ ...rest, secret: secret && { ...secret, managers: sorted(secret.managers) } }).toEqual({
      externalSecret: { ...one.externalSecret, status: timeless(one.externalSecret.status) },
      secret: one.secret && { ...one.secret, managers: sorted(one.secret.managers) },
      events: one.events,
    })
  })
})
