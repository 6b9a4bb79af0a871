import { parseJson } from '../../lib/json/parse.ts'
import { Refusal } from '../contracts/request.ts'

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

/** The newest format of rows that this program knows; what it writes is the storage's (docs/adr). */
export const knownFormat = 1

/** Read as it stands: it is written without keys. Its version is the generation; it says which restore the rows come from. */
export const generationRow = 'core/generation'

/** Holds root key number `serial + 1`, encrypted by the one before it. */
export const rootUpgradeRow = (serial: number) => `core/root-upgrade/${serial}`

const reserved = new Set<string>([...Object.values(plainRows), generationRow])

/** Asked for each row that is read or written in a transaction: most are not even near. */
export function isReservedRow(key: string): boolean {
  return key.startsWith('core/') && (reserved.has(key) || /^core\/(root-upgrade|encryptions)\//.test(key))
}

/** A newer (or damaged) storage, which this version must not touch. */
export class FormatUnsupported extends Refusal {
  override name = 'FormatUnsupported'

  constructor(message: string) {
    super(503, message)
  }
}

export function formatRow(format: number): Uint8Array {
  return Buffer.from(JSON.stringify({ format }))
}

/** Answers the format. Throws FormatUnsupported. */
export function assertFormat(row: Uint8Array | undefined, known = knownFormat): number {
  const format = readFormat(row)
  if (format === undefined) {
    throw new FormatUnsupported(
      `the row "${plainRows.format}" is missing or damaged: this is not a storage that Coffer can open`,
    )
  }
  if (format > known) {
    throw new FormatUnsupported(
      `the storage has format ${format}, this Coffer knows up to ${known}: start the version that wrote it, or a newer one`,
    )
  }
  return format
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
