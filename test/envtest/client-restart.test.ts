/** Informers that run while their API server dies and comes back, etcd forgets, and certificates change; a writer goes on. */
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ApiError, type KubeClient } from '../../src/kube/client.ts'
import { Informer } from '../../src/kube/informer.ts'
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts'
import { configMaps, type Secret, secrets } from '../../src/kube/object-types.ts'
import { createKubeClient } from '../../src/kube/rest-client.ts'
import { Unreachable } from '../../src/kube/transport/transport.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { createCa, issueCertificate } from '../../src/lib/x509/certificates.ts'
import {
  CountingClock,
  closeAtEnd,
  openSubject,
  type Subject,
  versionsOf,
} from '../kube-contract/client-faults-subject.ts'
import { eventually } from '../kube-contract/cluster.ts'
import { type ControlPlane, startControlPlane } from './control-plane.ts'

const namespace = 'default'
let plane: ControlPlane
let direct: KubeClient
const clock = new CountingClock()

beforeAll(async () => {
  plane = await startControlPlane({ minor: process.env['COFFER_ENVTEST'], controllers: false })
  const config = await loadKubeConfig({ path: plane.kubeconfig, env: {}, clock: systemClock, readFile })
  direct = createKubeClient({ config, clock: systemClock, random: systemRandom, log: silentLog })
})
afterAll(async () => {
  await direct?.close()
  await plane?.stop()
})

async function readFile(path: string): Promise<string> {
  return (await import('node:fs/promises')).readFile(path, 'utf8')
}

interface Told {
  readonly name: string
  /** A version, or 'deleted'. */
  readonly what: string
}
function inform({ client }: Pick<Subject, 'client'>, prefix: string) {
  const informer = new Informer<Secret>({
    client,
    type: secrets,
    options: { namespace, labelSelector: `set=${prefix}` },
  })
  const told: Told[] = []
  informer.onChange(({ type, object: { metadata } }) =>
    told.push({ name: metadata.name ?? '', what: type === 'deleted' ? type : (metadata.resourceVersion ?? '') }),
  )
  const stop = new AbortController()
  const running = informer.run(stop.signal)
  closeAtEnd({
    async close() {
      stop.abort(new Error('the test is over'))
      await running
    },
  })
  return { informer, told }
}

/** Creates, changes and deletes until told to stop; what the server took is remembered, what is unclear is asked about. */
function write(prefix: string) {
  const history = new Map<string, string[]>()
  let stopped = false
  let failures = 0
  const done = (async () => {
    for (let n = 0; !stopped; n += 1) {
      const name = `${prefix}-${n % 7}`
      const past = history.get(name) ?? []
      history.set(name, past)
      try {
        if (n % 5 === 4 && past.length > 0) {
          await direct.delete(secrets, { namespace, name })
          past.push('deleted')
        } else {
          const metadata = { name, namespace, labels: { set: prefix }, annotations: { n: `${n}` } }
          const object = { apiVersion: 'v1', kind: 'Secret', metadata }
          const written = await direct.apply(secrets, object, { fieldManager: 'writer', force: true })
          past.push(written.metadata.resourceVersion ?? '')
        }
      } catch (error) {
        // It may have come about or not.
        if (!(error instanceof Unreachable || error instanceof ApiError)) throw error
        failures += 1
        past.push('unclear')
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })()
  return {
    history,
    failures: () => failures,
    async stop() {
      stopped = true
      await done
    },
  }
}
const writes = (writer: ReturnType<typeof write>) => [...writer.history.values()].flat().length

async function holdsAll(informers: readonly ReturnType<typeof inform>[], prefix: string): Promise<void> {
  const wanted = versionsOf((await direct.list(secrets, { namespace, labelSelector: `set=${prefix}` })).items)
  for (const { informer } of informers) {
    await eventually(() => JSON.stringify(versionsOf(informer.store.list())) === JSON.stringify(wanted), 60_000).catch(
      () => {},
    )
    expect(versionsOf(informer.store.list())).toEqual(wanted)
  }
}

/** In order for each object; when nothing was unclear and no list came between, every one of them. */
function expectInOrder(told: readonly Told[], history: ReadonlyMap<string, string[]>): void {
  for (const [name, truth] of history) {
    const seen = told.filter((one) => one.name === name && one.what !== 'deleted').map((one) => Number(one.what))
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b))
    if (truth.at(-1) === 'deleted') expect(told.filter((one) => one.name === name).at(-1)?.what).toBe('deleted')
  }
}

