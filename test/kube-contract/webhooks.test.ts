import { createServer } from 'node:https'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  type Answer,
  type Cluster,
  eventually,
  onlyEmbedded,
  onReal,
  openCluster,
  pod,
  secret,
  testCa,
  testServerCertificate,
} from './cluster.ts'

const ca = testCa()
let cluster: Cluster
let namespace: string
/** What each path of the webhook server answers; reviews are kept. */
const answers = new Map<string, (request: Answer) => object | string | Promise<object | string>>()
const reviews: Answer[] = []
const server = createServer({ cert: '', key: '' }, async (request, response) => {
  let text = ''
  for await (const chunk of request) text += chunk
  const review = JSON.parse(text)
  reviews.push({ ...review, url: request.url })
  const path = (request.url ?? '').split('?')[0] ?? ''
  const answer = (await answers.get(path)?.(review.request)) ?? { allowed: true }
  const body =
    typeof answer === 'string'
      ? answer
      : JSON.stringify({
          apiVersion: 'admission.k8s.io/v1',
          kind: 'AdmissionReview',
          response: { uid: review.request.uid, ...answer },
        })
  response.setHeader('content-type', 'application/json').end(body)
})
let address = ''

beforeAll(async () => {
  const { certPem, keyPem } = testServerCertificate(ca)
  server.setSecureContext({ cert: certPem, key: keyPem })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  address = `https://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`
  cluster = await openCluster()
  namespace = await cluster.namespace()
})
afterAll(async () => {
  await cluster.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
type Sort = 'Mutating' | 'Validating'
const collection = (sort: Sort) => `/apis/admissionregistration.k8s.io/v1/${sort.toLowerCase()}webhookconfigurations`
const configurations = collection('Mutating')
/** What a test made. */
const made: string[] = []
async function removeAll() {
  for (const path of made.splice(0)) await cluster.delete(path)
}
afterEach(async () => {
  await removeAll()
  reviews.length = 0
  answers.clear()
})

const webhook = (path: string, more: object = {}) => ({
  name: `${path}.contract.test`,
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
  clientConfig: { url: `${address}/${path}`, caBundle: Buffer.from(ca.certPem).toString('base64') },
  rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
  ...more,
})
/** Resolves when the configuration has an effect: a real API server hears of it a moment later. */
async function configureAs(sort: Sort, webhooks: readonly object[]) {
  const probe = cluster.unique('probe')
  const configMaps = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }]
  const only = { matchLabels: { 'kubernetes.io/metadata.name': namespace } }
  const { status, body, text } = await cluster.post(collection(sort), {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: `${sort}WebhookConfiguration`,
    metadata: { name: cluster.unique('contract') },
    webhooks: [...webhooks, webhook(probe, { rules: configMaps, namespaceSelector: only })],
  })
  if (status !== 201) throw new Error(text)
  made.push(`${collection(sort)}/${body.metadata.name}`)
  const asked = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: probe } }
  await eventually(async () => {
    await cluster.post(`/api/v1/namespaces/${namespace}/configmaps?dryRun=All`, asked)
    return reviews.some(({ url }) => url.startsWith(`/${probe}?`))
  })
  reviews.length = 0
}
const configure = (...webhooks: object[]) => configureAs('Mutating', webhooks)
const validate = (...webhooks: object[]) => configureAs('Validating', webhooks)
const patch = (...operations: object[]) => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
})
const pods = () => `/api/v1/namespaces/${namespace}/pods`
const label = (key: string) => patch({ op: 'add', path: `/metadata/labels/${key}`, value: 'set' })

