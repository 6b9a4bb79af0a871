/** The formats of text that the API server checks; it ignores all others (k8s.io/apiextensions-apiserver, formats.go). */
import { isIPv4, isIPv6 } from 'node:net'
import { RE2JS } from 're2js'
import { parseDurationNanos, parseTimestampNanos } from '../../cel/functions/times.ts'
import { parseAddress } from '../../cel/functions/urls.ts'
import { dnsLabelProblem, dnsSubdomainProblem } from '../../kinds/names.ts'
import { isBase64 } from '../../shapes/check-shape.ts'

export interface Format {
  /** As the schema writes it. */
  readonly name: string
  fits(text: string): boolean
}

/** Undefined: nothing is checked. */
export function knownFormat(name: string | undefined): Format | undefined {
  const fits = name === undefined ? undefined : checks.get(name.replaceAll('-', ''))
  return name !== undefined && fits ? { name, fits } : undefined
}

const matches = (pattern: RegExp) => (text: string) => pattern.test(text)
const uuid = (third: string, fourth = '[0-9a-f]') =>
  matches(new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${third}[0-9a-f]{3}-?${fourth}[0-9a-f]{3}-?[0-9a-f]{12}$`, 'i'))

const hostnamePattern = RE2JS.compile(
  '^([a-zA-Z0-9\\p{S}\\p{L}]((-?[a-zA-Z0-9\\p{S}\\p{L}]{0,62})?)|([a-zA-Z0-9\\p{S}\\p{L}](([a-zA-Z0-9-\\p{S}\\p{L}]{0,61}[a-zA-Z0-9\\p{S}\\p{L}])?)(\\.)){1,}([a-zA-Z\\p{L}]){2,63})$',
)
function isHostname(text: string): boolean {
  const short = text.length <= 255 && text.split('.').every((label) => Buffer.byteLength(label) <= 63)
  return short && hostnamePattern.matcher(text).find()
}

/** "a@b", "A Name <a@b>". */
function isEmail(text: string): boolean {
  const address = /^[^<>]*<([^<>]+)>$/.exec(text)?.[1] ?? text
  return /^[^\s@<>()[\],;:"]+@[^\s@<>()[\],;:"]+$/.test(address) && !/^\.|\.\.|\.@|\.$|@\./.test(address)
}

/** Leading zeros are no octal numbers here. */
const withoutZeros = (text: string) => text.replace(/(^|\.)0+(?=\d)/g, '$1')

function isCidr(text: string): boolean {
  const [address = '', length = '', ...rest] = text.split('/')
  if (rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(length)) return false
  return isIPv4(address) ? Number(length) <= 32 : isIPv6(address) && Number(length) <= 128
}

function isDate(text: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(text) && parseTimestampNanos(`${text}T00:00:00Z`) !== undefined
}

function isDateTime(text: string): boolean {
  const upper = text.toUpperCase()
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)$/.test(upper) && isRealMoment(upper)
}

function isRealMoment(text: string): boolean {
  return parseTimestampNanos(text.replace(',', '.')) !== undefined
}

/** Names of units; the last one also begins longer ones ("seconds"). */
const units: readonly (readonly [readonly string[], bigint])[] = [
  [['ns', 'nano'], 1n],
  [['us', 'µs', 'micro'], 1000n],
  [['ms', 'milli'], 1_000_000n],
  [['s', 'sec'], 1_000_000_000n],
  [['m', 'min'], 60_000_000_000n],
  [['h', 'hr', 'hour'], 3_600_000_000_000n],
  [['d', 'day'], 86_400_000_000_000n],
  [['w', 'wk', 'week'], 604_800_000_000_000n],
]

/** Go's durations, and "1 day", "2 weeks". Nanoseconds. */
export function parseFormatDuration(text: string): bigint | undefined {
  const plain = parseDurationNanos(text)
  if (plain !== undefined) return plain
  let total: bigint | undefined
  for (const [, count = '', word = ''] of text.matchAll(/(\d+)\s*([A-Za-zµ]+)/g)) {
    const unit = word.toLowerCase()
    const known = units.find(([names]) => names.includes(unit) || unit.startsWith(names.at(-1) ?? ' '))
    if (known) total = (total ?? 0n) + BigInt(count) * known[1]
  }
  return total
}

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, '')
  if (!/^\d{9}[\dX]$/.test(digits)) return false
  return (
    [...digits].reduce((sum, digit, index) => sum + (index + 1) * (digit === 'X' ? 10 : Number(digit)), 0) % 11 === 0
  )
}
function isIsbn13(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, '')
  if (!/^\d{13}$/.test(digits)) return false
  return [...digits].reduce((sum, digit, index) => sum + (index % 2 === 0 ? 1 : 3) * Number(digit), 0) % 10 === 0
}

const creditCard =
  /^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$/

function isCreditCard(text: string): boolean {
  const digits = text.replace(/\D+/g, '')
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return creditCard.test(digits) && sum % 10 === 0
}

const colour = '\\s*(0|[1-9]\\d?|1\\d\\d?|2[0-4]\\d|25[0-5])\\s*'

/** By name without dashes. */
const checks: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ['bsonobjectid', matches(/^[0-9a-f]{24}$/i)],
  ['uri', (text: string) => typeof parseAddress(text) !== 'string'],
  ['email', isEmail],
  ['hostname', isHostname],
  ['ipv4', (text: string) => isIPv4(withoutZeros(text))],
  ['ipv6', (text: string) => isIPv6(text) && !text.includes('%')],
  ['cidr', isCidr],
  ['mac', matches(/^([0-9a-f]{2}[:-]){5,7}[0-9a-f]{2}$|^([0-9a-f]{4}\.){2,3}[0-9a-f]{4}$/i)],
  ['uuid', uuid('[0-9a-f]')],
  ['uuid3', uuid('3')],
  ['uuid4', uuid('4', '[89ab]')],
  ['uuid5', uuid('5', '[89ab]')],
  ['isbn', (text: string) => isIsbn10(text) || isIsbn13(text)],
  ['isbn10', isIsbn10],
  ['isbn13', isIsbn13],
  ['creditcard', isCreditCard],
  ['ssn', matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/)],
  ['hexcolor', matches(/^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/)],
  ['rgbcolor', matches(new RegExp(`^rgb\\(${colour},${colour},${colour}\\)$`))],
  ['byte', (text: string) => text !== '' && isBase64(text)],
  ['password', () => true],
  ['date', isDate],
  ['duration', (text: string) => parseFormatDuration(text) !== undefined],
  ['datetime', isDateTime],
  ['k8sshortname', (text: string) => dnsLabelProblem(text) === undefined],
  ['k8slongname', (text: string) => dnsSubdomainProblem(text) === undefined],
])
