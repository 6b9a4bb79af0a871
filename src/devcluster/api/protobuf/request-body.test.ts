import { describe, expect, it } from 'vitest'
import { builtInKinds } from '../kinds/built-in-kinds.ts'
import { BuiltInShapes } from '../shapes/built-in-shapes.ts'
import { StatusError } from '../status.ts'
import { isTree, type Tree } from '../tree.ts'
import { FieldTable, type MessageField } from './field-table.ts'
import { jsonOfProtobuf } from './request-body.ts'
import { bytesField, encodeMessage, envelopeOf, varintField } from './test-message-encoder.ts'
import { recordedBodies } from './test-recorded-bodies.ts'

const secret = { group: '', version: 'v1', kind: 'Secret' }
const decode = (body: Uint8Array) => JSON.parse(jsonOfProtobuf(body, secret)) as Tree

function refusal(body: Uint8Array): string {
  try {
    jsonOfProtobuf(body, secret)
  } catch (error) {
    if (error instanceof StatusError) return `${error.code} ${error.message}`
    throw error
  }
  throw new Error('was taken')
}

/** kubectl fills in the namespace of its context when it sends, not when it prints. */
function withoutNamespace({ metadata, ...object }: Tree): Tree {
  const { namespace: _, ...rest } = isTree(metadata) ? metadata : {}
  return { ...object, metadata: rest }
}

describe('bodies that kubectl sends', () => {
  it.each(recordedBodies.map(({ line, body, json }) => [line, body, json] as const))('%s', (_, body, json) => {
    const read = decode(Buffer.from(body, 'base64'))
    expect(withoutNamespace(read)).toEqual(withoutNamespace(JSON.parse(json)))
  })
})

describe('whatever a message holds', () => {
  // Seeded, so a failure can be run again.
  function chance(seed: number) {
    let state = seed
    return (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return Math.floor((state / 0x80000000) * below)
    }
  }
  const table = new FieldTable()

  function treeOf(message: string, random: (below: number) => number, depth: number): Tree {
    const out: Tree = {}
    for (const field of table.get(message) ?? []) {
      if (field.written === 'inline') Object.assign(out, treeOf(field.type, random, depth + 1))
      else if (field.written === 'always' || (depth < 5 && random(3) === 0))
        out[field.name] = fieldValue(field, random, depth)
    }
    return out
  }

  function fieldValue(field: MessageField, random: (below: number) => number, depth: number): unknown {
    const one = () => oneValue(field.type, random, depth)
    const count = 1 + random(2)
    if (field.many === 'list') return Array.from({ length: count }, one)
    if (field.many === 'map') return Object.fromEntries(Array.from({ length: count }, (_, at) => [`key${at}`, one()]))
    return one()
  }

  function oneValue(type: string, random: (below: number) => number, depth: number): unknown {
    if (type.includes('.')) return treeOf(type, random, depth + 1)
    const second = new Date(1_700_000_000_000 + random(1_000_000) * 1000).toISOString().slice(0, 19)
    switch (type) {
      case 's':
        return ['a', 'ä€', '__proto__', ' '.repeat(200)][random(4)]
      case 'B':
        return Buffer.from([random(256), 255, 1]).toString('base64')
      case 'i':
        return [1, -1, 128, 2 ** 31 - 1, -(2 ** 53 - 1)][random(5)]
      case 'd':
        return [0.5, -1e300][random(2)]
      case 'b':
        return true
      case 't':
        return `${second}Z`
      case 'm':
        return `${second}.000${100 + random(900)}Z`
      case 'q':
        return ['100m', '1Gi'][random(2)]
      case 'I':
        return [80, '25%'][random(2)]
      case 'R':
        return [{ any: [1, null, 'x'] }, 'text', 0][random(3)]
      case 'X':
        return ['a', '']
      case 'O':
        return [true, false, treeOf('apiextensions.JSONSchemaProps', random, depth + 3)][random(3)]
      case 'A':
        return [treeOf('apiextensions.JSONSchemaProps', random, depth + 3)]
      default:
        return ['a', 'b']
    }
  }

  const roots = [
    ...builtInKinds(new BuiltInShapes()).map(({ group, version, kind }) => [group, version, kind] as const),
    ['authentication.k8s.io', 'v1', 'TokenReview'],
    ['authorization.k8s.io', 'v1', 'SubjectAccessReview'],
    ['policy', 'v1', 'Eviction'],
  ] as const satisfies readonly (readonly [string, string, string])[]

  it.each(roots)('is read back: %s %s %s', (group, version, kind) => {
    const message = `${group.split('.')[0] || 'core'}.${kind}`
    const apiVersion = group === '' ? version : `${group}/${version}`
    for (let seed = 1; seed <= 20; seed += 1) {
      const tree = treeOf(message, chance(seed), 0)
      const read = decode(envelopeOf(apiVersion, kind, encodeMessage(table, message, tree)))
      expect(read, `seed ${seed}`).toEqual({ kind, apiVersion, ...tree })
    }
  })

  it('is refused in words when it ends early, and never read as something else', () => {
    const tree = treeOf('core.Pod', chance(7), 0)
    const whole = envelopeOf('v1', 'Pod', encodeMessage(table, 'core.Pod', tree))
    // Cut between its two parts it is whole again: a type and an object without members.
    const complete = 4 + 2 + (whole[5] ?? 0)
    for (let length = 0; length < Math.min(whole.length - 3, 3000); length += 1) {
      if (length === complete) continue
      const said = refusal(whole.subarray(0, length))
      expect(said, `cut at ${length}`).toMatch(/^400 .*(unexpected EOF|empty|does not appear to be a protobuf message)/)
    }
  })
})

