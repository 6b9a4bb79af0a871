/** As packets write integers (RFC 9580, 3.2): the number of bits, then the bytes without leading zeros. */
export function encodeInteger(bytes: Uint8Array): Uint8Array {
  const value = bytes.subarray(bytes.findIndex((byte) => byte !== 0))
  const first = value[0] ?? 0
  if (first === 0) return Buffer.alloc(2)
  const head = Buffer.alloc(2)
  head.writeUInt16BE((value.length - 1) * 8 + (32 - Math.clz32(first)))
  return Buffer.concat([head, value])
}

/** With the leading zeros that an integer lost; undefined when it is longer than that. */
export function padded(bytes: Uint8Array, length: number): Buffer | undefined {
  return bytes.length > length ? undefined : Buffer.concat([Buffer.alloc(length - bytes.length), bytes])
}
