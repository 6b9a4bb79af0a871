import { describe, expect, it } from 'vitest'
import { FakeClock } from '../lib/fake-clock.ts'
import { silentLog } from '../lib/log.ts'
import { ApiError } from './client.ts'
import { namespaces, pods, secrets, serviceAccounts, tokenReviews } from './object-types.ts'
import { createKubeClient } from './rest-client.ts'
import type { KubeRequest, KubeTransport } from './transport/transport.ts'
import { Unreachable } from './transport/transport.ts'

type Planned = { status: number; body: unknown; headers?: Record<string, string> } | 'unreachable' | 'hangs'

/** Answers as planned, the last one for ever. */
function scripted(...plan: Planned[]) {
  const requests: KubeRequest[] = []
  const transport: KubeTransport = {
    async send(request) {
      requests.push(request)
      const next = plan.length > 1 ? plan.shift() : plan[0]
      if (next === undefined || next === 'unreachable') throw new Unreachable('no answer')
      if (next === 'hangs') {
        return new Promise((_, reject) =>
          request.signal?.addEventListener('abort', () => reject(request.signal?.reason), { once: true }),
        )
      }
      const text = typeof next.body === 'string' ? next.body : JSON.stringify(next.body)
      const body = (async function* () {
        yield Buffer.from(text)
      })()
      return { status: next.status, headers: next.headers ?? {}, body }
    },
  }
  const clock = new FakeClock()
  const client = createKubeClient({ transport, clock, random: (n) => new Uint8Array(n), log: silentLog })
  return { client, requests, clock }
}

const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'ns' } }
const ok = { status: 200, body: pod }
const ref = { namespace: 'ns', name: 'p' }
const status = (code: number, reason: string, headers?: Record<string, string>): Planned => ({
  status: code,
  body: { kind: 'Status', apiVersion: 'v1', code, reason, message: `said ${code}` },
  ...(headers ? { headers } : {}),
})

