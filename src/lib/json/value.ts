/** JSON without JavaScript's losses: numbers keep their text, objects have no prototype. */
export type Json = null | boolean | number | JsonNumber | string | RawJson | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json | undefined
}

/** A number whose text JavaScript would change ("1.0", "12345678901234567890", "1e400"). Others are plain numbers. */
export class JsonNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString() {
    return this.text
  }
}

/** The bytes of one valid JSON value, passed on as they came. Made only by `parseRaw`, `parseJson` (free input) or from rows that we wrote. */
export class RawJson {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** A JSON object: not null, a list, a number kept as text, or raw text. */
export function isJsonObject(value: Json | undefined): value is JsonObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof JsonNumber) &&
    !(value instanceof RawJson)
  )
}
