import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BuiltInShapes } from '../shapes/built-in-shapes.ts'
import { fieldsOf, parseFieldsV1, printFieldsV1, printPath } from './field-set.ts'
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
    [[{ op: 'replace', path: '/none', value: 1 }]],
    [[{ op: 'add', path: '/list/5', value: 1 }]],
    [[{ op: 'add', path: '/list/01', value: 1 }]],
    [[{ op: 'add', path: '/foo' }]],
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
      metadata: { finalizers: ['a', 'b'] },
      spec: {
        containers: [
          { name: 'one', image: '1', ports: [{ containerPort: 80, name: 'web', protocol: 'TCP' }] },
          { name: 'two' },
          { name: 'three' },
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
    const path = fc.array(step, { minLength: 1, maxLength: 4 }).map((steps) => steps.join('\u0000'))
    fc.assert(
      fc.property(fc.uniqueArray(path, { minLength: 1 }), (paths) => {
        expect([...parseFieldsV1(printFieldsV1(paths))].sort()).toEqual([...paths].sort())
      }),
    )
  })

  it('name items by their keys, atomic values as one', () => {
    const object = {
      apiVersion: 'v1',
      metadata: { name: 'x', labels: { a: '1' } },
      spec: { containers: [{ name: 'c', args: ['x', 'y'], ports: [{ containerPort: 1 }] }] },
    }
    expect([...fieldsOf(object, podShape).keys()].map(printPath)).toEqual([
      '.metadata.labels',
      '.metadata.labels.a',
      '.spec.containers',
      '.spec.containers[name="c"]',
      '.spec.containers[name="c"].name',
      '.spec.containers[name="c"].args',
      '.spec.containers[name="c"].ports',
      '.spec.containers[name="c"].ports[containerPort=1,protocol="TCP"]',
      '.spec.containers[name="c"].ports[containerPort=1,protocol="TCP"].containerPort',
    ])
  })
})
