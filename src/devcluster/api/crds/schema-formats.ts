/** The formats of strings and numbers that are checked; those that only describe are known but hold nothing. */
import { isIPv4, isIPv6 } from 'node:net'
import { parseGoDuration } from '../../../lib/duration.ts'
import { isBase64 } from '../shapes/check-shape.ts'

type Check = (value: unknown) => boolean
const anything: Check = () => true
const text =
  (fits: (value: string) => boolean): Check =>
  (value) =>
    typeof value !== 'string' || fits(value)
const between =
  (bits: number): Check =>
  (value) =>
    typeof value !== 'number' || Math.abs(value) <= 2 ** (bits - 1)

const uuidPattern = (version: string) =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, 'i')
const dateTime = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/

export const knownFormats: ReadonlyMap<string, Check> = new Map([
  ['int32', between(32)],
  ['int64', between(64)],
  ['float', anything],
  ['double', anything],
  ['password', anything],
  ['byte', text(isBase64)],
  ['date', text((value) => /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value)))],
  ['date-time', text((value) => dateTime.test(value) && !Number.isNaN(Date.parse(value)))],
  ['datetime', text((value) => dateTime.test(value) && !Number.isNaN(Date.parse(value)))],
  ['duration', text((value) => parseGoDuration(value) !== undefined)],
  ['email', text((value) => /^[^@\s]+@[^@\s]+$/.test(value))],
  ['hostname', text((value) => value.length <= 253 && /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(value))],
  ['ipv4', text(isIPv4)],
  ['ipv6', text(isIPv6)],
  ['uri', text((value) => URL.canParse(value))],
  ['uuid', text((value) => uuidPattern('[0-9a-f]').test(value))],
  ['uuid3', text((value) => uuidPattern('3').test(value))],
  ['uuid4', text((value) => uuidPattern('4').test(value))],
  ['uuid5', text((value) => uuidPattern('5').test(value))],
])
