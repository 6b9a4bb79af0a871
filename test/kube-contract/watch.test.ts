import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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
    const first = (await cluster.get(`${secrets}?limit=1`)).body
    for (let i = 0; i < 61; i++) await cluster.patch(`${secrets}/p1`, 'merge', { metadata: { labels: { i: `${i}` } } })
    const { status, body } = await cluster.get(`${secrets}?limit=1&continue=${first.metadata.continue}`)
    expect([status, body.reason]).toEqual([410, 'Expired'])
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
    const start = (await cluster.get(secrets)).body.metadata.resourceVersion
    for (let i = 0; i < 61; i++) await cluster.patch(`${secrets}/p1`, 'merge', { metadata: { labels: { i: `x${i}` } } })
    const watch = cluster.watch(`${secrets}?watch=true&resourceVersion=${start}`)
    await watch.ended
    expect(watch.frames).toHaveLength(1)
    expect(watch.frames[0]).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } })
    expect(watch.frames[0].object.message).toMatch(/^too old resource version: \d+ \(\d+\)$/)
  })

  it('sends bookmarks when asked, with the version to go on from', async () => {
    const watch = cluster.watch(`${secrets}?watch=true&allowWatchBookmarks=true&fieldSelector=metadata.name=none`)
    await eventually(() => watch.frames.length >= 2)
    expect(watch.frames[0]).toMatchObject({ type: 'BOOKMARK', object: { kind: 'Secret', apiVersion: 'v1' } })
    watch.stop()
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
})
