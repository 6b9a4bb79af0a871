import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { KubeObject } from '../kube/client.ts'
import { secrets, serviceAccounts } from '../kube/object-types.ts'
import { externalSecrets } from './crds/external-secret.ts'
import { secretStores } from './crds/secret-store.ts'
import { externalSecret, FakeWorld, namespace, vaultStore } from './fake-world.ts'

const v1beta1 = { ...externalSecrets, version: 'v1beta1' }
const canary = 'c4n4ry-value'
let world: FakeWorld

beforeEach(async () => {
  world = await FakeWorld.open()
  world.vault.put('app', `{"k":"${canary}-1"}`)
})
afterEach(() => world.close())

/** One ExternalSecret, synced by a running controller. */
async function synced(spec: object = {}): Promise<() => Promise<void>> {
  await world.client.create(secretStores, vaultStore())
  const stop = await world.controller()
  await world.client.create(externalSecrets, externalSecret(spec))
  await world.untilCondition('Ready', 'True')
  return stop
}
const version = async () => (await world.secret())?.metadata.resourceVersion

describe('the seed', () => {
  it('works as it stands, beside a SecretStore', async () => {
    const text = readFileSync(join(import.meta.dirname, '../../examples/seed/external-secret.yaml'), 'utf8')
    const seed = parse(text) as KubeObject
    world.vault.put('my-app/config', '{"username":"app","port":5432}')
    await world.controller()
    await world.client.create(v1beta1, { ...seed, metadata: { ...seed.metadata, namespace } })
    await world.client.create(secretStores, vaultStore())
    await world.untilValues({ config: '{"port":5432,"username":"app"}' }, 'my-app-secrets')
    const ready = await world.untilCondition('Ready', 'True', 'my-app-secrets')
    expect(ready).toMatchObject({ reason: 'SecretSynced', message: 'secret synced' })
    const es = await world.externalSecret('my-app-secrets')
    expect((await world.secret('my-app-secrets'))?.metadata.ownerReferences).toEqual([
      {
        apiVersion: 'external-secrets.io/v1',
        kind: 'ExternalSecret',
        name: 'my-app-secrets',
        uid: es.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ])
  })
})

describe('changes at the store', () => {
  it('arrive when the store tells, not at the next refresh, with one read and the same login', async () => {
    await synced()
    const before = world.vault.requests.length
    world.vault.put('app', '{"k":"2"}')
    await world.untilValues({ k: '2' })
    expect(world.vault.requests.slice(before)).toEqual(['GET /v1/secret/data/app'])
    expect(world.vault.logins).toBe(1)
    await world.until('both events', async () => (await world.events()).length === 2)
    expect(await world.events()).toEqual(['1x Normal Created secret created', '1x Normal Updated secret updated'])
  })

  it('of other secrets wake nobody', async () => {
    await synced()
    const before = world.vault.requests.length
    world.vault.put('other', '{}')
    await world.clock.advance(1000)
    expect(world.vault.requests.slice(before)).toEqual([])
  })

  it('do not reach what is synced once only', async () => {
    await synced({ refreshInterval: '0' })
    world.vault.put('app', '{"k":"2"}')
    await world.clock.advance(7_200_000)
    expect(await world.values()).toEqual({ k: `${canary}-1` })
  })

  it('that were missed while no controller ran are read at its start; without any, the Secret is not written', async () => {
    const stop = await synced()
    await stop()
    const before = await version()
    const again = await world.controller()
    await world.until(
      'a read',
      async () => world.vault.requests.filter((one) => one.includes('secret/data')).length > 1,
    )
    await world.clock.advance(1000)
    expect(await version()).toBe(before)
    await again()
    world.vault.put('app', '{"k":"2"}')
    await world.controller()
    await world.untilValues({ k: '2' })
  })

  it('to absence keep the Secret; with deletionPolicy Delete they remove it', async () => {
    await synced()
    world.vault.remove('app')
    expect(await world.untilCondition('Ready', 'False')).toMatchObject({
      reason: 'SecretSyncedError',
      message: 'could not get secret data from provider',
    })
    expect(await world.values()).toEqual({ k: `${canary}-1` })
    const es = await world.externalSecret()
    const patch = { spec: { target: { deletionPolicy: 'Delete' } } }
    await world.client.patch(externalSecrets, { namespace, name: es.name }, { kind: 'merge', body: patch })
    await world.until('no Secret', async () => !(await world.secret()))
    expect(await world.untilCondition('Ready', 'True')).toMatchObject({ reason: 'SecretDeleted' })
  })
})

describe('an outage', () => {
  it.each(['down', 'sealed'] as const)('(%s) leaves Ready and the values as they are and says Stale', async (state) => {
    await synced()
    const ready = await world.condition('Ready')
    const before = await version()
    world.vault.set(state)
    const stale = await world.untilCondition('Stale', 'True')
    expect(stale.reason).toBe(state === 'down' ? 'StoreUnreachable' : 'StoreSealed')
    expect(stale.message).toMatch(/since=2026-01-02T03:04:05Z; until=no limit/)
    await world.clock.advance(600_000)
    expect(await world.condition('Ready')).toEqual(ready)
    expect(await world.condition('Stale')).toEqual(stale)
    expect(await version()).toBe(before)
    world.vault.put('app', '{"k":"2"}')
    world.vault.set('up')
    await world.clock.advance(2_000)
    await world.untilValues({ k: '2' })
    expect(await world.untilCondition('Stale', 'False')).toMatchObject({ reason: 'Current' })
    expect((await world.externalSecret()).status.conditions.map((one) => one.type)).toEqual(['Ready', 'Stale'])
  })

  it('at the time of a refresh fails it as ESO does, and nothing is blanked', async () => {
    await synced({ refreshInterval: '1m' })
    world.vault.set('down')
    await world.clock.advance(61_000)
    expect(await world.untilCondition('Ready', 'False')).toMatchObject({
      message: 'could not get secret data from provider',
    })
    expect(await world.condition('Stale')).toMatchObject({ status: 'True' })
    expect(await world.values()).toEqual({ k: `${canary}-1` })
    expect((await world.externalSecret()).status.refreshTime).toBe('2026-01-02T03:04:05Z')
    world.vault.set('up')
    await world.clock.advance(2_000)
    await world.untilCondition('Ready', 'True')
    await world.untilCondition('Stale', 'False')
  })

  it('is asked about by one probe, however many ExternalSecrets there are', async () => {
    await synced({ refreshInterval: '10s' })
    for (let i = 0; i < 20; i += 1) {
      await world.client.create(externalSecrets, externalSecret({ refreshInterval: '10s' }, { name: `app-${i}` }))
    }
    await world.untilCondition('Ready', 'True', 'app-19')
    world.vault.set('down')
    await world.untilCondition('Stale', 'True', 'app-19')
    const before = world.vault.requests.length
    await world.clock.advance(60_000)
    expect(world.vault.requests.length - before).toBeLessThan(40)
  })

  it('that a controller finds at its start is told with its first time', async () => {
    const stop = await synced()
    world.vault.set('down')
    const stale = await world.untilCondition('Stale', 'True')
    await stop()
    await world.clock.advance(60_000)
    await world.controller()
    await world.clock.advance(5_000)
    expect(await world.condition('Stale')).toEqual(stale)
  })
})

describe('drift', () => {
  it('of a deleted or edited Secret is healed at once', async () => {
    await synced()
    await world.client.delete(secrets, { namespace, name: 'app' })
    await world.untilValues({ k: `${canary}-1` })
    const patch = { data: { k: 'ZWRpdGVk', more: 'eA==' } }
    await world.client.patch(secrets, { namespace, name: 'app' }, { kind: 'merge', body: patch })
    await world.untilValues({ k: `${canary}-1` })
  })

  it('of the name moves the Secret', async () => {
    await synced()
    const patch = { spec: { target: { name: 'renamed' } } }
    await world.client.patch(externalSecrets, { namespace, name: 'app' }, { kind: 'merge', body: patch })
    await world.untilValues({ k: `${canary}-1` }, 'renamed')
    await world.until('the old one to go', async () => !(await world.secret('app')))
    const told = '1x Normal Deleted secret deleted because it was orphaned'
    await world.until('the event', async () => (await world.events()).includes(told))
  })

  it('of labels on the ExternalSecret asks for a refresh (force-sync)', async () => {
    await synced()
    const before = world.vault.requests.length
    const patch = { metadata: { annotations: { 'force-sync': '1' } } }
    await world.client.patch(externalSecrets, { namespace, name: 'app' }, { kind: 'merge', body: patch })
    await world.until(
      'the annotation',
      async () => (await world.secret())?.metadata.annotations?.['force-sync'] === '1',
    )
    expect(world.vault.requests.slice(before)).toEqual(['GET /v1/secret/data/app'])
  })
})

describe('an ExternalSecret', () => {
  it('is refreshed at its interval', async () => {
    await synced({ refreshInterval: '10m' })
    await world.clock.advance(600_000)
    await world.until(
      'a refresh',
      async () => (await world.externalSecret()).status.refreshTime === '2026-01-02T03:14:05Z',
    )
  })

  it('goes when it is deleted, and with it its Secret only if asked to', async () => {
    await synced({ target: { deletionPolicy: 'Delete' } })
    await world.client.delete(externalSecrets, { namespace, name: 'app' })
    await world.until('it to go', async () => !(await world.client.get(externalSecrets, { namespace, name: 'app' })))
    await world.until('its Secret to go', async () => !(await world.secret()))
  })

  it("takes the Secret that it owns along (by the cluster's garbage collection)", async () => {
    await synced()
    await world.client.delete(externalSecrets, { namespace, name: 'app' })
    await world.until('it to go', async () => !(await world.client.get(externalSecrets, { namespace, name: 'app' })))
    await world.cluster.idle()
    expect(await world.secret()).toBeUndefined()
  })

  it('that asks for what is not supported says which', async () => {
    await world.client.create(secretStores, vaultStore())
    await world.controller()
    await world.client.create(externalSecrets, externalSecret({ target: { template: { data: { a: 'b' } } } }))
    const message = 'spec.target.template is not supported by this version of Coffer'
    expect(await world.untilCondition('Ready', 'False')).toMatchObject({ reason: 'SecretSyncedError', message })
    await world.until('the event', async () => (await world.events()).includes(`1x Warning UpdateFailed ${message}`))
    expect(await world.secret()).toBeUndefined()
  })

  it('of a store of another class is left alone', async () => {
    const store = vaultStore()
    await world.client.create(secretStores, { ...store, spec: { ...(store['spec'] as object), controller: 'other' } })
    await world.controller()
    await world.client.create(externalSecrets, externalSecret())
    await world.clock.advance(10_000)
    const object = await world.client.get(externalSecrets, { namespace, name: 'app' })
    expect(object?.['status']).toBeUndefined()
    expect(object?.metadata.finalizers).toBeUndefined()
    expect((await world.client.get(secretStores, { namespace, name: 'vault-backend' }))?.['status']).toBeUndefined()
  })

  it('waits for its store, not for a back-off', async () => {
    await world.controller()
    await world.client.create(externalSecrets, externalSecret())
    await world.untilCondition('Ready', 'False')
    await world.clock.advance(200_000)
    await world.client.create(secretStores, vaultStore())
    await world.untilCondition('Ready', 'True')
  })

  it('leaves no value in events, conditions or logs', async () => {
    await synced()
    world.vault.put('app', `{"k":"${canary}-2"}`)
    await world.untilValues({ k: `${canary}-2` })
    world.vault.set('down')
    await world.untilCondition('Stale', 'True')
    world.vault.set('up')
    world.vault.put('app', `{"other":"${canary}-3"}`)
    await world.clock.advance(5_000)
    await world.untilCondition('Ready', 'False')
    const told = JSON.stringify([
      await world.events(),
      await world.events({ name: 'vault-backend', kind: 'SecretStore' }),
      (await world.externalSecret()).object,
      world.log.lines,
    ])
    expect(told).not.toContain(canary)
    expect(told).not.toContain('hvs.')
  })
})

describe('a SecretStore', () => {
  const status = async () => (await world.client.get(secretStores, { namespace, name: 'vault-backend' }))?.['status']

  it('of an unknown kind is told so', async () => {
    await world.controller()
    await world.client.create(secretStores, {
      ...vaultStore(),
      spec: { provider: { aws: { service: 'SecretsManager' } } },
    })
    await world.until('a status', status)
    expect(await status()).toMatchObject({
      conditions: [
        { type: 'Ready', status: 'False', reason: 'InvalidProviderConfig', message: 'unable to create client' },
      ],
    })
    const words = 'unable to create client: spec.provider.aws is not supported; supported are: vault'
    await world.until('the event', async () =>
      (await world.events({ name: 'vault-backend', kind: 'SecretStore' })).includes(
        `1x Warning InvalidProviderConfig ${words}`,
      ),
    )
  })

  it('says which ServiceAccount it lacks, and works as soon as it is there', async () => {
    const store = JSON.parse(JSON.stringify(vaultStore()).replace('"name":"default"', '"name":"later"'))
    await world.controller()
    await world.client.create(secretStores, store)
    await world.until('a status', status)
    expect(await status()).toMatchObject({ conditions: [{ status: 'False', message: 'unable to create client' }] })
    const about = { name: 'vault-backend', kind: 'SecretStore' }
    await world.until('the event', async () =>
      (await world.events(about)).some((one) => one.includes('"later" not found')),
    )
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'later', namespace } }
    await world.client.create(serviceAccounts, account)
    await world.clock.advance(2_000)
    await world.until('Ready', async () => JSON.stringify(await status()).includes('store validated'))
  })

  it('gives its login back when the controller stops', async () => {
    const stop = await synced()
    await stop()
    expect(world.vault.requests.at(-1)).toBe('PUT /v1/auth/token/revoke-self')
  })
})
