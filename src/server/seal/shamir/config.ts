import { parseJson } from '../../../lib/json/parse.ts'
import { Refusal } from '../../contracts/request.ts'

export interface ShamirConfig {
  readonly type: 'shamir'
  /** How many unseal keys there are, and how many of them open. */
  readonly shares: number
  readonly threshold: number
}

/** Refusal 400 in Vault's words. */
export function shamirConfig({
  shares,
  threshold,
}: {
  readonly shares: number
  readonly threshold: number
}): ShamirConfig {
  const problem = whatIsWrong(shares, threshold)
  if (problem) throw new Refusal(400, `invalid seal configuration: ${problem}`)
  return { type: 'shamir', shares, threshold }
}

function whatIsWrong(shares: number, threshold: number): string | undefined {
  if (!Number.isInteger(shares) || shares < 1) return 'shares must be at least one'
  if (!Number.isInteger(threshold) || threshold < 1) return 'threshold must be at least one'
  if (shares > 1 && threshold === 1) return 'threshold must be greater than one for multiple shares'
  if (shares > 255) return 'shares must be less than 256'
  if (threshold > shares) return 'threshold cannot be larger than shares'
  return undefined
}

export function encodeShamirConfig({ shares, threshold }: ShamirConfig): Uint8Array {
  return Buffer.from(JSON.stringify({ format: 1, type: 'shamir', shares, threshold }))
}

/** Throws when the row is none that `encodeShamirConfig` made. */
export function decodeShamirConfig(row: Uint8Array): ShamirConfig {
  let found: unknown
  try {
    found = parseJson(row)
  } catch (cause) {
    throw new Error('the seal configuration in storage is damaged', { cause })
  }
  if (
    typeof found === 'object' &&
    found !== null &&
    ['format', 'type', 'shares', 'threshold'].every((member) => member in found)
  ) {
    const { format, type, shares, threshold } = found as Record<string, unknown>
    const known = format === 1 && type === 'shamir' && typeof shares === 'number' && typeof threshold === 'number'
    if (known && !whatIsWrong(shares, threshold)) return { type, shares, threshold }
  }
  throw new Error('the seal configuration in storage is damaged, or of a kind that this Coffer does not know')
}
