import { createServer } from 'node:https'
import { Writable } from 'node:stream'
import {
  ApiException,
  AppsV1Api,
  CoreV1Api,
  KubeConfig,
  KubernetesObjectApi,
  Log,
  PatchStrategy,
  VersionApi,
  Watch,
} from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { builtInSchema } from '../../src/devcluster/api/discovery/openapi/built-in-schemas.ts'
import { bytesField, envelopeOf, varintField } from '../../src/devcluster/api/protobuf/test-message-encoder.ts'
import { kubeletOverHttps } from '../../src/devcluster/api/requests/pod-logs.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { issueCertificate } from '../../src/lib/x509/certificates.ts'
import {
  type Answer,
  type Cluster,
  eventually,
  minorVersion,
  onlyEmbedded,
  onReal,
  openCluster,
  pod,
  testCa,
  testServerCertificate,
} from './cluster.ts'

/** Of the embedded cluster; a real one has its own, by which its kubelet client certificate is signed as well. */
const ownCa = testCa()
const client = issueCertificate(ownCa, {
  commonName: 'kube-apiserver-kubelet-client',
  random: systemRandom,
  now: Date.now(),
  validForMs: 3_600_000,
  client: true,
})
const kubelet = createServer({ requestCert: true, rejectUnauthorized: true }, (request, response) => {
  const [path, query = ''] = (request.url ?? '').split('?')
  if (path?.endsWith('/waiting')) return response.writeHead(400).end('container "waiting" is waiting to start')
  response.write(`${path} ${query}\n`)
  response.end('second\n')
})
let cluster: Cluster
let config: KubeConfig
let namespace: string
let node: string

beforeAll(async () => {
  cluster = await openCluster({ callKubelet: kubeletOverHttps({ caPem: ownCa.certPem, ...client }) }, ownCa)
  const { certPem, keyPem } = testServerCertificate(cluster.ca)
  kubelet.setSecureContext({ cert: certPem, key: keyPem, ca: cluster.ca.certPem })
  await new Promise<void>((resolve) => kubelet.listen(0, '127.0.0.1', resolve))
  namespace = await cluster.namespace()
  node = cluster.unique('node')
  config = new KubeConfig()
  config.loadFromOptions({
    clusters: [{ name: 'c', server: cluster.address, caData: Buffer.from(cluster.ca.certPem).toString('base64') }],
    users: [{ name: 'u', token: cluster.token }],
    contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
    currentContext: 'x',
  })
})
afterAll(async () => {
  await cluster.delete(`/api/v1/nodes/${node}`)
  await cluster.close()
  kubelet.closeAllConnections()
  await new Promise((resolve) => kubelet.close(resolve))
})

describe('the unmodified Kubernetes client', () => {
  it('creates, reads, lists, replaces and deletes', async () => {
    const core = config.makeApiClient(CoreV1Api)
    const body = { metadata: { name: 'client' }, stringData: { a: '1' } }
    const made = await core.createNamespacedSecret({ namespace, body })
    expect(made.data).toEqual({ a: 'MQ==' })
    const replaced = await core.replaceNamespacedSecret({
      namespace,
      name: 'client',
      body: { ...made, data: { a: 'Mg==' } },
    })
    expect(replaced.data).toEqual({ a: 'Mg==' })
    const listed = await core.listNamespacedSecret({ namespace, fieldSelector: 'metadata.name=client' })
    expect(listed.items.map((item) => item.metadata?.name)).toEqual(['client'])
    await core.deleteNamespacedSecret({ namespace, name: 'client' })
    const error = await core.readNamespacedSecret({ namespace, name: 'client' }).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(ApiException)
    expect(error).toMatchObject({ code: 404 })
  })

  it('finds kinds by discovery and applies on the server’s side', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config)
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied', namespace }, data: { a: '1' } }
    await objects.patch(object, undefined, undefined, 'tester', true, PatchStrategy.ServerSideApply)
    const read = await objects.read<typeof object>(object)
    expect(read.data).toEqual({ a: '1' })
  })

  it('watches', async () => {
    const seen: string[] = []
    const abort = await new Watch(config).watch(
      `/api/v1/namespaces/${namespace}/configmaps`,
      { fieldSelector: 'metadata.name=watched' },
      (phase, object) => seen.push(`${phase} ${object.metadata.name}`),
      () => {},
    )
    const core = config.makeApiClient(CoreV1Api)
    await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'watched' } } })
    await eventually(() => seen.includes('ADDED watched'))
    abort.abort()
  })

  it('makes deployments with their defaults', async () => {
    const apps = config.makeApiClient(AppsV1Api)
    const labels = { app: 'x' }
    const template = { metadata: { labels }, spec: { containers: [{ name: 'x', image: 'x' }] } }
    const body = { metadata: { name: 'x' }, spec: { selector: { matchLabels: labels }, template } }
    expect((await apps.createNamespacedDeployment({ namespace, body })).spec?.replicas).toBe(1)
  })

  it('learns the version', async () => {
    expect((await config.makeApiClient(VersionApi).getCode()).gitVersion).toMatch(/^v1\.\d+\.\d+/)
  })
})

