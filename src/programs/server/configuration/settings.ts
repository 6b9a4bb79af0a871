/** Reads single settings; what is wrong is told with its place (HclError). */
import { parseVaultDuration } from '../../../lib/duration.ts'
import { parseGoBool } from '../../../lib/go-bool.ts'
import { HclError, type HclItem, type HclObject, isHclList } from '../../../lib/hcl/tree.ts'

/** What a stanza may hold. `inert` and `refused` say why a setting of Vault's does nothing here. */
export interface Accepted {
  readonly where: string
  readonly read: readonly string[]
  /** Does nothing and does no harm: a warning at the start, with these words. */
  readonly inert?: Readonly<Record<string, string>>
  /** Would be a promise that is not kept: the server does not start. */
  readonly refused?: Readonly<Record<string, string>>
}

/** Refuses what is not accepted; the warnings for what is without effect. */
export function checkSettings(object: HclObject, accepted: Accepted): string[] {
  const { where, read, inert = {}, refused = {} } = accepted
  return object.items.flatMap((item) => {
    if (read.includes(item.key)) return []
    if (Object.hasOwn(inert, item.key)) return [`"${item.key}" in ${where} has no effect: ${inert[item.key]}`]
    if (Object.hasOwn(refused, item.key)) {
      throw new HclError(`"${item.key}" in ${where} is not supported: ${refused[item.key]}`, item)
    }
    throw new HclError(`unknown key "${item.key}" in ${where}; accepted are ${read.join(', ')}`, item)
  })
}

export function textOf(item: HclItem | undefined): string | undefined {
  if (!item) return undefined
  if (typeof item.value !== 'string') throw new HclError(`"${item.key}" must be a string`, item)
  return item.value
}

export function boolOf(item: HclItem | undefined): boolean | undefined {
  if (!item) return undefined
  const { value } = item
  const parsed = typeof value === 'string' ? parseGoBool(value) : value === 1 ? true : value === 0 ? false : value
  if (typeof parsed !== 'boolean') throw new HclError(`"${item.key}" must be true or false`, item)
  return parsed
}

/** One string, or a list; `commas`: one string may hold several. */
export function listOf(item: HclItem | undefined, commas?: 'commas'): string[] {
  if (!item) return []
  const { value } = item
  const list = isHclList(value) ? value : [value]
  return list.flatMap((element) => {
    if (typeof element !== 'string') throw new HclError(`"${item.key}" must be a list of strings`, item)
    return commas ? element.split(',').map((part) => part.trim()) : [element]
  })
}

/** Milliseconds, more than 0. */
export function durationOf(item: HclItem | undefined): number | undefined {
  if (!item) return undefined
  const ms = parseVaultDuration(item.value)
  if (ms === undefined || ms <= 0) throw new HclError(`"${item.key}" must be a duration such as "768h"`, item)
  return ms
}

export function countOf(item: HclItem | undefined): number | undefined {
  if (!item) return undefined
  const { value } = item
  const count = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0) {
    throw new HclError(`"${item.key}" must be a whole number that is not negative`, item)
  }
  return count
}

const units = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

export function bytesOf(item: HclItem): number {
  const { value } = item
  const match = typeof value === 'string' ? /^(\d+)\s*(B|KiB|MiB|GiB)?$/.exec(value) : undefined
  const unit = match?.[2]
  const bytes =
    typeof value === 'number' ? value : match ? Number(match[1]) * (unit && isUnit(unit) ? units[unit] : 1) : -1
  if (!Number.isSafeInteger(bytes) || bytes < 0)
    throw new HclError(`"${item.key}" must be a size such as "256MiB"`, item)
  return bytes
}

const isUnit = (text: string): text is keyof typeof units => Object.hasOwn(units, text)

/** One of `accepted`, in whatever case. */
export function oneOf<T extends string>(item: HclItem | undefined, accepted: readonly T[]): T | undefined {
  const text = textOf(item)?.toLowerCase()
  if (!item || text === undefined) return undefined
  const found = accepted.find((name) => name.toLowerCase() === text)
  if (found === undefined) throw new HclError(`"${item.key}" must be one of ${accepted.join(', ')}`, item)
  return found
}
