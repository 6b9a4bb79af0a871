/** The other direction, for tests only: a tree as Go's JSON would show it, to the bytes that Go's protobuf would send. */
import type { Tree } from '../tree.ts'
import { isTree } from '../tree.ts'
import type { FieldTable, MessageField } from './field-table.ts'

export function envelopeOf(apiVersion: string, kind: string, raw: Uint8Array): Buffer {
  const type = Buffer.concat([bytesField(1, Buffer.from(apiVersion)), bytesField(2, Buffer.from(kind))])
  return Buffer.concat([Buffer.from('k8s\0'), bytesField(1, type), bytesField(2, raw), bytesField(3, Buffer.of())])
}

export function encodeMessage(table: FieldTable, message: string, tree: Tree): Buffer {
  const fields = table.get(message)
  if (!fields) throw new Error(`no such message: ${message}`)
  return Buffer.concat(
    fields.flatMap((field) => {
      if (field.written === 'inline') return [bytesField(field.number, encodeMessage(table, field.type, tree))]
      const value = tree[field.name]
      if (value === undefined || value === null) return []
      if (field.many === 'list')
        return (Array.isArray(value) ? value : []).map((item) => encodeOne(table, field, field.number, item))
      if (field.many === 'map' && isTree(value))
        return Object.entries(value).map(([key, item]) =>
          bytesField(field.number, Buffer.concat([bytesField(1, Buffer.from(key)), encodeOne(table, field, 2, item)])),
        )
      return [encodeOne(table, field, field.number, value)]
    }),
  )
}

function encodeOne(table: FieldTable, { type }: MessageField, number: number, value: unknown): Buffer {
  if (type.includes('.')) return bytesField(number, encodeMessage(table, type, isTree(value) ? value : {}))
  switch (type) {
    case 's':
      return bytesField(number, Buffer.from(String(value)))
    case 'B':
      return bytesField(number, Buffer.from(String(value), 'base64'))
    case 'i':
      return varintField(number, Number(value))
    case 'b':
      return varintField(number, value === true ? 1 : 0)
    case 'd': {
      const double = Buffer.alloc(8)
      double.writeDoubleLE(Number(value))
      return Buffer.concat([varint((BigInt(number) << 3n) | 1n), double])
    }
    default:
      return bytesField(number, encodeSpecial(table, type, value))
  }
}

function encodeSpecial(table: FieldTable, type: string, value: unknown): Buffer {
  const schema = (content: unknown) =>
    encodeMessage(table, 'apiextensions.JSONSchemaProps', isTree(content) ? content : {})
  switch (type) {
    case 't':
    case 'm': {
      const text = String(value)
      const nanos = type === 'm' ? Number(/\.(\d{6})Z$/.exec(text)?.[1] ?? 0) * 1000 : 0
      return Buffer.concat([varintField(1, Math.floor(Date.parse(text) / 1000)), varintField(2, nanos)])
    }
    case 'q':
      return bytesField(1, Buffer.from(String(value)))
    case 'I':
      return typeof value === 'number'
        ? Buffer.concat([varintField(1, 0), varintField(2, value), bytesField(3, Buffer.of())])
        : Buffer.concat([varintField(1, 1), varintField(2, 0), bytesField(3, Buffer.from(String(value)))])
    case 'R':
      return bytesField(1, Buffer.from(JSON.stringify(value)))
    case 'X':
      return Buffer.concat((Array.isArray(value) ? value : []).map((item) => bytesField(1, Buffer.from(String(item)))))
    case 'O':
      return typeof value === 'boolean'
        ? varintField(1, value ? 1 : 0)
        : Buffer.concat([varintField(1, 1), bytesField(2, schema(value))])
    case 'A':
      return Array.isArray(value)
        ? Buffer.concat(value.map((item) => bytesField(2, schema(item))))
        : bytesField(1, schema(value))
    case 'P':
      return Array.isArray(value)
        ? Buffer.concat(value.map((item) => bytesField(2, Buffer.from(String(item)))))
        : bytesField(1, schema(value))
    default:
      throw new Error(`no such type: ${type}`)
  }
}

export function bytesField(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint((BigInt(number) << 3n) | 2n), varint(BigInt(content.length)), content])
}

export function varintField(number: number, value: number): Buffer {
  return Buffer.concat([varint(BigInt(number) << 3n), varint(BigInt.asUintN(64, BigInt(value)))])
}

function varint(value: bigint): Buffer {
  const out: number[] = []
  let rest = value
  for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80)
  return Buffer.of(...out, Number(rest))
}
