import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, type Cluster, openCluster, secret } from './cluster.ts'

let cluster: Cluster
let namespace: string
beforeAll(async () => {
  cluster = await openCluster()
  namespace = await cluster.namespace()
})
afterAll(() => cluster.close())
const secrets = (name = '') => `/api/v1/namespaces/${namespace}/secrets${name && `/${name}`}`
const deployments = (name = '') => `/apis/apps/v1/namespaces/${namespace}/deployments${name && `/${name}`}`
const b64 = (text: string) => Buffer.from(text).toString('base64')

/** The data keys that a manager owns, as managedFields says. */
const owned = (object: Answer, manager: string, operation = 'Update') =>
  (object.metadata.managedFields ?? [])
    .filter((entry: Answer) => entry.manager === manager && entry.operation === operation)
    .flatMap((entry: Answer) => Object.keys(entry.fieldsV1['f:data'] ?? {}))
    .filter((key: string) => key !== '.')
    .map((key: string) => key.replace(/^f:/, ''))

describe('JSON patch', () => {
  it('adds, replaces, tests and removes', async () => {
    await cluster.post(secrets(), secret('json', { a: '1', b: '2' }))
    const { body } = await cluster.patch(secrets('json'), 'json', [
      { op: 'test', path: '/data/a', value: b64('1') },
      { op: 'replace', path: '/data/a', value: b64('9') },
      { op: 'remove', path: '/data/b' },
      { op: 'add', path: '/metadata/annotations', value: { 'x/y': 'z' } },
      { op: 'copy', from: '/metadata/annotations/x~1y', path: '/metadata/annotations/c' },
    ])
    expect(body).toMatchObject({ data: { a: b64('9') }, metadata: { annotations: { 'x/y': 'z', c: 'z' } } })
    expect(body.data.b).toBeUndefined()
  })

  it('whose test fails changes nothing', async () => {
    const made = (await cluster.post(secrets(), secret('json2', { a: '1' }))).body
    const { status, body } = await cluster.patch(secrets('json2'), 'json', [
      { op: 'remove', path: '/data/a' },
      { op: 'test', path: '/data/b', value: 'x' },
    ])
    expect([status, body.reason]).toEqual([422, 'Invalid'])
    expect((await cluster.get(secrets('json2'))).body).toEqual(made)
  })
})

describe('merge patch', () => {
  it('sets, removes with null and refuses an old version', async () => {
    const made = (await cluster.post(secrets(), secret('merge', { a: '1', b: '2' }))).body
    const { body } = await cluster.patch(secrets('merge'), 'merge', { data: { a: null, c: b64('3') } })
    expect(body.data).toEqual({ b: b64('2'), c: b64('3') })
    const late = await cluster.patch(secrets('merge'), 'merge', {
      metadata: { resourceVersion: made.metadata.resourceVersion },
      data: { b: null },
    })
    expect([late.status, late.body.reason]).toEqual([409, 'Conflict'])
  })

  it('can not change what the server sets', async () => {
    const made = (await cluster.post(secrets(), secret('system'))).body
    const { body } = await cluster.patch(secrets('system'), 'merge', {
      metadata: { creationTimestamp: '2001-01-01T00:00:00Z', generation: 7, labels: { a: 'b' } },
    })
    expect(body.metadata.creationTimestamp).toBe(made.metadata.creationTimestamp)
    expect(body.metadata.generation).toBeUndefined()
    const uid = await cluster.patch(secrets('system'), 'merge', { metadata: { uid: 'other' } })
    expect([uid.status, uid.body.message]).toEqual([
      422,
      'Secret "system" is invalid: metadata.uid: Invalid value: "other": field is immutable',
    ])
  })

  it('of an unknown kind is refused', async () => {
    await cluster.post(secrets(), secret('media'))
    const { status } = await cluster.send('PATCH', secrets('media'), {}, { contentType: 'application/x-other' })
    expect(status).toBe(415)
  })
})