describe('logs', () => {
  const logs = async (name: string, container: string, options = {}) => {
    let text = ''
    const sink = new Writable({
      write: (chunk, _, done) => {
        text += chunk
        done()
      },
    })
    const finished = new Promise((resolve) => sink.on('finish', resolve))
    await new Log(config).log(namespace, name, container, sink, options)
    await finished
    return text
  }
  beforeAll(async () => {
    const address = kubelet.address()
    const object = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: node },
      status: {
        addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
        daemonEndpoints: { kubeletEndpoint: { Port: typeof address === 'object' ? address?.port : 0 } },
      },
    }
    expect((await cluster.post('/api/v1/nodes', object)).body.status.addresses[0].address).toBe('127.0.0.1')
    const spec = {
      containers: [
        { name: 'app', image: 'a' },
        { name: 'waiting', image: 'b' },
      ],
    }
    await cluster.post(`/api/v1/namespaces/${namespace}/pods`, pod('logged', spec))
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'logged' }, target: { name: node } }
    expect((await cluster.post(`/api/v1/namespaces/${namespace}/pods/logged/binding`, binding)).status).toBe(201)
  })

  it('come from the kubelet of the pod’s node, which sees our certificate', async () => {
    const text = await logs('logged', 'app', { tailLines: 5 })
    const [first = '', second] = text.split('\n')
    expect(first).toMatch(new RegExp(`^/containerLogs/${namespace}/logged/app tailLines=5$`))
    expect(second).toBe('second')
  })

  it('of a pod without a node are nothing, which is no error', async () => {
    await cluster.post(`/api/v1/namespaces/${namespace}/pods`, pod('unbound'))
    const answer = await cluster.get(`/api/v1/namespaces/${namespace}/pods/unbound/log`)
    expect([answer.status, answer.text]).toEqual([204, ''])
  })

  it('of a container that can not be told, that is not there, or that waits are refused with the reason', async () => {
    const path = `/api/v1/namespaces/${namespace}/pods/logged/log`
    const unclear = await cluster.get(path)
    expect([unclear.status, unclear.body.message]).toEqual([
      400,
      'a container name must be specified for pod logged, choose one of: [app waiting]',
    ])
    expect((await cluster.get(`${path}?container=x`)).body.message).toBe('container x is not valid for pod logged')
    const waiting = await cluster.get(`${path}?container=waiting`)
    expect([waiting.status, waiting.body.message]).toEqual([400, 'container "waiting" is waiting to start'])
  })
})

