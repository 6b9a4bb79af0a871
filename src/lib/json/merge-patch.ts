import { parseJson } from './parse.ts'
import { isJsonObject, type Json, RawJson } from './value.ts'
import { trusted } from './walk.ts'

/** JSON Merge Patch (RFC 7386): members that are null in `patch` go, objects merge, everything else replaces. Neither input is changed. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  const change = expand(patch)
  if (!isJsonObject(change)) return change
  const before = target === undefined ? undefined : expand(target)
  const merged: Record<string, Json | undefined> = Object.create(null)
  if (isJsonObject(before)) Object.assign(merged, before)
  for (const key of Object.keys(change)) {
    const member = change[key]
    if (member === undefined) continue
    if (member === null) delete merged[key]
    else merged[key] = mergePatch(merged[key], member)
  }
  return merged
}

function expand(value: Json): Json {
  return value instanceof RawJson ? parseJson(value.text, trusted) : value
}
