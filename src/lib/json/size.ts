import { type Json, JsonNumber, type JsonObject, RawJson } from './value.ts'

/** What is larger than this is written and hashed in slices; what is not costs a few milliseconds at worst. In characters. */
const small = 64 * 1024
/** What a value counts for besides its characters: the HMAC of a short one costs as much as hashing some hundred of them. */
const perValue = 128
/** Raw text may be nothing but strings of one letter. */
const rawWeight = 8
/** Nobody makes that by hand, and the stack has an end. */
const deepest = 64

/** Whether work on the whole of it should be done in slices. Looks at no more than it needs to know that, and makes nothing. */
export function isLarge(json: Json | undefined): boolean {
  return json !== undefined && json !== null && rest(json, small, 0) < 0
}

/** The same with the size of what is not large, which grows with its characters and the number of its values; undefined: it is. */
export function sizeOf(json: Json): number | undefined {
  const left = json === null ? small : rest(json, small, 0)
  return left < 0 ? undefined : small - left
}

/** What remains of `left` after this value; below 0 it may have been looked at in part only. */
function rest(json: Json, left: number, depth: number): number {
  if (typeof json === 'string') return left - json.length
  if (typeof json !== 'object' || json === null || json instanceof JsonNumber) return left
  if (json instanceof RawJson) return left - rawWeight * json.text.length
  if (depth > deepest) return -1
  return isArray(json) ? restOfArray(json, left, depth) : restOfObject(json, left, depth)
}

function restOfObject(object: JsonObject, all: number, depth: number): number {
  let left = all
  for (const key in object) {
    const member = object[key]
    left -= perValue + key.length
    if (member !== undefined) left = rest(member, left, depth + 1)
    if (left < 0) return left
  }
  return left
}

function restOfArray(list: readonly Json[], all: number, depth: number): number {
  let left = all - perValue * list.length
  for (let i = 0; i < list.length && left >= 0; i += 1) left = rest(list[i] ?? null, left, depth + 1)
  return left
}

/** Whether its text is certainly longer. Looks at no more than it needs to know that, and makes nothing. */
export function isLongerThan(json: Json, characters: number): boolean {
  return lengthLeft(json, characters, 0) < 0
}

function lengthLeft(json: Json, all: number, depth: number): number {
  if (typeof json === 'string') return all - json.length
  if (typeof json !== 'object' || json === null || json instanceof JsonNumber) return all - 1
  if (depth > deepest) return all
  if (json instanceof RawJson) return all - json.text.length
  let left = all
  if (isArray(json)) {
    // Each with a comma or a bracket.
    left -= json.length
    for (let i = 0; i < json.length && left >= 0; i += 1) left = lengthLeft(json[i] ?? null, left, depth + 1)
    return left
  }
  for (const key in json) {
    const member = json[key]
    if (member === undefined) continue
    left = lengthLeft(member, left - key.length, depth + 1)
    if (left < 0) return left
  }
  return left
}

function isArray(json: Json): json is readonly Json[] {
  return Array.isArray(json)
}