describe('what kubectl needs', () => {
  const table = { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' } }

  it('tables of pods with their state', async () => {
    const path = `/api/v1/namespaces/${namespace}/pods/logged`
    const containerStatuses = [
      { name: 'app', ready: true, restartCount: 2, state: { running: {} } },
      { name: 'waiting', ready: false, restartCount: 0, state: { waiting: { reason: 'ImagePullBackOff' } } },
    ]
    await cluster.patch(`${path}/status`, 'merge', { status: { phase: 'Running', containerStatuses } })
    const { body } = await cluster.get(path, table)
    expect(body.kind).toBe('Table')
    expect(body.columnDefinitions.slice(0, 5).map((c: Answer) => c.name)).toEqual([
      'Name',
      'Ready',
      'Status',
      'Restarts',
      'Age',
    ])
    expect(body.rows[0].cells.slice(0, 4)).toEqual(['logged', '1/2', 'ImagePullBackOff', '2'])
  })

  it('tables in watches, with headings once', async () => {
    const path = `/api/v1/namespaces/${namespace}/configmaps`
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'second', labels: { watch: 'table' } } }
    await cluster.post(path, { ...body, metadata: { ...body.metadata, name: 'first' } })
    await cluster.post(path, body)
    const { text } = await cluster.get(`${path}?watch=true&timeoutSeconds=1&labelSelector=watch=table`, table)
    const frames = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(frames.map((frame) => [frame.type, frame.object.kind, frame.object.rows[0].cells[0]])).toEqual([
      ['ADDED', 'Table', 'first'],
      ['ADDED', 'Table', 'second'],
    ])
    expect(frames.map((frame) => frame.object.columnDefinitions?.length)).toEqual([3, undefined])
  })

  it('ages in watches are those of the moment, not of the start of the watch', async (test) => {
    onlyEmbedded(test, 'its clock cannot be moved')
    let nowMs = Date.parse('2026-01-01T00:00:00Z')
    const timed = await openCluster({ clock: { ...systemClock, now: () => nowMs } })
    try {
      const path = '/api/v1/namespaces/default/configmaps'
      const watch = timed.watch(`${path}?watch=true&labelSelector=aged`, table.headers)
      await timed.get(path)
      nowMs += 90_000
      const metadata = { name: 'aged', labels: { aged: 'yes' } }
      await timed.post(path, { apiVersion: 'v1', kind: 'ConfigMap', metadata })
      await eventually(() => watch.frames.length > 0)
      expect(watch.frames[0].object.rows[0].cells).toEqual(['aged', 0, '0s'])
      watch.stop()
    } finally {
      await timed.close()
    }
  })

  it('OpenAPI documents that say what may be asked, where fields are validated and how lists merge', async () => {
    const index = (await cluster.get('/openapi/v3')).body
    const { body } = await cluster.get(index.paths['apis/apps/v1'].serverRelativeURL)
    const path = body.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']
    expect(path.patch['x-kubernetes-group-version-kind']).toEqual({ group: 'apps', version: 'v1', kind: 'Deployment' })
    expect(path.patch.parameters.map((parameter: Answer) => parameter.name)).toContain('fieldValidation')
    expect(Object.keys(path.patch.requestBody.content)).toContain('application/strategic-merge-patch+json')
    const pods = body.components.schemas['io.k8s.api.core.v1.PodSpec']
    expect(pods.required).toEqual(['containers'])
    expect(pods.properties.containers).toMatchObject({
      type: 'array',
      'x-kubernetes-list-map-keys': ['name'],
      'x-kubernetes-patch-merge-key': 'name',
    })
    expect(body.components.schemas['io.k8s.api.apps.v1.Deployment']['x-kubernetes-group-version-kind']).toEqual([
      { group: 'apps', version: 'v1', kind: 'Deployment' },
    ])
  })

  // 1.34's are the ones that the embedded cluster has; later versions have more.
  it('schemas of the built-in kinds, the same wherever they are served', async () => {
    for (const path of openApiPaths) {
      const { body } = await cluster.get(`/openapi/v3/${path}`)
      const seen = Object.entries(body.components.schemas).filter(([name]) => builtInSchema(name))
      expect(seen.length).toBeGreaterThan(3)
      for (const [name, schema] of seen)
        if (minorVersion === 34) expect(withoutSentences(schema), name).toEqual(sorted(builtInSchema(name)))
        else
          expect(Object.keys((schema as Answer).properties ?? {}), name).toEqual(
            expect.arrayContaining(Object.keys((builtInSchema(name) as Answer).properties ?? {})),
          )
    }
  })

  it('OpenAPI documents under addresses that change with them', async () => {
    const address = (await cluster.get('/openapi/v3')).body.paths['api/v1'].serverRelativeURL
    const current = await cluster.get(address)
    expect(current.headers['cache-control']).toBe('public, immutable')
    const etag = String(current.headers['etag'])
    expect(address).toBe(`/openapi/v3/api/v1?hash=${etag.slice(1, -1)}`)
    expect((await cluster.get('/openapi/v3/api/v1', { headers: { 'if-none-match': etag } })).status).toBe(304)
    const old = await cluster.get('/openapi/v3/api/v1?hash=OLD')
    expect([old.status, old.headers['location']]).toEqual([301, address])
    expect((await cluster.get('/openapi/v3/api/v2')).status).toBe(404)
  })

  it('discovery of everything that is served', async () => {
    const groups = (await cluster.get('/apis')).body.groups
    for (const group of groups) {
      const { body } = await cluster.get(`/apis/${group.preferredVersion.groupVersion}`)
      expect(body.resources.length).toBeGreaterThan(0)
      for (const resource of body.resources.filter((r: Answer) => r.verbs.includes('list')))
        expect((await cluster.get(`/apis/${group.preferredVersion.groupVersion}/${resource.name}`)).status).toBe(200)
    }
    expect((await cluster.get('/apis/no.such/v1')).status).toBe(404)
    expect((await cluster.get('/api/v1/nosuchkinds')).status).toBe(404)
  })

  it('all of discovery in one answer, which says the same', async () => {
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'
    for (const root of ['/api', '/apis']) {
      const { body, headers } = await cluster.get(root, { headers: { accept } })
      expect(headers['content-type']).toBe('application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList')
      expect([body.kind, body.apiVersion]).toEqual(['APIGroupDiscoveryList', 'apidiscovery.k8s.io/v2'])
      const again = await cluster.get(root, { headers: { accept, 'if-none-match': String(headers['etag']) } })
      expect(again.status).toBe(304)
      for (const { metadata, versions } of body.items)
        for (const { version, resources } of versions) {
          const path = metadata.name === undefined ? `/api/${version}` : `/apis/${metadata.name}/${version}`
          const listed = (await cluster.get(path)).body.resources
          const names = resources.flatMap((r: Answer) => [
            [r.resource, r.verbs],
            ...(r.subresources ?? []).map((sub: Answer) => [`${r.resource}/${sub.subresource}`, sub.verbs]),
          ])
          expect(names.sort()).toEqual(listed.map((r: Answer) => [r.name, r.verbs]).sort())
        }
    }
  })
})

