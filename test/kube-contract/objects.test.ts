import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, onReal, openCluster, pod, secret } from './cluster.ts'

let cluster: Cluster
let namespace: string
beforeAll(async () => {
  cluster = await openCluster()
  namespace = await cluster.namespace()
})
afterAll(() => cluster.close())
const secrets = (name = '') => `/api/v1/namespaces/${namespace}/secrets${name && `/${name}`}`

describe('objects', () => {
  it('a created object has identity, version and owner of its fields', async () => {
    const { status, body } = await cluster.post(secrets(), secret('made', { a: '1' }))
    expect(status).toBe(201)
    expect(body.metadata).toMatchObject({ name: 'made', namespace, uid: expect.stringMatching(/^[0-9a-f-]{36}$/) })
    expect(Number(body.metadata.resourceVersion)).toBeGreaterThan(0)
    expect(body).toMatchObject({ apiVersion: 'v1', kind: 'Secret', type: 'Opaque', data: { a: 'MQ==' } })
    expect((await cluster.get(secrets('made'))).body).toEqual(body)
  })

  it('a second object of the same name is refused', async () => {
    await cluster.post(secrets(), secret('twice'))
    const { status, body } = await cluster.post(secrets(), secret('twice'))
    expect(status).toBe(409)
    expect(body).toMatchObject({ reason: 'AlreadyExists', message: 'secrets "twice" already exists' })
  })

  it('an absent object says its kind and name', async () => {
    const { status, body } = await cluster.get('/apis/apps/v1/namespaces/default/deployments/none')
    expect(status).toBe(404)
    expect(body).toMatchObject({
      kind: 'Status',
      reason: 'NotFound',
      message: 'deployments.apps "none" not found',
      details: { name: 'none', group: 'apps', kind: 'deployments' },
    })
  })

  it('an update with an old version is refused and changes nothing', async () => {
    const first = (await cluster.post(secrets(), secret('raced', { a: '1' }))).body
    const second = await cluster.put(secrets('raced'), { ...first, data: { a: 'Mg==' } })
    expect(second.status).toBe(200)
    const late = await cluster.put(secrets('raced'), { ...first, data: { a: 'Mw==' } })
    expect(late.status).toBe(409)
    expect(late.body.reason).toBe('Conflict')
    expect(late.body.message).toBe(
      'Operation cannot be fulfilled on secrets "raced": the object has been modified; please apply your changes to the latest version and try again',
    )
    expect((await cluster.get(secrets('raced'))).body).toEqual(second.body)
  })

  it('an update that changes nothing keeps the version', async () => {
    const first = (await cluster.post(secrets(), secret('same', { a: '1' }))).body
    expect((await cluster.put(secrets('same'), first)).body.metadata.resourceVersion).toBe(
      first.metadata.resourceVersion,
    )
  })

  it('a dry run answers as if and stores nothing', async () => {
    const { status, body } = await cluster.post(`${secrets()}?dryRun=All`, secret('dry'))
    expect([status, body.metadata.name]).toEqual([201, 'dry'])
    expect((await cluster.get(secrets('dry'))).status).toBe(404)
  })

  it('generateName makes a name', async () => {
    const body = { apiVersion: 'v1', kind: 'Secret', metadata: { generateName: 'gen-' } }
    expect((await cluster.post(secrets(), body)).body.metadata.name).toMatch(/^gen-[a-z0-9]{5}$/)
  })

  it('names that JavaScript knows are names like any other', async () => {
    const body = { ...secret('constructor', { toString: '1' }, { labels: { constructor: 'x' } }), type: 'constructor' }
    const made = await cluster.post(secrets(), body)
    expect([made.status, made.body.data, made.body.type]).toEqual([201, { toString: 'MQ==' }, 'constructor'])
    const found = await cluster.get(`${secrets()}?labelSelector=constructor=x,!toString`)
    expect(found.body.items).toHaveLength(1)
  })

  it('stringData becomes data', async () => {
    const body = { ...secret('strings', { a: 'old' }), stringData: { a: 'new', b: 'x' } }
    const made = (await cluster.post(secrets(), body)).body
    expect(made.data).toEqual({ a: 'bmV3', b: 'eA==' })
    expect(made.stringData).toBeUndefined()
  })

  it('nothing is made in a namespace that is not there', async () => {
    const { status, body } = await cluster.post('/api/v1/namespaces/absent/secrets', secret('x'))
    expect([status, body.message]).toEqual([404, 'namespaces "absent" not found'])
  })
})