describe('what is not sent', () => {
  const metadata = bytesField(1, bytesField(1, Buffer.from('x')))

  it('is zero, null or absent, as Go writes it', () => {
    expect(decode(envelopeOf('rbac.authorization.k8s.io/v1', 'Role', metadata))).toEqual({
      kind: 'Role',
      apiVersion: 'rbac.authorization.k8s.io/v1',
      metadata: { name: 'x' },
      rules: null,
    })
    expect(decode(envelopeOf('v1', 'Secret', metadata))).toEqual({
      kind: 'Secret',
      apiVersion: 'v1',
      metadata: { name: 'x' },
    })
  })

  it('takes the kind from the request', () => {
    expect(decode(envelopeOf('', '', metadata))).toMatchObject({ kind: 'Secret', apiVersion: 'v1' })
  })

  it('includes fields of later versions, which a server that does not know them drops', () => {
    const later = Buffer.concat([metadata, bytesField(99, Buffer.from('new'))])
    expect(decode(envelopeOf('v1', 'Secret', later))).toEqual(decode(envelopeOf('v1', 'Secret', metadata)))
  })

  it('options of a deletion come in the name of any group', () => {
    const body = envelopeOf('apps/v1', 'DeleteOptions', bytesField(4, Buffer.from('Orphan')))
    expect(decode(body)).toEqual({ kind: 'DeleteOptions', apiVersion: 'apps/v1', propagationPolicy: 'Orphan' })
  })
})

describe('a body that can not be read', () => {
  it.each([
    ['is empty', Buffer.of(), '400 the object provided is unrecognized (must be of type Secret): empty data (<empty>)'],
    [
      'has no envelope',
      Buffer.from('hello'),
      '400 the object provided is unrecognized (must be of type Secret): provided data does not appear to be a protobuf message, expected prefix [107 56 115 0] (68656c6c6f)',
    ],
    [
      'has a field of another type',
      envelopeOf('v1', 'Secret', bytesField(1, varintField(1, 5))),
      '400 Secret in version "v1" cannot be handled as a Secret: proto: wrong wireType = 0 for field Name',
    ],
    [
      'is of no known kind',
      envelopeOf('v1', 'Foo', Buffer.of()),
      '400 Foo in version "v1" cannot be handled as a Secret: no kind "Foo" is registered for version "v1" in scheme',
    ],
    [
      'holds a number without an end',
      envelopeOf('v1', 'Secret', Buffer.alloc(12, 0xff)),
      '400 Secret in version "v1" cannot be handled as a Secret: proto: integer overflow',
    ],
    [
      'holds a time that there is not',
      envelopeOf('v1', 'Secret', bytesField(1, bytesField(8, varintField(1, 10 ** 15)))),
      '400 Secret in version "v1" cannot be handled as a Secret: a time of 1000000000000000 s and 0 ns is not in the years 1 to 9999',
    ],
  ])('because it %s is refused in words', (_, body, words) => {
    expect(refusal(body)).toBe(words)
  })

  it('because it is nested too deeply is refused', () => {
    let schema: Buffer = Buffer.of()
    for (let depth = 0; depth < 200; depth += 1) schema = bytesField(28, schema)
    const version = bytesField(4, bytesField(1, schema))
    const definition = bytesField(2, bytesField(7, version))
    expect(refusal(envelopeOf('apiextensions.k8s.io/v1', 'CustomResourceDefinition', definition))).toContain(
      'nested deeper than 100',
    )
  })

  it('because JSON in it is nested too deeply is refused', () => {
    const fields = Buffer.from('['.repeat(5000) + ']'.repeat(5000))
    const managed = bytesField(17, bytesField(7, bytesField(1, fields)))
    expect(refusal(envelopeOf('v1', 'Secret', bytesField(1, managed)))).toContain('exceeded max depth (100)')
  })

  it('because it stands for too much is refused', () => {
    const containers = Buffer.concat(Array.from({ length: 60_000 }, () => bytesField(2, Buffer.of())))
    expect(refusal(envelopeOf('v1', 'Pod', bytesField(2, containers)))).toContain('more than 1000000 values')
  })
})