describe('what clients of Go send', () => {
  const protobuf = 'application/vnd.kubernetes.protobuf'
  const send = (path: string, body: Uint8Array, headers = {}) =>
    cluster.send('POST', path, body, { contentType: protobuf, headers })
  const named = (name: string) => bytesField(1, bytesField(1, Buffer.from(name)))

  it('is protobuf, and is taken as if it were JSON', async () => {
    const data = bytesField(2, Buffer.concat([bytesField(1, Buffer.from('k')), bytesField(2, Buffer.from([0, 255]))]))
    const path = `/api/v1/namespaces/${namespace}/secrets`
    const accept = `${protobuf},application/json`
    const answer = await cluster.send('POST', path, envelopeOf('v1', 'Secret', Buffer.concat([named('pb'), data])), {
      contentType: protobuf,
      headers: onReal ? { accept: 'application/json' } : { accept },
    })
    expect([answer.status, answer.body.data]).toEqual([201, { k: 'AP8=' }])
    expect((await cluster.get(`${path}/pb`)).body.type).toBe('Opaque')
  })

  it.each([
    [
      'no envelope',
      Buffer.from('hello'),
      /^the object provided is unrecognized \(must be of type Secret\): provided data does not appear to be a protobuf message, expected prefix \[107 56 115 0\] \(68656c6c6f\)$/,
    ],
    [
      'nothing',
      Buffer.of(),
      /^the object provided is unrecognized \(must be of type Secret\): empty data \(<empty>\)$/,
    ],
    [
      'half a message',
      envelopeOf('v1', 'Secret', Buffer.of(10, 9, 1)),
      /^Secret in version "v1" cannot be handled as a Secret: unexpected EOF$/,
    ],
    [
      'another type of field',
      envelopeOf('v1', 'Secret', bytesField(1, varintField(1, 5))),
      /^Secret in version "v1" cannot be handled as a Secret: proto: wrong wireType = 0 for field Name$/,
    ],
    [
      'another kind',
      envelopeOf('v1', 'Foo', Buffer.of()),
      /^Foo in version "v1" cannot be handled as a Secret: no kind "Foo" is registered for version "v1" in scheme/,
    ],
  ])('in protobuf and holds %s is refused', async (_, body, words) => {
    const answer = await send(`/api/v1/namespaces/${namespace}/secrets`, body, { accept: 'application/json' })
    expect([answer.status, answer.body.message]).toEqual([400, expect.stringMatching(words)])
  })

  it('and accepts nothing that is spoken here is refused', async () => {
    const answer = await cluster.get('/api/v1/namespaces', { headers: { accept: 'text/plain' } })
    expect([answer.status, answer.body.reason, answer.body.details]).toEqual([406, 'NotAcceptable', {}])
    expect(answer.body.message).toMatch(/^406: Not Acceptable\n\nAvailable representations: application\/json/)
  })

  it('and accepts only protobuf back is refused; a real one speaks it', async () => {
    const answer = await cluster.get('/api/v1/namespaces', { headers: { accept: protobuf } })
    if (onReal) expect([answer.status, answer.headers['content-type']]).toEqual([200, protobuf])
    else expect([answer.status, answer.body.message]).toEqual([406, expect.stringContaining('application/json')])
  })
})

