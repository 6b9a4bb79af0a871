/** From a message's bytes to the tree that Go's encoding/json would write of it. */
import type { Tree } from '../tree.ts'
import type { FieldTable, MessageField } from './field-table.ts'
import { decodeSpecial, isEmptyValue, specialZero } from './special-types.ts'
import { readVarint, WireProblem, type WireValue, wireFields } from './wire-reader.ts'

/** Deeper bodies and larger trees than any object has are refused: a message of two bytes may stand for a struct of ten members. */
const maxDepth = 100
const maxValues = 1_000_000

export class MessageDecoder {
  readonly #table: FieldTable
  #values = 0

  constructor(table: FieldTable) {
    this.#table = table
  }

  /** Throws WireProblem. */
  decode(message: string, bytes: Uint8Array, depth = 0): Tree {
    return Object.fromEntries(this.#members(message, bytes, depth))
  }

  #members(message: string, bytes: Uint8Array, depth: number): (readonly [string, unknown])[] {
    if (depth > maxDepth) throw new WireProblem(`the message is nested deeper than ${maxDepth}`)
    const fields = this.#table.get(message)
    if (!fields) throw new Error(`no such message: ${message}`)
    const sent = new Map<number, WireValue[]>()
    for (const { number, value } of wireFields(bytes)) {
      this.#values += 1
      const values = sent.get(number)
      if (values) values.push(value)
      else sent.set(number, [value])
    }
    this.#values += fields.length
    if (this.#values > maxValues) throw new WireProblem(`the message has more than ${maxValues} values`)
    return fields.flatMap((field) => this.#written(field, sent.get(field.number) ?? [], depth))
  }

  #written(field: MessageField, sent: readonly WireValue[], depth: number): readonly (readonly [string, unknown])[] {
    if (field.written === 'inline') return this.#members(field.type, joined(field, sent), depth + 1)
    if (field.written === 'when sent' && sent.length === 0) return []
    const value = this.#value(field, sent, depth)
    return field.written === 'unless empty' && isEmptyValue(value) ? [] : [[field.name, value]]
  }

  #value(field: MessageField, sent: readonly WireValue[], depth: number): unknown {
    if (field.many === 'list')
      return sent.length === 0 ? null : sent.flatMap((value) => this.#items(field, value, depth))
    if (field.many === 'map')
      return sent.length === 0 ? null : Object.fromEntries(sent.map((value) => this.#entry(field, value, depth)))
    if (isMessage(field.type)) return this.decode(field.type, joined(field, sent), depth + 1)
    const last = sent.at(-1)
    return last ? this.#single(field, last, depth) : specialZero(field.type)
  }

  /** Numbers of a list may be packed into one value. */
  #items(field: MessageField, value: WireValue, depth: number): unknown[] {
    if (field.type !== 'i' || value.type !== 2) return [this.#single(field, value, depth)]
    const out: unknown[] = []
    for (let at = 0; at < value.bytes.length; ) {
      const [number, next] = readVarint(value.bytes, at)
      out.push(Number(BigInt.asIntN(64, number)))
      at = next
    }
    return out
  }

  #entry(field: MessageField, value: WireValue, depth: number): readonly [string, unknown] {
    let key = ''
    let content: WireValue | undefined
    for (const part of wireFields(bytesOf(field, value))) {
      if (part.number === 1) key = textOf(bytesOf(field, part.value))
      if (part.number === 2) content = part.value
    }
    return [key, this.#value({ ...field, many: 'one' }, content ? [content] : [], depth)]
  }

  #single(field: MessageField, value: WireValue, depth: number): unknown {
    if (isMessage(field.type)) return this.decode(field.type, bytesOf(field, value), depth + 1)
    switch (field.type) {
      case 'i':
        return Number(numberOf(field, value))
      case 'b':
        return numberOf(field, value) !== 0n
      case 'd':
        if (value.type !== 1) throw wrongType(field, value)
        return value.double
      case 's':
        return textOf(bytesOf(field, value))
      case 'B':
        return Buffer.from(bytesOf(field, value)).toString('base64')
      default:
        return decodeSpecial(field.type, bytesOf(field, value), (message, bytes) =>
          this.decode(message, bytes, depth + 1),
        )
    }
  }
}

const isMessage = (type: string) => type.includes('.')

/** A message sent in pieces is one message. */
function joined(field: MessageField, sent: readonly WireValue[]): Uint8Array {
  const [first, ...more] = sent.map((value) => bytesOf(field, value))
  if (!first) return new Uint8Array()
  return more.length === 0 ? first : Buffer.concat([first, ...more])
}

function bytesOf(field: MessageField, value: WireValue): Uint8Array {
  if (value.type !== 2) throw wrongType(field, value)
  return value.bytes
}

function numberOf(field: MessageField, value: WireValue): bigint {
  if (value.type !== 0) throw wrongType(field, value)
  return value.number
}

const textOf = (bytes: Uint8Array) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)

function wrongType({ name }: MessageField, { type }: WireValue): WireProblem {
  return new WireProblem(`proto: wrong wireType = ${type} for field ${name.slice(0, 1).toUpperCase()}${name.slice(1)}`)
}
