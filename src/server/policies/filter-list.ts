/** What of a list's answer the policy lets through: OpenBao's pagination_limit and list_scan_response_keys_filter_path. */
import { parseJson } from '../../lib/json/parse.ts'
import { compareUtf8 } from '../../lib/json/stringify.ts'
import { isJsonObject, type Json, type JsonObject, RawJson } from '../../lib/json/value.ts'
import type { Verdict } from './acl.ts'

export interface ListRules {
  /** Largest page; 0 = all. Also what the operation's own `limit` should be, so that it reads no more. */
  readonly limit: number
  /** Keys after this one; '' = from the first that the operation gives. */
  readonly after: string
  /** Absent: all. */
  shows?(key: string): boolean
}

/**
 * The answer's data with the keys that remain; `key_info` loses the others. Doing again what the operation did (after,
 * limit) changes nothing. Throws for data that has more than keys: something that was not filtered would get through.
 * With pauses: there may be a million keys, each of which policy is asked about.
 */
export function* filterSteps(verdict: Verdict, data: JsonObject | RawJson): Generator<void, JsonObject | RawJson> {
  const rules = verdict.list
  if (!rules) return data
  const plain = data instanceof RawJson ? parseJson(data.text) : data
  if (!isJsonObject(plain)) throw new Error('a filtered list is no object')
  const keys = plain['keys']
  if (keys === undefined || keys === null) return withoutKeys(plain)
  if (!isStrings(keys)) throw new Error('a filtered list has keys that are no names')
  const kept = yield* keptOf(keys, rules)
  const info = plain['key_info']
  if (rules.shows) refuseOthers(plain)
  return { ...plain, keys: kept, ...(info === undefined ? {} : { key_info: yield* infoOf(kept, info) }) }
}

const keysPerStep = 1000

function* keptOf(keys: readonly string[], { after, limit, shows }: ListRules): Generator<void, string[]> {
  const kept: string[] = []
  let taken = 0
  for (const [i, key] of keys.entries()) {
    if (i % keysPerStep === keysPerStep - 1) yield
    if (after !== '' && compareUtf8(key, after) <= 0) continue
    if (limit > 0 && taken === limit) break
    taken += 1
    if (!shows || shows(key)) kept.push(key)
  }
  return kept
}

function withoutKeys(data: JsonObject): JsonObject {
  if (Object.keys(data).length > 0) throw new Error('a filtered list has no keys')
  return data
}

function refuseOthers(data: JsonObject): void {
  const others = Object.keys(data).filter((name) => name !== 'keys' && name !== 'key_info')
  if (others.length > 0) throw new Error(`a filtered list has other members: ${others.join(', ')}`)
}

function* infoOf(kept: readonly string[], info: Json): Generator<void, JsonObject> {
  const plain = info instanceof RawJson ? parseJson(info.text) : info
  const out: Record<string, Json> = Object.create(null)
  if (plain === null) return out
  if (!isJsonObject(plain)) throw new Error('a filtered list has key_info that is no object')
  for (const [i, key] of kept.entries()) {
    if (i % keysPerStep === keysPerStep - 1) yield
    const known = plain[key]
    if (known !== undefined) out[key] = known
  }
  return out
}

const isStrings = (value: Json): value is readonly string[] =>
  Array.isArray(value) && value.every((item: Json) => typeof item === 'string')
