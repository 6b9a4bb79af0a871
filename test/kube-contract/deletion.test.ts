import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, type Cluster, eventually, openCluster, pod, secret } from './cluster.ts'

let cluster: Cluster
let namespace: string
beforeAll(async () => {
  cluster = await openCluster()
  namespace = await cluster.namespace()
})
afterAll(() => cluster.close())
const at = (plural: string, name = '') => `/api/v1/namespaces/${namespace}/${plural}${name && `/${name}`}`
const gone = (path: string) => eventually(async () => (await cluster.get(path)).status === 404)
const owner = (object: Answer, more: object = {}) => ({
  apiVersion: object.apiVersion,
  kind: object.kind,
  name: object.metadata.name,
  uid: object.metadata.uid,
  ...more,
})

describe('deletion', () => {
  it('says what it deleted, and then there is nothing', async () => {
    const made = (await cluster.post(at('secrets'), secret('plain'))).body
    const { status, body } = await cluster.delete(at('secrets', 'plain'))
    expect([status, body]).toEqual([
      200,
      {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Success',
        details: { name: 'plain', kind: 'secrets', uid: made.metadata.uid },
      },
    ])
    expect((await cluster.delete(at('secrets', 'plain'))).status).toBe(404)
  })

  it('under a precondition that does not hold is refused', async () => {
    await cluster.post(at('secrets'), secret('guarded'))
    const { status, body } = await cluster.delete(at('secrets', 'guarded'), { preconditions: { uid: 'other' } })
    expect(status).toBe(409)
    expect(body.message).toMatch(
      /^Operation cannot be fulfilled on Secret "guarded": the UID in the precondition \(other\) does not match the UID in record/,
    )
    const old = await cluster.delete(at('secrets', 'guarded'), { preconditions: { resourceVersion: '1' } })
    expect([old.status, old.body.message]).toEqual([
      409,
      expect.stringContaining(
        'the ResourceVersion in the precondition (1) does not match the ResourceVersion in record',
      ),
    ])
    expect((await cluster.get(at('secrets', 'guarded'))).status).toBe(200)
  })

  it('takes its options from the body or else from the query', async () => {
    await cluster.post(at('secrets'), secret('options'))
    const dry = await cluster.delete(`${at('secrets', 'options')}?dryRun=All`)
    expect([dry.status, (await cluster.get(at('secrets', 'options'))).status]).toEqual([200, 200])
    const refused = await cluster.delete(at('secrets', 'options'), { propagationPolicy: 'Sometimes' })
    expect([refused.status, refused.body.message]).toEqual([
      422,
      'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Sometimes": supported values: "Foreground", "Background", "Orphan", "nil"',
    ])
    await cluster.delete(`${at('secrets', 'options')}?dryRun=All`, { gracePeriodSeconds: 0 })
    expect((await cluster.get(at('secrets', 'options'))).status).toBe(404)
  })

  it('waits for finalizers, which can only be taken away', async () => {
    await cluster.post(at('secrets'), secret('held', {}, { finalizers: ['test/hold'] }))
    const { body } = await cluster.delete(at('secrets', 'held'))
    expect(body.metadata.deletionTimestamp).toMatch(/^\d{4}-/)
    const added = await cluster.patch(at('secrets', 'held'), 'merge', {
      metadata: { finalizers: ['test/hold', 'test/more'] },
    })
    expect([added.status, added.body.message]).toEqual([
      422,
      'Secret "held" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"test/more"}',
    ])
    await cluster.patch(at('secrets', 'held'), 'merge', { metadata: { finalizers: null } })
    expect((await cluster.get(at('secrets', 'held'))).status).toBe(404)
  })

  it('of a collection takes what the selector names', async () => {
    await cluster.post(at('configmaps'), {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'c1', labels: { x: '1' } },
    })
    await cluster.post(at('configmaps'), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c2' } })
    await cluster.delete(`${at('configmaps')}?labelSelector=x=1`)
    expect((await cluster.get(at('configmaps', 'c1'))).status).toBe(404)
    expect((await cluster.get(at('configmaps', 'c2'))).status).toBe(200)
  })
})