describe('validation', () => {
  it.each([
    [
      { metadata: { name: 'Bad_Name' } },
      /^Secret "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must/,
    ],
    [{ data: { 'a/b': '' } }, /data\[a\/b\]: Invalid value: "a\/b": a valid config key must consist/],
    [
      { type: 'kubernetes.io/tls' },
      /is invalid: \[data\[tls.crt\]: Required value, data\[tls.key\]: Required value\]$/,
    ],
    [
      { data: { big: Buffer.alloc(1024 * 1024 + 1).toString('base64') } },
      /data: Too long: may not be more than 1048576 bytes$/,
    ],
  ])('a secret with %o is refused in the server’s words', async (change, message) => {
    const { status, body } = await cluster.post(secrets(), { ...secret('bad'), ...change })
    expect(status).toBe(422)
    expect(body.reason).toBe('Invalid')
    expect(body.message).toMatch(message)
  })

  it('data that is not base64 is refused', async () => {
    const { status, body } = await cluster.post(secrets(), { ...secret('raw'), data: { a: 'not base64!' } })
    expect(status).toBe(400)
    expect(body.message).toMatch(/^Secret in version "v1" cannot be handled as a Secret: illegal base64 data/)
  })

  it('a secret’s type never changes, an immutable one’s data neither', async () => {
    const made = (await cluster.post(secrets(), { ...secret('fixed', { a: '1' }), immutable: true })).body
    const typed = await cluster.put(secrets('fixed'), { ...made, type: 'other/type' })
    expect(typed.body.message).toContain('type: Invalid value: "other/type": field is immutable')
    const changed = await cluster.put(secrets('fixed'), { ...made, data: { a: 'Mg==' } })
    expect([changed.status, changed.body.message]).toEqual([
      422,
      'Secret "fixed" is invalid: data: Forbidden: field is immutable when `immutable` is set',
    ])
  })

  it('the published Deployment without selector and labels is refused for both', async () => {
    const { status, body } = await cluster.post(`/apis/apps/v1/namespaces/${namespace}/deployments`, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'my-app' },
      spec: { template: { spec: { containers: [{ name: 'my-app', image: 'my-app:latest' }] } } },
    })
    expect(status).toBe(422)
    expect(body.message).toBe(
      'Deployment.apps "my-app" is invalid: [spec.selector: Required value, spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`]',
    )
    expect(body.details).toEqual({
      name: 'my-app',
      group: 'apps',
      kind: 'Deployment',
      causes: [
        { reason: 'FieldValueRequired', message: 'Required value', field: 'spec.selector' },
        {
          reason: 'FieldValueInvalid',
          message: 'Invalid value: null: `selector` does not match template `labels`',
          field: 'spec.template.metadata.labels',
        },
      ],
    })
  })

  it.each([
    [{ containers: [] }, 'spec.containers: Required value'],
    [{ containers: [{ name: 'a' }] }, 'spec.containers[0].image: Required value'],
    [
      { containers: [{ name: 'A', image: 'x' }] },
      'spec.containers[0].name: Invalid value: "A": a lowercase RFC 1123 label must',
    ],
    [
      {
        containers: [
          { name: 'a', image: 'x' },
          { name: 'a', image: 'x' },
        ],
      },
      'spec.containers[1].name: Duplicate value: "a"',
    ],
    [
      { containers: [{ name: 'a', image: 'x', volumeMounts: [{ name: 'v', mountPath: '/v' }] }] },
      'spec.containers[0].volumeMounts[0].name: Not found: "v"',
    ],
    [
      { restartPolicy: 'Sometimes' },
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ],
  ])('a pod with %o is refused', async (spec, message) => {
    const { status, body } = await cluster.post(`/api/v1/namespaces/${namespace}/pods`, pod('bad', spec))
    expect(status).toBe(422)
    expect(body.message).toContain(message)
  })

  it('unknown fields are refused, warned of or dropped, as asked', async () => {
    const body = { ...secret('unknown'), spc: 1 }
    const strict = await cluster.post(`${secrets()}?fieldValidation=Strict`, body)
    expect([strict.status, strict.body.message]).toEqual([
      400,
      'Secret in version "v1" cannot be handled as a Secret: strict decoding error: unknown field "spc"',
    ])
    const warned = await cluster.post(secrets(), body)
    expect([warned.status, warned.headers['warning']]).toEqual([201, '299 - "unknown field \\"spc\\""'])
    expect(warned.body.spc).toBeUndefined()
    const quiet = await cluster.post(`${secrets()}?fieldValidation=Ignore`, { ...body, metadata: { name: 'quiet' } })
    expect([quiet.status, quiet.headers['warning']]).toEqual([201, undefined])
  })

  it('a member called __proto__, a deep document and a huge one are refused', async () => {
    const evil = '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"e","labels":{"__proto__":"x"}}}'
    // For Kubernetes it is a label that begins with a letter that it may not begin with.
    expect((await cluster.post(secrets(), evil)).status).toBe(onReal ? 422 : 400)
    const deep = `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"e"},"data":${'['.repeat(5000)}${']'.repeat(5000)}}`
    expect((await cluster.post(secrets(), deep)).status).toBe(400)
    expect((await cluster.post(secrets(), 'x'.repeat(3 * 1024 * 1024 + 1))).status).toBe(413)
  })
})

