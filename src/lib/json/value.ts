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

/**
 * An object most of whose members come again and again: `kept`, the text of an object with a member or more, and those that
 * change, ready to follow them (`"ttl":5`). These have no strings, so whoever hides the strings of answers does so once for `kept`.
 */
export class KeptJson extends RawJson {
  readonly kept: RawJson
  readonly changing: string

  constructor(kept: RawJson, changing: string) {
    super(`${kept.text.slice(0, -1)},${changing}}`)
    this.kept = kept
    this.changing = changing
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