/** Everything older than now is gone from etcd. */
async function compact(): Promise<string> {
  const { resourceVersion } = await direct.list(configMaps, { namespace })
  const answer = await fetch(`${plane.etcd}/v3/kv/compaction`, {
    method: 'POST',
    body: JSON.stringify({ revision: resourceVersion, physical: true }),
  })
  expect(answer.status, await answer.text()).toBe(200)
  return resourceVersion
}

const timings = { firstRetryMs: 200, longestRetryMs: 2000, shortStreamMs: 500 }

describe('informers and a writer', () => {
  it('outlive an API server that is killed and comes back, with nothing missed and few requests', async () => {
    const subject = await openSubject(plane, { timings })
    const { proxy } = subject
    const informers = Array.from({ length: 5 }, () => inform(subject, 'restart'))
    for (const { informer } of informers) await informer.synced()
    const writer = write('restart')
    await eventually(() => writes(writer) > 50)
    const before = proxy.watches.length
    const startedAt = performance.now()
    await plane.stopApiServer()
    await eventually(() => proxy.watches.length >= before + 2 * informers.length, 60_000)
    await plane.startApiServer()
    await eventually(() => proxy.streams === informers.length, 60_000)
    const resumed = writes(writer)
    await eventually(() => writes(writer) > resumed + 50, 60_000)
    await writer.stop()
    expect(writer.failures()).toBeGreaterThan(0)
    await holdsAll(informers, 'restart')
    for (const { told } of informers) expectInOrder(told, writer.history)
    // 150, 300, 600, 1200 ms and then at least 1200 ms apart.
    const each = 8 + (performance.now() - startedAt) / 1200
    expect(proxy.watches.length - before).toBeLessThan(informers.length * each)
  })

  it('outlive the compaction of all that they had not seen: a list takes its place, deletions are told', async () => {
    const subject = await openSubject(plane, { timings })
    const { proxy, logged } = subject
    const informers = Array.from({ length: 3 }, () => inform(subject, 'compacted'))
    for (const { informer } of informers) await informer.synced()
    const writer = write('compacted')
    await eventually(() => writes(writer) > 50)
    await holdsOnce(informers)
    await proxy.take('none')
    proxy.cut()
    const then = writes(writer)
    await eventually(() => writes(writer) > then + 100, 60_000)
    await writer.stop()
    await compact()
    // What it still had in memory is gone too.
    await plane.stopApiServer()
    await plane.startApiServer()
    const before = proxy.watches.length
    await proxy.take('all')
    await holdsAll(informers, 'compacted')
    for (const { told } of informers) expectInOrder(told, writer.history)
    expect(logged.filter((event) => event === 'kube.watch.expired').length).toBe(informers.length)
    // Each: the watch that is refused, the list, and perhaps one that met the server too early.
    expect(proxy.watches.length - before).toBeLessThanOrEqual(3 * informers.length)
  })

  it('a list whose pages are compacted away under it is whole', async () => {
    for (let n = 0; n < 1100; n += 50) {
      await Promise.all(
        Array.from({ length: 50 }, (_, i) => {
          const metadata = { name: `paged-${n + i}`, namespace, labels: { set: 'paged' } }
          return direct.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata })
        }),
      )
    }
    const subject = await openSubject(plane)
    const { proxy, client } = subject
    const headers = { 'retry-after': '3' }
    let compacted = false
    // The first page has gone out; the second is kept from us until the state of the first is gone.
    proxy.fault = ({ query }) =>
      query.has('continue') && !compacted ? { do: 'answer', status: 429, headers } : undefined
    const listing = client.list(configMaps, { namespace, labelSelector: 'set=paged' })
    await eventually(() => proxy.seen.length === 2)
    const metadata = { labels: { set: 'paged' }, name: 'paged-late', namespace }
    await direct.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata })
    await compact()
    // What it still had in memory is gone too.
    await plane.stopApiServer()
    await plane.startApiServer()
    compacted = true
    const { items } = await listing
    expect(items.filter((item) => item.metadata.name !== 'paged-late').length).toBe(1100)
    expect(new Set(items.map((item) => item.metadata.name)).size).toBe(items.length)
    // Refused with 410, and asked for all at once.
    expect(proxy.seen.at(-1)?.query.has('limit')).toBe(false)
  })
})

/** Each has been told of something. */
const holdsOnce = (informers: readonly ReturnType<typeof inform>[]) =>
  eventually(() => informers.every(({ informer }) => informer.store.size > 3), 20_000)

