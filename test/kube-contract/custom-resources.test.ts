import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, type Cluster, eventually, onReal, openCluster } from './cluster.ts'

let cluster: Cluster
let namespace: string
beforeAll(async () => {
  cluster = await openCluster()
  namespace = await cluster.namespace()
  await serve(definition(), widgets(''))
})
afterAll(async () => {
  await remove('widgets.contract.test')
  await cluster.close()
})

/** Makes a definition and waits until its kind takes writes. */
async function serve(body: object, path: string) {
  const { status, text } = await cluster.post(definitions, body)
  if (status !== 201) throw new Error(text)
  await eventually(async () => (await cluster.post(`${path}?dryRun=All`, {})).status !== 404)
}
async function remove(name: string) {
  await cluster.delete(`${definitions}/${name}`)
  await eventually(async () => (await cluster.get(`${definitions}/${name}`)).status === 404)
}

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['mode'],
      properties: {
        mode: { type: 'string', enum: ['fast', 'slow'] },
        every: { type: 'string', default: '1h', pattern: '^[0-9]+[smh]$' },
        count: { type: 'integer', format: 'int32', minimum: 1, maximum: 5 },
        port: { 'x-kubernetes-int-or-string': true },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        labels: { type: 'object', additionalProperties: { type: 'string' }, minProperties: 1 },
        items: {
          type: 'array',
          maxItems: 2,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string', minLength: 1 }, on: { type: 'boolean', default: true } },
          },
        },
        either: {
          type: 'object',
          properties: { a: { type: 'string' }, b: { type: 'string' } },
          oneOf: [{ required: ['a'] }, { required: ['b'] }],
        },
        maybe: { type: 'string', nullable: true },
      },
    },
    status: {
      type: 'object',
      properties: {
        phase: { type: 'string' },
        conditions: { type: 'array', items: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    },
  },
}
const version = (name: string, storage: boolean, more: object = {}) => ({
  name,
  served: true,
  storage,
  schema: { openAPIV3Schema: schema },
  subresources: { status: {} },
  ...more,
})
const columns = [
  { name: 'Mode', type: 'string', jsonPath: '.spec.mode' },
  { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
]
function definition(
  group = 'contract.test',
  versions: object[] = [
    version('v1', true, { additionalPrinterColumns: columns }),
    version('v1beta1', false, { deprecated: true }),
  ],
) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `widgets.${group}` },
    spec: { group, scope: 'Namespaced', names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'] }, versions },
  }
}
const widgets = (name = '', version = 'v1') =>
  `/apis/contract.test/${version}/namespaces/${namespace}/widgets${name && `/${name}`}`
const widget = (name: string, spec: object, version = 'v1') => ({
  apiVersion: `contract.test/${version}`,
  kind: 'Widget',
  metadata: { name },
  spec,
})

