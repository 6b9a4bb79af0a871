import { parseJson } from '../../../lib/json/parse.ts'
import { recoveryCountProblem, type ShareCounts, shareCountProblem } from './share-counts.ts'

/** The row that says how the root key is protected; plaintext, and vouched for by the keyring. */
export interface SealConfig extends ShareCounts {
  /** 'shamir': the counts are of unseal keys; else of recovery keys, which may be none. */
  readonly type: string
  /** Unseal keys that still open because nobody has shown yet that the new ones arrived. */
  readonly previous?: ShareCounts & { readonly wrapped: Uint8Array }
  /** The requests of the first start are not all done. */
  readonly initialising?: boolean
}

export function encodeSealConfig({ type, shares, threshold, previous, initialising }: SealConfig): Uint8Array {
  const before = previous && { ...previous, wrapped: Buffer.from(previous.wrapped).toString('base64') }
  const row = { format: 1, type, shares, threshold, previous: before, initialising: initialising || undefined }
  return Buffer.from(JSON.stringify(row))
}

/** Throws when the row is none that `encodeSealConfig` made. */
export function decodeSealConfig(row: Uint8Array): SealConfig {
  const found = members(read(row))
  const { format, type, shares, threshold } = found
  if (format === 1 && typeof type === 'string' && typeof shares === 'number' && typeof threshold === 'number') {
    const counts = { shares, threshold }
    const problem = type === 'shamir' ? shareCountProblem(counts) : recoveryCountProblem(counts)
    const previous = previousOf(found['previous'])
    if (!problem) {
      return {
        type,
        ...counts,
        ...(previous ? { previous } : {}),
        ...(found['initialising'] === true ? { initialising: true } : {}),
      }
    }
  }
  throw new Error('the seal configuration in storage is damaged, or of a kind that this Coffer does not know')
}

function previousOf(value: unknown): SealConfig['previous'] {
  const { shares, threshold, wrapped } = members(value)
  if (typeof shares !== 'number' || typeof threshold !== 'number' || typeof wrapped !== 'string') return undefined
  return { shares, threshold, wrapped: Buffer.from(wrapped, 'base64') }
}

function read(row: Uint8Array): unknown {
  try {
    return parseJson(row)
  } catch (cause) {
    throw new Error('the seal configuration in storage is damaged', { cause })
  }
}

const members = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {}
