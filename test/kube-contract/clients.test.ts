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
import { kubeletOverHttps } from '../../src/devcluster/api/requests/pod-logs.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { issueCertificate } from '../../src/lib/x509/certificates.ts'
import { type Answer, type Cluster, eventually, openCluster, pod, testCa, testServerCertificate } from './cluster.ts'

const ca = testCa()
const client = issueCertificate(ca, {
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

beforeAll(async () => {
  const { certPem, keyPem } = testServerCertificate(ca)
  kubelet.setSecureContext({ cert: certPem, key: keyPem, ca: ca.certPem })
  await new Promise<void>((resolve) => kubelet.listen(0, '127.0.0.1', resolve))
  cluster = await openCluster({ callKubelet: kubeletOverHttps({ caPem: ca.certPem, ...client }) }, ca)
  namespace = await cluster.namespace()
  config = new KubeConfig()
  config.loadFromOptions({
    clusters: [{ name: 'c', server: cluster.address, caData: Buffer.from(ca.certPem).toString('base64') }],
    users: [{ name: 'u', token: cluster.token }],
    contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
    currentContext: 'x',
  })
})
afterAll(async () => {
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
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1' },
      status: {
        addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
        daemonEndpoints: { kubeletEndpoint: { Port: typeof address === 'object' ? address?.port : 0 } },
      },
    }
    expect((await cluster.post('/api/v1/nodes', node)).body.status.addresses[0].address).toBe('127.0.0.1')
    const spec = {
      containers: [
        { name: 'app', image: 'a' },
        { name: 'waiting', image: 'b' },
      ],
    }
    await cluster.post(`/api/v1/namespaces/${namespace}/pods`, pod('logged', spec))
    await cluster.post(`/api/v1/namespaces/${namespace}/pods/logged/binding`, { target: { name: 'n1' } })
  })

  it('come from the kubelet of the pod’s node, which sees our certificate', async () => {
    const text = await logs('logged', 'app', { tailLines: 5 })
    const [first = '', second] = text.split('\n')
    expect(first).toMatch(new RegExp(`^/containerLogs/${namespace}/logged/app .*tailLines=5$`))
    expect(second).toBe('second')
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
    expect(frames.map((frame) => frame.object.columnDefinitions.length)).toEqual([3, 0])
  })

  it('ages in watches are those of the moment, not of the start of the watch', async () => {
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

  it('an OpenAPI document that says where fields are validated', async () => {
    const index = (await cluster.get('/openapi/v3')).body
    const path = index.paths['apis/apps/v1'].serverRelativeURL
    const { body } = await cluster.get(path)
    const { patch } = body.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']
    expect(patch['x-kubernetes-group-version-kind']).toEqual({ group: 'apps', version: 'v1', kind: 'Deployment' })
    expect(patch.parameters.map((parameter: Answer) => parameter.name)).toContain('fieldValidation')
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
    expect((await cluster.get('/api/v1/nosuchkinds')).text).toBe('404 page not found\n')
  })

  it('a refusal of protobuf that says what to do', async () => {
    const answer = await cluster.post('/api/v1/namespaces', 'x', { contentType: 'application/vnd.kubernetes.protobuf' })
    expect([answer.status, answer.body.message]).toEqual([
      415,
      expect.stringContaining('takes JSON and YAML, not protobuf'),
    ])
  })
})
