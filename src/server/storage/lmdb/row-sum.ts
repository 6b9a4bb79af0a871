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

/** FNV-1a, 32 bits: each step can be undone, so bytes that differ in one place never have one sum. */
function fnv(bytes: Uint8Array, start: number): number {
  let hash = start
  for (let i = 0; i < bytes.length; i += 1) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193)
  return hash >>> 0
}