describe('a mutating webhook', () => {
  it('sees the pod as it will be stored and changes it', async () => {
    answers.set('/one', () =>
      patch(
        { op: 'add', path: '/metadata/annotations', value: { mutated: 'yes' } },
        { op: 'add', path: '/spec/containers/-', value: { name: 'agent', image: 'agent' } },
      ),
    )
    await configure(webhook('one'))
    const { status, body } = await cluster.post(`${pods()}?fieldManager=tester`, pod('mutated'))
    expect(status).toBe(201)
    expect(body.metadata.annotations).toEqual({ mutated: 'yes' })
    const review = reviews[0]
    expect(review).toMatchObject({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      url: '/one?timeout=10s',
      request: {
        kind: { group: '', version: 'v1', kind: 'Pod' },
        resource: { group: '', version: 'v1', resource: 'pods' },
        name: 'mutated',
        namespace,
        operation: 'CREATE',
        userInfo: { username: expect.any(String), groups: expect.arrayContaining(['system:masters']) },
        oldObject: null,
        dryRun: false,
        options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'tester' },
      },
    })
    expect(review.request.object.metadata.namespace).toBe(namespace)
    expect(review.request.object.spec.volumes[0].name).toMatch(/^kube-api-access-/)
    // What it added has the defaults and the token of every container.
    const agent = body.spec.containers[1]
    expect(agent).toMatchObject({ imagePullPolicy: 'Always', terminationMessagePath: '/dev/termination-log' })
    expect(agent.volumeMounts).toEqual(body.spec.containers[0].volumeMounts)
  })

  it('that denies is quoted', async () => {
    answers.set('/no', () => ({ allowed: false, status: { code: 400, message: 'not like this' } }))
    await configure(webhook('no'))
    const { status, body } = await cluster.post(pods(), pod('denied'))
    expect([status, body.message]).toEqual([
      400,
      'admission webhook "no.contract.test" denied the request: not like this',
    ])
    expect((await cluster.get(`${pods()}/denied`)).status).toBe(404)
  })

  it('that warns is heard', async () => {
    answers.set('/warn', () => ({ allowed: true, warnings: ['mind the "gap"'] }))
    await configure(webhook('warn'))
    const { headers } = await cluster.post(pods(), pod('warned'))
    expect(headers['warning']).toBe('299 - "mind the \\"gap\\""')
  })

  it.each([
    ['does not answer', () => new Promise<string>(() => {}), 'context deadline exceeded'],
    ['answers nonsense', () => 'nonsense', "couldn't get version/kind; json parse error: "],
    ['answers another review', () => ({ allowed: true, uid: 'other' }), 'expected response.uid='],
  ])('that %s fails or is passed over, as its policy says', async (_, answer, why) => {
    answers.set('/bad', answer)
    await configure(webhook('bad', { timeoutSeconds: 1 }))
    const { status, body } = await cluster.post(pods(), pod('failing'))
    expect([status, body.reason]).toEqual([500, 'InternalError'])
    expect(body.message).toMatch(/^Internal error occurred: failed calling webhook "bad.contract.test": /)
    expect(body.message).toContain(why)
    await removeAll()
    await configure(webhook('bad', { timeoutSeconds: 1, failurePolicy: 'Ignore' }))
    expect((await cluster.post(`${pods()}?dryRun=All`, pod('failing'))).status).toBe(201)
  })

  it('whose certificate another CA signed is not believed', async () => {
    const other = Buffer.from(testCa().certPem).toString('base64')
    await configure(webhook('one', { clientConfig: { url: `${address}/one`, caBundle: other } }))
    const { status, body } = await cluster.post(pods(), pod('untrusted'))
    expect(status).toBe(500)
    expect(body.message).toContain(`failed to call webhook: Post "${address}/one?timeout=10s": `)
    expect(reviews).toEqual([])
  })

  it('that leaves an invalid pod behind makes the pod invalid', async () => {
    answers.set('/break', () => patch({ op: 'remove', path: '/spec/containers/0/image' }))
    await configure(webhook('break'))
    const { status, body } = await cluster.post(pods(), pod('broken'))
    expect([status, body.message]).toEqual([422, 'Pod "broken" is invalid: spec.containers[0].image: Required value'])
  })

  it('is asked again when a later one changed the pod, if it wants that', async () => {
    answers.set('/a', () => label('a'))
    answers.set('/b', (request) => ('b' in request.object.metadata.labels ? { allowed: true } : label('b')))
    await configure(webhook('a', { reinvocationPolicy: 'IfNeeded' }), webhook('b'))
    const { body } = await cluster.post(pods(), pod('again'))
    expect(body.metadata.labels).toMatchObject({ a: 'set', b: 'set' })
    expect(reviews.map((review) => review.url.split('?')[0])).toEqual(['/a', '/b', '/a'])
  })

  it.each([
    ['another namespace', { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } }],
    ['other labels', { objectSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['picked'] }] } }],
    ['another kind', { rules: [{ apiGroups: [''], apiVersions: ['*'], operations: ['*'], resources: ['secrets'] }] }],
    [
      'another operation',
      { rules: [{ apiGroups: [''], apiVersions: ['*'], operations: ['DELETE'], resources: ['pods'] }] },
    ],
    [
      'its subresources',
      { rules: [{ apiGroups: [''], apiVersions: ['*'], operations: ['*'], resources: ['pods/status'] }] },
    ],
    [
      'cluster-wide kinds',
      { rules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*'], scope: 'Cluster' }] },
    ],
  ])('for %s is not asked', async (_, more) => {
    await configure(webhook('one', more))
    const path = `${pods()}?dryRun=All`
    expect((await cluster.post(path, pod('picked'))).status).toBe(201)
    expect(reviews).toEqual([])
  })

  it('for everything sees updates, deletions and subresources too, but never its own configuration', async () => {
    await configure(
      webhook('all', { rules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*'] }] }),
    )
    const path = `/api/v1/namespaces/${namespace}/secrets`
    await cluster.post(path, secret('watched', { a: '1' }))
    await cluster.patch(`${path}/watched`, 'merge', { data: { a: null } })
    await cluster.delete(`${path}/watched`)
    await cluster.get(configurations)
    // On a real control plane others write too.
    const own = reviews.filter(({ request }) => request.name === 'watched')
    const seen = own.map(({ request }) => [request.operation, Boolean(request.object), Boolean(request.oldObject)])
    expect(seen).toEqual([
      ['CREATE', true, false],
      ['UPDATE', true, true],
      ['DELETE', false, true],
    ])
  })

  it('with side effects is no match for a dry run', async () => {
    const body = { ...webhook('effects'), sideEffects: 'NoneOnDryRun' }
    await configure(body)
    await cluster.post(`${pods()}?dryRun=All`, pod('dry'))
    expect(reviews[0].request.dryRun).toBe(true)
  })
})

