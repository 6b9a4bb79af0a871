import type { JsonNumber } from '../../lib/json/value.ts'
import { isPrint, quote, quoteRune, sortedKeys, toBytes } from '../go-string.ts'
import { GoStruct, isList, isMap, isText, textOf, typeName, type Value } from '../value.ts'
import { formatFloat } from './decimal.ts'

/** One conversion of fmt.Printf: its verb and flags. */
export interface Spec {
  readonly verb: string
  readonly flags: ReadonlySet<string>
  readonly width?: number
  readonly precision?: number
}

const plain: Spec = { verb: 'v', flags: new Set() }

/** What `{{ value }}` writes; nothing there is "<no value>", as text/template says it. */
export const printValue = (v: Value): string => (v === undefined || v === null ? '<no value>' : formatValue(v, plain))

/** fmt.Sprint: a space between two operands neither of which is a string. */
export function sprint(args: readonly Value[]): string {
  let out = ''
  args.forEach((arg, i) => {
    if (i > 0 && !isText(arg) && !isText(args[i - 1])) out += ' '
    out += formatValue(arg, plain)
  })
  return out
}

/** fmt.Sprintln. */
export const sprintln = (args: readonly Value[]): string => `${args.map((a) => formatValue(a, plain)).join(' ')}\n`

export function formatValue(v: Value, spec: Spec, depth = 0): string {
  if (spec.verb === 'T') return pad(v === undefined || v === null ? '<nil>' : cut(typeName(v), spec), spec)
  if (spec.verb === 'p') throw new Error('%p is not supported')
  if (v === undefined || v === null) return formatNil(spec, depth)
  if (typeof v === 'boolean') return 'tv'.includes(spec.verb) ? pad(String(v), spec) : badVerb(v, spec)
  if (typeof v === 'bigint') return formatInt(v, spec)
  if (typeof v === 'number') return formatFloatVerb(v, spec)
  if (isText(v)) return formatText(v, spec)
  return formatComposite(v, spec, depth)
}

function formatNil(spec: Spec, depth: number): string {
  if (depth > 0) return isGoSyntax(spec) ? 'interface {}(nil)' : '<nil>'
  return spec.verb === 'v' ? pad('<nil>', spec) : `%!${spec.verb}(<nil>)`
}

/** On %v a plus asks for field names, not for signs. */
const hasPlus = (spec: Spec) => spec.flags.has('sign') || (spec.flags.has('+') && spec.verb !== 'v')
const isGoSyntax = (spec: Spec) => spec.verb === 'v' && spec.flags.has('#')

function formatComposite(v: Value, spec: Spec, depth: number): string {
  const inner = (x: Value) => formatValue(x, spec, depth + 1)
  const goSyntax = isGoSyntax(spec)
  if (isList(v)) {
    return goSyntax ? `[]interface {}{${v.map(inner).join(', ')}}` : `[${v.map(inner).join(' ')}]`
  }
  if (isMap(v)) {
    const pairs = sortedKeys(v).map((k) => `${inner(k)}:${inner(v.get(k))}`)
    return goSyntax ? `map[string]interface {}{${pairs.join(', ')}}` : `map[${pairs.join(' ')}]`
  }
  if (v instanceof GoStruct) {
    const named = spec.verb === 'v' && (spec.flags.has('+') || goSyntax)
    const fields = [...v.fields].map(([k, x]) => (named ? `${k}:${inner(x)}` : inner(x)))
    return goSyntax ? `&${v.typeName}{${fields.join(', ')}}` : `&{${fields.join(' ')}}`
  }
  throw new Error("can't print a function")
}

function badVerb(v: Value, spec: Spec): string {
  const flags = new Set([...spec.flags].filter((f) => f !== '#').map((f) => (f === '+' ? 'sign' : f)))
  return `%!${spec.verb}(${typeName(v)}=${formatValue(v, { ...spec, verb: 'v', flags })})`
}

function formatText(value: string | JsonNumber, spec: Spec): string {
  const text = textOf(value)
  switch (spec.verb) {
    case 'v':
      return pad(isGoSyntax(spec) ? quote(cut(text, spec)) : cut(text, spec), spec)
    case 's':
      return pad(cut(text, spec), spec)
    case 'q': {
      const shown = cut(text, spec)
      const raw = spec.flags.has('#') && !/[\u0000-\u0008\u000a-\u001f`\u007f\ufeff\ud800-\udfff]/u.test(shown)
      return pad(raw ? `\`${shown}\`` : quote(shown, spec.flags.has('+')), spec)
    }
    case 'x':
    case 'X':
      return pad(hexBytes(text, spec), spec)
    default:
      return badVerb(value, spec)
  }
}

