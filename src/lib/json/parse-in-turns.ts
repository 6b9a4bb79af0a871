/** JSON of many megabytes, read in slices: the same documents, values and refusals as `parseJson`. */
import { isAscii, isUtf8, transcode } from 'node:buffer'
import type { Pace } from '../turns.ts'
import { DocumentBuilder } from './document-builder.ts'
import {
  decodeUtf8,
  defaultJsonLimits,
  type JsonLimits,
  JsonSyntaxError,
  type NextText,
  Tokenizer,
} from './tokenizer.ts'
import type { Json } from './value.ts'
import { trusted } from './walk.ts'

export interface LargeJsonLimits extends JsonLimits {
  /** Of any one object. JavaScript lists the keys of a larger one in one piece of work. */
  readonly maxMembers: number
  /** Of any one array. */
  readonly maxElements: number
}

const defaults: LargeJsonLimits = { ...defaultJsonLimits, maxMembers: 10_000, maxElements: Number.POSITIVE_INFINITY }
/** Of the input, read as one part of its text: less would lie where young objects do, and be copied with them. */
const partBytes = 256 * 1024
/** To decode a part and to look for what needs care in it. */
const bytesPerUnit = 384
/** Bytes of UTF-8. */
const longestCharacter = 4
/** Looked at in one go, before anything is read: who reads all of it at once knows first whether it is UTF-8. */
const checkedBytes = 1024 * 1024
const checkedPerUnit = 4096

/** `atOnce`: how many bytes are one part. */
export async function parseJsonInTurns(
  input: Uint8Array,
  given: Partial<LargeJsonLimits>,
  pace: Pace,
  atOnce = partBytes,
): Promise<Json> {
  const limits = { ...defaults, ...given }
  if (input.length > limits.maxBytes) decodeUtf8(input, limits)
  await checkUtf8(input, pace)
  return build(textOf(input, pace, atOnce), limits, pace)
}

async function checkUtf8(input: Uint8Array, pace: Pace): Promise<void> {
  for (let from = 0, to = 0; from < input.length; from = to) {
    to = characterEnd(input, Math.min(input.length, from + checkedBytes))
    if (!isUtf8(input.subarray(from, to))) throw new JsonSyntaxError('not UTF-8', 0)
    if (pace.spend((to - from) / checkedPerUnit)) await pace.rest()
  }
}

/** Text that was checked before, whatever its size. */
export function parseTextInTurns(text: string, pace: Pace): Promise<Json> {
  let read = 0
  const next: NextText = (left) => {
    if (read === text.length) return undefined
    const from = read - left.length
    read = Math.min(text.length, read + Math.max(partBytes, left.length))
    pace.spend((read - from) / bytesPerUnit)
    return text.slice(from, read)
  }
  const unlimited = Number.POSITIVE_INFINITY
  return build(next, { ...trusted, maxMembers: unlimited, maxElements: unlimited }, pace)
}

async function build(next: NextText, limits: LargeJsonLimits, pace: Pace): Promise<Json> {
  const builder = new DocumentBuilder(new Tokenizer(next('') ?? '', limits, next), limits)
  while (!builder.run(pace)) await pace.rest()
  return builder.value
}

/** The text in parts: as one string it would be put together in one piece of work. */
function textOf(bytes: Uint8Array, pace: Pace, atOnce: number): NextText {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let read = 0
  return (left) => {
    if (read === input.length) return undefined
    const from = read - Buffer.byteLength(left)
    // A string that is longer than a part is read again, but each time in twice as much, or up to where it may end.
    const quote = left.length < atOnce ? -1 : input.subarray(read, read + 4 * atOnce).indexOf(0x22)
    const more = Math.max(atOnce, longestCharacter, left.length, quote + 1)
    read = characterEnd(input, Math.min(input.length, read + more))
    pace.spend((read - from) / bytesPerUnit)
    return decoded(input.subarray(from, read))
  }
}

/** Known to be UTF-8. The usual decoder takes three times as long for what is not ASCII. */
function decoded(bytes: Buffer): string {
  return isAscii(bytes) ? bytes.toString('latin1') : transcode(bytes, 'utf8', 'utf16le').toString('utf16le')
}

/** The place nearest before `at` where no character of UTF-8 is cut in two. */
function characterEnd(bytes: Uint8Array, at: number): number {
  let end = at
  // At most three bytes continue a character; where there are more, none of it is UTF-8.
  while (end > at - 3 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return end > 0 ? end : at
}