describe('strategic merge patch', () => {
  const labels = { app: 'd' }
  const container = {
    name: 'main',
    image: 'i:1',
    env: [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ],
  }
  const deployment = (name: string) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [container] } } },
  })

  it('merges containers and variables by name, in the order asked for', async () => {
    await cluster.post(deployments(), deployment('smp'))
    const patch = {
      spec: {
        template: {
          spec: {
            '$setElementOrder/containers': [{ name: 'side' }, { name: 'main' }],
            containers: [
              { name: 'side', image: 's:1' },
              {
                name: 'main',
                '$setElementOrder/env': [{ name: 'C' }, { name: 'A' }],
                env: [
                  { name: 'C', value: '3' },
                  { $patch: 'delete', name: 'B' },
                ],
              },
            ],
          },
        },
      },
    }
    const { body } = await cluster.patch(deployments('smp'), 'strategic', patch)
    const [side, main] = body.spec.template.spec.containers
    expect([side.name, main.name, main.image]).toEqual(['side', 'main', 'i:1'])
    expect(main.env).toEqual([
      { name: 'C', value: '3' },
      { name: 'A', value: '1' },
    ])
  })

  it('replaces what has no key and keeps only retained keys', async () => {
    await cluster.post(deployments(), deployment('smp2'))
    const { body } = await cluster.patch(deployments('smp2'), 'strategic', {
      spec: {
        strategy: { $retainKeys: ['type'], type: 'Recreate' },
        template: { spec: { containers: [{ name: 'main', command: ['a', 'b'] }] } },
      },
    })
    expect(body.spec.strategy).toEqual({ type: 'Recreate' })
    expect(body.spec.template.spec.containers[0]).toMatchObject({ command: ['a', 'b'], image: 'i:1' })
  })
})

describe('managedFields', () => {
  it('know who set which key, by create, update and patch', async () => {
    const path = `${secrets()}?fieldManager=one`
    const made = (await cluster.post(path, secret('fields', { a: '1', b: '1' }))).body
    expect(owned(made, 'one')).toEqual(['a', 'b'])
    const next = { ...made, data: { a: b64('1'), b: b64('2'), c: b64('2') } }
    const updated = (await cluster.put(`${secrets('fields')}?fieldManager=two`, next)).body
    expect([owned(updated, 'one'), owned(updated, 'two')]).toEqual([['a'], ['b', 'c']])
    const patched = (await cluster.patch(`${secrets('fields')}?fieldManager=three`, 'merge', { data: { a: null } }))
      .body
    expect([owned(patched, 'one'), owned(patched, 'two')]).toEqual([[], ['b', 'c']])
  })

  it('a manager is named by its user agent when it says nothing else', async () => {
    const { body } = await cluster.post(secrets(), secret('agent', { a: '1' }), {
      headers: { 'user-agent': 'kubectl/v1.34.0 (linux/amd64)' },
    })
    expect(owned(body, 'kubectl')).toEqual(['a'])
  })
})

describe('server-side apply', () => {
  const apply = (name: string, manager: string, data: Record<string, string>, more = '') =>
    cluster.patch(`${secrets(name)}?fieldManager=${manager}${more}`, 'apply', {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name },
      data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, b64(value)])),
    })

  it('creates, merges with others and removes what its manager no longer names', async () => {
    expect((await apply('ssa', 'one', { a: '1', b: '1' })).status).toBe(201)
    const second = await apply('ssa', 'two', { c: '2' })
    expect([second.status, Object.keys(second.body.data)]).toEqual([200, ['a', 'b', 'c']])
    const third = (await apply('ssa', 'one', { a: '3' })).body
    expect(third.data).toEqual({ a: b64('3'), c: b64('2') })
    expect([owned(third, 'one', 'Apply'), owned(third, 'two', 'Apply')]).toEqual([['a'], ['c']])
  })

  it('twice the same writes nothing', async () => {
    const first = (await apply('ssa2', 'one', { a: '1' })).body
    expect((await apply('ssa2', 'one', { a: '1' })).body).toEqual(first)
  })

  it('conflicts with the owner of a field unless forced, and then takes it', async () => {
    await apply('ssa3', 'one', { a: '1' })
    const { status, body } = await apply('ssa3', 'two', { a: '2' })
    expect([status, body.message]).toEqual([409, 'Apply failed with 1 conflict: conflict with "one": .data.a'])
    const forced = (await apply('ssa3', 'two', { a: '2' }, '&force=true')).body
    expect([forced.data, owned(forced, 'one', 'Apply'), owned(forced, 'two', 'Apply')]).toEqual([
      { a: b64('2') },
      [],
      ['a'],
    ])
  })

  it('takes YAML and needs a manager', async () => {
    const yaml = `apiVersion: v1\nkind: Secret\nmetadata: {name: ssa4}\ndata: {a: ${b64('y')}}\n`
    const { body } = await cluster.patch(`${secrets('ssa4')}?fieldManager=m`, 'apply', yaml)
    expect(body.data).toEqual({ a: b64('y') })
    const nameless = await cluster.patch(secrets('ssa4'), 'apply', yaml)
    expect([nameless.status, nameless.body.message]).toEqual([
      422,
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    ])
  })
})