describe('certificates', () => {
  const issue = (ca: typeof plane.ca, commonName: string, more: object) =>
    issueCertificate(ca, { random: systemRandom, now: Date.now(), validForMs: 3_600_000, commonName, ...more })
  const server = { server: true, dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] }
  const dir = () => dirname(plane.kubeconfig)

  it('of the server are replaced, by one of the same authority and then by one of another: the client goes on', async () => {
    const authority = join(dir(), 'client-ca.crt')
    await writeFile(authority, plane.ca.certPem)
    const kubeconfig = join(dir(), 'rotating-kubeconfig')
    await writeFile(
      kubeconfig,
      JSON.stringify({
        'current-context': 'x',
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        clusters: [{ name: 'c', cluster: { server: plane.address, 'certificate-authority': 'client-ca.crt' } }],
        users: [{ name: 'u', user: { token: plane.token } }],
      }),
    )
    const config = await loadKubeConfig({ path: kubeconfig, env: {}, clock, readFile })
    const client = createKubeClient({ config, clock, random: systemRandom, log: silentLog, timings })
    closeAtEnd(client)
    const informed = inform({ client }, 'rotated')
    await informed.informer.synced()
    const restartWith = async (ca: typeof plane.ca) => {
      const { certPem, keyPem } = issue(ca, 'another', server)
      await plane.stopApiServer()
      await writeFile(join(dir(), 'server.crt'), certPem)
      await writeFile(join(dir(), 'server.key'), keyPem)
    }
    const make = (on: KubeClient, name: string) =>
      on.create(secrets, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name, namespace, labels: { set: 'rotated' } },
      })

    await restartWith(plane.ca)
    await plane.startApiServer()
    await make(client, 'same-authority')
    await eventually(() => informed.informer.store.get({ namespace, name: 'same-authority' }) !== undefined, 30_000)

    const other = createCa({ commonName: 'next', random: systemRandom, now: Date.now(), validForMs: 3_600_000 })
    await restartWith(other)
    const original = plane.ca.certPem
    // The tests' own wait for readiness trusts the first authority only: it ends without an answer, the server runs.
    const starting = plane.startApiServer().catch(() => {})
    await writeFile(authority, `${original}\n${other.certPem}`)
    await eventually(async () => {
      const made = await make(client, 'other-authority').catch((error: unknown) => error)
      return !(made instanceof Error) || (made instanceof ApiError && made.status === 409)
    }, 60_000)
    await eventually(() => informed.informer.store.get({ namespace, name: 'other-authority' }) !== undefined, 30_000)

    // Back, so that the next test has a server that everybody trusts.
    await restartWith(plane.ca)
    await starting
    await plane.startApiServer()
    await make(client, 'first-authority')
    await eventually(() => informed.informer.store.get({ namespace, name: 'first-authority' }) !== undefined, 30_000)
  })

  it('of a client are replaced in their files: new connections show the new one', async () => {
    const write = async (commonName: string) => {
      const { certPem, keyPem } = issue(plane.ca, commonName, { client: true, organizations: ['system:masters'] })
      await writeFile(join(dir(), 'user.crt'), certPem)
      await writeFile(join(dir(), 'user.key'), keyPem)
    }
    await write('first-user')
    const kubeconfig = join(dir(), 'certificate-kubeconfig')
    const encoded = Buffer.from(plane.ca.certPem).toString('base64')
    await writeFile(
      kubeconfig,
      JSON.stringify({
        'current-context': 'x',
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        clusters: [{ name: 'c', cluster: { server: plane.address, 'certificate-authority-data': encoded } }],
        users: [{ name: 'u', user: { 'client-certificate': 'user.crt', 'client-key': 'user.key' } }],
      }),
    )
    const config = await loadKubeConfig({ path: kubeconfig, env: {}, clock, readFile })
    const client = createKubeClient({ config, clock, random: systemRandom, log: silentLog, timings })
    closeAtEnd(client)
    const whoAmI = async () => {
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
      const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
      const answer = await client.raw({ method: 'POST', path, body: JSON.stringify(body) })
      return JSON.parse(answer.body).status?.userInfo?.username
    }
    const informed = inform({ client }, 'rotated')
    await informed.informer.synced()
    expect(await whoAmI()).toBe('first-user')
    await write('second-user')
    clock.skip(61_000)
    expect(await whoAmI()).toBe('second-user')
    // The watch that was open goes on.
    const metadata = { name: 'after-rotation', namespace, labels: { set: 'rotated' } }
    await client.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata })
    await eventually(() => informed.informer.store.get({ namespace, name: 'after-rotation' }) !== undefined, 30_000)
  })
})
