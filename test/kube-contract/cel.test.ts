import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, type Cluster, eventually, openCluster } from './cluster.ts'

let cluster: Cluster
let namespace: string
const made: string[] = []
beforeAll(async () => {
  cluster = await openCluster()
  namespace = await cluster.namespace()
})
afterAll(async () => {
  for (const name of made) await cluster.delete(`${definitions}/${name}`)
  await cluster.close()
})

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const definition = (group: string, spec: object, names: object = {}) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `ruleds.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { plural: 'ruleds', kind: 'Ruled', ...names },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec, status: { type: 'object', properties: { n: { type: 'integer' } } } },
          },
        },
      },
    ],
  },
})

/** Objects of a kind of its own whose spec has this schema. */
async function kindOf(spec: object) {
  const group = `${cluster.unique('r')}.rules.test`
  const path = `/apis/${group}/v1/namespaces/${namespace}/ruleds`
  const body = definition(group, spec)
  const answer = await cluster.post(definitions, body)
  if (answer.status !== 201) throw new Error(answer.text)
  made.push(body.metadata.name)
  await eventually(async () => (await cluster.post(`${path}?dryRun=All`, {})).status !== 404)
  const object = (name: string, content: object) => ({
    apiVersion: `${group}/v1`,
    kind: 'Ruled',
    metadata: { name },
    spec: content,
  })
  return {
    group,
    path,
    create: (name: string, content: object) => cluster.post(path, object(name, content)),
    merge: (name: string, patch: object) => cluster.patch(`${path}/${name}`, 'merge', patch),
    /** Changes the schema of spec and waits until `settled` says that the server goes by it. */
    async change(next: object, settled: () => Promise<boolean>) {
      const live = (await cluster.get(`${definitions}/ruleds.${group}`)).body
      const changed = { ...live, spec: { ...live.spec, versions: definition(group, next).spec.versions } }
      const { status, text } = await cluster.put(`${definitions}/ruleds.${group}`, changed)
      if (status !== 200) throw new Error(text)
      await eventually(settled)
    },
  }
}
const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })
const rules = (...validations: object[]) => ({ 'x-kubernetes-validations': validations })
const text = { type: 'string', maxLength: 20 }

describe('a rule', () => {
  it('refuses what it is false for, where its path points and for its reason', async () => {
    const kind = await kindOf(
      object(
        { least: { type: 'integer' }, most: { type: 'integer' } },
        rules({
          rule: 'self.least <= self.most',
          messageExpression: '"least must not be more than most"',
          fieldPath: '.least',
          reason: 'FieldValueForbidden',
        }),
      ),
    )
    expect((await kind.create('good', { least: 1, most: 2 })).status).toBe(201)
    const { status, body } = await kind.create('bad', { least: 3, most: 2 })
    expect(status).toBe(422)
    expect(body.details.causes).toEqual([
      {
        reason: 'FieldValueForbidden',
        message: 'Forbidden: least must not be more than most',
        field: 'spec.least',
      },
    ])
  })

  it('of a change compares with the state before, and says nothing of a new object', async () => {
    const kind = await kindOf(
      object({ fixed: { ...text, ...rules({ rule: 'self == oldSelf', message: 'is fixed' }) }, free: text }),
    )
    expect((await kind.create('one', { fixed: 'a' })).status).toBe(201)
    expect((await kind.merge('one', { spec: { free: 'x' } })).status).toBe(200)
    const { status, body } = await kind.merge('one', { spec: { fixed: 'b' } })
    expect(status).toBe(422)
    expect(body.message).toContain('spec.fixed: Invalid value: ')
    expect(body.message).toContain('is fixed')
  })

  it('sees the items of keyed lists as they were', async () => {
    const item = object(
      { k: text, v: { type: 'integer' } },
      { required: ['k'], ...rules({ rule: 'self.v >= oldSelf.v' }) },
    )
    const list = {
      type: 'array',
      maxItems: 5,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: item,
    }
    const kind = await kindOf(object({ list }))
    await kind.create('one', {
      list: [
        { k: 'a', v: 1 },
        { k: 'b', v: 5 },
      ],
    })
    expect(
      (
        await kind.merge('one', {
          spec: {
            list: [
              { k: 'b', v: 6 },
              { k: 'new', v: 0 },
            ],
          },
        })
      ).status,
    ).toBe(200)
    const { status, body } = await kind.merge('one', {
      spec: {
        list: [
          { k: 'new', v: 0 },
          { k: 'b', v: 2 },
        ],
      },
    })
    expect([status, body.details.causes[0].field]).toEqual([422, 'spec.list[1]'])
  })

  it('is not asked about what the schema refuses', async () => {
    const kind = await kindOf(object({ n: { type: 'integer', ...rules({ rule: 'self > 1' }) } }))
    const { body } = await kind.create('one', { n: 'x' })
    expect(body.message).toContain('some validation rules were not checked because the object was invalid')
  })

  it('that can not be computed refuses, and says why', async () => {
    const kind = await kindOf(object({ n: { type: 'integer', ...rules({ rule: '10 / self > 1' }) } }))
    const { status, body } = await kind.create('one', { n: 0 })
    expect(status).toBe(422)
    expect(body.message).toContain('division by zero evaluating rule: 10 / self > 1')
  })

  it('that would run away is refused with its definition or stopped', async () => {
    const loops = 'self.all(a, self.all(b, self.all(c, self.all(d, a + b + c + d != "x"))))'
    const list = { type: 'array', items: { type: 'string' }, ...rules({ rule: loops, message: 'loops' }) }
    const group = `${cluster.unique('r')}.rules.test`
    const answer = await cluster.post(definitions, definition(group, object({ list })))
    if (answer.status === 422) {
      expect(answer.body.message).toContain('estimated rule cost exceeds budget')
      return
    }
    made.push(`ruleds.${group}`)
    const path = `/apis/${group}/v1/namespaces/${namespace}/ruleds`
    const { status, body } = await cluster.post(path, {
      apiVersion: `${group}/v1`,
      kind: 'Ruled',
      metadata: { name: 'long' },
      spec: { list: Array.from({ length: 1000 }, (_, index) => `item ${index}`) },
    })
    expect(status).toBe(422)
    expect(body.message).toContain('operation cancelled: actual cost limit exceeded')
  })

  it('whose pattern would backtrack for ever is matched in time', async () => {
    const kind = await kindOf(
      object({ s: { type: 'string', maxLength: 200, ...rules({ rule: 'self.matches("^(a+)+$")' }) } }),
    )
    expect((await kind.create('one', { s: `${'a'.repeat(150)}b` })).status).toBe(422)
  })

  it('of a part that did not change does not hold up other changes', async () => {
    const plain = object({ old: text, other: text })
    const kind = await kindOf(plain)
    await kind.create('one', { old: 'bad' })
    const strict = object({
      old: { ...text, ...rules({ rule: 'self == "good"', message: 'must be good' }) },
      other: text,
    })
    await kind.change(strict, async () => (await kind.create('probe', { old: 'bad' })).status === 422)
    expect((await kind.merge('one', { spec: { other: 'x' } })).status).toBe(200)
    expect((await kind.merge('one', { spec: { old: 'worse' } })).status).toBe(422)
  })
})

describe('a schema that changes', () => {
  it('forgives what was there before and refuses what is new', async () => {
    const kind = await kindOf(object({ a: text, b: text }))
    await kind.create('one', { a: 'long enough' })
    const strict = object({ a: { ...text, maxLength: 3 }, b: { ...text, maxLength: 3 } })
    await kind.change(strict, async () => (await kind.create('probe', { a: 'long enough' })).status === 422)
    expect((await kind.merge('one', { spec: { b: 'x' } })).status).toBe(200)
    expect((await kind.merge('one', { spec: { a: 'also too long' } })).status).toBe(422)
  })

  it('shows stored objects with its new defaults and without what it no longer names', async () => {
    const kind = await kindOf(object({ a: text, gone: text }))
    await kind.create('one', { a: 'x', gone: 'y' })
    const read = async () => (await cluster.get(`${kind.path}/one`)).body
    const before = await read()
    await kind.change(object({ a: text, late: { ...text, default: 'd' } }), async () => {
      return (await read()).spec.late === 'd'
    })
    const after = await read()
    expect(after.spec).toEqual({ a: 'x', late: 'd' })
    expect(after.metadata.resourceVersion).toBe(before.metadata.resourceVersion)
    expect((await cluster.get(kind.path)).body.items.map((item: Answer) => item.spec)).toEqual([after.spec])
  })
})

describe('a definition whose names are taken', () => {
  const conditionOf = async (name: string, type: string) => {
    const { body } = await cluster.get(`${definitions}/${name}`)
    return body.status?.conditions?.find((condition: Answer) => condition.type === type)
  }

  it('is not served, and says which name it is', async () => {
    const { group } = await kindOf(object({}))
    const second = definition(group, object({}), { plural: 'others', shortNames: ['rl'] })
    const name = `others.${group}`
    expect((await cluster.post(definitions, { ...second, metadata: { name } })).status).toBe(201)
    made.push(name)
    await eventually(async () => (await conditionOf(name, 'NamesAccepted')) !== undefined)
    expect(await conditionOf(name, 'NamesAccepted')).toMatchObject({
      status: 'False',
      reason: 'ListKindConflict',
      message: '"RuledList" is already in use',
    })
    expect(await conditionOf(name, 'Established')).toMatchObject({ status: 'False', reason: 'NotAccepted' })
    expect((await cluster.get(`/apis/${group}/v1/namespaces/${namespace}/others`)).status).toBe(404)
    await cluster.delete(`${definitions}/ruleds.${group}`)
    await eventually(async () => (await conditionOf(name, 'Established'))?.status === 'True')
  })
})
