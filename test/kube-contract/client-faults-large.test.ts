/** Twenty thousand objects: a list that takes long is not cut, one whose pages expire starts again, no copy too many is held. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { ApiServer } from '../../src/devcluster/api/api-server.ts'
import { listenHttps } from '../../src/devcluster/api/http-listener.ts'
import type { ListOptions } from '../../src/kube/client.ts'
import { bearer, fixedIdentity } from '../../src/kube/credentials/credential-source.ts'
import { createInProcessClient } from '../../src/kube/in-process-client.ts'
import { Informer } from '../../src/kube/informer.ts'
import { configMaps, namespaces } from '../../src/kube/object-types.ts'
import { createKubeClient } from '../../src/kube/rest-client.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { closeAtEnd, openSubject, type Subject } from './client-faults-subject.ts'
import { eventually, onReal, testCa, testServerCertificate } from './cluster.ts'
import type { Upstream } from './fault-proxy.ts'

// A real server takes a minute for 20,000 writes when others need the machine too.
const count = onReal && process.env['COFFER_MANY_OBJECTS'] !== '1' ? 5000 : 20_000
const namespace = `many-${process.pid}`
const options: ListOptions = { namespace, labelSelector: 'set=many' }
const lists = Math.ceil(count / 500)

const parts = { clock: systemClock, random: systemRandom, log: silentLog }
let upstream: Upstream
let closeUpstream = async () => {}

/** The embedded one is filled without its socket. */
async function openFilled() {
  const real = inject('controlPlane')
  if (real) {
    const credentials = fixedIdentity({ headers: bearer(real.token) })
    const config = { server: real.address, caPem: real.ca.certPem, namespace, credentials }
    return { upstream: real, client: createKubeClient({ ...parts, config }), close: async () => {} }
  }
  const ca = testCa()
  const token = 'large'
  const server = new ApiServer({ ...parts, caPem: ca.certPem, adminToken: token })
  const listener = await listenHttps({ server, ...testServerCertificate(ca), port: 0 })
  const client = createInProcessClient((request) => server.handle(request), { ...parts, headers: bearer(token) })
  return { upstream: { address: listener.address, ca, token }, client, close: () => listener.close() }
}

beforeAll(async () => {
  const opened = await openFilled()
  const { client } = opened
  upstream = opened.upstream
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  let next = 0
  const writer = async () => {
    while (next < count) {
      const metadata = { name: `c-${next}`, namespace, labels: { set: 'many' } }
      next += 1
      await client.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { key: 'value' } })
    }
  }
  await Promise.all(Array.from({ length: 24 }, writer))
  closeUpstream = async () => {
    if (onReal) await client.delete(namespaces, { name: namespace })
    await client.close()
    await opened.close()
  }
}, 300_000)
afterAll(() => closeUpstream(), 60_000)

function informMany({ client }: Pick<Subject, 'client'>) {
  const informer = new Informer({ client, type: configMaps, options })
  let told = 0
  informer.onChange(() => {
    told += 1
  })
  const stop = new AbortController()
  const running = informer.run(stop.signal)
  closeAtEnd({
    async close() {
      stop.abort(new Error('the test is over'))
      await running
    },
  })
  return { informer, told: () => told }
}

/** Where requests are counted: one that is sent again because the machine was busy would be one too many. */
const unhurried = { connectMs: 10_000 }

const noStreamingList = (query: URLSearchParams) => query.has('sendInitialEvents')

describe(`a list of ${count}`, () => {
  it('is held once', async () => {
    setFlagsFromString('--expose-gc')
    const gc: () => void = runInNewContext('gc')
    const subject = await openSubject(upstream)
    gc()
    const before = process.memoryUsage().heapUsed
    const { informer } = informMany(subject)
    await eventually(() => informer.hasSynced, 60_000)
    gc()
    const perObject = (process.memoryUsage().heapUsed - before) / count
    // A ConfigMap of this size with its managedFields takes about 2 KB parsed, and what is known of it a quarter of that.
    expect(perObject).toBeGreaterThan(500)
    expect(perObject).toBeLessThan(4000)
  })

  it('that streams for longer than a silence may last comes in one request', async () => {
    const subject = await openSubject(upstream, { timings: { ...unhurried, silentMs: 2000, answerMs: 2000 } })
    const { proxy } = subject
    const everyMs = onReal ? 60 : 15
    proxy.fault = ({ watch }) => (watch ? { do: 'drip', bytes: 48 * 1024, everyMs } : undefined)
    const startedAt = performance.now()
    const { informer, told } = informMany(subject)
    await eventually(() => informer.hasSynced, 60_000)
    expect(performance.now() - startedAt).toBeGreaterThan(4000)
    expect([informer.store.size, told()]).toEqual([count, count])
    expect(proxy.seen.length).toBe(1)
  })

  it('whose pages each take longer than an answer may comes in one go', async () => {
    const subject = await openSubject(upstream, { timings: { ...unhurried, answerMs: 1400 } })
    const { proxy } = subject
    let slow = 0
    proxy.fault = ({ watch, query }) => {
      if (noStreamingList(query)) return { do: 'answer', status: 400 }
      if (watch) return undefined
      slow += 1
      // Two pages are enough to show it.
      return slow <= 2 ? { do: 'drip', bytes: 16 * 1024, everyMs: 200 } : undefined
    }
    const startedAt = performance.now()
    const { informer, told } = informMany(subject)
    await eventually(() => informer.hasSynced, 60_000)
    expect(performance.now() - startedAt).toBeGreaterThan(2800)
    expect([informer.store.size, told()]).toEqual([count, count])
    await eventually(() => proxy.streams === 1)
    // A server that can not know whether the last page is the last says so with an empty one.
    expect(proxy.seen.length - lists - 2).toBeLessThanOrEqual(1)
  })

  it('starts again when the token of its next page has expired, and tells of everything once', async () => {
    const subject = await openSubject(upstream)
    const { proxy } = subject
    let pages = 0
    proxy.fault = ({ query }) => {
      if (noStreamingList(query)) return { do: 'answer', status: 400 }
      if (query.has('limit')) pages += 1
      return pages === 3 && query.has('continue') ? { do: 'answer', status: 410 } : undefined
    }
    const { informer, told } = informMany(subject)
    await eventually(() => informer.hasSynced, 60_000)
    expect([informer.store.size, told()]).toEqual([count, count])
    // No streaming list; two pages; 410; all at once; the watch.
    await eventually(() => proxy.seen.length === 6)
  })
})
