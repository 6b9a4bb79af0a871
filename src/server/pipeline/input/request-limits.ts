/** What a listener allows its requests, where that differs from the usual. */
import { type JsonLimits, JsonSyntaxError } from '../../../lib/json/parse.ts'
import { isJsonObject, type Json } from '../../../lib/json/value.ts'

export interface RequestLimits {
  /** How long the work may take; absent: 90 s. */
  readonly durationMs?: number
  readonly json?: Partial<JsonLimits>
  /** Of any one JSON object; absent: 10,000 (parse-in-turns.ts; bodies that are read at once can't hold so many). */
  readonly maxMembers?: number
  /** Of any one JSON array. */
  readonly maxElements?: number
}

/** Throws JsonSyntaxError. The reader has bounded depth and size already. */
export function checkCounts(value: Json, limits: RequestLimits): void {
  const { maxMembers = Number.POSITIVE_INFINITY, maxElements = Number.POSITIVE_INFINITY } = limits
  if (Array.isArray(value)) {
    if (value.length > maxElements) throw new JsonSyntaxError(`an array of more than ${maxElements} elements`, 0)
    for (const element of value) checkCounts(element, limits)
  } else if (isJsonObject(value)) {
    const members = Object.values(value)
    if (members.length > maxMembers) throw new JsonSyntaxError(`an object of more than ${maxMembers} members`, 0)
    for (const member of members) if (member !== undefined) checkCounts(member, limits)
  }
}