describe('a definition', () => {
  it('is established and found by discovery', async () => {
    const { body } = await cluster.get(`${definitions}/widgets.contract.test`)
    const established = body.status.conditions.find((condition: Answer) => condition.type === 'Established')
    expect([established.status, body.status.storedVersions]).toEqual(['True', ['v1']])
    const group = (await cluster.get('/apis/contract.test')).body
    expect(group.versions.map((v: Answer) => v.version)).toEqual(['v1', 'v1beta1'])
    const list = (await cluster.get('/apis/contract.test/v1')).body
    expect(list.resources.map((r: Answer) => r.name)).toEqual(['widgets', 'widgets/status'])
    expect(list.resources[0]).toMatchObject({ kind: 'Widget', shortNames: ['wd'], singularName: 'widget' })
  })

  const broken = (change: object, at: 'spec' | 'schema') => {
    const made = definition('broken.test', [
      version('v1', true, at === 'schema' ? { schema: { openAPIV3Schema: change } } : {}),
    ])
    return at === 'spec' ? { ...made, spec: { ...made.spec, ...change } } : made
  }
  it.each([
    [
      'a rule that can not be right',
      broken({ type: 'object', 'x-kubernetes-validations': [{ rule: 'self.nope == 1' }] }, 'schema'),
      'x-kubernetes-validations[0].rule: Invalid value: ',
    ],
    [
      'a field without type',
      broken({ type: 'object', properties: { a: {} } }, 'schema'),
      'properties[a].type: Required value: must not be empty for specified object fields',
    ],
    ['a root that is no object', broken({ type: 'string' }, 'schema'), 'must be object at the root'],
    [
      'a pattern that is none',
      broken({ type: 'object', properties: { a: { type: 'string', pattern: '(' } } }, 'schema'),
      'must be a valid regular expression',
    ],
    [
      'a default that does not fit',
      broken({ type: 'object', properties: { a: { type: 'integer', default: 'x' } } }, 'schema'),
      'must be of type integer',
    ],
    ['another name', broken({ group: 'other.test' }, 'spec'), 'must be spec.names.plural+"."+spec.group'],
    [
      'two storage versions',
      broken({ versions: [version('v1', true), version('v2', true)] }, 'spec'),
      'must have exactly one version marked as storage version',
    ],
  ])('with %s is refused', async (_, body, message) => {
    const answer = await cluster.post(definitions, body)
    expect(answer.status).toBe(422)
    expect(answer.body.message).toContain(message)
  })

  it('with conversion by webhook is refused; a real one calls it', async () => {
    const answer = await cluster.post(definitions, broken({ conversion: { strategy: 'Webhook' } }, 'spec'))
    if (onReal) expect(answer.body.message).toContain('spec.conversion.webhookClientConfig: Required value')
    else
      expect([answer.status, answer.body.message]).toEqual([
        422,
        'CustomResourceDefinition.apiextensions.k8s.io "widgets.broken.test" is invalid: spec.conversion.strategy: Forbidden: the development cluster does not call conversion webhooks; use the strategy None',
      ])
  })

  it('that goes takes its objects along', async () => {
    const group = `${cluster.unique('gone')}.test`
    const gone = definition(group, [version('v1', true)])
    const path = `/apis/${group}/v1/namespaces/${namespace}/widgets`
    await serve(gone, path)
    const made = await cluster.post(path, { ...widget('w', { mode: 'fast' }), apiVersion: `${group}/v1` })
    expect(made.status).toBe(201)
    await remove(`widgets.${group}`)
    await eventually(async () => (await cluster.get(path)).status === 404)
    await serve(gone, path)
    expect((await cluster.get(path)).body.items).toEqual([])
    await remove(`widgets.${group}`)
  })
})