describe('pods', () => {
  it('that run get their grace, and end when their runner says so', async () => {
    await cluster.post(at('pods'), pod('running'))
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'running' }, target: { name: 'n1' } }
    expect((await cluster.post(`${at('pods', 'running')}/binding`, binding)).status).toBe(201)
    const { body } = await cluster.delete(at('pods', 'running'))
    expect(body.metadata.deletionGracePeriodSeconds).toBe(30)
    expect(Date.parse(body.metadata.deletionTimestamp)).toBeGreaterThan(Date.now() + 25_000)
    const shorter = await cluster.delete(at('pods', 'running'), { gracePeriodSeconds: 5 })
    expect(shorter.body.metadata.deletionGracePeriodSeconds).toBe(5)
    await cluster.delete(at('pods', 'running'), { gracePeriodSeconds: 0 })
    expect((await cluster.get(at('pods', 'running'))).status).toBe(404)
  })

  it('that nobody runs go at once; an eviction is a deletion', async () => {
    await cluster.post(at('pods'), pod('idle'))
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'idle', namespace } }
    expect((await cluster.post(`${at('pods', 'idle')}/eviction`, eviction)).status).toBe(201)
    expect((await cluster.get(at('pods', 'idle'))).status).toBe(404)
  })
})

describe('owners', () => {
  it('take what they own along, also through several steps', async () => {
    const top = (
      await cluster.post(at('configmaps'), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'top' } })
    ).body
    const middle = (await cluster.post(at('secrets'), secret('middle', {}, { ownerReferences: [owner(top)] }))).body
    await cluster.post(at('secrets'), secret('leaf', {}, { ownerReferences: [owner(middle)] }))
    await cluster.delete(at('configmaps', 'top'))
    await gone(at('secrets', 'leaf'))
    expect((await cluster.get(at('secrets', 'middle'))).status).toBe(404)
  })

  it('that are several must all be gone', async () => {
    const map = async (name: string) =>
      (await cluster.post(at('configmaps'), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })).body
    const [a, b] = [await map('oa'), await map('ob')]
    await cluster.post(at('secrets'), secret('shared', {}, { ownerReferences: [owner(a), owner(b)] }))
    await cluster.delete(at('configmaps', 'oa'))
    await eventually(
      async () => (await cluster.get(at('secrets', 'shared'))).body.metadata.ownerReferences.length === 1,
    )
    await cluster.delete(at('configmaps', 'ob'))
    await gone(at('secrets', 'shared'))
  })

  it('that never were take their dependents at once', async () => {
    const lost = { apiVersion: 'v1', kind: 'ConfigMap', name: 'never', uid: '00000000-0000-4000-8000-000000000000' }
    await cluster.post(at('secrets'), secret('lost', {}, { ownerReferences: [lost] }))
    await gone(at('secrets', 'lost'))
  })

  it('that cannot be looked up take nobody along: no such kind, or in a namespace that the dependent has not', async () => {
    const made = (await cluster.post(at('secrets'), secret('local'))).body
    const unknown = { apiVersion: 'other.example/v1', kind: 'Thing', name: 'x', uid: crypto.randomUUID() }
    await cluster.post(at('secrets'), secret('kept', {}, { ownerReferences: [unknown] }))
    const name = `cluster-wide-${namespace}`
    const metadata = { name, ownerReferences: [owner(made)] }
    await cluster.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata })
    // Whatever comes after them in the collector's queue is dealt with after them.
    const lost = { apiVersion: 'v1', kind: 'ConfigMap', name: 'never', uid: crypto.randomUUID() }
    await cluster.post(at('secrets'), secret('later', {}, { ownerReferences: [lost] }))
    await gone(at('secrets', 'later'))
    expect((await cluster.get(at('secrets', 'kept'))).status).toBe(200)
    const kept = await cluster.get(`/api/v1/namespaces/${name}`)
    expect([kept.status, kept.body.metadata.deletionTimestamp]).toEqual([200, undefined])
  })

  it('are themselves: another of the same name, or one of another namespace, keeps nobody', async () => {
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'namesake' } }
    const made = (await cluster.post(at('configmaps'), map)).body
    const other = { ...owner(made), uid: crypto.randomUUID() }
    await cluster.post(at('secrets'), secret('misled', {}, { ownerReferences: [other] }))
    await gone(at('secrets', 'misled'))
    const elsewhere = await cluster.namespace()
    await cluster.post(
      `/api/v1/namespaces/${elsewhere}/secrets`,
      secret('stranger', {}, { ownerReferences: [owner(made)] }),
    )
    await gone(`/api/v1/namespaces/${elsewhere}/secrets/stranger`)
    expect((await cluster.get(at('configmaps', 'namesake'))).status).toBe(200)
    await cluster.delete(`/api/v1/namespaces/${elsewhere}`)
  })

  it('of a namespace that own what is in none are reported by an event', async () => {
    const made = (await cluster.post(at('secrets'), secret('small'))).body
    const name = cluster.unique('role')
    const roles = '/apis/rbac.authorization.k8s.io/v1/clusterroles'
    const role = (
      await cluster.post(roles, {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: { name, ownerReferences: [owner(made)] },
        rules: [],
      })
    ).body
    const events = `/api/v1/namespaces/default/events?fieldSelector=involvedObject.uid=${role.metadata.uid}`
    await eventually(async () => (await cluster.get(events)).body.items.length > 0)
    expect((await cluster.get(events)).body.items[0]).toMatchObject({
      type: 'Warning',
      reason: 'OwnerRefInvalidNamespace',
      message: `ownerRef [v1/Secret, namespace: , name: small, uid: ${made.metadata.uid}] does not exist in namespace ""`,
      source: { component: 'garbage-collector-controller' },
    })
    expect((await cluster.get(`${roles}/${name}`)).body.metadata.deletionTimestamp).toBeUndefined()
    await cluster.delete(`${roles}/${name}`)
  })

  it('that end in the foreground leave those that have another owner, and wait only for those that block', async () => {
    const map = async (name: string) =>
      (await cluster.post(at('configmaps'), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })).body
    const [going, staying] = [await map('going'), await map('staying')]
    const blocking = owner(going, { blockOwnerDeletion: true })
    const hold = { finalizers: ['test/hold'] }
    await cluster.post(at('secrets'), secret('both', {}, { ownerReferences: [blocking, owner(staying)] }))
    await cluster.post(at('secrets'), secret('loose', {}, { ownerReferences: [owner(going)], ...hold }))
    await cluster.delete(at('configmaps', 'going'), { propagationPolicy: 'Foreground' })
    await gone(at('configmaps', 'going'))
    const both = (await cluster.get(at('secrets', 'both'))).body.metadata
    expect([both.deletionTimestamp, both.ownerReferences.length]).toEqual([undefined, 1])
    const loose = () => cluster.get(at('secrets', 'loose'))
    await eventually(async () => (await loose()).body.metadata.deletionTimestamp !== undefined)
    expect((await loose()).body.metadata.finalizers).toEqual(['test/hold'])
    await cluster.patch(at('secrets', 'loose'), 'merge', { metadata: { finalizers: null } })
  })

  it('that own each other end all the same', async () => {
    const map = async (name: string) =>
      (await cluster.post(at('configmaps'), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })).body
    const [one, two] = [await map('ring1'), await map('ring2')]
    const mutual = (object: Answer) => ({
      metadata: { ownerReferences: [owner(object, { blockOwnerDeletion: true })] },
    })
    await cluster.patch(at('configmaps', 'ring1'), 'merge', mutual(two))
    await cluster.patch(at('configmaps', 'ring2'), 'merge', mutual(one))
    await cluster.delete(at('configmaps', 'ring1'), { propagationPolicy: 'Foreground' })
    await gone(at('configmaps', 'ring1'))
    await gone(at('configmaps', 'ring2'))
  })

  it('of a custom kind take their dependents along when the kind goes', async () => {
    const plural = cluster.unique('owners')
    const group = 'deletion.test'
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    const schema = { openAPIV3Schema: { type: 'object' } }
    await cluster.post(definitions, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural, kind: 'Owner' },
        versions: [{ name: 'v1', served: true, storage: true, schema }],
      },
    })
    const objects = `/apis/${group}/v1/namespaces/${namespace}/${plural}`
    await eventually(async () => (await cluster.get(objects)).status === 200)
    const made = (
      await cluster.post(objects, { apiVersion: `${group}/v1`, kind: 'Owner', metadata: { name: 'custom' } })
    ).body
    const withOwner = (name: string) => secret(name, {}, { ownerReferences: [owner(made)] })
    await cluster.post(at('secrets'), withOwner('kept-by-kind'))
    // The controller takes notice of new kinds every half a minute: when it has, it finds that this owner never was.
    const never = { ...owner(made), name: 'never', uid: crypto.randomUUID() }
    await cluster.post(at('secrets'), secret('probe', {}, { ownerReferences: [never] }))
    await eventually(async () => (await cluster.get(at('secrets', 'probe'))).status === 404, 60_000)
    expect((await cluster.get(at('secrets', 'kept-by-kind'))).status).toBe(200)
    expect((await cluster.delete(`${definitions}/${plural}.${group}`)).status).toBe(200)
    await eventually(async () => (await cluster.get(at('secrets', 'kept-by-kind'))).status === 404, 60_000)
    await eventually(async () => (await cluster.get(objects)).status === 404, 30_000)
  }, 120_000)

  it('leave their dependents when asked to orphan, and wait for them in the foreground', async () => {
    const map = async (name: string) =>
      (await cluster.post(at('configmaps'), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })).body
    const left = await map('leaving')
    await cluster.post(at('secrets'), secret('left', {}, { ownerReferences: [owner(left)] }))
    await cluster.delete(at('configmaps', 'leaving'), { propagationPolicy: 'Orphan' })
    await gone(at('configmaps', 'leaving'))
    expect((await cluster.get(at('secrets', 'left'))).body.metadata.ownerReferences).toBeUndefined()

    const front = await map('front')
    const references = [owner(front, { blockOwnerDeletion: true })]
    await cluster.post(at('secrets'), secret('back', {}, { ownerReferences: references, finalizers: ['test/hold'] }))
    await cluster.delete(at('configmaps', 'front'), { propagationPolicy: 'Foreground' })
    await eventually(
      async () => (await cluster.get(at('secrets', 'back'))).body.metadata.deletionTimestamp !== undefined,
    )
    expect((await cluster.get(at('configmaps', 'front'))).body.metadata.finalizers).toEqual(['foregroundDeletion'])
    await cluster.patch(at('secrets', 'back'), 'merge', { metadata: { finalizers: null } })
    await gone(at('configmaps', 'front'))
  })
})

