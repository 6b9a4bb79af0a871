import { formatFloat } from '../../gotemplate/fmt/decimal.ts'
import { sortedKeys } from '../../gotemplate/go-string.ts'
import { GoStruct, isList, isMap, type Value } from '../../gotemplate/value.ts'
import { JsonNumber } from '../../lib/json/value.ts'

export interface JsonStyle {
  /** `<`, `>` and `&` as \u003c and so on. */
  readonly escapeHtml: boolean
  readonly indent?: string
}

/** encoding/json's text of a template value. */
export function goJson(value: Value, style: JsonStyle, depth = 0): string {
  if (value === undefined || value === null) return 'null'
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return goFloat(value)
  if (typeof value === 'string') return goJsonString(value, style.escapeHtml)
  if (value instanceof JsonNumber) return value.text
  const inner = (v: Value) => goJson(v, style, depth + 1)
  const colon = style.indent === undefined ? ':' : ': '
  if (isList(value)) return wrap('[', value.map(inner), ']', style, depth)
  if (isMap(value)) {
    const pairs = sortedKeys(value).map((k) => goJsonString(k, style.escapeHtml) + colon + inner(value.get(k)))
    return wrap('{', pairs, '}', style, depth)
  }
  if (value instanceof GoStruct) {
    const pairs = [...value.fields].map(([k, v]) => goJsonString(k, style.escapeHtml) + colon + inner(v))
    return wrap('{', pairs, '}', style, depth)
  }
  throw new Error('json: unsupported type: func')
}

function wrap(open: string, parts: readonly string[], close: string, style: JsonStyle, depth: number): string {
  if (style.indent === undefined || parts.length === 0) return open + parts.join(',') + close
  const inner = `\n${style.indent.repeat(depth + 1)}`
  return `${open}${inner}${parts.join(`,${inner}`)}\n${style.indent.repeat(depth)}${close}`
}

/** As encoding/json: like JavaScript, but with two-digit exponents only where Go leaves them. */
function goFloat(x: number): string {
  if (!Number.isFinite(x)) throw new Error('json: unsupported value: NaN or infinity')
  const size = Math.abs(x)
  if (x === 0 || (size >= 1e-6 && size < 1e21)) return formatFloat(x, 'f', -1)
  return formatFloat(x, 'e', -1).replace(/e-0(\d)$/, 'e-$1')
}

const short: Readonly<Record<string, string>> = {
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '"': '\\"',
  '\\': '\\\\',
}

function goJsonString(s: string, escapeHtml: boolean): string {
  const pattern = escapeHtml
    ? /[\x00-\x1f"\\<>&\u2028\u2029\ud800-\udfff]/gu
    : /[\x00-\x1f"\\\u2028\u2029\ud800-\udfff]/gu
  return `"${s.replace(pattern, (c) => {
    const known = short[c]
    if (known !== undefined) return known
    const code = c.charCodeAt(0)
    return code >= 0xd800 && code <= 0xdfff ? '\\ufffd' : `\\u${code.toString(16).padStart(4, '0')}`
  })}"`
}
