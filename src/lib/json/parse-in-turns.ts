/** JSON of many megabytes, read in slices: the same documents, values and refusals as `parseJson`. */
import type { Pace } from '../turns.ts'
import { DocumentBuilder } from './document-builder.ts'
import { decodeUtf8, defaultJsonLimits, type JsonLimits, needsCare, Tokenizer } from './tokenizer.ts'
import type { Json } from './value.ts'

export interface LargeJsonLimits extends JsonLimits {
  /** Of any one object. JavaScript lists the keys of a larger one in one piece of work. */
  readonly maxMembers: number
  /** Of any one array. */
  readonly maxElements: number
}

const defaults: LargeJsonLimits = { ...defaultJsonLimits, maxMembers: 10_000, maxElements: Number.POSITIVE_INFINITY }
const pieceBytes = 256 * 1024

export async function parseJsonInTurns(input: Uint8Array, given: Partial<LargeJsonLimits>, pace: Pace): Promise<Json> {
  const limits = { ...defaults, ...given }
  const { text, simple } = await decode(input, limits, pace)
  const builder = new DocumentBuilder(new Tokenizer(text, limits, simple), limits)
  while (!builder.run(pace)) await pace.rest()
  return builder.value
}

/** `simple`: as the tokenizer asks. */
async function decode(input: Uint8Array, limits: JsonLimits, pace: Pace): Promise<{ text: string; simple: boolean }> {
  if (input.length > limits.maxBytes) decodeUtf8(input, limits)
  let text = ''
  let simple = true
  for (let from = 0, to = 0; from < input.length; from = to) {
    to = characterEnd(input, Math.min(input.length, from + pieceBytes))
    const piece = decodeUtf8(input.subarray(from, to), limits)
    simple &&= !needsCare.test(piece)
    text += piece
    if (pace.spendChars(to - from)) await pace.rest()
  }
  return { text, simple }
}

/** The place nearest before `at` where no character of UTF-8 is cut in two. */
function characterEnd(bytes: Uint8Array, at: number): number {
  let end = at
  // At most three bytes continue a character; where there are more, none of it is UTF-8.
  while (end > at - 3 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return end > 0 ? end : at
}
