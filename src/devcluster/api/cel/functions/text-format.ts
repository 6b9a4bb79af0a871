/** `"%s is %d".format([…])`, with cel-go's clauses. */
import type { CelType } from '../cel-type.ts'
import { CelError, CelList, CelMap, Duration, Timestamp, TypeValue, typeNameOf, Uint, type Value } from '../value.ts'
import { toText } from './conversions.ts'

const clause = /%(?:(%)|(?:\.(\d+))?(.))/gsu

export function formatText(template: string, args: readonly Value[]): string {
  let next = 0
  if (unfinished(template)) throw new CelError('unexpected end of string')
  return template.replace(clause, (_, percent: string | undefined, precision: string | undefined, verb: string) => {
    if (percent) return '%'
    const position = next++
    const value = args[position]
    if (value === undefined) throw new CelError(`index ${position} out of range`)
    return formatOne(verb, value, precision === undefined ? 6 : Number(precision))
  })
}

export interface FormatFault {
  /** Which of the arguments it is about. */
  readonly argument: number | undefined
  readonly message: string
}

/** What is wrong with a template for arguments of these types; an unknown or dynamic type may be anything. */
export function formatFaults(template: string, types: readonly (CelType | undefined)[]): FormatFault[] {
  if (unfinished(template)) return [{ argument: undefined, message: 'unexpected end of string' }]
  let next = 0
  for (const [, percent, , verb = ''] of template.matchAll(clause)) {
    if (percent) continue
    const position = next++
    if (position >= types.length) return [{ argument: undefined, message: `index ${position} out of range` }]
    const fitting = fittingTypes[verb]
    if (!fitting)
      return [
        {
          argument: undefined,
          message: `could not parse formatting clause: unrecognized formatting clause "${verb}"`,
        },
      ]
    const type = types[position]
    if (type && type.kind !== 'dyn' && type.kind !== 'error' && !fitting.types.includes(type.kind))
      return [
        {
          argument: position,
          message: `error during formatting: ${fitting.words}, was given ${celTypeName(type)}`,
        },
      ]
  }
  return []
}

const unfinished = (template: string) => /(^|[^%])(%%)*%$/.test(template)

const integerWords = 'decimal clause can only be used on integers'
const stringWords =
  'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps'
const binaryWords = 'only integers and bools can be formatted as binary'
const octalWords = 'octal clause can only be used on integers'
const hexWords = 'only integers, byte buffers, and strings can be formatted as hex'
const fixedWords = 'fixed-point clause can only be used on doubles'
const scientificWords = 'scientific clause can only be used on doubles'

interface Fitting {
  readonly types: readonly string[]
  readonly words: string
}
const anyText = 'string bool bytes int uint double map list type duration timestamp null'.split(' ')
const fittingTypes: Readonly<Record<string, Fitting>> = {
  s: { types: anyText, words: stringWords },
  d: { types: ['int', 'uint'], words: integerWords },
  b: { types: ['int', 'uint', 'bool'], words: binaryWords },
  o: { types: ['int', 'uint'], words: octalWords },
  x: { types: ['int', 'uint', 'bytes', 'string'], words: hexWords },
  X: { types: ['int', 'uint', 'bytes', 'string'], words: hexWords },
  f: { types: ['double', 'string'], words: fixedWords },
  e: { types: ['double', 'string'], words: scientificWords },
}

function celTypeName(type: CelType): string {
  if (type.kind === 'null') return 'null_type'
  if (type.kind === 'timestamp' || type.kind === 'duration')
    return `google.protobuf.${type.kind === 'timestamp' ? 'Timestamp' : 'Duration'}`
  return type.name
}

function formatOne(verb: string, value: Value, precision: number): string {
  switch (verb) {
    case 's':
      return stringForm(value)
    case 'd':
      return integerForm(value, 10, integerWords)
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0'
      return integerForm(value, 2, binaryWords)
    case 'o':
      return integerForm(value, 8, octalWords)
    case 'x':
      return hexForm(value)
    case 'X':
      return hexForm(value).toUpperCase()
    case 'f':
      return grouped(fixedForm(doubleOf(value, fixedWords), precision))
    case 'e':
      return scientificForm(doubleOf(value, scientificWords), precision)
    default:
      throw new CelError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`)
  }
}

function fault(words: string, value: Value): CelError {
  return new CelError(`error during formatting: ${words}, was given ${typeNameOf(value)}`)
}

function integerForm(value: Value, radix: number, words: string): string {
  if (typeof value === 'bigint') return value.toString(radix)
  if (value instanceof Uint) return value.value.toString(radix)
  throw fault(words, value)
}

function hexForm(value: Value): string {
  if (typeof value === 'string') return Buffer.from(value).toString('hex')
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return integerForm(value, 16, hexWords)
}

function doubleOf(value: Value, words: string): number {
  if (typeof value === 'number') return value
  if (value === 'NaN') return Number.NaN
  if (value === 'Infinity') return Number.POSITIVE_INFINITY
  if (value === '-Infinity') return Number.NEGATIVE_INFINITY
  throw fault(words, value)
}

function fixedForm(value: number, precision: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '-∞'
  return value.toFixed(Math.min(precision, 100))
}

/** English, as the API server prints numbers of more than three digits. */
function grouped(text: string): string {
  const [whole = '', fraction] = text.split('.')
  const shown = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',')
  return fraction === undefined ? shown : `${shown}.${fraction}`
}

const superscript = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹']

function scientificForm(value: number, precision: number): string {
  if (!Number.isFinite(value)) return fixedForm(value, precision)
  const [digits = '', power = '0'] = value.toExponential(Math.min(precision, 100)).split('e')
  const exponent = Number(power)
  const raised = String(Math.abs(exponent))
    .padStart(2, '0')
    .replace(/\d/g, (digit) => superscript[Number(digit)] ?? digit)
  return `${digits}\u202f×\u202f10${exponent < 0 ? '⁻' : ''}${raised}`
}

function stringForm(value: Value): string {
  if (value === null) return 'null'
  if (value instanceof CelList) return `[${value.items.map(nested).join(', ')}]`
  if (value instanceof CelMap) {
    const pairs = [...value.entries.values()].map(([key, item]) => [nested(key), nested(item)] as const)
    return `{${pairs
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => `${key}:${item}`)
      .join(', ')}}`
  }
  if (typeof value === 'object' && !isPlain(value)) throw fault(stringWords, value)
  return toText(value)
}

const isPlain = (value: object) =>
  value instanceof Uint ||
  value instanceof Uint8Array ||
  value instanceof Timestamp ||
  value instanceof Duration ||
  value instanceof TypeValue

/** Inside a list or a map. */
function nested(value: Value): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value.toFixed(6) : JSON.stringify(toText(value))
  if (value instanceof Uint8Array) return `b${JSON.stringify(toText(value))}`
  if (value instanceof Timestamp) return `timestamp("${toText(value)}")`
  if (value instanceof Duration) return `duration("${toText(value)}")`
  if (value instanceof TypeValue) return `type(${value.name})`
  return stringForm(value)
}
