import type { AuthInfo } from '../envelope.ts'

/** The server answered a login without a token: wrapped, or a second factor is asked for. */
export class LoginIncomplete extends Error {
  override name = 'LoginIncomplete'
}

export function grantedBy(auth: AuthInfo | null | undefined, path: string): AuthInfo {
  if (auth?.client_token) return auth
  throw new LoginIncomplete(`the login at ${path} gave no token (wrapped, or a second factor is wanted)`)
}