describe('pods', () => {
  it('get their service account, its token and their defaults', async () => {
    const { body } = await cluster.post(`/api/v1/namespaces/${namespace}/pods`, pod('defaults'))
    const volume = body.spec.volumes[0]
    expect(volume.name).toMatch(/^kube-api-access-[a-z0-9]{5}$/)
    expect(volume.projected.sources[0]).toEqual({ serviceAccountToken: { expirationSeconds: 3607, path: 'token' } })
    expect(body.spec.containers[0]).toMatchObject({
      imagePullPolicy: 'IfNotPresent',
      volumeMounts: [{ name: volume.name, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }],
    })
    expect(body.spec).toMatchObject({
      serviceAccountName: 'default',
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
    })
    expect(body.status).toEqual({ phase: 'Pending', qosClass: 'BestEffort' })
  })

  it('without automount get no token; without account are refused', async () => {
    const pods = `/api/v1/namespaces/${namespace}/pods`
    const bare = await cluster.post(pods, pod('bare', { automountServiceAccountToken: false }))
    expect(bare.body.spec.volumes).toBeUndefined()
    const lost = await cluster.post(pods, pod('lost', { serviceAccountName: 'nobody' }))
    expect([lost.status, lost.body.message]).toEqual([
      403,
      `pods "lost" is forbidden: error looking up service account ${namespace}/nobody: serviceaccount "nobody" not found`,
    ])
  })

  it('keep their spec, and their status changes only by its subresource', async () => {
    const path = `/api/v1/namespaces/${namespace}/pods/fixed`
    await cluster.post(`/api/v1/namespaces/${namespace}/pods`, pod('fixed'))
    const moved = await cluster.patch(path, 'merge', { spec: { nodeName: 'n' } })
    expect([moved.status, moved.body.message.slice(0, 80)]).toEqual([
      422,
      'Pod "fixed" is invalid: spec: Forbidden: pod updates may not change fields other',
    ])
    const main = await cluster.patch(path, 'merge', { metadata: { labels: { x: 'y' } }, status: { phase: 'Running' } })
    expect([main.body.metadata.labels.x, main.body.status.phase]).toEqual(['y', 'Pending'])
    const status = await cluster.patch(`${path}/status`, 'merge', {
      metadata: { labels: { x: 'z' } },
      status: { phase: 'Running' },
    })
    // Of a built-in kind metadata may be written along with the status, but no spec.
    expect([status.body.metadata.labels.x, status.body.status.phase]).toEqual(['z', 'Running'])
    const spec = await cluster.patch(`${path}/status`, 'merge', { spec: { nodeName: 'n' } })
    expect([spec.status, spec.body.spec.nodeName]).toEqual([200, undefined])
  })

  it('are bound to a node once', async () => {
    const pods = `/api/v1/namespaces/${namespace}/pods`
    await cluster.post(pods, pod('bound'))
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'bound' },
      target: { kind: 'Node', name: 'n1' },
    }
    expect((await cluster.post(`${pods}/bound/binding`, binding)).status).toBe(201)
    expect((await cluster.get(`${pods}/bound`)).body.spec.nodeName).toBe('n1')
    const again = await cluster.post(`${pods}/bound/binding`, binding)
    expect([again.status, again.body.message]).toEqual([
      409,
      'Operation cannot be fulfilled on pods/binding "bound": pod bound is already assigned to node "n1"',
    ])
  })
})

