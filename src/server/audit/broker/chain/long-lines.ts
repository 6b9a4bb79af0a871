/** Work on lines of many megabytes, in slices. */
import type { MessageParts } from '../../../../lib/hmac-sha256/hmac-sha256.ts'
import type { Pace } from '../../../../lib/turns.ts'
import type { LongBody } from './chain-writer.ts'

/** What SHA-256 takes, for one unit of Pace. */
export const hashedPerUnit = 512

export async function hashInTurns(parts: MessageParts, pieces: readonly Uint8Array[], pace: Pace): Promise<void> {
  for (const piece of pieces) {
    parts.add(piece)
    if (pace.spend(piece.length / hashedPerUnit)) await pace.rest()
  }
}

/** For devices to which a line is one message: with so much room behind it in memory. */
export async function joinInTurns(pieces: readonly Uint8Array[], room: number, pace: Pace): Promise<Uint8Array> {
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const joined = Buffer.allocUnsafeSlow(size + room)
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
    if (pace.spendChars(piece.length)) await pace.rest()
  }
  return joined.subarray(0, size)
}

/** The message: what was joined, and its end where room was left for it. */
export function completed([joined, end]: readonly Uint8Array[]): Uint8Array {
  if (!joined || !end) throw new Error('a line without its end')
  const whole = new Uint8Array(joined.buffer, joined.byteOffset, joined.length + end.length)
  whole.set(end, joined.length)
  return whole
}

export function bytesOf(bodies: readonly LongBody[]): number {
  return bodies.reduce((sum, { pieces }) => pieces.reduce((bytes, piece) => bytes + piece.length, sum), 0)
}

const shortBytes = 16 * 1024

export function isShort(pieces: readonly Uint8Array[]): boolean {
  return pieces.reduce((bytes, piece) => bytes + piece.length, 0) <= shortBytes
}

export function textOf(pieces: readonly Uint8Array[]): string {
  return Buffer.concat(pieces).toString()
}
