import { isLongerThan } from '../../lib/json/size.ts'
import type { Json } from '../../lib/json/value.ts'
import { Refusal } from './request.ts'

/** What a row holds, in bytes. */
export const maxRowBytes = 1024 * 1024
/** What storage takes: a full row and what the barrier adds to it. */
export const maxStoredBytes = maxRowBytes + 1024
/** Of a row's key, in UTF-8. */
export const maxKeyBytes = 1024

/** Most keys are so short that nothing is counted: a UTF-16 unit has three bytes at most. */
export function isKeyTooLong(key: string): boolean {
  return key.length * 3 > maxKeyBytes && Buffer.byteLength(key) > maxKeyBytes
}

/** What is larger than a row, but not so much, is refused by who made its text, with its size. */
const hugeBytes = 1.5 * maxRowBytes

/** Refusal 413 for what is far too large, before its text is made: for thirty megabytes that takes a tenth of a second. */
export function refuseHuge(value: Json): void {
  if (isLongerThan(value, hugeBytes))
    throw new Refusal(413, `value too large: more than ${hugeBytes} bytes, the limit is ${maxRowBytes}`)
}