describe('kubernetes client', () => {
  it('asks for the right paths, with the right content types', async () => {
    const { client, requests } = scripted(ok)
    await client.get(pods, ref)
    await client.get(namespaces, { name: 'a' })
    await client.create(pods, pod, { fieldManager: 'me', dryRun: true })
    await client.update(pods, pod, { subresource: 'status' })
    await client.patch(pods, ref, { kind: 'json', body: [{ op: 'test' }] })
    await client.patch(pods, ref, { kind: 'merge', body: {} })
    await client.patch(pods, ref, { kind: 'strategic', body: {} })
    await client.apply(pods, pod, { fieldManager: 'me', force: true })
    await client.delete(pods, ref, { uid: 'u', gracePeriodSeconds: 0 })
    await client.post(serviceAccounts, { namespace: 'ns', name: 'sa' }, 'token', pod)
    await client.post(tokenReviews, undefined, undefined, pod)
    expect(requests.map((r) => [r.method, r.path, r.headers['content-type']])).toEqual([
      ['GET', '/api/v1/namespaces/ns/pods/p', undefined],
      ['GET', '/api/v1/namespaces/a', undefined],
      ['POST', '/api/v1/namespaces/ns/pods?fieldManager=me&dryRun=All', 'application/json'],
      ['PUT', '/api/v1/namespaces/ns/pods/p/status', 'application/json'],
      ['PATCH', '/api/v1/namespaces/ns/pods/p', 'application/json-patch+json'],
      ['PATCH', '/api/v1/namespaces/ns/pods/p', 'application/merge-patch+json'],
      ['PATCH', '/api/v1/namespaces/ns/pods/p', 'application/strategic-merge-patch+json'],
      ['PATCH', '/api/v1/namespaces/ns/pods/p?fieldManager=me&force=true', 'application/apply-patch+yaml'],
      ['DELETE', '/api/v1/namespaces/ns/pods/p', 'application/json'],
      ['POST', '/api/v1/namespaces/ns/serviceaccounts/sa/token', 'application/json'],
      ['POST', '/apis/authentication.k8s.io/v1/tokenreviews', 'application/json'],
    ])
    expect(JSON.parse(requests[8]?.body ?? '')).toEqual({
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions: { uid: 'u' },
      gracePeriodSeconds: 0,
    })
  })

  it('names cannot leave their place in the path', async () => {
    const { client, requests } = scripted(ok)
    await client.get(pods, { namespace: 'ns', name: '../secrets/x?y' })
    expect(requests[0]?.path).toBe('/api/v1/namespaces/ns/pods/..%2Fsecrets%2Fx%3Fy')
    await expect(client.get(pods, { namespace: 'ns', name: '..' })).rejects.toThrow('needs a name')
    await expect(client.get(pods, { name: 'p' })).rejects.toThrow('a Pod needs a namespace')
  })

  it('what is absent is undefined, and deleting it is fine; other refusals are ApiErrors', async () => {
    const { client } = scripted(status(404, 'NotFound'))
    await expect(client.get(pods, ref)).resolves.toBeUndefined()
    await expect(client.delete(pods, ref)).resolves.toBeUndefined()
    const forbidden = scripted(status(403, 'Forbidden'))
    await expect(forbidden.client.get(pods, ref)).rejects.toMatchObject({
      name: 'ApiError',
      status: 403,
      reason: 'Forbidden',
      message: 'said 403',
    })
    const proxy = scripted({ status: 409, body: '<html>busy' })
    await expect(proxy.client.create(pods, pod)).rejects.toMatchObject({ reason: 'Conflict', message: '<html>busy' })
  })

  it('reads are tried again after 5xx and lost connections, writes are not', async () => {
    const read = scripted('unreachable', status(500, 'InternalError'), ok)
    const got = read.client.get(pods, ref)
    await read.clock.advance(1000)
    await expect(got).resolves.toMatchObject(pod)
    expect(read.requests.length).toBe(3)
    for (const failure of ['unreachable', status(500, 'InternalError')] as const) {
      const write = scripted(failure, ok)
      await expect(write.client.create(pods, pod)).rejects.toThrow()
      expect(write.requests.length).toBe(1)
    }
    const dead = scripted('unreachable')
    const failed = expect(dead.client.get(pods, ref)).rejects.toBeInstanceOf(Unreachable)
    await dead.clock.advance(5000)
    await failed
    expect(dead.requests.length).toBe(5)
  })

  it('waits as long as the server says before it tries again, writes too', async () => {
    const { client, clock, requests } = scripted(status(429, 'TooManyRequests', { 'retry-after': '3' }), ok)
    const created = client.create(pods, pod)
    await clock.advance(2900)
    expect(requests.length).toBe(1)
    await clock.advance(200)
    await expect(created).resolves.toMatchObject(pod)
    const eviction = scripted(status(429, 'TooManyRequests'))
    await expect(eviction.client.create(pods, pod)).rejects.toBeInstanceOf(ApiError)
    expect(eviction.requests.length).toBe(1)
  })

  it('waits a minute at most and five times at most, however long the server wants', async () => {
    const { client, clock, requests } = scripted(status(503, 'ServiceUnavailable', { 'retry-after': '86400' }))
    const failed = expect(client.create(pods, pod)).rejects.toMatchObject({ status: 503, retryAfterMs: 86_400_000 })
    await clock.advance(59_000)
    expect(requests.length).toBe(1)
    await clock.advance(240_000)
    await failed
    expect(requests.length).toBe(5)
  })

  it('of many calls that were told the same time some wait longer, none shorter', async () => {
    let byte = 0
    const random = (size: number) => {
      byte += 16
      return new Uint8Array(size).fill(byte)
    }
    const waits: number[] = []
    const clock = new FakeClock()
    const transport: KubeTransport = {
      async send() {
        const body = (async function* () {
          yield Buffer.from('{}')
        })()
        return { status: 429, headers: { 'retry-after': '8' }, body }
      },
    }
    const sleep = (ms: number) => {
      waits.push(ms)
      return new Promise<never>(() => {})
    }
    const timed = { now: () => clock.now(), monotonic: () => clock.monotonic(), sleep, after: () => () => {} }
    const client = createKubeClient({ transport, clock: timed, random, log: silentLog })
    for (let i = 0; i < 10; i++) void client.create(pods, pod)
    await clock.advance(0)
    expect(new Set(waits).size).toBe(10)
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(8000)
    expect(Math.max(...waits)).toBeLessThanOrEqual(10_000)
  })

  it('a request that gets no answer ends after its deadline, and at once with its signal', async () => {
    const { client, clock } = scripted('hangs')
    const failed = expect(client.create(pods, pod)).rejects.toThrow('within 90 s')
    await clock.advance(90_000)
    await failed
    const stop = new AbortController()
    const stopped = expect(client.get(pods, ref, stop.signal)).rejects.toThrow('enough')
    await clock.advance(0)
    stop.abort(new Error('enough'))
    await stopped
  })

  it('a list follows its pages, fills in kinds, and starts over when the pages expire', async () => {
    const page = (names: string[], token?: string) => ({
      status: 200,
      body: {
        kind: 'SecretList',
        apiVersion: 'v1',
        metadata: { resourceVersion: '7', ...(token ? { continue: token } : {}) },
        items: names.map((name) => ({ metadata: { name, namespace: 'ns' } })),
      },
    })
    const { client, requests } = scripted(page(['a'], 't1'), page(['b'], 't2'), page(['c']))
    const list = await client.list(secrets, { namespace: 'ns', labelSelector: 'x=y' })
    expect(list.items.map((s) => `${s.apiVersion} ${s.kind} ${s.metadata.name}`)).toEqual([
      'v1 Secret a',
      'v1 Secret b',
      'v1 Secret c',
    ])
    expect(requests[1]?.path).toBe('/api/v1/namespaces/ns/secrets?labelSelector=x%3Dy&limit=500&continue=t1')
    const expired = scripted(page(['a'], 't1'), status(410, 'Expired'), page(['a', 'b']))
    expect((await expired.client.list(secrets)).items.length).toBe(2)
    expect(expired.requests[2]?.path).toBe('/api/v1/secrets')
  })

  it('an answer that is no object is an error that does not repeat it', async () => {
    const { client } = scripted({ status: 200, body: 'canary-7f3a' })
    const error = await client.get(pods, ref).catch((e: unknown) => e)
    expect(String(error)).toContain('no JSON')
    expect(String(error)).not.toContain('canary')
  })
})