describe('a configuration', () => {
  it.each([
    [
      { matchConditions: [{ name: 'x', expression: 'request.nope' }] },
      'webhooks[0].matchConditions[0].expression: Invalid value: "request.nope": compilation failed: ERROR: <input>:1:8: undefined field \'nope\'',
    ],
    [
      {
        matchConditions: [
          { name: 'x', expression: 'true' },
          { name: 'x', expression: '1' },
        ],
      },
      'webhooks[0].matchConditions[1].expression: Invalid value: "1": must evaluate to bool but got int',
    ],
    [{ clientConfig: { url: 'http://127.0.0.1/x' } }, "'https' is the only allowed URL scheme"],
    [{ name: 'short' }, 'should be a domain with at least three segments separated by dots'],
    [
      { sideEffects: 'Some' },
      'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
    ],
    [{ timeoutSeconds: 60 }, 'the timeout value must be between 1 and 30 seconds'],
  ])('with %o is refused', async (more, message) => {
    const { status, body } = await cluster.post(configurations, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'bad' },
      webhooks: [webhook('one', more)],
    })
    expect(status).toBe(422)
    expect(body.message).toContain(message)
  })

  it('that names a Service is refused; a real cluster has Services', async () => {
    const { status, body } = await cluster.post(`${configurations}?dryRun=All`, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'bad' },
      webhooks: [webhook('one', { clientConfig: { service: { name: 's', namespace: 'n' } } })],
    })
    if (onReal) expect(status).toBe(201)
    else
      expect([status, body.message]).toEqual([
        422,
        'MutatingWebhookConfiguration.admissionregistration.k8s.io "bad" is invalid: webhooks[0].clientConfig.service: Forbidden: the development cluster has no network for Services; use clientConfig.url',
      ])
  })

  it('says what it left out', async () => {
    await configure(webhook('one'))
    const { body } = await cluster.get(made[0] ?? '')
    expect(body.webhooks[0]).toMatchObject({
      failurePolicy: 'Fail',
      matchPolicy: 'Equivalent',
      reinvocationPolicy: 'Never',
      timeoutSeconds: 10,
      namespaceSelector: {},
      objectSelector: {},
      rules: [{ scope: '*' }],
    })
  })
})

