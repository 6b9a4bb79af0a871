/**
 * Each value in the file begins with a sum (4 bytes) over its key, version and bytes. It is for the check of a file that was
 * not closed in order: LMDB itself has no checksums, and a key that changed by a bit would make its row silently absent.
 * It stops chance, not people; those are the barrier's business.
 */
export const sumBytes = 4

export function withSum(key: string, version: string, value: Uint8Array): Uint8Array {
  const row = Buffer.allocUnsafe(sumBytes + value.length)
  row.set(value, sumBytes)
  row.writeUInt32BE(sumOf(key, version, value), 0)
  return row
}

export function withoutSum(row: Uint8Array): Uint8Array {
  return row.subarray(sumBytes)
}

export function sumHolds(key: string, version: string, row: Uint8Array): boolean {
  if (row.length < sumBytes) return false
  const found = Buffer.from(row.buffer, row.byteOffset, row.byteLength).readUInt32BE(0)
  return found === sumOf(key, version, withoutSum(row))
}

function sumOf(key: string, version: string, value: Uint8Array): number {
  return fnv(value, fnv(Buffer.from(`${version}${key}`), 0x811c9dc5))
}

/** FNV-1a over words of 4 bytes, then the bytes that are left: each step can be undone, so what differs in one place never has one sum. */
function fnv(bytes: Uint8Array, start: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let hash = start
  let at = 0
  for (; at + 4 <= bytes.length; at += 4) hash = Math.imul(hash ^ view.getInt32(at), 0x01000193)
  for (; at < bytes.length; at += 1) hash = Math.imul(hash ^ view.getUint8(at), 0x01000193)
  return hash >>> 0
}
