/** JSON text -> values or canonical text, without JavaScript's losses and within limits. */
import { decodeUtf8, defaultJsonLimits, type JsonLimits, Tokenizer } from './tokenizer.ts'
import { type Json, JsonNumber, RawJson } from './value.ts'
import { walkValue } from './walk.ts'

export { type JsonLimits, JsonSyntaxError } from './tokenizer.ts'
export { rawMembers } from './walk.ts'

/**
 * Objects have no prototype (`__proto__` is a key like others; keys that look like array indexes come first, as in every
 * JavaScript object); a number is a JsonNumber when JavaScript would print it differently. Refused (JsonSyntaxError): what RFC 8259 does not
 * allow, duplicate keys, lone surrogates, invalid UTF-8, more than the limits.
 */
export function parseJson(input: string | Uint8Array, limits?: Partial<JsonLimits>): Json {
  const tokens = start(input, limits)
  const value = readValue(tokens)
  tokens.end()
  return value
}

/** Checks as `parseJson` does and keeps the text, less the whitespace between tokens. */
export function parseRaw(input: string | Uint8Array, limits?: Partial<JsonLimits>): RawJson {
  const tokens = start(input, limits)
  walkValue(tokens)
  const text = tokens.canonical()
  tokens.end()
  return new RawJson(text)
}

function start(input: string | Uint8Array, given: Partial<JsonLimits> | undefined): Tokenizer {
  const limits = given ? { ...defaultJsonLimits, ...given } : defaultJsonLimits
  return new Tokenizer(typeof input === 'string' ? input : decodeUtf8(input, limits), limits)
}

function readValue(tokens: Tokenizer): Json {
  const code = tokens.peek()
  switch (code) {
    case 0x22:
      return tokens.string()
    case 0x7b:
      return readObject(tokens)
    case 0x5b:
      return readArray(tokens)
    default:
      return readScalar(tokens)
  }
}

/** true, false, null or a number. */
export function readScalar(tokens: Tokenizer): Json {
  const text = tokens.scalar()
  if (text === 'null') return null
  if (text === 'true') return true
  if (text === 'false') return false
  const number = Number(text)
  return String(number) === text ? number : new JsonNumber(text)
}

function readObject(tokens: Tokenizer): Json {
  const object: Record<string, Json> = Object.create(null)
  tokens.open()
  if (!tokens.isEmpty(0x7d)) {
    do {
      tokens.peek()
      const at = tokens.pos
      const key = tokens.key()
      if (key in object) tokens.fail('duplicate key', at)
      object[key] = readValue(tokens)
    } while (tokens.hasMore(0x7d))
  }
  tokens.close()
  return object
}

function readArray(tokens: Tokenizer): Json {
  const array: Json[] = []
  tokens.open()
  if (!tokens.isEmpty(0x5d)) {
    do {
      array.push(readValue(tokens))
    } while (tokens.hasMore(0x5d))
  }
  tokens.close()
  return array
}
