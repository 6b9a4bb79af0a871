import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Answer, type Cluster, eventually, openCluster, secret } from './cluster.ts'

let cluster: Cluster
let namespace: string
let secrets: string
beforeAll(async () => {
  cluster = await openCluster({ historyEvents: 60, bookmarkIntervalMs: 200 })
  namespace = await cluster.namespace()
  secrets = `/api/v1/namespaces/${namespace}/secrets`
})
afterAll(() => cluster.close())

const seen = (frames: Answer[]) => frames.map((frame) => `${frame.type} ${frame.object.metadata?.name}`)
const make = (name: string, more: object = {}) => cluster.post(secrets, secret(name, {}, more))

const churn = async () => {
  for (let i = 0; i < 61; i++) await cluster.patch(`${secrets}/p1`, 'merge', { metadata: { labels: { i: `x${i}` } } })
}

/** The cluster forgets how things were before: the embedded one keeps 60 changes here, a real one what etcd keeps. */
async function forget(): Promise<void> {
  const { etcd } = inject('controlPlane') ?? {}
  if (etcd === undefined) return churn()
  const revision = (await cluster.get(`${secrets}?limit=1`)).body.metadata.resourceVersion
  await new Promise<void>((resolve, reject) => {
    const sent = request(`${etcd}/v3/kv/compaction`, { method: 'POST' }, (response) => {
      response.resume().on('end', resolve)
    })
    sent.on('error', reject).end(JSON.stringify({ revision }))
  })
}

