/** JSON of many megabytes, written in slices as bytes: the same text as `stringifyJson` and `mapStrings`. */
import type { Pace } from '../turns.ts'
import { mapStrings } from './map-strings.ts'
import { parseTextInTurns } from './parse-in-turns.ts'
import { sizeOf } from './size.ts'
import { endOfString } from './string-text.ts'
import { quoted, stringifyJson } from './stringify.ts'
import { isJsonObject, type Json, JsonNumber, type JsonObject, RawJson } from './value.ts'

/** Text in pieces of bytes, none of them much larger than this. */
const pieceChars = 128 * 1024

/** Takes text in any portions. */
export class TextPieces {
  readonly #pieces: Uint8Array[] = []
  #text = ''
  #bytes = 0

  add(text: string): void {
    this.#text += text
    if (this.#text.length >= pieceChars) this.#flush()
  }

  #flush(): void {
    // A portion may be as long as a string may be, but a surrogate pair must not be parted.
    const piece = Buffer.from(this.#text)
    this.#text = ''
    this.#bytes += piece.length
    this.#pieces.push(piece)
  }

  /** What was added so far; what is added from then on goes into pieces of its own. */
  take(): { readonly pieces: readonly Uint8Array[]; readonly bytes: number } {
    if (this.#text !== '') this.#flush()
    return { pieces: this.#pieces, bytes: this.#bytes }
  }
}

export interface StringStyle {
  /** JSON text for one string value. */
  readonly text: (value: string) => string
  /** What that costs, in the units of Pace, for strings of no length. */
  readonly cost: number
  /** How many characters make one unit more. */
  readonly charsPerUnit: number
}

const charsPerUnit = 512
/** For a container that is written at once: to enter it, and how much of its size is a unit. */
const containerCost = 0.5
const sizePerUnit = 400
/** To find a member of a large object, and to print its name. */
const keyCost = 0.5

export const plainStrings: StringStyle = { text: quoted, cost: 0.3, charsPerUnit }

export interface WriteOptions {
  readonly style?: StringStyle
  /** Members of the outermost object whose values stay as they are, whatever is inside. */
  readonly exempt?: ReadonlySet<string> | undefined
}

export async function writeJsonInTurns(json: Json, out: TextPieces, pace: Pace, options: WriteOptions = {}) {
  const { style = plainStrings, exempt } = options
  const writer = new Writer(out, pace, style)
  const outermost =
    exempt && exempt.size > 0 && json instanceof RawJson ? await parseTextInTurns(json.text, pace) : json
  if (isJsonObject(outermost)) await writer.object(outermost, exempt)
  else await writer.value(outermost)
}

class Writer {
  readonly #out: TextPieces
  readonly #pace: Pace
  readonly #style: StringStyle
  /** Of the strings of a container that is written at once. */
  #cost = 0
  readonly #counted = (value: string): string => {
    this.#cost += this.#style.cost + value.length / this.#style.charsPerUnit
    return this.#style.text(value)
  }

  constructor(out: TextPieces, pace: Pace, style: StringStyle) {
    this.#out = out
    this.#pace = pace
    this.#style = style
  }

  async value(json: Json): Promise<void> {
    const due = this.#atOnce(json)
    if (due ?? this.#pace.spend(1)) await this.#pace.rest()
    if (due !== undefined || typeof json !== 'object' || json === null || json instanceof JsonNumber) return
    if (json instanceof RawJson) await this.#raw(json)
    else if (isArray(json)) await this.#array(json)
    else await this.object(json)
  }

  /**
   * Writes what is not large; true when the slice is used up, undefined when it was not written. Most values are small, and a
   * promise for each would cost more than they do.
   */
  #atOnce(json: Json): boolean | undefined {
    if (typeof json === 'string') {
      this.#out.add(this.#style.text(json))
      return this.#pace.spend(this.#style.cost + json.length / this.#style.charsPerUnit)
    }
    if (!isContainer(json)) {
      this.#out.add(stringifyJson(json))
      return this.#pace.spend(0.2)
    }
    const size = sizeOf(json)
    if (size === undefined) return undefined
    this.#cost = 0
    this.#out.add(this.#style === plainStrings ? stringifyJson(json) : mapStrings(json, this.#counted))
    return this.#pace.spend(containerCost + this.#cost + size / sizePerUnit)
  }

  /** The text is valid: quotes stand around strings and nowhere else, and a colon only after a key. */
  async #raw({ text }: RawJson): Promise<void> {
    let copied = 0
    if (this.#style !== plainStrings) {
      for (let at = text.indexOf('"'), next = 0; at >= 0; at = text.indexOf('"', next)) {
        next = endOfString(text, at + 1) + 1
        let due = this.#pace.spend(0.5 + (next - at) / 512)
        if (!isKey(text, next)) {
          await this.#copy(text, copied, at)
          due = this.#atOnce(stringAt(text, at, next)) ?? due
          copied = next
        }
        if (due) await this.#pace.rest()
      }
    }
    await this.#copy(text, copied, text.length)
  }

  async #copy(text: string, start: number, end: number): Promise<void> {
    if (end - start <= pieceChars) return this.#out.add(text.slice(start, end))
    for (let from = start; from < end; ) {
      const to = Math.min(end, characterEnd(text, from + pieceChars))
      this.#out.add(text.slice(from, to))
      if (this.#pace.spendChars(to - from)) await this.#pace.rest()
      from = to
    }
  }

  async #array(list: readonly Json[]): Promise<void> {
    let before = '['
    for (const element of list) {
      this.#out.add(before)
      before = ','
      const due = this.#atOnce(element)
      if (due === undefined) await this.value(element)
      else if (due) await this.#pace.rest()
    }
    this.#out.add(before === '[' ? '[]' : ']')
  }

  async object(object: JsonObject, exempt?: ReadonlySet<string>): Promise<void> {
    let before = '{'
    for (const key of Object.keys(object)) {
      const member = object[key]
      if (member === undefined) continue
      this.#out.add(`${before}${quoted(key)}:`)
      before = ','
      if (this.#pace.spend(keyCost + key.length / charsPerUnit)) await this.#pace.rest()
      if (exempt?.has(key)) await new Writer(this.#out, this.#pace, plainStrings).value(member)
      else {
        const due = this.#atOnce(member)
        if (due === undefined) await this.value(member)
        else if (due) await this.#pace.rest()
      }
    }
    this.#out.add(before === '{' ? '{}' : '}')
  }
}

const isContainer = (json: Json): boolean => typeof json === 'object' && json !== null && !(json instanceof JsonNumber)

function isKey(text: string, after: number): boolean {
  let at = after
  while (text.charCodeAt(at) <= 0x20) at += 1
  return text.charCodeAt(at) === 0x3a
}

/** What the string says. */
function stringAt(text: string, start: number, end: number): string {
  const inside = text.slice(start + 1, end - 1)
  return inside.includes('\\') ? JSON.parse(text.slice(start, end)) : inside
}

/** The place at or after `at` where no surrogate pair is parted. */
function characterEnd(text: string, at: number): number {
  if (at >= text.length) return text.length
  const unit = text.charCodeAt(at)
  return unit >= 0xdc00 && unit < 0xe000 ? at + 1 : at
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
