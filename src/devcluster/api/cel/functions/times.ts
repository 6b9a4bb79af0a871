/** Timestamps and durations: from and to text, and their parts. */

import { checkDuration, checkTimestamp } from '../operators.ts'
import { fn, intOf, method, type Overload, textOf } from '../overload.ts'
import { CelError, Duration, noSuchOverload, Timestamp, type Value } from '../value.ts'

const second = 1_000_000_000n
const unitNanos: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: second,
  m: 60n * second,
  h: 3600n * second,
}

/** Go's time.ParseDuration, to the nanosecond. */
export function parseDurationNanos(text: string): bigint | undefined {
  const match = /^([+-]?)(.+)$/s.exec(text)
  if (!match) return undefined
  const [, sign, rest = ''] = match
  if (rest === '0') return 0n
  const part = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y
  let total = 0n
  let end = 0
  for (;;) {
    const piece = part.exec(rest)
    if (!piece) break
    const [, whole = '', fraction = '', unit = ''] = piece
    if (whole === '' && fraction === '') return undefined
    const nanos = unitNanos[unit] ?? 0n
    total += BigInt(whole || '0') * nanos
    if (fraction !== '') total += (BigInt(fraction) * nanos) / 10n ** BigInt(fraction.length)
    end = part.lastIndex
  }
  if (end !== rest.length || total > 2n ** 63n - 1n) return undefined
  return sign === '-' ? -total : total
}

const rfc3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/

export function parseTimestampNanos(text: string): bigint | undefined {
  const match = rfc3339.exec(text)
  if (!match) return undefined
  const [, moment = '', fraction = '', zone = ''] = match
  const ms = Date.parse(moment + zone)
  const [day] = moment.slice(8, 10).split('T')
  // JavaScript takes the 31st of February for the 3rd of March.
  if (Number.isNaN(ms) || new Date(`${moment}Z`).getUTCDate() !== Number(day)) return undefined
  return BigInt(ms / 1000) * second + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
}

export function timestampText(time: Timestamp): string {
  const { nanos, zone } = time
  const rest = ((nanos % second) + second) % second
  const whole = wallClock(time, zone === 'Z' ? 'UTC' : zone)
    .toISOString()
    .slice(0, 19)
  const fraction = rest === 0n ? '' : `.${String(rest).padStart(9, '0').replace(/0+$/, '')}`
  return `${whole}${fraction}${zone}`
}

/** "90s", "0.5s". */
export function durationText({ nanos }: Duration): string {
  const sign = nanos < 0n ? '-' : ''
  const positive = nanos < 0n ? -nanos : nanos
  const fraction = String(positive % second)
    .padStart(9, '0')
    .replace(/0+$/, '')
  return `${sign}${positive / second}${fraction === '' ? '' : `.${fraction}`}s`
}

const conversionError = (from: string, to: string) => new CelError(`type conversion error from '${from}' to '${to}'`)

/** What is written of the zone at the end. */
export function zoneOf(text: string): string {
  const zone = /[+-]\d\d:\d\d$/.exec(text)?.[0] ?? 'Z'
  return /00:00$/.test(zone) ? 'Z' : zone
}

function toTimestamp(value: Value | undefined): Timestamp {
  if (typeof value === 'bigint') return checkTimestamp(value * second)
  const text = textOf(value)
  const nanos = parseTimestampNanos(text)
  if (nanos === undefined) throw conversionError('string', 'google.protobuf.Timestamp')
  return checkTimestamp(nanos, zoneOf(text))
}

function toDuration(value: Value | undefined): Duration {
  if (typeof value === 'bigint') return checkDuration(value)
  const nanos = parseDurationNanos(textOf(value))
  if (nanos === undefined) throw conversionError('string', 'google.protobuf.Duration')
  return checkDuration(nanos)
}

function timeOf(value: Value | undefined): Timestamp {
  if (!(value instanceof Timestamp)) throw noSuchOverload()
  return value
}
function spanOf(value: Value | undefined): Duration {
  if (!(value instanceof Duration)) throw noSuchOverload()
  return value
}

/** The moment as its clock on the wall shows it in a zone, told as UTC. */
function wallClock(time: Timestamp, zone: string): Date {
  const ms = Number(time.nanos / 1_000_000n)
  const offset = /^([+-]?)(\d\d):(\d\d)$/.exec(zone)
  if (offset) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3])
    return new Date(ms + (offset[1] === '-' ? -minutes : minutes) * 60_000)
  }
  let parts: Intl.DateTimeFormatPart[]
  try {
    const form = { timeZone: zone, hourCycle: 'h23', era: 'short' } as const
    const digits = { year: 'numeric', month: '2-digit', day: '2-digit' } as const
    const clock = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const
    parts = new Intl.DateTimeFormat('en-US', { ...form, ...digits, ...clock }).formatToParts(ms)
  } catch {
    throw new CelError(`unknown time zone ${zone}`)
  }
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value)
  const shown = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'))
  return new Date(shown + (((ms % 1000) + 1000) % 1000))
}

const dayOfYear = (date: Date) =>
  (Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()) - Date.UTC(date.getUTCFullYear(), 0, 1)) /
  86_400_000

const parts: Readonly<Record<string, (date: Date) => number>> = {
  getFullYear: (date) => date.getUTCFullYear(),
  getMonth: (date) => date.getUTCMonth(),
  getDayOfYear: dayOfYear,
  getDayOfMonth: (date) => date.getUTCDate() - 1,
  getDate: (date) => date.getUTCDate(),
  getDayOfWeek: (date) => date.getUTCDay(),
  getHours: (date) => date.getUTCHours(),
  getMinutes: (date) => date.getUTCMinutes(),
  getSeconds: (date) => date.getUTCSeconds(),
  getMilliseconds: (date) => date.getUTCMilliseconds(),
}
const spanParts: Readonly<Record<string, (nanos: bigint) => bigint>> = {
  getHours: (nanos) => nanos / (3600n * second),
  getMinutes: (nanos) => nanos / (60n * second),
  getSeconds: (nanos) => nanos / second,
  getMilliseconds: (nanos) => nanos / 1_000_000n,
}

export const timeFunctions: readonly Overload[] = [
  fn('timestamp', 'timestamp', 'timestamp', ([time]) => timeOf(time)),
  fn('timestamp', 'int', 'timestamp', ([value]) => toTimestamp(intOf(value))),
  fn('timestamp', 'string', 'timestamp', ([value]) => toTimestamp(value)),
  fn('duration', 'duration', 'duration', ([span]) => spanOf(span)),
  fn('duration', 'int', 'duration', ([value]) => toDuration(intOf(value))),
  fn('duration', 'string', 'duration', ([value]) => toDuration(value)),
  ...Object.entries(parts).flatMap(([name, part]) => [
    method(name, 'timestamp', 'int', ([time]) => BigInt(part(wallClock(timeOf(time), 'UTC')))),
    method(name, 'timestamp, string', 'int', ([time, zone]) => BigInt(part(wallClock(timeOf(time), textOf(zone))))),
  ]),
  ...Object.entries(spanParts).map(([name, part]) =>
    method(name, 'duration', 'int', ([span]) => part(spanOf(span).nanos)),
  ),
]
