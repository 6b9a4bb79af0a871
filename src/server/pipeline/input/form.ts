/** application/x-www-form-urlencoded -> an object; a name that comes again makes a list. */
import { defaultJsonLimits } from '../../../lib/json/tokenizer.ts'
import type { JsonObject } from '../../../lib/json/value.ts'
import { Refusal } from '../../contracts/request.ts'
import type { RequestLimits } from './request-limits.ts'

/** What takes a millisecond or two when it is nothing but names of one letter. */
const sliceBytes = 4096
const ampersand = 0x26
/** Of an object, as in JSON that is read in slices. */
const defaultMaxMembers = 10_000

/** Stops at the end of each slice. Refusal 400 for more than JSON may hold: a form of one-letter names takes thirty times its size. */
export function* formSteps(body: Uint8Array, limits: RequestLimits = {}): Generator<void, JsonObject> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
  const found = new Found(limits)
  for (let from = 0, to = 0; from < bytes.length; from = to) {
    if (from > 0) yield
    const end = bytes.indexOf(ampersand, from + sliceBytes)
    to = end < 0 ? bytes.length : end + 1
    found.checkBytes(to - from)
    // Of what begins with a question mark the first character would be lost.
    const text = bytes.toString('utf8', from, to)
    for (const [name, value] of new URLSearchParams(from === 0 ? text : `&${text}`)) found.add(name, value)
  }
  return found.members
}

class Found {
  readonly members: Record<string, string | string[]> = Object.create(null)
  readonly #maxStrings: number
  readonly #maxStringLength: number
  readonly #maxMembers: number
  #strings = 0
  #names = 0

  constructor({ json, maxMembers = defaultMaxMembers }: RequestLimits) {
    this.#maxStrings = json?.maxStrings ?? defaultJsonLimits.maxStrings
    this.#maxStringLength = json?.maxStringLength ?? defaultJsonLimits.maxStringLength
    this.#maxMembers = maxMembers
  }

  /** Before they are read: a character takes at most nine bytes. */
  checkBytes(count: number): void {
    if (count > sliceBytes + 9 * 2 * this.#maxStringLength) this.#tooLong()
  }

  add(name: string, value: string): void {
    this.#strings += 2
    if (this.#strings > this.#maxStrings) tooMuch(`more than ${this.#maxStrings} strings`)
    if (name.length > this.#maxStringLength || value.length > this.#maxStringLength) this.#tooLong()
    const before = this.members[name]
    if (typeof before === 'string') this.members[name] = [before, value]
    else if (before !== undefined) before.push(value)
    else {
      this.#names += 1
      if (this.#names > this.#maxMembers) tooMuch(`more than ${this.#maxMembers} names`)
      this.members[name] = value
    }
  }

  #tooLong(): never {
    tooMuch(`a string longer than ${this.#maxStringLength} characters`)
  }
}

function tooMuch(what: string): never {
  throw new Refusal(400, `failed to parse form: ${what}`)
}
