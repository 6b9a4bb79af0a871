/** Which requests are sent again, and which never are. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { namespaces, secrets } from '../../src/kube/object-types.ts'
import { Unreachable } from '../../src/kube/transport/transport.ts'
import { openSubject, type Subject } from './client-faults-subject.ts'
import { type Cluster, eventually, openCluster, secret } from './cluster.ts'
import type { Fault } from './fault-proxy.ts'

let cluster: Cluster
let namespace: string
beforeAll(async () => {
  cluster = await openCluster()
  namespace = await cluster.namespace()
})
afterAll(() => cluster.close())

/** The first requests meet with these, the others go through. */
const faults = ({ proxy }: Subject, ...plan: Fault[]) => {
  proxy.fault = () => plan.shift()
}
const newSecret = (name: string) => ({ ...secret(name), metadata: { name, namespace } })
const answered = (status: number, retryAfter?: string): Fault => ({
  do: 'answer',
  status,
  ...(retryAfter === undefined ? {} : { headers: { 'retry-after': retryAfter } }),
})
const exists = async (name: string) =>
  (await cluster.get(`/api/v1/namespaces/${namespace}/secrets/${name}`)).status === 200

const writes: Record<string, (subject: Subject, name: string) => Promise<unknown>> = {
  create: ({ client }, name) => client.create(secrets, newSecret(name)),
  apply: ({ client }, name) => client.apply(secrets, newSecret(name), { fieldManager: 'test' }),
  patch: ({ client }) => client.patch(namespaces, { name: namespace }, { kind: 'merge', body: {} }),
  delete: ({ client }, name) => client.delete(secrets, { namespace, name }),
}

describe.each(Object.entries(writes))('%s', (verb, write) => {
  it('is not sent again when it was sent and the connection was cut, whether or not the server did it', async () => {
    const subject = await openSubject(cluster)
    for (const cut of ['cut before', 'cut after'] as const) {
      faults(subject, { do: cut })
      const before = subject.proxy.seen.length
      await expect(write(subject, `${verb}-${cut.replace(' ', '-')}`)).rejects.toBeInstanceOf(Unreachable)
      expect(subject.proxy.seen.length - before).toBe(1)
    }
    if (verb === 'create') {
      expect([await exists('create-cut-before'), await exists('create-cut-after')]).toEqual([false, true])
    }
  })

  it.each([
    ['503 with Retry-After', 503],
    ['429 with Retry-After', 429],
  ])('is sent again after %s, when its time has come', async (_, status) => {
    const subject = await openSubject(cluster)
    faults(subject, answered(status, '1'))
    await write(subject, `${verb}-${status}`)
    expect(subject.proxy.seen.length).toBe(2)
    expect(subject.clock.slept).toHaveLength(1)
    expect(subject.clock.slept[0]).toBeGreaterThanOrEqual(1000)
    expect(subject.clock.slept[0]).toBeLessThanOrEqual(1250)
  })

  it.each([
    [503, undefined],
    [429, undefined],
    [500, '1'],
    [504, '1'],
    [409, '1'],
  ])('is not sent again after %i with Retry-After %s', async (status, retryAfter) => {
    const subject = await openSubject(cluster)
    faults(subject, answered(status, retryAfter))
    await expect(write(subject, 'x')).rejects.toMatchObject({ name: 'ApiError', status })
    expect(subject.proxy.seen.length).toBe(1)
  })

  it.each(['none', 'resets', 'deaf'] as const)('is sent again when there was no connection (%s)', async (taking) => {
    const subject = await openSubject(cluster)
    const { proxy } = subject
    await proxy.take(taking)
    const written = write(subject, `${verb}-${taking}`)
    await eventually(() => subject.clock.slept.length > 0)
    await proxy.take('all')
    await written
    expect(proxy.seen.length).toBe(1)
  })
})

describe('a read', () => {
  const read = ({ client }: Subject) => client.get(namespaces, { name: namespace })

  it.each<[string, Fault]>([
    ['a cut', { do: 'cut before' }],
    ['a cut answer', { do: 'cut after' }],
    ['500', answered(500)],
    ['503', answered(503)],
    ['504', answered(504)],
  ])('is sent again after %s', async (_, fault) => {
    const subject = await openSubject(cluster)
    faults(subject, fault, fault)
    expect(await read(subject)).toMatchObject({ metadata: { name: namespace } })
    expect(subject.proxy.seen.length).toBe(3)
  })

  it('is given up after five tries within seconds, with what the server said last', async () => {
    const subject = await openSubject(cluster)
    subject.proxy.fault = () => answered(503)
    await expect(read(subject)).rejects.toMatchObject({ name: 'ApiError', status: 503 })
    expect(subject.proxy.seen.length).toBe(5)
    expect(subject.clock.slept.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(1000)
  })

  it('that nobody answers ends with its deadline', async () => {
    const subject = await openSubject(cluster, { timings: { answerMs: 150 } })
    faults(subject, { do: 'hang' })
    expect(await read(subject)).toMatchObject({ metadata: { name: namespace } })
    subject.proxy.fault = () => ({ do: 'hang' })
    await expect(read(subject)).rejects.toThrow('no answer from the Kubernetes API within 0.15 s')
  })

  it('of an answer that is not all there is an error that says so', async () => {
    const subject = await openSubject(cluster)
    subject.proxy.fault = () => ({ do: 'truncate', bytes: 40 })
    await expect(read(subject)).rejects.toThrow('answered something that is no JSON')
  })
})

describe('a client that is closed', () => {
  it('ends its waits, its requests and its watches’ connections, and opens none', async () => {
    const subject = await openSubject(cluster)
    const { client, proxy, clock } = subject
    proxy.fault = ({ method, watch }) => (watch ? undefined : method === 'GET' ? { do: 'hang' } : answered(503, '60'))
    const stop = new AbortController()
    const watching = (async () => {
      for await (const _ of client.watch(secrets, { namespace }, stop.signal));
    })()
    const waiting = client.create(secrets, newSecret('never')).catch((error: unknown) => error)
    const hanging = client.get(namespaces, { name: namespace }).catch((error: unknown) => error)
    await eventually(() => clock.slept.length === 1 && proxy.seen.length >= 3 && proxy.streams === 1)
    await client.close()
    expect(String(await waiting)).toContain('closed')
    expect(await hanging).toBeInstanceOf(Unreachable)
    await expect(client.get(namespaces, { name: namespace })).rejects.toThrow('the Kubernetes client is closed')
    await eventually(() => proxy.open === 0)
    const { connections } = proxy
    await eventually(() => clock.slept.length >= 4)
    expect(proxy.connections).toBe(connections)
    stop.abort(new Error('over'))
    await watching
  })
})