describe('a custom resource', () => {
  it('gets its defaults and loses what its schema does not name', async () => {
    const spec = { mode: 'fast', extra: 1, free: { any: { thing: 1 } }, items: [{ name: 'a', odd: 1 }], port: 'http' }
    const { body, headers } = await cluster.post(widgets(), widget('pruned', spec))
    expect(body.spec).toEqual({
      mode: 'fast',
      every: '1h',
      free: { any: { thing: 1 } },
      items: [{ name: 'a', on: true }],
      port: 'http',
    })
    expect(headers['warning']).toContain('unknown field \\"spec.extra\\"')
    const strict = await cluster.post(`${widgets()}?fieldValidation=Strict`, widget('strict', spec))
    expect([strict.status, strict.body.message]).toEqual([
      400,
      'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.extra", unknown field "spec.items[0].odd"',
    ])
  })

  it.each([
    [{}, 'spec.mode: Required value'],
    [{ mode: 'x' }, 'spec.mode: Unsupported value: "x": supported values: "fast", "slow"'],
    [{ mode: 7 }, 'spec.mode: Invalid value: "integer": spec.mode in body must be of type string: "integer"'],
    [
      { mode: 'fast', every: 'soon' },
      `spec.every: Invalid value: "soon": spec.every in body should match '^[0-9]+[smh]$'`,
    ],
    [
      { mode: 'fast', count: 0 },
      'spec.count: Invalid value: 0: spec.count in body should be greater than or equal to 1',
    ],
    [{ mode: 'fast', count: 9 }, 'spec.count: Invalid value: 9: spec.count in body should be less than or equal to 5'],
    [{ mode: 'fast', port: true }, 'spec.port in body must be of type integer,string: "boolean"'],
    [{ mode: 'fast', labels: {} }, 'spec.labels in body should have at least 1 properties'],
    [{ mode: 'fast', items: [{ name: 'a' }, { name: 'a' }] }, 'spec.items[1]: Duplicate value: {"name":"a"}'],
    [
      { mode: 'fast', items: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] },
      'spec.items: Too many: 3: must have at most 2 items',
    ],
    [{ mode: 'fast', items: [{ name: '' }] }, 'spec.items[0].name in body should be at least 1 chars long'],
    [
      { mode: 'fast', either: { a: '1', b: '2' } },
      '"spec.either" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ],
    [{ mode: null }, 'spec.mode: Required value'],
  ])('with %o is refused', async (spec, message) => {
    const { status, body } = await cluster.post(widgets(), widget('bad', spec))
    expect(status).toBe(422)
    expect(body.message).toMatch(/^Widget\.contract\.test "bad" is invalid: /)
    expect(body.message).toContain(message)
  })

  it('null is kept where it may be', async () => {
    expect((await cluster.post(widgets(), widget('nulls', { mode: 'fast', maybe: null }))).body.spec.maybe).toBeNull()
  })

  it('is the same in every version, and the deprecated one says so', async () => {
    await cluster.post(widgets(), widget('both', { mode: 'slow' }))
    const old = await cluster.get(widgets('both', 'v1beta1'))
    expect(old.body).toMatchObject({ apiVersion: 'contract.test/v1beta1', spec: { mode: 'slow', every: '1h' } })
    expect(old.headers['warning']).toContain(
      '299 - "contract.test/v1beta1 Widget is deprecated; use contract.test/v1 Widget"',
    )
    const watch = cluster.watch(`${widgets('', 'v1beta1')}?watch=true&fieldSelector=metadata.name=both`)
    // A watch that opens after the patch begins with the patched object, and sees no change.
    await eventually(() => watch.frames.length === 1)
    await cluster.patch(widgets('both'), 'merge', { spec: { mode: 'fast' } })
    await eventually(() => watch.frames.length === 2)
    expect(watch.frames[1]).toMatchObject({
      type: 'MODIFIED',
      object: { apiVersion: 'contract.test/v1beta1', spec: { mode: 'fast' } },
    })
    watch.stop()
  })

  it('keeps status and spec apart, and counts generations of spec', async () => {
    const made = (await cluster.post(widgets(), { ...widget('parts', { mode: 'fast' }), status: { phase: 'Mine' } }))
      .body
    expect([made.status, made.metadata.generation]).toEqual([undefined, 1])
    const status = await cluster.patch(`${widgets('parts')}/status`, 'merge', {
      spec: { mode: 'slow' },
      status: { phase: 'Up' },
    })
    expect(status.body).toMatchObject({ spec: { mode: 'fast' }, status: { phase: 'Up' }, metadata: { generation: 1 } })
    const main = await cluster.patch(widgets('parts'), 'merge', { spec: { mode: 'slow' }, status: { phase: 'Down' } })
    expect(main.body).toMatchObject({ spec: { mode: 'slow' }, status: { phase: 'Up' }, metadata: { generation: 2 } })
    const wrong = await cluster.patch(`${widgets('parts')}/status`, 'merge', { status: { phase: 7 } })
    expect(wrong.status).toBe(422)
  })

  it('is never overwritten without a version, and takes no strategic merge', async () => {
    await cluster.post(widgets(), widget('strictly', { mode: 'fast' }))
    const { status, body } = await cluster.put(widgets('strictly'), widget('strictly', { mode: 'slow' }))
    expect([status, body.message]).toEqual([
      422,
      'widgets.contract.test "strictly" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
    ])
    expect((await cluster.patch(widgets('strictly'), 'strategic', { spec: { mode: 'slow' } })).status).toBe(415)
  })

  it('merges keyed lists by server-side apply', async () => {
    const apply = (manager: string, items: object[]) =>
      cluster.patch(`${widgets('lists')}?fieldManager=${manager}`, 'apply', widget('lists', { mode: 'fast', items }))
    await apply('one', [{ name: 'a', on: false }])
    const { body } = await apply('two', [{ name: 'b' }])
    expect(body.spec.items).toEqual([
      { name: 'a', on: false },
      { name: 'b', on: true },
    ])
    expect((await apply('two', [])).body.spec.items).toEqual([{ name: 'a', on: false }])
  })

  it('prints its columns', async () => {
    await cluster.post(widgets(), widget('table', { mode: 'fast' }))
    await cluster.patch(`${widgets('table')}/status`, 'merge', {
      status: {
        conditions: [
          { type: 'X', status: 'no' },
          { type: 'Ready', status: 'True' },
        ],
      },
    })
    const { body } = await cluster.get(`${widgets()}?fieldSelector=metadata.name=table`, {
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' },
    })
    expect(body.columnDefinitions.map((c: Answer) => c.name)).toEqual(['Name', 'Mode', 'Ready'])
    expect(body.rows[0].cells).toEqual(['table', 'fast', 'True'])
    expect(body.rows[0].object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'table', namespace } })
  })
})
