import { parseJson } from '../../lib/json/parse.ts'

/** Rows that exist before there are keys. `sealConfig` and `wrappedRootKey` belong to the seal, which passes them to `initialise`. */
export const plainRows = {
  format: 'core/format',
  keyring: 'core/keyring',
  sealConfig: 'core/seal-config',
  wrappedRootKey: 'core/root-key',
  /** The storage's own (storage/leadership.ts). */
  leader: 'core/leader',
} as const

/** Only its version counts (pipeline/access/authority.ts): it is read as it stands, since a restore writes it without keys. */
export const sealedRow = 'core/sealed'

/** The format of everything in storage; raised only with a migration (docs/adr). */
const currentFormat = 1

/** Holds root key number `serial + 1`, encrypted by the one before it. */
export const rootUpgradeRow = (serial: number) => `core/root-upgrade/${serial}`

export function isReservedRow(key: string): boolean {
  return Object.values<string>(plainRows).includes(key) || /^core\/(root-upgrade|encryptions)\//.test(key)
}

/** A newer (or damaged) storage, which this version must not touch. */
export class FormatUnsupported extends Error {
  override name = 'FormatUnsupported'
}

export function formatRow(): Uint8Array {
  return Buffer.from(JSON.stringify({ format: currentFormat }))
}

export function assertFormat(row: Uint8Array | undefined): void {
  const format = readFormat(row)
  if (format === undefined) {
    throw new FormatUnsupported(
      `the row "${plainRows.format}" is missing or damaged: this is not a storage that Coffer can open`,
    )
  }
  if (format > currentFormat) {
    throw new FormatUnsupported(
      `the storage has format ${format}, this Coffer knows up to ${currentFormat}: start the version that wrote it, or a newer one`,
    )
  }
}

function readFormat(row: Uint8Array | undefined): number | undefined {
  if (!row) return undefined
  try {
    const value = parseJson(row)
    const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined
    return typeof format === 'number' && Number.isInteger(format) && format >= 1 ? format : undefined
  } catch {
    return undefined
  }
}
