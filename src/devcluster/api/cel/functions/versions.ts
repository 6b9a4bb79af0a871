/** semver(): versions by semver.org's rules. */
import { boolOf, contentOf, fn, method, type Overload, textOf } from '../overload.ts'
import { CelError, Opaque, type Value } from '../value.ts'

class Version {
  /** Major, minor, patch. */
  readonly numbers: readonly [bigint, bigint, bigint]
  readonly prerelease: readonly string[]
  constructor(numbers: readonly [bigint, bigint, bigint], prerelease: readonly string[]) {
    this.numbers = numbers
    this.prerelease = prerelease
  }
}

const number = '(0|[1-9]\\d*)'
const identifiers = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*'
const form = new RegExp(`^${number}\\.${number}\\.${number}(?:-(${identifiers}))?(?:\\+${identifiers})?$`)

/** Undefined when it is none. */
function parseVersion(text: string): Version | undefined {
  const [, major, minor, patch, prerelease] = form.exec(text) ?? []
  if (major === undefined || minor === undefined || patch === undefined) return undefined
  const steps = prerelease === undefined ? [] : prerelease.split('.')
  if (steps.some((step) => /^0\d+$/.test(step))) return undefined
  return new Version([BigInt(major), BigInt(minor), BigInt(patch)], steps)
}

/** "v1.02" becomes "1.2.0". */
function normalize(text: string): string {
  const [core = '', ...rest] = text.replace(/^v/, '').split(/(?=[-+])/)
  const numbers = core.split('.').map((step) => step.replace(/^0+(?=\d)/, ''))
  if (rest.length > 0 && numbers.length < 3) return text
  while (numbers.length < 3) numbers.push('0')
  return numbers.join('.') + rest.join('')
}

function compare(a: Version, b: Version): bigint {
  for (const [index, one] of a.numbers.entries()) {
    const other = b.numbers[index] ?? 0n
    if (one !== other) return one > other ? 1n : -1n
  }
  if (a.prerelease.length === 0 || b.prerelease.length === 0)
    return BigInt(Math.sign(b.prerelease.length - a.prerelease.length))
  for (const [index, one] of a.prerelease.entries()) {
    const other = b.prerelease[index]
    if (other === undefined) return 1n
    if (one !== other) return compareSteps(one, other)
  }
  return a.prerelease.length < b.prerelease.length ? -1n : 0n
}

function compareSteps(a: string, b: string): bigint {
  const [isNumber, otherIsNumber] = [a, b].map((step) => /^\d+$/.test(step))
  if (isNumber && otherIsNumber) return BigInt(a) > BigInt(b) ? 1n : -1n
  if (isNumber !== otherIsNumber) return isNumber ? -1n : 1n
  return a > b ? 1n : -1n
}

function versionValue(text: string): Value {
  const version = parseVersion(text)
  if (!version) throw new CelError(`${JSON.stringify(text)} is no semantic version`)
  return new Opaque('kubernetes.Semver', [...version.numbers, ...version.prerelease].join('.'), version)
}

const type = 'kubernetes.Semver'
const versionOf = (value: Value | undefined) => contentOf(value, Version)
const part = (name: string, index: 0 | 1 | 2) => method(name, type, 'int', ([a]) => versionOf(a).numbers[index])

export const versionFunctions: readonly Overload[] = [
  fn('semver', 'string', type, ([text]) => versionValue(textOf(text))),
  fn('semver', 'string, bool', type, ([text, lenient]) =>
    versionValue(boolOf(lenient) ? normalize(textOf(text)) : textOf(text)),
  ),
  fn('isSemver', 'string', 'bool', ([text]) => parseVersion(textOf(text)) !== undefined),
  fn(
    'isSemver',
    'string, bool',
    'bool',
    ([text, lenient]) => parseVersion(boolOf(lenient) ? normalize(textOf(text)) : textOf(text)) !== undefined,
  ),
  method('isGreaterThan', `${type}, ${type}`, 'bool', ([a, b]) => compare(versionOf(a), versionOf(b)) > 0n),
  method('isLessThan', `${type}, ${type}`, 'bool', ([a, b]) => compare(versionOf(a), versionOf(b)) < 0n),
  method('compareTo', `${type}, ${type}`, 'int', ([a, b]) => compare(versionOf(a), versionOf(b))),
  part('major', 0),
  part('minor', 1),
  part('patch', 2),
]
