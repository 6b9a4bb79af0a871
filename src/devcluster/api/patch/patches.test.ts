import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BuiltInShapes } from '../shapes/built-in-shapes.ts'
import { printPath } from './fields/field-path.ts'
import { parseFieldsV1, pathsIn, printFieldsV1, setOf } from './fields/field-set.ts'
import { compareFields, fieldsOf } from './fields/typed-fields.ts'
import { mergeTyped } from './fields/typed-merge.ts'
import { applyJsonPatch, PatchFailure } from './json-patch.ts'
import { applyMergePatch } from './merge-patch.ts'
import { applyStrategicMerge } from './strategic-merge.ts'

const podShape = new BuiltInShapes().get('core.Pod')

describe('JSON patch, by the examples of RFC 6902', () => {
  it.each([
    [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { baz: 'qux', foo: 'bar' }],
    [{ foo: ['bar', 'baz'] }, [{ op: 'add', path: '/foo/1', value: 'qux' }], { foo: ['bar', 'qux', 'baz'] }],
    [{ baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
    [{ foo: ['bar', 'qux', 'baz'] }, [{ op: 'remove', path: '/foo/1' }], { foo: ['bar', 'baz'] }],
    [{ baz: 'qux' }, [{ op: 'replace', path: '/baz', value: 'boo' }], { baz: 'boo' }],
    [{ foo: { bar: 'baz' }, q: {} }, [{ op: 'move', from: '/foo/bar', path: '/q/x' }], { foo: {}, q: { x: 'baz' } }],
    [{ foo: [1, 2, 3] }, [{ op: 'move', from: '/foo/0', path: '/foo/2' }], { foo: [2, 3, 1] }],
    [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/-', value: ['abc'] }], { foo: ['bar', ['abc']] }],
    [{ '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: 10 }], { '/': 9, '~1': 10 }],
    [{ foo: null }, [{ op: 'test', path: '/foo', value: null }], { foo: null }],
  ])('%o with %o', (document, operations, expected) => {
    expect(applyJsonPatch(document, operations)).toEqual(expected)
  })

  it.each([
    [[{ op: 'test', path: '/foo', value: 'x' }]],
    [[{ op: 'add', path: '/no/such', value: 1 }]],
    [[{ op: 'remove', path: '/none' }]],
    [[{ op: 'replace', path: '/list/1', value: 1 }]],
    [[{ op: 'add', path: '/list/5', value: 1 }]],
    [[{ op: 'add', path: '/list/x', value: 1 }]],
    [[{ op: 'add', value: 1 }]],
    [[{ op: 'add', path: 'foo', value: 1 }]],
    [[{ op: 'move', from: '/deep', path: '/deep/in', value: 1 }]],
    [[{ op: 'add', path: '/__proto__', value: {} }]],
    [[{ op: 'invent', path: '/foo' }]],
    [['nonsense']],
  ])('%o fails and leaves the document alone', (operations) => {
    const document = { foo: 'bar', list: [1], deep: { in: 1 } }
    const before = structuredClone(document)
    expect(() => applyJsonPatch(document, operations)).toThrow(PatchFailure)
    expect(document).toEqual(before)
  })
})

describe('Patches that are meant to harm', () => {
  it('may not copy more than three megabytes, in however many steps', () => {
    const doubling = Array.from({ length: 40 }, (_, step) => ({ op: 'copy', from: '/a', path: `/a/x${step}` }))
    expect(() => applyJsonPatch({ a: { text: 'x'.repeat(1000) } }, doubling)).toThrow('exceeding the limit 3145728')
  })

  it('never reach what all objects share', () => {
    const directives = ['$deleteFromPrimitiveList/__proto__', '$setElementOrder/__proto__']
    for (const directive of directives)
      for (const value of [{ planted: 1 }, ['a']]) {
        const patch = JSON.parse(JSON.stringify({ metadata: { [directive]: value } }))
        expect(() => applyStrategicMerge({ metadata: {} }, patch, podShape)).toThrow('"__proto__"')
      }
    expect(Object.hasOwn(Object.prototype, 'planted')).toBe(false)
    const odd = { metadata: { annotations: { constructor: 'a', toString: 'b' } } }
    expect(applyStrategicMerge({}, odd, podShape)).toEqual(odd)
  })
})

describe('JSON patch, as the API server has it beyond the RFC', () => {
  it.each([
    [
      { op: 'replace', path: '/none', value: 1 },
      { list: [1, 2], none: 1 },
    ],
    [
      { op: 'add', path: '/none' },
      { list: [1, 2], none: null },
    ],
    [{ op: 'remove', path: '/list/-1' }, { list: [1] }],
    [{ op: 'add', path: '/list/-1', value: 3 }, { list: [1, 2, 3] }],
    [{ op: 'test', path: '/none', value: null }, { list: [1, 2] }],
  ])('%o', (operation, expected) => {
    expect(applyJsonPatch({ list: [1, 2] }, [operation])).toEqual(expected)
  })
})

describe('merge patch', () => {
  it('with its own result changes nothing', () => {
    const value = fc.jsonValue({ maxDepth: 3 })
    fc.assert(
      fc.property(value, value, (target, patch) => {
        const once = applyMergePatch(target, patch)
        expect(applyMergePatch(once, patch)).toEqual(once)
      }),
    )
  })
})

describe('strategic merge', () => {
  const pod = {
    metadata: { finalizers: ['a'] },
    spec: {
      containers: [
        { name: 'one', image: '1', ports: [{ containerPort: 80, name: 'web' }] },
        { name: 'two', image: '2', volumeMounts: [{ mountPath: '/a', name: 'v' }] },
      ],
      volumes: [{ name: 'v', secret: { secretName: 's' } }],
      tolerations: [{ key: 'a' }],
    },
  }
  const merged = (patch: { [member: string]: unknown }) => applyStrategicMerge(pod, patch, podShape)

  it('merges by key, replaces what has none, adds to sets', () => {
    const out = merged({
      metadata: { finalizers: ['b', 'a'] },
      spec: {
        containers: [{ name: 'one', ports: [{ containerPort: 80, protocol: 'TCP' }] }, { name: 'three' }],
        tolerations: [{ key: 'b' }],
      },
    })
    expect(out).toMatchObject({
      // What the patch names stands as it names it, before what only the object had and the patch has room for.
      metadata: { finalizers: ['b', 'a'] },
      spec: {
        containers: [
          { name: 'one', image: '1', ports: [{ containerPort: 80, name: 'web', protocol: 'TCP' }] },
          { name: 'three' },
          { name: 'two' },
        ],
        tolerations: [{ key: 'b' }],
      },
    })
  })

  it('obeys its directives', () => {
    const out = merged({
      metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] },
      spec: {
        containers: [{ $patch: 'delete', name: 'two' }],
        volumes: [{ $retainKeys: ['name', 'emptyDir'], name: 'v', emptyDir: {} }],
        tolerations: null,
      },
    })
    expect(out).toEqual({
      metadata: { finalizers: [] },
      spec: { containers: [pod.spec.containers[0]], volumes: [{ name: 'v', emptyDir: {} }] },
    })
    expect(merged({ spec: { $patch: 'replace', restartPolicy: 'Never' } })['spec']).toEqual({ restartPolicy: 'Never' })
  })

  it('refuses an item without its key', () => {
    expect(() => merged({ spec: { containers: [{ image: 'x' }] } })).toThrow(
      /does not contain declared merge key: name/,
    )
  })
})

describe('field sets', () => {
  it('are printed and read without loss', () => {
    const step = fc.oneof(
      fc.stringMatching(/^[a-z.]{1,4}$/).map((name) => `f:${name}`),
      fc.stringMatching(/^[a-z]{1,3}$/).map((name) => `k:{"name":"${name}"}`),
    )
    const path = fc.array(step, { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.array(path, { minLength: 1 }), (paths) => {
        const fields = setOf(...paths)
        expect(pathsIn(parseFieldsV1(printFieldsV1(fields)))).toEqual(pathsIn(fields))
      }),
    )
  })

  const object = {
    apiVersion: 'v1',
    metadata: { name: 'x', labels: { a: '1' } },
    spec: { containers: [{ name: 'c', args: ['x', 'y'], ports: [{ containerPort: 1 }] }] },
  }

  it('of a configuration name what it says, items by their keys, atomic values as one', () => {
    expect(pathsIn(fieldsOf(object, podShape)).map(printPath)).toEqual([
      '.apiVersion',
      '.metadata.name',
      '.metadata.labels.a',
      '.spec.containers[name="c"]',
      '.spec.containers[name="c"].args',
      '.spec.containers[name="c"].name',
      '.spec.containers[name="c"].ports[containerPort=1,protocol="TCP"]',
      '.spec.containers[name="c"].ports[containerPort=1,protocol="TCP"].containerPort',
    ])
  })

  it('of a change also name what holds something new', () => {
    const { added, modified, removed } = compareFields({ metadata: { name: 'y' }, spec: {} }, object, podShape)
    expect(pathsIn(added).map(printPath).slice(0, 4)).toEqual([
      '.apiVersion',
      '.metadata.labels',
      '.metadata.labels.a',
      '.spec.containers',
    ])
    expect(pathsIn(modified).map(printPath)).toEqual(['.metadata.name'])
    expect(pathsIn(removed)).toEqual([])
  })
})

describe('a configuration merged into an object', () => {
  const containers = (...names: string[]) => ({ spec: { containers: names.map((name) => ({ name })) } })

  it.each([
    [['a', 'b'], ['c'], ['a', 'b', 'c']],
    [
      ['a', 'b', 'c'],
      ['c', 'a'],
      ['b', 'c', 'a'],
    ],
    [
      ['a', 'b'],
      ['x', 'b'],
      ['a', 'x', 'b'],
    ],
  ])('%j with %j is %j', (live, wanted, expected) => {
    expect(mergeTyped(containers(...live), containers(...wanted), podShape)).toEqual(containers(...expected))
  })
})