/** A kind whose watch cache begins later than the first version, on a real API server too: nothing older is remembered. */
async function lateKind(): Promise<{ lates: string; kind: string; remove(): Promise<unknown> }> {
  const plural = cluster.unique('lates')
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.watch.test` },
    spec: {
      group: 'watch.test',
      scope: 'Namespaced',
      names: { plural, kind: 'Late', listKind: 'LateList' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  }
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  expect((await cluster.post(definitions, definition)).status).toBe(201)
  const lates = `/apis/watch.test/v1/namespaces/${namespace}/${plural}`
  await eventually(async () => (await cluster.get(lates)).status === 200)
  return { lates, kind: 'Late', remove: () => cluster.delete(`${definitions}/${definition.metadata.name}`) }
}

describe('a list', () => {
  it('comes in pages of one moment', async () => {
    for (const name of ['p1', 'p2', 'p3']) await make(name, { labels: { set: 'pages' } })
    const first = (await cluster.get(`${secrets}?labelSelector=set=pages&limit=2`)).body
    expect(first.items.map((item: Answer) => item.metadata.name)).toEqual(['p1', 'p2'])
    await cluster.delete(`${secrets}/p3`)
    await make('p4', { labels: { set: 'pages' } })
    const next = `${secrets}?labelSelector=set=pages&limit=2&continue=${first.metadata.continue}`
    const second = (await cluster.get(next)).body
    expect(second.items.map((item: Answer) => item.metadata.name)).toEqual(['p3'])
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion)
    expect(second.metadata.continue).toBeUndefined()
  })

  it('a page too old to go on from is 410', async () => {
    const { lates, kind, remove } = await lateKind()
    for (const name of ['old1', 'old2'])
      await cluster.post(lates, { apiVersion: 'watch.test/v1', kind, metadata: { name } })
    const first = (await cluster.get(`${lates}?limit=1`)).body
    const token = JSON.parse(Buffer.from(first.metadata.continue, 'base64url').toString())
    // A real API server remembers the last minutes itself, whatever etcd forgets: this is the page of a longer ago.
    const old = Buffer.from(JSON.stringify({ ...token, rv: 2 })).toString('base64url')
    await churn()
    await forget()
    const { status, body } = await cluster.get(`${lates}?limit=1&continue=${old}`)
    expect([status, body.reason]).toEqual([410, 'Expired'])
    expect(body.message).toMatch(/^The provided continue parameter is too old to display a consistent list result\./)
    // Who does not mind goes on with what there is now.
    const rest = await cluster.get(`${lates}?limit=500&continue=${body.metadata.continue}`)
    expect(rest.status).toBe(200)
    expect(rest.body.items.map((item: Answer) => item.metadata.name)).toContain('old2')
    await remove()
  })

  it('says how many are left, unless it selects', async () => {
    const all = (await cluster.get(secrets)).body.items.length
    const page = (await cluster.get(`${secrets}?limit=1`)).body
    expect(page.metadata.remainingItemCount).toBe(all - 1)
    await make('left1', { labels: { left: 'x' } })
    await make('left2', { labels: { left: 'x' } })
    const selected = (await cluster.get(`${secrets}?limit=1&labelSelector=left=x`)).body
    expect([selected.metadata.remainingItemCount, typeof selected.metadata.continue]).toEqual([undefined, 'string'])
  })

  it('of a version that is yet to come is told to wait', async () => {
    const { status, headers, body } = await cluster.get(`${secrets}?resourceVersion=${2 ** 40}`)
    expect([status, headers['retry-after'], body.reason]).toEqual([504, '1', 'Timeout'])
    expect(body.message).toMatch(/^Timeout: Too large resource version: 1099511627776, current: \d+$/)
    expect(body.details).toEqual({
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    })
  })

  it('can be of an exact moment', async () => {
    const made = (await make('then')).body.metadata.resourceVersion
    await cluster.delete(`${secrets}/then`)
    const exact = (await cluster.get(`${secrets}?resourceVersion=${made}&resourceVersionMatch=Exact`)).body
    expect(exact.metadata.resourceVersion).toBe(made)
    expect(exact.items.map((item: Answer) => item.metadata.name)).toContain('then')
    const newer = (await cluster.get(`${secrets}?resourceVersion=${made}&resourceVersionMatch=NotOlderThan`)).body
    expect(newer.items.map((item: Answer) => item.metadata.name)).not.toContain('then')
  })

  it.each([
    ['labelSelector=a=1', ['s1']],
    ['labelSelector=a!=1,a', ['s2']],
    ['labelSelector=a in (1,2)', ['s1', 's2']],
    ['labelSelector=kind=sel,!a', ['s3']],
    ['fieldSelector=metadata.name=s2', ['s2']],
    ['labelSelector=kind=sel&fieldSelector=type!=Opaque', ['s3']],
  ])('selects by %s', async (query, names) => {
    await make('s1', { labels: { kind: 'sel', a: '1' } })
    await make('s2', { labels: { kind: 'sel', a: '2' } })
    await cluster.post(secrets, { ...secret('s3', {}, { labels: { kind: 'sel' } }), type: 'x/y' })
    const { body } = await cluster.get(`${secrets}?${query.replaceAll(' ', '%20')}`)
    expect(body.items.map((item: Answer) => item.metadata.name)).toEqual(names)
  })

  it('a field that can not be selected by is refused', async () => {
    const { status, body } = await cluster.get(`${secrets}?fieldSelector=data.a=1`)
    expect([status, body.message]).toEqual([400, 'field label not supported: data.a'])
  })
})

describe('a watch', () => {
  it('tells what there is, then what changes, each once', async () => {
    await make('w1', { labels: { w: 'a' } })
    const watch = cluster.watch(`${secrets}?watch=true&labelSelector=w=a`)
    await eventually(() => watch.frames.length === 1)
    await make('w2', { labels: { w: 'a' } })
    await cluster.patch(`${secrets}/w1`, 'merge', { metadata: { annotations: { x: '1' } } })
    await cluster.delete(`${secrets}/w2`)
    await eventually(() => watch.frames.length === 4)
    expect(seen(watch.frames)).toEqual(['ADDED w1', 'ADDED w2', 'MODIFIED w1', 'DELETED w2'])
    const versions = watch.frames.map((frame) => Number(frame.object.metadata.resourceVersion))
    expect(versions).toEqual([...versions].sort((a, b) => a - b))
    watch.stop()
  })

  it('goes on from a version without a gap', async () => {
    const start = (await cluster.get(secrets)).body.metadata.resourceVersion
    await make('g1')
    await make('g2')
    const watch = cluster.watch(`${secrets}?watch=1&resourceVersion=${start}`)
    await make('g3')
    await eventually(() => watch.frames.length === 3)
    expect(seen(watch.frames)).toEqual(['ADDED g1', 'ADDED g2', 'ADDED g3'])
    watch.stop()
  })

  it('tells of objects that enter and leave its selector as made and deleted', async () => {
    await make('moves')
    const start = (await cluster.get(secrets)).body.metadata.resourceVersion
    const watch = cluster.watch(`${secrets}?watch=true&labelSelector=in=yes&resourceVersion=${start}`)
    await cluster.patch(`${secrets}/moves`, 'merge', { metadata: { labels: { in: 'yes' } } })
    await cluster.patch(`${secrets}/moves`, 'merge', { metadata: { labels: { in: null } } })
    await eventually(() => watch.frames.length === 2)
    expect(seen(watch.frames)).toEqual(['ADDED moves', 'DELETED moves'])
    watch.stop()
  })

  it('from a version that is gone gets 410 in the stream and ends', async () => {
    await churn()
    const { lates, remove } = await lateKind()
    const watch = cluster.watch(`${lates}?watch=true&resourceVersion=1`)
    await watch.ended
    await remove()
    expect(watch.frames).toHaveLength(1)
    expect(watch.frames[0]).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } })
    expect(watch.frames[0].object.message).toMatch(/^too old resource version: \d+ \(\d+\)$/)
  })

  it('sends bookmarks when asked, with the version to go on from', async () => {
    // The last one comes a little before the end.
    const query = 'watch=true&allowWatchBookmarks=true&timeoutSeconds=5&fieldSelector=metadata.name=none'
    const watch = cluster.watch(`${secrets}?${query}`)
    const made = (await make('marked')).body.metadata.resourceVersion
    await watch.ended
    expect(watch.frames.length).toBeGreaterThan(0)
    for (const frame of watch.frames)
      expect(frame).toMatchObject({ type: 'BOOKMARK', object: { kind: 'Secret', apiVersion: 'v1' } })
    const version = watch.frames.at(-1).object.metadata.resourceVersion
    expect(Number(version)).toBeGreaterThanOrEqual(Number(made))
    expect((await cluster.get(`${secrets}?resourceVersion=${version}`)).status).toBe(200)
  })

  it('can begin with the whole set and its end marked', async () => {
    await make('init')
    const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'
    const watch = cluster.watch(`${secrets}?${query}&fieldSelector=metadata.name=init`)
    await eventually(() => watch.frames.length >= 2)
    expect(seen(watch.frames.slice(0, 1))).toEqual(['ADDED init'])
    expect(watch.frames[1].object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' })
    watch.stop()
  })

  it('ends after its timeout', async () => {
    const watch = cluster.watch(`${secrets}?watch=true&timeoutSeconds=1`)
    await watch.ended
    expect(watch.frames.every((frame) => frame.type === 'ADDED')).toBe(true)
  })

  it('shows what leaves its selector as it was', async () => {
    const start = (await make('leaves', { labels: { in: 'yes' } })).body.metadata.resourceVersion
    const watch = cluster.watch(`${secrets}?watch=true&labelSelector=in=yes&resourceVersion=${start}`)
    const left = (await cluster.patch(`${secrets}/leaves`, 'merge', { metadata: { labels: { in: 'no' } } })).body
    await eventually(() => watch.frames.length === 1)
    expect(watch.frames[0].object.metadata).toMatchObject({
      labels: { in: 'yes' },
      resourceVersion: left.metadata.resourceVersion,
    })
    watch.stop()
  })

  it('of a version that is yet to come waits for it; of the whole set as of then it is refused in the stream', async () => {
    const now = Number((await cluster.get(secrets)).body.metadata.resourceVersion)
    const waiting = cluster.watch(`${secrets}?watch=true&timeoutSeconds=2&resourceVersion=${now + 100_000}`)
    await make('too-early')
    await waiting.ended
    expect(waiting.frames).toEqual([])
    const query = `watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=${2 ** 40}`
    const refused = cluster.watch(`${secrets}?${query}`)
    await refused.ended
    expect(refused.frames).toHaveLength(1)
    expect(refused.frames[0]).toMatchObject({ type: 'ERROR', object: { code: 504, reason: 'Timeout' } })
  })

  it('can be of metadata alone, or of tables', async () => {
    const start = (await make('formed', { labels: { form: 'x' } })).body.metadata.resourceVersion
    await cluster.patch(`${secrets}/formed`, 'merge', { metadata: { annotations: { a: '1' } } })
    await cluster.patch(`${secrets}/formed`, 'merge', { metadata: { annotations: { a: '2' } } })
    const path = `${secrets}?watch=true&labelSelector=form=x&resourceVersion=${start}`
    const bare = cluster.watch(path, { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' })
    await eventually(() => bare.frames.length === 2)
    expect(Object.keys(bare.frames[0].object).sort()).toEqual(['apiVersion', 'kind', 'metadata'])
    bare.stop()
    const tables = cluster.watch(path, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
    await eventually(() => tables.frames.length === 2)
    const columns = tables.frames.map((frame) => frame.object.columnDefinitions?.map((c: Answer) => c.name) ?? null)
    expect(columns).toEqual([['Name', 'Type', 'Data', 'Age'], null])
    tables.stop()
  })
})
