import { parseJson } from '../lib/json/parse.ts'
import { type Json, JsonNumber, RawJson } from '../lib/json/value.ts'
import type { Value } from './value.ts'

/** JSON as template data. Numbers keep their text ('text', Go's UseNumber) or become float64 ('float', Go's default). */
export function valueFromJson(json: Json, numbers: 'text' | 'float'): Value {
  if (json instanceof RawJson) return valueFromJson(parseJson(json.text), numbers)
  if (json instanceof JsonNumber) return numbers === 'text' ? json : Number(json.text)
  if (typeof json === 'number') return numbers === 'text' ? new JsonNumber(String(json)) : json
  if (json === null || typeof json !== 'object') return json
  if (isList(json)) return json.map((item) => valueFromJson(item, numbers))
  return new Map(Object.entries(json).map(([key, item]) => [key, valueFromJson(item ?? null, numbers)]))
}

const isList = (json: Json): json is readonly Json[] => Array.isArray(json)
