/** Quantities in the one form in which the API server stores each (k8s.io/apimachinery/pkg/api/resource). */

const pattern = /^([+-]?)(\d+|\d+\.\d*|\.\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?$/
const decimalSuffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E']
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const nano = 1_000_000_000n

interface Quantity {
  /** In billionths, rounded up. */
  readonly nanos: bigint
  readonly form: 'decimal' | 'binary' | 'exponent'
}

export function parseQuantity(value: unknown): Quantity | undefined {
  const text = typeof value === 'number' ? String(value) : value
  const match = typeof text === 'string' ? pattern.exec(text) : null
  if (!match) return undefined
  const [, sign = '', digits = '', suffix = ''] = match
  const [whole = '', part = ''] = digits.split('.')
  const base = BigInt(`${whole}${part}` || '0')
  const binary = binarySuffixes.indexOf(suffix)
  const exponent = /^[eE]/.test(suffix) ? Number(suffix.slice(1)) : (decimalSuffixes.indexOf(suffix) - 3) * 3
  const shift = (binary > 0 ? 0 : exponent) + 9 - part.length
  const scaled = base * (binary > 0 ? 1024n ** BigInt(binary) : 1n)
  const nanos = shift >= 0 ? scaled * 10n ** BigInt(shift) : roundUp(scaled, 10n ** BigInt(-shift))
  return {
    nanos: sign === '-' ? -nanos : nanos,
    form: binary > 0 ? 'binary' : /^[eE]/.test(suffix) ? 'exponent' : 'decimal',
  }
}

const roundUp = (value: bigint, by: bigint) => value / by + (value % by === 0n ? 0n : 1n)

/** As it is stored; undefined when it is none. */
export function canonicalQuantity(value: unknown): string | undefined {
  const quantity = parseQuantity(value)
  if (!quantity) return undefined
  const { nanos, form } = quantity
  if (nanos === 0n) return '0'
  const size = nanos < 0n ? -nanos : nanos
  // Small and broken numbers of bytes are written as any other number.
  if (form === 'binary' && size >= 1024n * nano && nanos % nano === 0n)
    return scaledText(nanos / nano, 1024n, binarySuffixes)
  const [mantissa, thousands] = divided(nanos, 1000n, form === 'exponent' ? 20 : decimalSuffixes.length - 1)
  if (form !== 'exponent') return `${mantissa}${decimalSuffixes[thousands] ?? ''}`
  const power = (thousands - 3) * 3
  return power === 0 ? `${mantissa}` : `${mantissa}e${power}`
}

function scaledText(value: bigint, by: bigint, suffixes: readonly string[]): string {
  const [mantissa, times] = divided(value, by, suffixes.length - 1)
  return `${mantissa}${suffixes[times] ?? ''}`
}

/** As often as it goes without a rest. */
function divided(value: bigint, by: bigint, most: number): [bigint, number] {
  let times = 0
  let rest = value
  while (times < most && rest % by === 0n) {
    rest /= by
    times += 1
  }
  return [rest, times]
}