describe('namespaces', () => {
  it('have an account and the CA, which come back', async () => {
    await cluster.delete(at('configmaps', 'kube-root-ca.crt'))
    await eventually(async () => (await cluster.get(at('configmaps', 'kube-root-ca.crt'))).status === 200)
    const { body } = await cluster.get(at('configmaps', 'kube-root-ca.crt'))
    expect(body.data['ca.crt']).toBe(cluster.ca.certPem)
  })

  it('end after all that is in them, and say what they wait for', async () => {
    const other = await cluster.namespace()
    const inside = `/api/v1/namespaces/${other}/secrets`
    await cluster.post(inside, secret('held', {}, { finalizers: ['test/hold'] }))
    await cluster.delete(`/api/v1/namespaces/${other}`)
    expect((await cluster.get(`/api/v1/namespaces/${other}`)).body.status.phase).toBe('Terminating')
    const late = await cluster.post(inside, secret('late'))
    expect([late.status, late.body.message]).toEqual([
      403,
      `secrets "late" is forbidden: unable to create new content in namespace ${other} because it is being terminated`,
    ])
    const condition = async (type: string) =>
      (await cluster.get(`/api/v1/namespaces/${other}`)).body.status.conditions?.find((c: Answer) => c.type === type)
    await eventually(async () => (await condition('NamespaceFinalizersRemaining'))?.status === 'True', 30_000)
    expect(await condition('NamespaceFinalizersRemaining')).toMatchObject({
      reason: 'SomeFinalizersRemain',
      message: 'Some content in the namespace has finalizers remaining: test/hold in 1 resource instances',
    })
    expect(await condition('NamespaceContentRemaining')).toMatchObject({
      status: 'True',
      reason: 'SomeResourcesRemain',
      message: 'Some resources are remaining: secrets. has 1 resource instances',
    })
    expect(await condition('NamespaceDeletionContentFailure')).toMatchObject({
      status: 'False',
      reason: 'ContentDeleted',
    })
    await cluster.patch(`${inside}/held`, 'merge', { metadata: { finalizers: null } })
    await eventually(async () => (await cluster.get(`/api/v1/namespaces/${other}`)).status === 404, 60_000)
  })

  it('default and the system’s stay', async () => {
    const { status, body } = await cluster.delete('/api/v1/namespaces/default')
    expect([status, body.message]).toEqual([
      403,
      'namespaces "default" is forbidden: this namespace may not be deleted',
    ])
  })
})
