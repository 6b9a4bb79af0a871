/** Messages that have a JSON form of their own: times, quantities, raw JSON, the unions of JSON schemas. */
import { type Tree, treeProblem } from '../tree.ts'
import { WireProblem, type WireValue, wireFields } from './wire-reader.ts'

type DecodeMessage = (message: string, bytes: Uint8Array) => Tree

/** What Go writes of a value that was not sent. */
export function specialZero(type: string): unknown {
  switch (type) {
    case 's':
      return ''
    case 'i':
    case 'd':
    case 'I':
      return 0
    case 'b':
    case 'O':
      return false
    case 'q':
      return '0'
    default:
      return null
  }
}

/** What omitempty leaves out. */
export function isEmptyValue(value: unknown): boolean {
  if (value === null || value === '' || value === 0 || value === false) return true
  return Array.isArray(value) && value.length === 0
}

export function decodeSpecial(type: string, bytes: Uint8Array, decode: DecodeMessage): unknown {
  switch (type) {
    case 't':
    case 'm':
      return timeText(bytes, type === 'm')
    case 'q':
      return text(valuesOf(bytes).get(1)?.at(-1)) || '0'
    case 'I':
      return numberOrText(bytes)
    case 'R':
      return rawJson(bytes)
    case 'X':
      return (valuesOf(bytes).get(1) ?? []).map(text)
    case 'A':
    case 'O':
    case 'P':
      return schemaUnion(type, bytes, decode)
    default:
      throw new Error(`no such type: ${type}`)
  }
}

function valuesOf(bytes: Uint8Array): Map<number, WireValue[]> {
  const out = new Map<number, WireValue[]>()
  for (const { number: field, value } of wireFields(bytes)) {
    const values = out.get(field)
    if (values) values.push(value)
    else out.set(field, [value])
  }
  return out
}

function text(value: WireValue | undefined): string {
  if (value === undefined) return ''
  if (value.type !== 2) throw new WireProblem(`proto: wrong wireType = ${value.type} for a text`)
  return Buffer.from(value.bytes).toString('utf8')
}

function number(value: WireValue | undefined): number {
  if (value === undefined) return 0
  if (value.type !== 0) throw new WireProblem(`proto: wrong wireType = ${value.type} for a number`)
  return Number(value.number)
}

const firstSecond = -62_135_596_800
const lastSecond = 253_402_300_799

/** RFC 3339, whole seconds or microseconds; no time at all is null. */
function timeText(bytes: Uint8Array, micro: boolean): string | null {
  const values = valuesOf(bytes)
  if (values.size === 0) return null
  const seconds = number(values.get(1)?.at(-1))
  const nanos = number(values.get(2)?.at(-1))
  if (seconds < firstSecond || seconds > lastSecond || nanos < 0 || nanos > 999_999_999)
    throw new WireProblem(`a time of ${seconds} s and ${nanos} ns is not in the years 1 to 9999`)
  if (seconds === firstSecond && nanos === 0) return null
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19)
  const fraction = String(Math.floor(nanos / 1000)).padStart(6, '0')
  return micro ? `${whole}.${fraction}Z` : `${whole}Z`
}

/** intstr.IntOrString: type 0 is the number, 1 the text. */
function numberOrText(bytes: Uint8Array): number | string {
  const values = valuesOf(bytes)
  const kind = number(values.get(1)?.at(-1))
  if (kind === 0) return number(values.get(2)?.at(-1))
  if (kind === 1) return text(values.get(3)?.at(-1))
  throw new WireProblem('impossible IntOrString.Type')
}

function rawJson(bytes: Uint8Array): unknown {
  const raw = text(valuesOf(bytes).get(1)?.at(-1))
  if (raw === '') return null
  let value: unknown
  try {
    value = JSON.parse(raw)
  } catch (error) {
    throw new WireProblem(`a field that holds JSON does not: ${error instanceof Error ? error.message : ''}`)
  }
  const problem = treeProblem(value)
  if (problem) throw new WireProblem(problem)
  return value
}

/** A schema or a list of them (A), a schema or a truth (O), a schema or texts (P). */
function schemaUnion(type: 'A' | 'O' | 'P', bytes: Uint8Array, decode: DecodeMessage): unknown {
  const values = valuesOf(bytes)
  const schema = (value: WireValue) => {
    if (value.type !== 2) throw new WireProblem(`proto: wrong wireType = ${value.type} for field Schema`)
    return decode('apiextensions.JSONSchemaProps', value.bytes)
  }
  const one = values.get(type === 'O' ? 2 : 1)?.at(-1)
  if (type === 'O') return one ? schema(one) : number(values.get(1)?.at(-1)) !== 0
  const many = values.get(2) ?? []
  if (many.length > 0) return type === 'A' ? many.map(schema) : many.map(text)
  return one ? schema(one) : null
}