describe('deployments', () => {
  it('count generations by spec, and scale', async () => {
    const path = `/apis/apps/v1/namespaces/${namespace}/deployments`
    const labels = { app: 'd' }
    const template = { metadata: { labels }, spec: { containers: [{ name: 'd', image: 'd' }] } }
    const body = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec: { selector: { matchLabels: labels }, template },
    }
    expect((await cluster.post(path, body)).body).toMatchObject({ metadata: { generation: 1 }, spec: { replicas: 1 } })
    const labelled = await cluster.patch(`${path}/d`, 'merge', { metadata: { labels: { a: 'b' } } })
    expect(labelled.body.metadata.generation).toBe(1)
    const scaled = await cluster.patch(`${path}/d/scale`, 'merge', { spec: { replicas: 3 } })
    expect(scaled.body).toMatchObject({ kind: 'Scale', spec: { replicas: 3 }, status: { selector: 'app=d' } })
    expect((await cluster.get(`${path}/d`)).body).toMatchObject({ metadata: { generation: 2 }, spec: { replicas: 3 } })
    const moved = await cluster.patch(`${path}/d`, 'json', [
      { op: 'replace', path: '/spec/selector/matchLabels', value: { app: 'e' } },
    ])
    expect(moved.body.message).toContain(
      'spec.selector: Invalid value: {"matchLabels":{"app":"e"}}: field is immutable',
    )
  })
})

describe('events', () => {
  it('are the same in both groups', async () => {
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e1', namespace },
      involvedObject: { kind: 'Secret', name: 'made', namespace },
      reason: 'Updated',
      message: 'it was',
      type: 'Normal',
      source: { component: 'test' },
      count: 2,
    }
    await cluster.post(`/api/v1/namespaces/${namespace}/events`, event)
    const other = await cluster.get(`/apis/events.k8s.io/v1/namespaces/${namespace}/events/e1`)
    expect(other.body).toMatchObject({ regarding: { name: 'made' }, note: 'it was', deprecatedCount: 2 })
    expect(other.body.message).toBeUndefined()
    const found = await cluster.get(
      `/api/v1/namespaces/${namespace}/events?fieldSelector=involvedObject.name=made,involvedObject.kind=Secret`,
    )
    expect(found.body.items.map((item: { reason: string }) => item.reason)).toEqual(['Updated'])
  })
})
