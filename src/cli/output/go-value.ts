import { formatGoDuration } from '../../lib/duration.ts'
import { compareUtf8 } from '../../lib/json/stringify.ts'
import { type Json, JsonNumber, RawJson } from '../../lib/json/value.ts'
import { isObject } from '../../sdk/envelope.ts'

/** A value as Go's %v prints it: map[a:1 b:2], [x y], <nil>. */
export function goValue(value: Json | undefined): string {
  if (value === null || value === undefined) return '<nil>'
  if (typeof value === 'string') return value
  if (value instanceof JsonNumber || value instanceof RawJson) return value.text
  if (Array.isArray(value)) return `[${value.map(goValue).join(' ')}]`
  if (isObject(value)) {
    const members = Object.keys(value).sort(compareUtf8)
    return `map[${members.map((key) => `${key}:${goValue(value[key])}`).join(' ')}]`
  }
  return String(value)
}

/** []string as Go's %q prints it: ["a" "b"]. */
export const goQuoted = (list: readonly string[]): string => `[${list.map((item) => JSON.stringify(item)).join(' ')}]`

/** Seconds as Vault shows them: 2764800 -> "768h", 90 -> "1m30s". */
export function humanSeconds(seconds: number): string {
  return formatGoDuration(seconds * 1000)
    .replace(/m0s$/, 'm')
    .replace(/h0m(?=$|\d)/, 'h')
}

/** Members with such names hold seconds and are shown as a duration. */
export const looksLikeSeconds = (key: string): boolean =>
  /(^|_)(period|ttl|duration)$/.test(key) || key === 'lease_max' || key === 'ttl_max'

export function shownMember(key: string, value: Json | undefined): string {
  if (typeof value === 'number' && Number.isInteger(value) && looksLikeSeconds(key)) return humanSeconds(value)
  return goValue(value)
}