describe('HTTP', () => {
  it('of methods that no object has is refused', async () => {
    for (const method of ['OPTIONS', 'HEAD'])
      expect((await cluster.send(method, '/api/v1/namespaces')).status, method).toBe(405)
    expect((await cluster.send('POST', '/api/v1/namespaces/default')).status).toBe(405)
  })

  it('warns in any letters, as UTF-8', async () => {
    const path = `/api/v1/namespaces/${await cluster.namespace()}/configmaps`
    const { status, headers } = await cluster.post(path, { metadata: { name: 'warned' }, 'übel →': 1 })
    const warning = Buffer.from(String(headers['warning']), 'latin1').toString()
    expect([status, warning]).toEqual([201, '299 - "unknown field \\"übel →\\""'])
  })

  it('with the type of a body that is not there is answered', async () => {
    const headers = { 'content-type': 'application/vnd.kubernetes.protobuf' }
    expect((await cluster.get('/api/v1/namespaces/default', { headers })).status).toBe(200)
    expect((await cluster.get('/apis/authorization.k8s.io/v1/subjectaccessreviews', { headers })).status).toBe(405)
    const patch = await cluster.send('PATCH', '/api/v1/namespaces/default', 'k8s\0', { headers })
    expect(patch.status).toBe(415)
  })

  it('compresses what is large for those who ask for it', async () => {
    const path = `/api/v1/namespaces/${namespace}/configmaps`
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'large' }, data: { a: 'x'.repeat(200_000) } }
    await cluster.post(path, body)
    const headers = { 'accept-encoding': 'gzip' }
    expect((await cluster.get(`${path}/large`, { headers })).headers['content-encoding']).toBe('gzip')
    expect((await cluster.get(`${path}/large`)).headers['content-encoding']).toBeUndefined()
    expect((await cluster.get(`${path}/kube-root-ca.crt`, { headers })).headers['content-encoding']).toBeUndefined()
  })

  it('with a body over 3 MiB is refused, and the client hears it', async () => {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: { a: 'x'.repeat(3_200_000) } }
    const answer = await cluster.post(`/api/v1/namespaces/${namespace}/configmaps`, body)
    expect([answer.status, answer.body.message]).toEqual([413, 'Request entity too large: limit is 3145728'])
  })
})

const openApiPaths = ['api/v1', 'apis/apps/v1', 'apis/batch/v1', 'apis/rbac.authorization.k8s.io/v1'].concat(
  ['admissionregistration.k8s.io', 'apiextensions.k8s.io', 'coordination.k8s.io'].map((group) => `apis/${group}/v1`),
)

/** As the embedded cluster has them: no descriptions, no kinds beside them. */
function withoutSentences(schema: Answer): Answer {
  if (Array.isArray(schema)) return schema.map(withoutSentences)
  if (typeof schema !== 'object' || schema === null) return schema
  const { description, 'x-kubernetes-group-version-kind': _, ...rest } = schema
  const told = typeof description === 'string' ? rest : { ...rest, ...(description ? { description } : {}) }
  // What makes room for a sentence beside a reference.
  if (typeof description === 'string' && told.allOf?.length === 1 && Object.keys(told).length === 1)
    return told.allOf[0]
  return sorted(
    Object.fromEntries(
      Object.entries(told).map(([key, value]) => [
        key,
        key === 'properties'
          ? Object.fromEntries(Object.entries(value as object).map(([name, one]) => [name, withoutSentences(one)]))
          : withoutSentences(value),
      ]),
    ),
  )
}
const sorted = (schema: Answer) => (schema?.required ? { ...schema, required: [...schema.required].sort() } : schema)