const cut = (text: string, spec: Spec): string =>
  spec.precision === undefined ? text : [...text].slice(0, spec.precision).join('')

function hexBytes(text: string, spec: Spec): string {
  const bytes = toBytes(text).subarray(0, spec.precision)
  const prefix = spec.flags.has('#') && bytes.length > 0 ? '0x' : ''
  const pairs = [...bytes].map((b) => b.toString(16).padStart(2, '0'))
  const out = spec.flags.has(' ') ? pairs.map((p) => prefix + p).join(' ') : prefix + pairs.join('')
  return spec.verb === 'X' ? out.toUpperCase() : out
}

const bases: Readonly<Record<string, [radix: number, prefix: string]>> = {
  d: [10, ''],
  v: [10, ''],
  b: [2, '0b'],
  o: [8, '0'],
  O: [8, '0o'],
  x: [16, '0x'],
  X: [16, '0X'],
}

function formatInt(v: bigint, spec: Spec): string {
  const base = bases[spec.verb]
  if (base) return padNumber(digitsOf(v, base, spec), spec)
  const code = v >= 0n && v <= 0x10ffffn ? Number(v) : 0xfffd
  const char = code >= 0xd800 && code <= 0xdfff ? '\uFFFD' : String.fromCodePoint(code)
  if (spec.verb === 'c') return pad(char, spec)
  if (spec.verb === 'q') return pad(quoteRune(char, spec.flags.has('+')), spec)
  if (spec.verb !== 'U') return badVerb(v, spec)
  const hex = BigInt.asUintN(64, v)
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(4, spec.precision ?? 0), '0')
  return pad(`U+${hex}${spec.flags.has('#') && v >= 0n && isPrint(char) ? ` '${char}'` : ''}`, {
    ...spec,
    flags: new Set(spec.flags.has('-') ? '-' : ''),
  })
}

function digitsOf(v: bigint, [radix, prefix]: readonly [number, string], spec: Spec): string {
  let digits = (v < 0n ? -v : v).toString(radix)
  if (spec.verb === 'X') digits = digits.toUpperCase()
  if (spec.precision !== undefined)
    digits = spec.precision === 0 && v === 0n ? '' : digits.padStart(spec.precision, '0')
  const sign = v < 0n ? '-' : hasPlus(spec) ? '+' : spec.flags.has(' ') ? ' ' : ''
  const shown = spec.verb === 'O' || (spec.flags.has('#') && spec.verb !== 'v') ? prefix : ''
  return sign + shown + digits
}

function formatFloatVerb(v: number, spec: Spec): string {
  const { verb, precision } = spec
  if ('bxX'.includes(verb)) throw new Error(`%${verb} of a floating-point number is not supported`)
  if (!'veEfFgG'.includes(verb)) return badVerb(v, spec)
  if (spec.flags.has('#') && verb !== 'v') throw new Error(`%#${verb} is not supported`)
  const mark = verb === 'E' || verb === 'G' ? 'E' : 'e'
  const kind = verb === 'v' ? 'g' : verb.toLowerCase()
  const shape = kind === 'e' || kind === 'f' ? kind : 'g'
  let text = formatFloat(v, shape, precision ?? (shape === 'g' ? -1 : 6), mark)
  if (hasPlus(spec) && !/^[+-]/.test(text)) text = `+${text}`
  else if (!hasPlus(spec) && text.startsWith('+')) text = text.slice(1)
  if (spec.flags.has(' ') && !/^[+-]/.test(text)) text = ` ${text}`
  const finite = Number.isFinite(v)
  return finite ? padNumber(text, { ...spec, precision: undefined }) : pad(text, withoutZero(spec))
}

const withoutZero = (spec: Spec): Spec => ({ ...spec, flags: new Set([...spec.flags].filter((f) => f !== '0')) })

/** Zero padding goes after the sign and the base's prefix; a precision switches it off, as in Go. */
function padNumber(text: string, spec: Spec): string {
  if (!spec.flags.has('0') || spec.flags.has('-') || spec.precision !== undefined) return pad(text, withoutZero(spec))
  const sign = /^[+\- ]?/.exec(text)?.[0] ?? ''
  const prefix = spec.flags.has('#') || spec.verb === 'O' ? (/^0[xXbo]/.exec(text.slice(sign.length))?.[0] ?? '') : ''
  const digits = text.slice(sign.length + prefix.length)
  return sign + prefix + digits.padStart((spec.width ?? 0) - sign.length, '0')
}

function pad(text: string, spec: Spec): string {
  const missing = (spec.width ?? 0) - [...text].length
  if (missing <= 0) return text
  if (spec.flags.has('-')) return text + ' '.repeat(missing)
  return (spec.flags.has('0') ? '0' : ' ').repeat(missing) + text
}
