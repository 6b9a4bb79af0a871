/** float64 <-> decimal digits, exactly: JavaScript rounds exact ties away from zero, Go to even. */
export interface Decimal {
  readonly negative: boolean
  /** Significant digits without leading zeros; "" is zero. */
  readonly digits: string
  /** Position of the point: 0.digits * 10^point. */
  readonly point: number
}

const bits = new DataView(new ArrayBuffer(8))

/** All digits of the exact binary value. */
export function exactDecimal(x: number): Decimal {
  bits.setFloat64(0, x)
  const raw = bits.getBigUint64(0)
  const negative = raw >> 63n === 1n
  const exponent = Number((raw >> 52n) & 0x7ffn)
  const fraction = raw & ((1n << 52n) - 1n)
  const mantissa = exponent === 0 ? fraction : fraction | (1n << 52n)
  const power = Math.max(exponent, 1) - 1075
  if (mantissa === 0n) return { negative, digits: '', point: 0 }
  const text = (power >= 0 ? mantissa << BigInt(power) : mantissa * 5n ** BigInt(-power)).toString()
  return { negative, digits: text, point: text.length + Math.min(power, 0) }
}

/** The fewest digits that read back as the same float64. */
export function shortestDecimal(x: number): Decimal {
  const negative = x < 0 || Object.is(x, -0)
  if (x === 0) return { negative, digits: '', point: 0 }
  const [mantissa = '', exponent = '0'] = Math.abs(x).toExponential().split('e')
  const digits = mantissa.replace('.', '')
  return { negative, digits, point: Number(exponent) + 1 }
}

/** Keeps `count` digits (may be zero or negative), rounding half to even. */
export function roundDecimal(d: Decimal, count: number): Decimal {
  if (count >= d.digits.length) return d
  if (count < 0) return { ...d, digits: '', point: 0 }
  const kept = d.digits.slice(0, count)
  const rest = d.digits.slice(count)
  const half = /^50*$/.test(rest)
  const lastOdd = Number(kept.at(-1) ?? '0') % 2 === 1
  const up = half ? lastOdd : (rest[0] ?? '0') >= '5'
  if (!up) return { ...d, digits: kept }
  const next = (BigInt(kept || '0') + 1n).toString()
  const grown = next.length - count
  return { ...d, digits: next, point: d.point + (count === 0 ? 1 : grown) }
}

/** strconv's %e: d.ddde±dd. */
export function exponentForm(d: Decimal, precision: number, mark: string): string {
  const digits = d.digits.padEnd(precision + 1, '0')
  const exponent = d.digits === '' ? 0 : d.point - 1
  const fraction = precision > 0 ? `.${digits.slice(1, precision + 1)}` : ''
  const size = String(Math.abs(exponent)).padStart(2, '0')
  return `${d.negative ? '-' : ''}${digits[0]}${fraction}${mark}${exponent < 0 ? '-' : '+'}${size}`
}

/** strconv's %f: ddd.ddd. */
export function pointForm(d: Decimal, precision: number): string {
  const whole = d.point > 0 ? d.digits.slice(0, d.point).padEnd(d.point, '0') : '0'
  const fraction = '0'.repeat(Math.max(0, -d.point)) + d.digits.slice(Math.max(0, d.point))
  const tail = precision > 0 ? `.${fraction.padEnd(precision, '0').slice(0, precision)}` : ''
  return `${d.negative ? '-' : ''}${whole}${tail}`
}

/** strconv.FormatFloat for 'e', 'f', 'g'; precision -1 is the shortest form. */
export function formatFloat(x: number, format: 'e' | 'f' | 'g', precision: number, mark = 'e'): string {
  if (Number.isNaN(x)) return 'NaN'
  if (!Number.isFinite(x)) return x > 0 ? '+Inf' : '-Inf'
  const shortest = precision < 0
  if (format === 'e') {
    const d = shortest ? shortestDecimal(x) : roundDecimal(exactDecimal(x), precision + 1)
    return exponentForm(d, shortest ? Math.max(0, d.digits.length - 1) : precision, mark)
  }
  if (format === 'f') {
    const exact = shortest ? shortestDecimal(x) : exactDecimal(x)
    const d = shortest ? exact : roundDecimal(exact, exact.point + precision)
    return pointForm(d, shortest ? Math.max(d.digits.length - d.point, 0) : precision)
  }
  return general(x, precision, mark)
}

function general(x: number, precision: number, mark: string): string {
  const shortest = precision < 0
  const wanted = precision === 0 ? 1 : precision
  const rounded = shortest ? shortestDecimal(x) : roundDecimal(exactDecimal(x), wanted)
  const d = { ...rounded, digits: rounded.digits.replace(/0+$/, '') }
  let limit = wanted
  if (limit > d.digits.length && d.digits.length >= d.point) limit = d.digits.length
  // Go decides by 6 digits for the shortest form, which is why 2592000.0 prints 2.592e+06.
  if (shortest) limit = 6
  const exponent = d.digits === '' ? 0 : d.point - 1
  if (exponent < -4 || exponent >= limit) return exponentForm(d, Math.max(0, d.digits.length - 1), mark)
  return pointForm(d, Math.max(d.digits.length - d.point, 0))
}
