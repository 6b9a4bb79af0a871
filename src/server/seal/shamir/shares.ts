import { combine, split } from 'shamir-secret-sharing'
import { Refusal } from '../../contracts/request.ts'

export interface Split {
  readonly shares: number
  readonly threshold: number
}

const minShareBytes = 16
const keyBytes = 32

/** The key's unseal keys: 33 bytes each (32 of the polynomials, 1 coordinate), or the key itself when there is only one. */
export async function splitKey(key: Uint8Array, { shares, threshold }: Split): Promise<Uint8Array[]> {
  // The library takes no subclass of Uint8Array.
  const plain = Uint8Array.from(key)
  if (shares === 1) return [plain]
  try {
    return await split(plain, shares, threshold)
  } finally {
    plain.fill(0)
  }
}

/** Some key comes out of any shares; only what it opens shows whether it is the one. Throws for shares that can't belong together. */
export async function combineShares(shares: readonly Uint8Array[]): Promise<Uint8Array> {
  const [only] = shares
  if (shares.length === 1 && only) return Uint8Array.from(only)
  const plain = shares.map((share) => Uint8Array.from(share))
  try {
    return await combine(plain)
  } finally {
    for (const share of plain) share.fill(0)
  }
}

/** An unseal key as people type it: hex, else base64. Refusal 400 in Vault's words, which begin differently where it is no unsealing. */
export function parseShare(text: string, before = 'invalid key: '): Uint8Array {
  const share = decode(text)
  if (!share) throw new Refusal(400, "'key' must be a valid hex or base64 string")
  if (share.length < minShareBytes) {
    throw new Refusal(400, `${before}key is shorter than minimum ${minShareBytes} bytes`)
  }
  if (share.length > keyBytes + 1) {
    throw new Refusal(400, `${before}key is longer than maximum ${keyBytes + 1} bytes`)
  }
  return share
}

function decode(text: string): Uint8Array | undefined {
  if (text.length % 2 === 0 && /^[0-9a-fA-F]+$/.test(text)) return Buffer.from(text, 'hex')
  if (text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text)) return Buffer.from(text, 'base64')
  return undefined
}
