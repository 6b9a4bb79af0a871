/** Reads Protocol Buffers' wire format (https://protobuf.dev/programming-guides/encoding/), every read within bounds. */

/** What is wrong with the bytes, in the words of Go's decoder. */
export class WireProblem extends Error {
  override name = 'WireProblem'
}

export type WireValue =
  | { readonly type: 0; readonly number: bigint }
  | { readonly type: 1 | 5; readonly double: number }
  | { readonly type: 2; readonly bytes: Uint8Array }

export interface WireField {
  readonly number: number
  readonly value: WireValue
}

/** The fields of one message in their order. */
export function* wireFields(bytes: Uint8Array): Generator<WireField> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const varint = () => {
    const [value, next] = readVarint(bytes, at)
    at = next
    return value
  }
  const take = (length: number) => {
    if (length > bytes.length - at) throw new WireProblem('unexpected EOF')
    at += length
    return at - length
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Number(tag >> 3n)
    if (number < 1 || number > 0x1fffffff) throw new WireProblem(`proto: illegal tag ${number} (wire type ${tag & 7n})`)
    const type = Number(tag & 7n)
    if (type === 0) yield { number, value: { type, number: BigInt.asIntN(64, varint()) } }
    else if (type === 1) yield { number, value: { type, double: view.getFloat64(take(8), true) } }
    else if (type === 5) yield { number, value: { type, double: view.getFloat32(take(4), true) } }
    else if (type === 2) {
      const length = Number(varint())
      const start = take(length)
      yield { number, value: { type, bytes: bytes.subarray(start, start + length) } }
    } else throw new WireProblem(`proto: illegal wireType ${type}`)
  }
}

/** The number at `start`, and where it ends. */
export function readVarint(bytes: Uint8Array, start: number): readonly [bigint, number] {
  let value = 0n
  for (let at = start, shift = 0n; ; at += 1, shift += 7n) {
    const byte = bytes[at]
    if (byte === undefined) throw new WireProblem('unexpected EOF')
    if (shift > 63n) throw new WireProblem('proto: integer overflow')
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return [value, at + 1]
  }
}
