import type { LeaseCounts } from '../../contracts/access/admission.ts'
import type { TokenRevocation } from '../../tokens/token-revocation.ts'
import type { TokenRow } from '../../tokens/token-row.ts'

export interface CountedLogin {
  readonly namespacePath: string
  readonly mountPath: string
  readonly path: string
  readonly token: { readonly id: string; readonly row: TokenRow }
  readonly signal: AbortSignal
}

/**
 * Refuses (429) what goes past a quota. Asked when the token is there already, so that of several logins at once none is
 * overlooked; batch tokens are never counted themselves.
 */
export async function countLogin(
  options: { readonly leaseCounts?: LeaseCounts; readonly revocation: TokenRevocation },
  { namespacePath, mountPath, path, token, signal }: CountedLogin,
): Promise<void> {
  const stored = token.row.type === 'service'
  try {
    await options.leaseCounts?.admitLease(namespacePath, mountPath, path, stored)
  } catch (error) {
    if (stored) await options.revocation.revoke(token.id, signal)
    throw error
  }
}
