/** How Go's JSON decoder words a value of another type than its field has (k8s.io/apimachinery, encoding/json, time). */
import { isTree } from '../tree.ts'
import type { Scalar, Shape } from './shape.ts'

/** Members that are 64 bits wide wherever they occur in the served kinds; all other integers are 32 bits. */
const wideIntegers: ReadonlySet<string> = new Set([
  ...['activeDeadlineSeconds', 'deletionGracePeriodSeconds', 'expirationSeconds', 'fsGroup', 'generation'],
  ...['gracePeriodSeconds', 'observedGeneration', 'runAsGroup', 'runAsUser', 'seconds', 'sizeBytes'],
  ...['startingDeadlineSeconds', 'supplementalGroups', 'terminationGracePeriodSeconds', 'tolerationSeconds'],
  ...['gid', 'uid', 'capacity', 'maxItems', 'maxLength', 'maxProperties', 'minItems', 'minLength', 'minProperties'],
])

/** Times with microseconds. */
const microTimes: ReadonlySet<string> = new Set(['acquireTime', 'eventTime', 'lastObservedTime', 'renewTime'])

/** Where a value stands: its member, the path without list positions and keys of maps, and the struct that has the member. */
export interface GoPlace {
  readonly struct: string
  readonly member: string
  readonly path: string
}

export function wrongTypeWords(value: unknown, shape: Shape, place: GoPlace): string {
  const into = shape.kind === 'scalar' ? scalarName(shape.type, place.member) : goTypeName(shape, place.member)
  const number = typeof value === 'number' && into.startsWith('int') ? ` ${numberText(value)}` : ''
  return `json: cannot unmarshal ${jsonKind(value)}${number} into Go struct field ${place.struct}.${place.path} of type ${into}`
}

/** Go shows a number that is of the right kind but does not fit. */
const numberText = (value: number) => (Number.isInteger(value) ? BigInt(value).toString() : String(value))

function jsonKind(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (isTree(value)) return 'object'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

function goTypeName(shape: Shape, member: string): string {
  switch (shape.kind) {
    case 'scalar':
      return scalarName(shape.type, member)
    case 'list':
      return `[]${goTypeName(shape.of, member)}`
    case 'map':
      return `map[string]${goTypeName(shape.of, member)}`
    case 'struct':
      return `v1.${structName(shape)}`
    case 'any':
      return 'interface {}'
  }
}

/** "Pod" of "core.Pod". */
export function structName(shape: Shape): string {
  return shape.kind === 'struct' ? (shape.name ?? '').slice((shape.name ?? '').indexOf('.') + 1) : ''
}

function scalarName(type: Scalar, member: string): string {
  switch (type) {
    case 'integer':
      return wideIntegers.has(member) ? 'int64' : 'int32'
    case 'number':
      return 'float64'
    case 'boolean':
      return 'bool'
    case 'bytes':
      return '[]uint8'
    default:
      return 'string'
  }
}

export function fitsInteger(value: unknown, member: string): boolean {
  if (!Number.isSafeInteger(value)) return false
  return wideIntegers.has(member) || (Number(value) >= -(2 ** 31) && Number(value) < 2 ** 31)
}

/** Undefined when `text` is a time as the member has them. */
export function timeProblem(text: string, member: string): string | undefined {
  const micro = microTimes.has(member)
  const layout = micro ? '2006-01-02T15:04:05.000000Z07:00' : '2006-01-02T15:04:05Z07:00'
  const words = (rest: string, element: string) =>
    `parsing time ${JSON.stringify(text)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(element)}`
  let rest = text
  for (const [element, pattern] of micro ? [...date, fraction, zone] : [...date, zone]) {
    const match = pattern.exec(rest)
    if (!match) return words(rest, element)
    rest = rest.slice(match[0].length)
    // Go reads a fraction after the seconds whether or not the layout has one.
    if (element === '05' && !micro) rest = rest.replace(/^[.,]\d+/, '')
  }
  if (rest !== '') return `parsing time ${JSON.stringify(text)}: extra text: ${JSON.stringify(rest)}`
  return Number.isNaN(Date.parse(text.replace(',', '.')))
    ? `parsing time ${JSON.stringify(text)}: day out of range`
    : undefined
}

const literal = (text: string): readonly [string, RegExp] => [text, new RegExp(`^${text}`)]
const date: readonly (readonly [string, RegExp])[] = [
  ['2006', /^\d{4}/],
  literal('-'),
  ['01', /^\d{2}/],
  literal('-'),
  ['02', /^\d{2}/],
  literal('T'),
  ['15', /^\d{2}/],
  literal(':'),
  ['04', /^\d{2}/],
  literal(':'),
  ['05', /^\d{2}/],
]
const fraction: readonly [string, RegExp] = ['.000000', /^[.,]\d{6}/]
const zone: readonly [string, RegExp] = ['Z07:00', /^(Z|[+-]\d{2}:\d{2})/]

/** Undefined when `text` is base64 with padding; line breaks do not count. */
export function base64Problem(text: string): string | undefined {
  const plain = text.replace(/[\r\n]/g, '')
  const bad = /[^A-Za-z0-9+/]/.exec(plain.replace(/={1,2}$/, ''))
  if (bad) return `illegal base64 data at input byte ${text.indexOf(bad[0])}`
  if (plain.length % 4 === 0) return undefined
  return `illegal base64 data at input byte ${plain.length - (plain.length % 4)}`
}
