/** How keys, versions and values travel to and from PostgreSQL: answers come as text, arrays go as text, values as bytes. */

/** The text of one column; null is SQL's. */
export type Column = string | null | undefined

const hex = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')

/** An array literal for bytea[]. */
export const byteaArray = (items: readonly Uint8Array[]): string =>
  `{${items.map((item) => `"\\\\x${hex(item)}"`).join(',')}}`

export const plainArray = (items: readonly (string | number | boolean | null)[]): string =>
  `{${items.map((item) => (item === null ? 'NULL' : String(item))).join(',')}}`

export function bytesOf(column: Column): Buffer {
  if (!column?.startsWith('\\x')) throw new Error('PostgreSQL gave no bytea in hex')
  return Buffer.from(column.slice(2), 'hex')
}

export const keyOf = (column: Column): string => bytesOf(column).toString()

/** The keys of a bytea[]. */
export const keysOf = (column: Column): string[] =>
  [...(column ?? '').matchAll(/\\\\x([0-9a-f]*)/g)].map(([, digits = '']) => Buffer.from(digits, 'hex').toString())

/** Versions are 53 bits: a bigint there, exact in a double here. */
export const versionColumn = (version: string): string => String(Number.parseInt(version, 16))

export const versionOf = (column: Column): string => {
  if (!column) throw new Error('PostgreSQL gave no version')
  return Number(column).toString(16).padStart(14, '0')
}

export const numberOf = (column: Column): number => {
  const number = column ? Number(column) : Number.NaN
  if (Number.isNaN(number)) throw new Error('PostgreSQL gave no number')
  return number
}

/** Values of one statement, in one buffer, and where each lies (from 1, as SQL counts). */
export interface Packed {
  readonly bytes: Buffer
  readonly offsets: readonly number[]
  readonly lengths: readonly number[]
}

export function pack(values: readonly Uint8Array[]): Packed {
  let at = 1
  const offsets = values.map(({ length }) => {
    at += length
    return at - length
  })
  return { bytes: Buffer.concat(values), offsets, lengths: values.map(({ length }) => length) }
}

/** The first key after all that begin with `prefix`, or undefined when there is none. */
export function prefixEnd(prefix: Uint8Array): Buffer | undefined {
  for (let last = prefix.length - 1; last >= 0; last -= 1) {
    const byte = prefix[last] ?? 255
    if (byte < 255) return Buffer.concat([prefix.subarray(0, last), Buffer.from([byte + 1])])
  }
  return undefined
}
