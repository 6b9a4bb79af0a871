import { gjsonGet } from '../../../lib/gjson/get.ts'
import { UnsupportedPath } from '../../../lib/gjson/path.ts'
import { stringifyGo } from '../../../lib/json/stringify.ts'
import { type Json, JsonNumber, type JsonObject } from '../../../lib/json/value.ts'
import { ProviderError } from '../provider.ts'

/**
 * What a ref yields from a secret's members, as ESO: without property all of it as Go's JSON; with one, first the member of
 * exactly that name (dots allowed), then a gjson path. Numbers keep the text in which they were written, which ESO promises
 * only here and breaks in `extract` (floats, integers above 2^53): deliberately better.
 */
export function remoteValue(data: JsonObject, property: string | undefined): Uint8Array {
  if (property === undefined || property === '') return Buffer.from(stringifyGo(data))
  if (Object.hasOwn(data, property)) return bytesOf(data[property] ?? null)
  const found = byPath(stringifyGo(data), property)
  if (found === undefined)
    throw new ProviderError('failed', `cannot find secret data for key: ${JSON.stringify(property)}`)
  return Buffer.from(found)
}

function byPath(text: string, property: string): string | undefined {
  try {
    return gjsonGet(text, property)
  } catch (error) {
    if (error instanceof UnsupportedPath) throw new ProviderError('failed', error.message)
    throw error
  }
}

export function bytesOf(value: Json): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value)
  if (value === null) return Buffer.alloc(0)
  if (typeof value === 'number' || value instanceof JsonNumber) return Buffer.from(String(value))
  return Buffer.from(typeof value === 'boolean' ? String(value) : stringifyGo(value))
}
