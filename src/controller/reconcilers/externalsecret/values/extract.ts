import { JsonSyntaxError, parseJson } from '../../../../lib/json/parse.ts'
import { stringifyGo } from '../../../../lib/json/stringify.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../lib/json/value.ts'
import { ProviderError } from '../../../providers/provider.ts'

/**
 * The members of a value that is a JSON object: strings as their content, null as nothing, the rest as JSON. Numbers keep their
 * text; ESO takes them through a double there, which changes integers above 2^53 ("9007199254740993" becomes "…992").
 */
export function membersOf(value: Uint8Array): Map<string, Uint8Array> {
  return new Map(Object.entries(objectOf(value)).map(([name, member]) => [name, bytesOf(member ?? null)]))
}

function objectOf(value: Uint8Array): JsonObject {
  let json: Json
  try {
    json = parseJson(value, {
      maxBytes: Infinity,
      maxStringLength: Infinity,
      maxStrings: Infinity,
      maxValues: Infinity,
    })
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    throw new ProviderError('failed', 'the value is not a JSON object: use data with a secretKey instead of extract')
  }
  if (isJsonObject(json)) return json
  throw new ProviderError('failed', 'the value is not a JSON object: use data with a secretKey instead of extract')
}

function bytesOf(value: Json): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value)
  return value === null ? Buffer.alloc(0) : Buffer.from(stringifyGo(value))
}
