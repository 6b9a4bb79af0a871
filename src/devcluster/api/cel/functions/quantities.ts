/** quantity(): Kubernetes' amounts ("1.5Gi", "200m"), exact to the billionth part. */
import { contentOf, fn, intOf, method, type Overload, textOf } from '../overload.ts'
import { CelError, Opaque, type Value } from '../value.ts'

class Quantity {
  /** Billionth parts. */
  readonly nanos: bigint
  constructor(nanos: bigint) {
    this.nanos = nanos
  }
}

const form = /^([+-]?)(\d*)(?:\.(\d*))?([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d{1,3})?$/
const powers: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
const binary = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const most = (2n ** 63n - 1n) * 1_000_000_000n
const wrongForm = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

function parseQuantity(text: string): Quantity {
  const [, sign, whole = '', fraction = '', suffix = ''] = form.exec(text) ?? []
  if (whole === '' && fraction === '') {
    const suffixOnly = /^[+-]?[0-9.]+[eEinumkKMGTP]*[-+]?[0-9]*$/.test(text)
    throw new CelError(suffixOnly ? "unable to parse quantity's suffix" : wrongForm)
  }
  const exponent = /^[eE]/.test(suffix) && suffix.length > 1 ? Number(suffix.slice(1)) : (powers[suffix] ?? 0)
  const factor = 1024n ** BigInt(binary.indexOf(suffix) + 1)
  const digits = BigInt(whole + fraction) * factor
  const shift = exponent - fraction.length + 9
  const scaled = shift >= 0 ? digits * 10n ** BigInt(shift) : roundUp(digits, 10n ** BigInt(-shift))
  const bounded = scaled > most ? most : scaled
  return new Quantity(sign === '-' ? -bounded : bounded)
}

function roundUp(value: bigint, by: bigint): bigint {
  return value % by === 0n ? value / by : value / by + 1n
}

const valueFrom = (quantity: Quantity) => new Opaque('kubernetes.Quantity', String(quantity.nanos), quantity)
const nanosOf = (value: Value | undefined) => contentOf(value, Quantity).nanos
const sign = (value: bigint) => (value > 0n ? 1n : value < 0n ? -1n : 0n)
const isWhole = (nanos: bigint) => nanos % 1_000_000_000n === 0n

function isQuantity(text: string): boolean {
  try {
    parseQuantity(text)
    return true
  } catch (error) {
    if (error instanceof CelError) return false
    throw error
  }
}

const type = 'kubernetes.Quantity'
const sum = (name: string, factor: bigint): Overload[] => [
  method(name, `${type}, ${type}`, type, ([a, b]) => valueFrom(new Quantity(nanosOf(a) + factor * nanosOf(b)))),
  method(name, `${type}, int`, type, ([a, b]) =>
    valueFrom(new Quantity(nanosOf(a) + factor * intOf(b) * 1_000_000_000n)),
  ),
]

export const quantityFunctions: readonly Overload[] = [
  fn('quantity', 'string', type, ([text]) => valueFrom(parseQuantity(textOf(text)))),
  fn('isQuantity', 'string', 'bool', ([text]) => isQuantity(textOf(text))),
  fn('sign', type, 'int', ([a]) => sign(nanosOf(a))),
  method('isGreaterThan', `${type}, ${type}`, 'bool', ([a, b]) => nanosOf(a) > nanosOf(b)),
  method('isLessThan', `${type}, ${type}`, 'bool', ([a, b]) => nanosOf(a) < nanosOf(b)),
  method('compareTo', `${type}, ${type}`, 'int', ([a, b]) => sign(nanosOf(a) - nanosOf(b))),
  method('asApproximateFloat', type, 'double', ([a]) => Number(nanosOf(a)) / 1e9),
  method('isInteger', type, 'bool', ([a]) => isWhole(nanosOf(a))),
  method('asInteger', type, 'int', ([a]) => {
    const nanos = nanosOf(a)
    if (!isWhole(nanos)) throw new CelError('cannot convert value to integer')
    return nanos / 1_000_000_000n
  }),
  ...sum('add', 1n),
  ...sum('sub', -1n),
]
