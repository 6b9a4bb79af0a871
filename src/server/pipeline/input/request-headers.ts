import { readMfaHeader } from '../../identity/mfa/credentials.ts'
import type { Incoming } from '../exchange.ts'

/** What is wrong is refused on any path, though only logins look at what it says. */
export function checkHeaders({ headers }: Incoming): void {
  const mfa = headers['x-vault-mfa']
  if (mfa !== undefined) readMfaHeader(mfa)
}
