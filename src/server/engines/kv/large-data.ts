import type { Json } from '../../../lib/json/value.ts'
import { TextPieces, writeJsonInTurns } from '../../../lib/json/write-in-turns.ts'
import { Pace } from '../../../lib/turns.ts'
import { Refusal } from '../../contracts/request.ts'
import { maxRowBytes } from '../../contracts/row-size.ts'
import { nextTurn } from './turn.ts'

/**
 * JSON text of data that is large by isLarge, made in slices. Refusal 413 for what no row takes: storage refuses it in the same
 * words, but only after it was all put together.
 */
export async function largeText(data: Json): Promise<string> {
  const out = new TextPieces()
  await writeJsonInTurns(data, out, new Pace({ next: nextTurn }))
  const { pieces, bytes } = out.take()
  if (bytes > maxRowBytes) throw new Refusal(413, `value too large: ${bytes} bytes, the limit is ${maxRowBytes}`)
  return Buffer.concat(pieces).toString()
}
