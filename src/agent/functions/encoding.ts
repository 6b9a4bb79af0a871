import { createHash, createHmac } from 'node:crypto'
import { valueFromJson } from '../../gotemplate/from-json.ts'
import { fromBytes, toBytes } from '../../gotemplate/go-string.ts'
import { type GoFunction, isText, textOf, type Value } from '../../gotemplate/value.ts'
import { parseJson } from '../../lib/json/parse.ts'
import { goJson } from './go-json.ts'
import { toYaml } from './yaml.ts'

/** consul-template's conversions. Their errors never quote what they were given. */
export const encodingFunctions: Readonly<Record<string, GoFunction>> = {
  base64Decode: { params: ['string'], call: (s) => decode(text(s), standard, 'base64Decode') },
  base64Encode: { params: ['string'], call: (s) => toBytes(text(s)).toString('base64') },
  base64URLDecode: { params: ['string'], call: (s) => decode(text(s), urlSafe, 'base64URLDecode') },
  base64URLEncode: { params: ['string'], call: (s) => padded(toBytes(text(s)).toString('base64url')) },
  hmacSHA256Hex: {
    params: ['string', 'string'],
    call: (data, key) =>
      createHmac('sha256', toBytes(text(key)))
        .update(toBytes(text(data)))
        .digest('hex'),
  },
  md5sum: {
    params: ['string'],
    call: (s) =>
      createHash('md5')
        .update(toBytes(text(s)))
        .digest('hex'),
  },
  parseBool: { params: ['string'], call: (s) => parseBool(text(s)) },
  parseFloat: { params: ['string'], call: (s) => parseFloat64(text(s)) },
  parseInt: { params: ['string'], call: (s) => parseWhole(text(s), 'parseInt', /^[+-]?\d+$/) },
  parseJSON: { params: ['string'], call: (s) => parse(text(s)) },
  parseUint: { params: ['string'], call: (s) => parseWhole(text(s), 'parseUint', /^\d+$/) },
  sha256Hex: {
    params: ['string'],
    call: (s) =>
      createHash('sha256')
        .update(toBytes(text(s)))
        .digest('hex'),
  },
  toJSON: { params: ['any'], call: (v) => goJson(v, { escapeHtml: true }) },
  toJSONPretty: { params: ['any'], call: (v) => goJson(v, { escapeHtml: true, indent: '  ' }) },
  toUnescapedJSON: { params: ['any'], call: (v) => goJson(v, { escapeHtml: false }) },
  toUnescapedJSONPretty: { params: ['any'], call: (v) => goJson(v, { escapeHtml: false, indent: '  ' }) },
  toYAML: { params: ['any'], call: (v) => toYaml(v) },
}

const text = (v: Value): string => (isText(v) ? textOf(v) : '')
const standard = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const urlSafe = /^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}==|[A-Za-z0-9_-]{3}=)?$/
const padded = (s: string) => s.padEnd(Math.ceil(s.length / 4) * 4, '=')

/** Go's decoder ignores line ends and insists on the padding. */
function decode(s: string, shape: RegExp, name: string): string {
  const plain = s.replace(/[\r\n]/g, '')
  if (!shape.test(plain)) throw new Error(`${name}: illegal base64 data`)
  return fromBytes(Buffer.from(plain, 'base64'))
}

function parse(s: string): Value {
  if (s === '') return new Map()
  try {
    return valueFromJson(parseJson(s), 'float')
  } catch {
    throw new Error('parseJSON: the text is no valid JSON')
  }
}

function parseBool(s: string): boolean {
  if (s === '' || /^(0|f|F|false|FALSE|False)$/.test(s)) return false
  if (/^(1|t|T|true|TRUE|True)$/.test(s)) return true
  throw new Error('parseBool: invalid syntax')
}

function parseFloat64(s: string): number {
  if (s === '') return 0
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(s)) throw new Error('parseFloat: invalid syntax')
  return Number(s)
}

function parseWhole(s: string, name: string, shape: RegExp): bigint {
  if (s === '') return 0n
  if (!shape.test(s)) throw new Error(`${name}: invalid syntax`)
  const value = BigInt(s.replace('+', ''))
  const [min, max] = name === 'parseUint' ? [0n, 2n ** 64n - 1n] : [-(2n ** 63n), 2n ** 63n - 1n]
  if (value < min || value > max) throw new Error(`${name}: value out of range`)
  return value
}