describe('a validating webhook', () => {
  it('sees what the mutating ones left, as it will be stored', async () => {
    answers.set('/change', () => label('changed'))
    await configure(webhook('change'))
    await validate(webhook('look'))
    const { status, body } = await cluster.post(pods(), pod('looked-at'))
    expect(status).toBe(201)
    const [seen] = reviews.filter(({ url }) => url.startsWith('/look')).map(({ request }) => request)
    expect(seen.object.metadata.labels).toEqual({ app: 'looked-at', changed: 'set' })
    expect(seen.object.metadata.uid).toBe(body.metadata.uid)
    expect(seen.object.spec.containers[0].imagePullPolicy).toBe('IfNotPresent')
  })

  it('is not asked about what is invalid anyway', async () => {
    await validate(webhook('look'))
    const { status } = await cluster.post(pods(), pod('wrong', { restartPolicy: 'Sometimes' }))
    expect([status, reviews]).toEqual([422, []])
  })

  it('that denies is quoted, and nothing is stored', async () => {
    answers.set('/no', () => ({ allowed: false, status: { message: 'not this one' } }))
    await validate(webhook('no'), webhook('yes'))
    const { status, body } = await cluster.post(pods(), pod('refused'))
    expect([status, body.reason, body.message]).toEqual([
      400,
      undefined,
      'admission webhook "no.contract.test" denied the request: not this one',
    ])
    expect((await cluster.get(`${pods()}/refused`)).status).toBe(404)
    await eventually(() => reviews.length === 2)
  })

  it.for([99_999, 400.5, -1])('that denies with the code %d still denies', async (code, test) => {
    onlyEmbedded(test, "a real one takes the code as it is, and what HTTP can't carry breaks its connection")
    answers.set('/odd', () => ({ allowed: false, status: { code, message: 'not this' } }))
    await configureAs('Validating', [webhook('odd')])
    expect((await cluster.post(pods(), pod('odd-code'))).status).toBe(400)
  })

  it('that says no without a word is quoted so', async () => {
    answers.set('/no', () => ({ allowed: false }))
    await validate(webhook('no'))
    const { status, body } = await cluster.post(pods(), pod('refused'))
    expect([status, body.message]).toEqual([
      400,
      'admission webhook "no.contract.test" denied the request without explanation',
    ])
  })

  it('that warns is heard, and can not change anything', async () => {
    answers.set('/warn', () => ({ allowed: true, warnings: ['mind it'] }))
    await validate(webhook('warn'))
    const { status, headers } = await cluster.post(pods(), pod('warned-twice'))
    expect([status, headers['warning']]).toEqual([201, '299 - "mind it"'])
  })

  it('that does not answer fails or is passed over, as its policy says', async () => {
    answers.set('/slow', () => new Promise<string>(() => {}))
    await validate(webhook('slow', { timeoutSeconds: 1 }))
    const { status, body } = await cluster.post(pods(), pod('late'))
    expect(status).toBe(500)
    expect(body.message).toMatch(/^Internal error occurred: failed calling webhook "slow.contract.test": /)
    await removeAll()
    await validate(webhook('slow', { timeoutSeconds: 1, failurePolicy: 'Ignore' }))
    expect((await cluster.post(`${pods()}?dryRun=All`, pod('late'))).status).toBe(201)
  })

  it('guards deletions and sees what goes', async () => {
    const path = `/api/v1/namespaces/${namespace}/secrets`
    await cluster.post(path, secret('guarded'))
    answers.set('/guard', () => ({ allowed: false, status: { code: 409, message: 'still needed' } }))
    const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['DELETE'], resources: ['secrets'] }]
    await validate(webhook('guard', { rules }))
    const { status, body } = await cluster.delete(`${path}/guarded`)
    expect([status, body.message]).toEqual([
      409,
      'admission webhook "guard.contract.test" denied the request: still needed',
    ])
    expect(reviews[0].request).toMatchObject({ operation: 'DELETE', object: null, oldObject: { kind: 'Secret' } })
    expect((await cluster.get(`${path}/guarded`)).status).toBe(200)
  })
})

describe('a condition', () => {
  const named = (expression: string) => ({ matchConditions: [{ name: 'only', expression }] })

  it('leaves a webhook alone when it is false', async () => {
    await validate(webhook('one', named('object.metadata.name.startsWith("pick")')))
    await cluster.post(`${pods()}?dryRun=All`, pod('other'))
    expect(reviews).toEqual([])
    await cluster.post(`${pods()}?dryRun=All`, pod('picked'))
    expect(reviews.length).toBe(1)
  })

  it('knows the request and the object before', async () => {
    const path = `/api/v1/namespaces/${namespace}/secrets`
    await cluster.post(path, secret('changed', {}, { labels: { v: '1' } }))
    const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['secrets'] }]
    const expression =
      'request.operation == "UPDATE" && request.namespace == object.metadata.namespace && object.metadata.labels.v != oldObject.metadata.labels.v'
    await validate(webhook('one', { rules, ...named(expression) }))
    await cluster.patch(`${path}/changed`, 'merge', { metadata: { annotations: { a: 'b' } } })
    expect(reviews).toEqual([])
    await cluster.patch(`${path}/changed`, 'merge', { metadata: { labels: { v: '2' } } })
    expect(reviews.map(({ request }) => request.name)).toEqual(['changed'])
  })

  it('that can not be told refuses, or leaves the webhook alone, as its policy says', async () => {
    await configure(webhook('one', named('object.spec.nope == 1')))
    const { status, body } = await cluster.post(`${pods()}?dryRun=All`, pod('untold'))
    expect([status, body.message]).toEqual([
      403,
      'pods "untold" is forbidden: expression \'object.spec.nope == 1\' resulted in error: no such key: nope',
    ])
    await removeAll()
    await configure(webhook('one', { failurePolicy: 'Ignore', ...named('object.spec.nope == 1') }))
    expect((await cluster.post(`${pods()}?dryRun=All`, pod('untold'))).status).toBe(201)
    expect(reviews).toEqual([])
  })
})
