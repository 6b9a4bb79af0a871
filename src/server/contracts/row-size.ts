import { isLongerThan } from '../../lib/json/size.ts'
import type { Json } from '../../lib/json/value.ts'
import { Refusal } from './request.ts'

/** What a row holds, in bytes. */
export const maxRowBytes = 1024 * 1024
/** What is larger than a row, but not so much, is refused by who made its text, with its size. */
const hugeBytes = 1.5 * maxRowBytes

/** Refusal 413 for what is far too large, before its text is made: for thirty megabytes that takes a tenth of a second. */
export function refuseHuge(value: Json): void {
  if (isLongerThan(value, hugeBytes))
    throw new Refusal(413, `value too large: more than ${hugeBytes} bytes, the limit is ${maxRowBytes}`)
}
